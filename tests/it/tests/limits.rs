//! As much of everything as the kernel allows: it is all found, with bounded memory and few open
//! files, or it is said what was not.
//!
//! A program of its own whose tests run one at a time: each of them is a burden on every scan.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lxkns_discover::{Bpf, Options, Tier};
use lxkns_it::{everywhere, scaled, scan, scan_with, snapshot_of, tool_snapshot};
use lxkns_model::wire::{ALWAYS, MAX_EXPANSION};
use lxkns_model::{FileKind, Holder, MountKind, Reason, Snapshot};
use lxkns_nstest::{Child, Dir, Script, need, own_namespace, tool};
use lxkns_species::NamespaceId;
use lxkns_species::NamespaceType::{Mnt, Net, Pid, User, Uts};
use rustix::process::{Resource, getrlimit, setrlimit};

/// The whole tool, libraries, stacks and all, has to make do with this much memory.
const MEMORY: u64 = 1 << 30;

fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the tool finds with no more than this.
#[track_caller]
fn found_within(resource: Resource, most: u64) -> Snapshot {
    let child = Script::new().limit(resource, most).run("tool", &tool_snapshot()).spawn().unwrap();
    snapshot_of(child.output("tool"))
}

/// How many holders the namespace has of those that the question is about.
fn count(snapshot: &Snapshot, id: NamespaceId, which: impl Fn(&Holder) -> bool) -> usize {
    let holders = snapshot.namespace(id).unwrap().holders();
    holders.iter().filter(|holder| which(holder)).count()
}

/// A number of the kernel's.
fn setting(name: &str) -> usize {
    let text = fs::read_to_string(format!("/proc/sys/{name}")).unwrap();
    text.trim().parse().unwrap()
}

#[test]
fn ninety_thousand_mounts() {
    need!(userns);
    let _turn = one_at_a_time();
    const NAMESPACES: usize = 10;
    // Each round doubles what there is: the namespaces, and the file system that they are on.
    let others = fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    let most = scaled(100_000).min(setting("fs/mount-max")) - others;
    let rounds = (most / (NAMESPACES + 1)).ilog2();
    let dir = Dir::new().unwrap();
    let mut script = Script::new().user_namespace().unshare([Mnt]).mount("tmpfs", &dir, "");
    for number in 0..NAMESPACES {
        let label = number.to_string();
        let place = dir.join(&label);
        script = script.in_new(Uts, |uts| uts.note(&label, Uts).bind_namespace(Uts, place));
    }
    for round in 0..rounds {
        let place = dir.join(format!("round {round}"));
        script = script.mkdir(&place).bind_tree(&dir, &place);
    }
    let child = script.spawn().unwrap();
    let mnt = child.namespace(Mnt);
    let check = |snapshot: &Snapshot| {
        for number in 0..NAMESPACES {
            let id = child.noted(&number.to_string());
            let mounts = count(
                snapshot,
                id,
                |holder| matches!(holder, Holder::Mount { kind: MountKind::Bind, mount_namespace, .. } if *mount_namespace == Some(mnt)),
            );
            assert_eq!(mounts, 1 << rounds);
            assert!(snapshot.namespace(id).unwrap().owner().is_some());
        }
    };
    check(&scan());
    check(&scan_with(&Options::everything().tier(Tier::Proc)));
    check(&found_within(Resource::As, MEMORY));
}

#[test]
fn as_many_files_as_a_process_may_open() {
    need!(userns);
    let _turn = one_at_a_time();
    let most = scaled(100_000) as u64;
    let full = |script: Script| script.limit(Resource::Nofile, most).duplicate_until_full(3);
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).tcp_socket(4).open_namespace(Net, 3))
        .fork("namespaces", full(Script::new().close(4)))
        .close(3)
        .in_new(Net, |net| net.note("other net", Net).tcp_socket(3))
        .fork("sockets", full(Script::new().close(4)))
        .close(3)
        .spawn()
        .unwrap();
    let open = |label: &str, link: &str| {
        let folder = format!("/proc/{}/fd", child.pid_of(label));
        let links = fs::read_dir(folder).unwrap();
        let links = links.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        links.filter(|it| it.to_string_lossy().starts_with(link)).count()
    };
    let expected = (open("namespaces", "net:"), open("sockets", "socket:"));
    assert!(expected.0 > 500 && expected.1 > 500, "{expected:?}");
    let check = |snapshot: &Snapshot| {
        let namespaces = count(
            snapshot,
            child.noted("net"),
            |holder| matches!(holder, Holder::File { kind: FileKind::Namespace, pid, .. } if *pid == child.pid_of("namespaces")),
        );
        let sockets = count(
            snapshot,
            child.noted("other net"),
            |holder| matches!(holder, Holder::File { kind: FileKind::Socket, pid, .. } if *pid == child.pid_of("sockets")),
        );
        assert_eq!((namespaces, sockets), expected);
    };
    for bpf in [Bpf::Off, Bpf::On] {
        check(&scan_with(&Options::everything().bpf(bpf)));
    }
    check(&found_within(Resource::As, MEMORY));
}

/// User namespaces, one in the other, until the kernel refuses.
fn as_deep_as_possible() -> (usize, Child) {
    // The initial one counts.
    for depth in (1..=33).rev() {
        let users = (0..depth).fold(Script::new(), |script, _| script.user_namespace());
        let innermost = users.unshare([Net, Uts]).tcp_socket(3);
        match innermost.spawn() {
            Ok(child) => return (depth, child),
            Err(error) => assert!(error.to_string().contains("ENOSPC"), "{error}"),
        }
    }
    panic!("no user namespace at all");
}

#[test]
fn user_namespaces_as_deep_as_possible() {
    need!(userns);
    let _turn = one_at_a_time();
    let (depth, child) = as_deep_as_possible();
    let check = |snapshot: &Snapshot| {
        let innermost = snapshot.namespace(child.namespace(User)).unwrap();
        let mut above = vec![innermost];
        while let Some(parent) = above.last().and_then(|last| last.parent().known()) {
            above.push(parent);
        }
        let own = above.iter().position(|it| it.id() == own_namespace(User));
        assert_eq!(own, Some(depth), "{above:?}");
        let net = snapshot.namespace(child.namespace(Net)).unwrap();
        assert_eq!(net.owner(), Some(innermost));
    };
    everywhere(check);
    // A scan need not have all of them open at the same time.
    check(&found_within(Resource::Nofile, 32));
}

#[test]
fn pid_namespaces_as_deep_as_possible() {
    need!(userns);
    let _turn = one_at_a_time();
    // Below the 32nd there is none; an ordinary machine's are none below the initial one.
    let outer = fs::read_to_string("/proc/self/status").unwrap();
    let outer = outer.lines().find(|line| line.starts_with("NSpid:"));
    let depth = 33 - outer.unwrap().split_whitespace().skip(1).count();
    let label = |level: usize| format!("level {level}");
    let innermost = (1..depth).rev().fold(Script::new(), |inner, level| {
        Script::new().unshare([Pid]).fork(&label(level), inner)
    });
    let child =
        Script::new().user_namespace().unshare([Pid]).fork("level 0", innermost).spawn().unwrap();
    let check = |snapshot: &Snapshot| {
        let process = snapshot.process(child.pid_of(&label(depth - 1))).unwrap();
        assert_eq!(process.pids().map(<[_]>::len), Some(depth + 1));
        let mut above = process.namespace(Pid).unwrap();
        for level in (0..depth).rev() {
            assert_eq!(above.id(), child.namespace_of(&label(level), Pid));
            above = above.parent().known().unwrap();
        }
        assert_eq!(above.id(), own_namespace(Pid));
    };
    everywhere(check);
    check(&found_within(Resource::Nofile, 32));
}

/// Nothing but the innermost one is seen from outside, so that the scan climbs from there to the
/// top.
#[test]
fn pid_namespaces_without_processes_as_deep_as_possible() {
    need!(userns);
    let _turn = one_at_a_time();
    let outer = fs::read_to_string("/proc/self/status").unwrap();
    let outer = outer.lines().find(|line| line.starts_with("NSpid:"));
    let depth = 33 - outer.unwrap().split_whitespace().skip(1).count();
    let dir = Dir::new().unwrap();
    let innermost =
        Script::new().note("innermost", Pid).bind_namespace(Pid, dir.join("pid")).exit();
    let chain = (0..depth).rev().fold(innermost, |inner, level| {
        Script::new().unshare([Pid]).fork(&format!("level {level}"), inner).reap().exit()
    });
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .fork("chain", chain)
        .reap()
        .spawn()
        .unwrap();
    let check = |snapshot: &Snapshot| {
        let mut above = snapshot.namespace(child.noted("innermost")).unwrap();
        for _ in 0..depth {
            assert!(above.senior_leader().is_none());
            assert_eq!(above.owner().map(|it| it.id()), Some(child.namespace(User)));
            above = above.parent().known().unwrap();
        }
        assert_eq!(above.id(), own_namespace(Pid));
    };
    everywhere(check);
    check(&found_within(Resource::Nofile, 24));
}

#[test]
#[ignore = "run by a_command_line_of_two_mebibytes"]
fn wait_for_the_end_of_input() {
    _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
}

#[test]
fn a_command_line_of_two_mebibytes() {
    let _turn = one_at_a_time();
    const KEPT: usize = 128 * 1024;
    // A quarter of the stack may be arguments, each of up to 32 pages.
    let stack = getrlimit(Resource::Stack);
    let mut larger = stack;
    let wanted = 16 << 20;
    larger.current = Some(stack.maximum.map_or(wanted, |hard| hard.min(wanted)));
    setrlimit(Resource::Stack, larger).unwrap();
    let mut arguments = vec!["wait_for_the_end_of_input".to_owned()];
    arguments.extend(["--ignored", "--exact"].map(str::to_owned));
    arguments.extend((b'a'..b'r').map(|letter| char::from(letter).to_string().repeat(KEPT - 1)));
    let mut idle = Command::new(std::env::current_exe().unwrap())
        .args(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    setrlimit(Resource::Stack, stack).unwrap();
    // The first thing that it says shows that it has its command line.
    let mut output = idle.stdout.take().unwrap();
    output.read_exact(&mut [0]).unwrap();
    let pid = lxkns_species::Pid(idle.id());
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(text.len() > 2 << 20, "{}", text.len());
    let check = |snapshot: &Snapshot| {
        let cmdline = snapshot.process(pid).unwrap().cmdline().unwrap();
        assert!(cmdline.cut);
        let kept: Vec<&[u8]> = cmdline.arguments.iter().map(|it| it.as_bytes()).collect();
        let kept = kept.join(&0);
        assert_eq!(kept.len(), KEPT);
        assert!(text.starts_with(&kept));
    };
    everywhere(check);
    for bpf in [Bpf::Off, Bpf::On] {
        check(&scan_with(&Options::everything().bpf(bpf)));
    }
    drop(idle.stdin.take());
    assert!(idle.wait().unwrap().success());
}

/// The kernel's type information is some megabytes that may not be there.
#[test]
fn without_memory_for_bpf_proc_will_do() {
    need!(root);
    let _turn = one_at_a_time();
    let succeeds = |bpf: &str, megabytes: u64| {
        let mut tool = tool_snapshot();
        tool.args(["--bpf", bpf]);
        let script = Script::new().limit(Resource::As, megabytes << 20);
        script.run("tool", &tool).spawn().unwrap().output("tool").status.success()
    };
    // With so little that a second thread cannot be started it may be enough, and with a bit more
    // not.
    let enough = (8..40).rev().take_while(|megabytes| succeeds("off", *megabytes)).last().unwrap();
    // Some more, as the processes that others start meanwhile need some, too.
    for megabytes in enough + 4..enough + 14 {
        assert!(succeeds("on", megabytes), "{megabytes} MiB, and {enough} without BPF");
    }
}

#[test]
fn sixty_four_open_files_are_enough() {
    need!(userns);
    let _turn = one_at_a_time();
    let dir = Dir::new().unwrap();
    // Something of every kind, and so much of it that the workers share it.
    let member = Script::new().unshare([Net, Uts]).tcp_socket(3);
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Uts, |uts| uts.note("mount", Uts).bind_namespace(Uts, dir.join("uts")))
        .in_new(Net, |net| net.note("fd", Net).open_namespace(Net, 3))
        .thread("thread", Script::new().unshare([Uts]))
        .forks("member", scaled(500), member)
        .spawn()
        .unwrap();
    let all = scan();
    let few = found_within(Resource::Nofile, 64);
    let of_child = |snapshot: &Snapshot| -> BTreeMap<NamespaceId, usize> {
        let user = snapshot.namespace(child.namespace(User)).unwrap();
        let owned = user.owned().map(|it| (it.id(), it.processes().len()));
        owned.collect()
    };
    assert_eq!(of_child(&all), of_child(&few));
    for id in [child.noted("mount"), child.noted("fd"), child.namespace_of("thread", Uts)] {
        assert!(of_child(&few).contains_key(&id), "{id}");
    }
    let limits: Vec<_> = few.gaps().iter().filter(|it| it.why == Reason::Limit).collect();
    assert!(limits.is_empty(), "{limits:?}");
}

#[test]
fn too_few_open_files_are_a_gap() {
    need!(userns);
    let _turn = one_at_a_time();
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
        .spawn()
        .unwrap();
    // With so few it can begin, and not much more.
    let snapshot = found_within(Resource::Nofile, 6);
    assert!(snapshot.process(child.pid()).is_some());
    let found = snapshot.namespace(child.noted("net"));
    let limits = snapshot.gaps().iter().any(|gap| gap.why == Reason::Limit);
    assert!(limits || found.is_some(), "{:?}", snapshot.gaps());
}

/// Runs a command whose memory is bounded by the size of the documents that it reads.
#[track_caller]
fn reads_within_bounds(line: &str, paths: &[&Path]) {
    // Stacks, the allocator's own, and the answer.
    const SLACK: usize = 12 << 20;
    let bound = |path: &&Path| {
        let size = fs::metadata(path).unwrap().len() as usize;
        (MAX_EXPANSION * size).max(ALWAYS)
    };
    let most = paths.iter().map(bound).sum::<usize>() + SLACK;
    let mut words = line.split(' ');
    let mut command = tool(words.next().unwrap());
    command.args(words).args(paths);
    let script = Script::new().limit(Resource::Data, most as u64).run("tool", &command);
    let child = script.spawn().unwrap();
    let output = child.output("tool");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} in {most} bytes: {errors}");
}

/// A table, a tree or an answer adds little to the memory that reading the document takes.
#[test]
fn six_times_the_document_is_enough() {
    let _turn = one_at_a_time();
    let dir = Dir::new().unwrap();
    let document =
        |name: &str, processes: &dyn Fn(u32) -> String, namespaces: &dyn Fn(u32) -> String| {
            let all = |each: &dyn Fn(u32) -> String| {
                let each: Vec<String> = (1..scaled(50_000) as u32).map(each).collect();
                each.join(",")
            };
            let text = format!(
                r#"{{"schema":"lxkns.snapshot/1","host":{{}},"gaps":[],
                "options":{{"types":["net","pid"],"parts":["processes"],"details":"nobody"}},
                "counts":{{"listed":0,"read":0,"unreadable":0,"vanished":0}},
                "namespaces":[{}],"processes":[{}]}}"#,
                all(namespaces),
                all(processes)
            );
            let path = dir.join(name);
            fs::write(&path, text).unwrap();
            path
        };
    let namespace = |number: u32| {
        format!(
            r#"{{"id":"net:[{number}]","type":"net","dev":4,"unique-id":{number},"initial":false,
                "hidden":false,"process-count":1,"leaders":[{number}],"senior-leader":{number}}}"#
        )
    };
    let process = |number: u32, parent: u32, net: u32| {
        format!(
            r#"{{"pid":{number},"ppid":{parent},"comm":"worker","start-time":{number},"state":"S",
                "cmdline":["/usr/bin/worker","--number","{number}"],"euid":0,"pids":[{number}],
                "cgroup":"/work.slice/worker.service","namespaces":{{"net":"net:[{net}]"}}}}"#
        )
    };
    let alone = document("alone", &|number| process(number, 0, number), &namespace);
    reads_within_bounds("lxkns --input", &[&alone]);
    let together = document("together", &|number| process(number, 1, 1), &namespace);
    reads_within_bounds("lxkns why net:[1] --input", &[&together]);
    reads_within_bounds("lxkns diff", &[&together, &together]);
    let chain = document("chain", &|number| process(number, number - 1, 1), &namespace);
    reads_within_bounds("pidtree --input", &[&chain]);
}
