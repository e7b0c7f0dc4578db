//! Processes and threads: their PIDs, pauses, endings, and what they inherit.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;

use lxkns_nstest::{Dir, Error, Script, linked, namespace_of, need, own_namespace};
use lxkns_species::NamespaceType::{self, Ipc, Mnt, Net, Pid, Time, User, Uts};
use lxkns_species::Pid as ProcessId;

/// A line of /proc/PID/status, without its name.
fn status(pid: ProcessId, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t"));
    line.unwrap().to_string()
}

fn fds(pid: ProcessId) -> Vec<String> {
    let mut fds: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let target = std::fs::read_link(entry.path()).unwrap();
            format!("{} {}", entry.file_name().display(), target.display())
        })
        .collect();
    fds.sort();
    fds
}

#[test]
fn a_child_without_steps_is_just_there() {
    let child = Script::new().spawn().unwrap();
    for ns_type in NamespaceType::ALL {
        if Path::new("/proc/self").join(ns_type.proc_file()).exists() {
            assert_eq!(child.namespace(ns_type), own_namespace(ns_type));
        }
    }
    assert_eq!(status(child.pid(), "PPid"), std::process::id().to_string());
    assert_eq!(child.pid_of("main"), child.pid());
    let pid = child.pid();
    child.finish();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn a_child_has_no_fds_but_its_own() {
    // Neither what the test has open ...
    let _open = std::fs::File::open("/proc/self/ns/net").unwrap();
    let script = Script::new().open_namespace(Uts, 7).open_path("/", 8).open("/", 9).close(9);
    let child = script.spawn().unwrap();
    let fds = fds(child.pid());
    assert!(fds.contains(&format!("7 {}", own_namespace(Uts))), "{fds:?}");
    assert!(fds.contains(&"8 /".to_string()), "{fds:?}");
    assert!(!fds.iter().any(|fd| fd.starts_with("9 ")), "{fds:?}");
    // ... nor anything else than /dev/null and two pipes.
    let others: Vec<_> = fds.iter().filter(|fd| !fd.starts_with(['7', '8'])).collect();
    assert_eq!(others.iter().filter(|fd| fd.contains("/dev/null")).count(), 4, "{fds:?}");
    assert_eq!(others.iter().filter(|fd| fd.contains("pipe:")).count(), 2, "{fds:?}");
    assert_eq!(others.len(), 6, "{fds:?}");
}

#[test]
fn a_failing_step_is_named() {
    let error = Script::new()
        .fork("inner", Script::new().name("x").open("/does/not/exist", 5))
        .spawn()
        .unwrap_err();
    let Error::Step { actor, number, source, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((actor.as_str(), *number), ("inner", 1));
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().contains("/does/not/exist"), "{error}");
}

#[test]
fn a_failing_unshare_names_the_types() {
    let error =
        Script::new().thread("other", Script::new()).unshare([User, Uts]).spawn().unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("main failed at step 1, Unshare(user,uts): Invalid arg"), "{text}");
}

#[test]
#[should_panic(expected = "two processes or threads have the label \"a\"")]
fn labels_are_unique() {
    _ = Script::new().fork("a", Script::new()).thread("a", Script::new()).spawn();
}

#[test]
fn a_pause_waits_for_the_test() {
    let mut child = Script::new()
        .name("before")
        .fork("other", Script::new().name("one").pause().name("two").pause().name("three"))
        .pause()
        .name("after")
        .spawn()
        .unwrap();
    let names = |child: &lxkns_nstest::Child| {
        [child.pid(), child.pid_of("other")].map(|pid| status(pid, "Name"))
    };
    assert_eq!(names(&child), ["before", "one"]);
    child.proceed_at("other").unwrap();
    assert_eq!(names(&child), ["before", "two"]);
    child.proceed().unwrap();
    assert_eq!(names(&child), ["after", "two"]);
    child.proceed_at("other").unwrap();
    assert_eq!(names(&child), ["after", "three"]);
}

#[test]
fn a_failure_after_a_pause_is_told() {
    let mut child = Script::new().pause().close(77).spawn().unwrap();
    let error = child.proceed().unwrap_err();
    assert!(matches!(error, Error::Step { number: 1, .. }), "{error}");
}

#[test]
fn copies_are_all_known() {
    let child =
        Script::new().forks("copy", 20, Script::new().fork("leaf", Script::new())).spawn().unwrap();
    let mut pids = [child.pids_of("copy"), child.pids_of("leaf")].concat();
    assert_eq!(child.pids_of("copy").len(), 20);
    for (copy, leaf) in child.pids_of("copy").iter().zip(child.pids_of("leaf")) {
        assert_eq!(status(*copy, "PPid"), child.pid().to_string());
        assert_eq!(status(*leaf, "PPid"), copy.to_string());
    }
    pids.sort();
    pids.dedup();
    assert_eq!(pids.len(), 40);
    child.finish();
    assert!(!pids.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists()));
}

#[test]
fn pids_are_the_tests_own_three_pid_namespaces_deep() {
    need!(userns);
    let innermost = Script::new().thread("thread", Script::new());
    let inner = Script::new().unshare([Pid]).fork("three", innermost);
    let child = Script::new()
        .user_namespace()
        .unshare([Pid])
        .fork("one", Script::new().unshare([Pid]).fork("two", inner))
        .spawn()
        .unwrap();
    let check = |label: &str, numbers: &str| {
        let pid = child.pid_of(label);
        let expected = match numbers {
            "" => pid.to_string(),
            _ => format!("{pid}\t{numbers}"),
        };
        let all = status(pid, "NSpid");
        // The first ones may be those of namespaces above the test's.
        assert!(all.ends_with(&expected), "{label}: {all:?} is not {expected:?}");
    };
    check("main", "");
    let two = status(child.pid_of("two"), "NSpid");
    assert!(two.starts_with(&format!("{}\t", child.pid_of("two"))), "{two}");
    assert_eq!(two.split('\t').count(), 3);
    let three = status(child.pid_of("three"), "NSpid");
    assert_eq!(three.split('\t').count(), 4);
    check("one", "1");
    assert!(two.ends_with("\t1"), "{two}");
    assert!(three.ends_with("\t1"), "{three}");
    assert_eq!(status(child.pid_of("thread"), "Tgid"), child.pid_of("three").to_string());
    let pid_ns = |label| child.namespace_of(label, Pid);
    assert_eq!(linked(format!("/proc/{}/ns/pid_for_children", child.pid())), pid_ns("one"));
    assert_ne!(pid_ns("two"), pid_ns("three"));
}

#[test]
fn a_thread_has_namespaces_of_its_own() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .unshare([Uts])
        .thread("loner", Script::new().name("loner").unshare([Net, Uts, Mnt]).note("net", Net))
        .note("still", Net)
        .spawn()
        .unwrap();
    let tid = child.pid_of("loner");
    assert_eq!(status(tid, "Tgid"), child.pid().to_string());
    assert_eq!(status(tid, "Name"), "loner");
    assert_eq!(child.namespace(Net), own_namespace(Net));
    assert_eq!(child.noted("still"), own_namespace(Net));
    assert_eq!(child.noted("net"), child.namespace_of("loner", Net));
    for ns_type in [Net, Uts, Mnt] {
        assert_ne!(child.namespace_of("loner", ns_type), child.namespace(ns_type));
    }
    assert_eq!(child.namespace_of("loner", User), child.namespace(User));
}

#[test]
fn a_thread_can_have_fds_of_its_own() {
    let child = Script::new()
        .open_namespace(Uts, 5)
        .thread("loner", Script::new().unshare_fd_table().close(5).open_namespace(Ipc, 6))
        .thread("sharer", Script::new().open_namespace(Net, 7))
        .spawn()
        .unwrap();
    let has = |label: &str, fd: u32| {
        let task = format!("/proc/{}/task/{}", child.pid(), child.pid_of(label));
        Path::new(&task).join(format!("fd/{fd}")).is_symlink()
    };
    assert_eq!([5, 6, 7].map(|fd| has("main", fd)), [true, false, true]);
    assert_eq!([5, 6, 7].map(|fd| has("loner", fd)), [false, true, false]);
    assert_eq!([5, 6, 7].map(|fd| has("sharer", fd)), [true, false, true]);
}

#[test]
fn a_main_thread_can_end_before_the_others() {
    need!(userns);
    let threads = Script::new()
        .thread("one", Script::new().unshare([Net]))
        .thread("two", Script::new().unshare_fd_table().open_namespace(Uts, 5))
        .exit_thread();
    let child = Script::new().user_namespace().fork("headless", threads).spawn().unwrap();
    let headless = child.pid_of("headless");
    assert_eq!(status(headless, "State"), "Z (zombie)");
    assert_eq!(status(headless, "Threads"), "3");
    let task = format!("/proc/{headless}/task/{}", child.pid_of("two"));
    assert_eq!(linked(format!("{task}/fd/5")), own_namespace(Uts));
    assert_ne!(namespace_of(child.pid_of("one"), Net), own_namespace(Net));
    child.finish();
    assert!(!Path::new(&format!("/proc/{headless}")).exists());
}

#[test]
fn a_zombie_stays_until_reaped() {
    let mut child =
        Script::new().fork("zombie", Script::new().exit()).pause().reap().spawn().unwrap();
    let zombie = child.pid_of("zombie");
    assert_eq!(status(zombie, "State"), "Z (zombie)");
    child.proceed().unwrap();
    assert!(!Path::new(&format!("/proc/{zombie}")).exists());
}

#[test]
fn a_first_process_can_end_while_its_children_go_on() {
    let child = Script::new().fork("orphan", Script::new()).exit().spawn().unwrap();
    let orphan = child.pid_of("orphan");
    assert_eq!(status(child.pid(), "State"), "Z (zombie)");
    assert_ne!(status(orphan, "PPid"), child.pid().to_string());
}

#[test]
fn children_are_pending_until_the_first_fork() {
    need!(userns, timens);
    let child = Script::new().user_namespace().unshare([Time]).spawn().unwrap();
    assert_eq!(child.namespace(Time), own_namespace(Time));
    let pending = linked(format!("/proc/{}/ns/time_for_children", child.pid()));
    assert_ne!(pending, own_namespace(Time));
}

#[test]
#[ignore = "run by the next one, in a process of its own"]
fn is_killed() {
    let child = Script::new().fork("inner", Script::new()).spawn().unwrap();
    std::fs::write(
        std::env::var_os("NSTEST_PIDS").unwrap(),
        format!("{} {}", child.pid(), child.pid_of("inner")),
    )
    .unwrap();
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
        .unwrap();
}

#[test]
fn children_do_not_outlive_a_killed_test() {
    let dir = Dir::new().unwrap();
    let pids = dir.join("pids");
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "is_killed"])
        .env("NSTEST_PIDS", &pids)
        .output()
        .unwrap()
        .status;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    for pid in std::fs::read_to_string(&pids).unwrap().split(' ') {
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while lives() {
            assert!(std::time::Instant::now() < deadline, "{pid} is still there");
            std::thread::yield_now();
        }
    }
}
