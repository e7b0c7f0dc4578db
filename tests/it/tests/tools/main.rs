//! The tools, run on this machine: that they show what is there, and how they fail.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod completions;

use std::collections::BTreeSet;
use std::process::Command;

use lxkns_it::{assert_failure, json, ordinary, scaled, snapshot_of, stdout, tool_snapshot};
use lxkns_model::wire;
use lxkns_nstest::{Child, Dir, Script, assert_same_namespaces, linked, need, own_namespace, tool};
use lxkns_species::NamespaceType::{Mnt, Net, Pid, Time, User, Uts};
use lxkns_species::{NamespaceId, NamespaceType};
use serde_json::Value;

fn with<const N: usize>(mut command: Command, arguments: [&str; N]) -> Command {
    command.args(arguments);
    command
}

/// A network namespace that an fd holds, in a user namespace without processes.
fn net_held_by_fd() -> Child {
    Script::new()
        .in_new(User, |user| {
            user.note("user", User).unshare([Net]).note("net", Net).open_namespace(Net, 3)
        })
        .spawn()
        .unwrap()
}

#[test]
fn dumpns_prints_a_complete_lxkns_document() {
    need!(userns);
    let child = net_held_by_fd();
    let output = tool("dumpns").output().unwrap();
    let document = json(&output);
    let namespaces = document["namespaces"].as_object().unwrap();
    for (key, namespace) in namespaces {
        assert_eq!(*key, namespace["nsid"].to_string());
        for relation in ["owner", "parent"] {
            if let Some(other) = namespace.get(relation) {
                assert!(namespaces.contains_key(&other.to_string()), "{namespace}");
            }
        }
        for relation in ["children", "possessions"] {
            let others = namespace.get(relation).and_then(Value::as_array);
            for other in others.into_iter().flatten() {
                assert!(namespaces.contains_key(&other.to_string()), "{namespace}");
            }
        }
    }
    for process in document["processes"].as_object().unwrap().values() {
        for inode in process["namespaces"].as_object().unwrap().values() {
            assert!(namespaces.contains_key(&inode.to_string()), "{process}");
        }
    }
    let (net, user) = (child.noted("net"), child.noted("user"));
    let dumped = &namespaces[&net.inode().to_string()];
    assert_eq!(dumped["type"], "net");
    assert_eq!(dumped["owner"], user.inode());
    assert_eq!(linked(dumped["reference"].as_str().unwrap()), net);
    let dumped = &namespaces[&user.inode().to_string()];
    assert_eq!(dumped["parent"], own_namespace(User).inode());
    assert_eq!(dumped["possessions"], serde_json::json!([net.inode()]));
    assert_eq!(dumped.get("reference"), None, "{dumped}");

    let read = wire::read(&output.stdout).unwrap();
    let owner = read.namespace(net).unwrap().owner().unwrap();
    assert_eq!(owner.id(), user);
}

#[test]
fn every_owner_and_parent_is_known_to_root() {
    need!(root);
    let output = tool("dumpns").output().unwrap();
    let document = json(&output);
    for namespace in document["namespaces"].as_object().unwrap().values() {
        let inode = namespace["nsid"].as_u64();
        let ns_type: NamespaceType = namespace["type"].as_str().unwrap().parse().unwrap();
        let is_initial = inode == Some(ns_type.initial_inode());
        // Other tests cover namespaces, and then nobody can tell.
        let can_tell = namespace.get("ealdorman").is_some();
        if can_tell && ns_type != User {
            assert!(namespace["owner"].is_u64(), "{namespace}");
        }
        if can_tell && matches!(ns_type, User | Pid) && !is_initial {
            assert!(namespace["parent"].is_u64(), "{namespace}");
        }
    }
}

#[test]
fn every_view_of_user_namespaces_shows_mere_owners() {
    need!(userns);
    let child = net_held_by_fd();
    let user = child.noted("user").to_string();
    let creator = format!("created by UID {}", rustix::process::geteuid().as_raw());
    for arguments in [&[][..], &["-d"], &["-d", "-f", "uts"]] {
        let output = tool("lsuns").args(arguments).output().unwrap();
        let shown = stdout(&output);
        let line = shown.lines().find(|line| line.contains(&user));
        let line = line.unwrap_or_else(|| panic!("{arguments:?}: {shown}"));
        assert!(line.contains(&creator), "{arguments:?}: {line}");
    }
    let output = tool("lsallns").args(["-f", "user"]).output().unwrap();
    let shown = stdout(&output);
    assert!(shown.contains(&user), "{shown}");
}

#[test]
fn the_table_names_every_kind_of_holder() {
    need!(userns, timens);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .name("holds \x1b[1m all")
        .user_namespace()
        .note("hidden", User)
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| net.note("fd", Net).open_namespace(Net, 3))
        .in_new(Net, |net| net.note("socket", Net).tcp_socket(4))
        .in_new(Net, |net| net.note("mount", Net).bind_namespace(Net, dir.join("a b")))
        // Older kernels start no thread any more while a time namespace is pending.
        .thread("thread", Script::new().name("loner").unshare([Uts]))
        .unshare([Time])
        .note_link("time", "/proc/self/ns/time_for_children")
        .spawn()
        .unwrap();
    let (pid, tid) = (child.pid(), child.pid_of("thread"));
    let name = r#""holds \x1b[1m all""#;
    let place = dir.join("a b");
    let mnt = child.namespace(Mnt);
    let expected: [(NamespaceId, String); 7] = [
        (child.noted("hidden"), "(hidden)".into()),
        (mnt, format!("{pid} {name}")),
        (child.noted("fd"), format!("held by fd 3 of process {name} ({pid})")),
        (child.noted("socket"), format!("held by a socket of process {name} ({pid})")),
        (child.noted("mount"), format!("bind-mounted at {place:?} in {mnt}")),
        (child.noted("time"), format!("pending for children of process {name} ({pid})")),
        (
            child.namespace_of("thread", Uts),
            format!(r#"thread "loner" ({tid}) of process {name} ({pid})"#),
        ),
    ];
    let ids = expected.iter().map(|(id, _)| id.to_string());
    let shown = || {
        let output = tool("lsallns").args(ids.clone()).output().unwrap();
        stdout(&output).to_owned()
    };
    // A scan of another test may be older than the child, and holds what it looks at just now.
    let settled = |table: &String| !table.contains(r#"process "lxkns""#);
    let table = (0..100).map(|_| shown()).find(settled).unwrap();
    assert!(!table.contains('\x1b'), "{table}");
    for (id, text) in expected {
        let id = id.to_string();
        let line = table.lines().find(|line| line.starts_with(&id)).unwrap();
        assert!(line.contains(&text), "{text} in {line}");
    }
}

/// Whose PID 1 has ended has no process any more, and gets none.
#[test]
fn a_dead_pid_namespace_is_called_dead() {
    need!(root);
    let mut child = Script::new()
        .user_namespace()
        .unshare([Pid])
        .fork("init", Script::new())
        .note_link("pid", "/proc/self/ns/pid_for_children")
        .pause()
        .reap()
        .spawn()
        .unwrap();
    let id = child.noted("pid").to_string();
    let line = || {
        let output = tool("lsallns").args(["--noheadings", &id]).output().unwrap();
        stdout(&output).to_owned()
    };
    let before = line();
    assert!(!before.contains("dead, its"), "{before}");
    let init = rustix::process::Pid::from_raw(child.pid_of("init").0.cast_signed()).unwrap();
    rustix::process::kill_process(init, rustix::process::Signal::KILL).unwrap();
    child.proceed().unwrap();
    let (after, pid) = (line(), child.pid());
    assert!(after.contains("dead, its PID 1 has ended, but still for children of"), "{after}");
    assert!(after.contains(&format!("({pid})")), "{after}");
}

#[test]
fn the_json_of_the_table_has_the_same_facts() {
    need!(userns);
    let child = net_held_by_fd();
    let net = child.noted("net").to_string();
    let output = with(tool("lsallns"), ["--json", &net]).output().unwrap();
    let document = json(&output);
    let [namespace] = &document["namespaces"].as_array().unwrap()[..] else {
        panic!("{document}");
    };
    assert_eq!(namespace["id"], net);
    assert_eq!(namespace["owner"], child.noted("user").to_string());
    let fd = serde_json::json!({"kind": "fd", "pid": child.pid().0, "fd": 3});
    let holders = namespace["holders"].as_array().unwrap();
    assert!(holders.contains(&fd), "{namespace}");
}

#[test]
fn lxkns_alone_prints_the_table() {
    let output = tool("lxkns").output().unwrap();
    let own = own_namespace(User).to_string();
    assert!(stdout(&output).lines().any(|line| line.starts_with(&own)));
}

#[test]
fn lsns_shows_the_same_namespaces_of_processes() {
    need!(userns, lsns);
    // In a PID namespace of its own, where nobody comes and goes.
    let columns = ["--json", "--output", "NS,TYPE,NPROCS"];
    let inside = Script::new()
        .mount("proc", "/proc", "")
        .fork("one", Script::new().unshare([Net, Uts]))
        .fork("two", Script::new().user_namespace().unshare([Mnt]))
        .fork("three", Script::new().unshare([Pid]).fork("four", Script::new()))
        .run("lsns", &with(Command::new("lsns"), columns))
        .run("lxkns", &tool_snapshot());
    let child =
        Script::new().user_namespace().unshare([Mnt, Pid]).fork("inside", inside).spawn().unwrap();
    let snapshot = snapshot_of(child.output("lxkns"));
    let found = snapshot
        .namespaces()
        .filter(|namespace| namespace.processes().len() > 0)
        .map(|namespace| namespace.id());
    let document = json(child.output("lsns"));
    let text = |value: &Value| value.to_string().trim_matches('"').to_owned();
    let expected = document["namespaces"]
        .as_array()
        .unwrap()
        .iter()
        // Newer ones list what has no process, too, as far as they find it.
        .filter(|namespace| text(&namespace["nprocs"]) != "0")
        .map(|namespace| format!("{}:[{}]", text(&namespace["type"]), text(&namespace["ns"])))
        .map(|id| id.parse().unwrap());
    assert_same_namespaces(found, expected);
}

#[test]
fn a_partial_view_is_no_failure() {
    need!(root);
    let child = ordinary(Script::new())
        .run("told", &with(tool("lsallns"), ["-v"]))
        .run("quiet", &with(tool("lsallns"), ["-q"]))
        .run("dumpns", &tool("dumpns"))
        .spawn()
        .unwrap();
    let told = child.output("told");
    assert!(!stdout(told).is_empty());
    let notes = String::from_utf8_lossy(&told.stderr);
    let note = notes.lines().find(|line| {
        line.starts_with("note: ")
            && line.contains("processes could not be read (permission denied)")
    });
    assert!(note.is_some(), "{notes}");
    assert_eq!(child.output("quiet").stderr, b"");
    let processes = &json(child.output("dumpns"))["processes"];
    // Of a process that cannot be read, the status tells the PID namespace, and nothing else does.
    let unread = processes.as_object().unwrap().values().find(|process| {
        process["namespaces"].as_object().unwrap().keys().all(|kind| kind == "pid")
    });
    assert!(unread.is_some());
}

#[test]
fn without_any_proc_there_is_nothing_to_show() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", "/proc", "")
        .run("lxkns", &tool("lxkns"))
        .run("dumpns", &tool("dumpns"))
        .run("snapshot", &tool_snapshot())
        .spawn()
        .unwrap();
    for label in ["lxkns", "dumpns", "snapshot"] {
        assert_failure(child.output(label), 1, &["procfs", "/proc"]);
    }
    let empty = dir.path().to_str().unwrap();
    let output = with(tool("lxkns"), ["--proc-root", empty]).output().unwrap();
    assert_failure(&output, 1, &["procfs", empty]);
    let output = with(tool("lxkns"), ["--proc-root", "/does/not/exist"]).output().unwrap();
    assert_failure(&output, 1, &["procfs", "/does/not/exist"]);
}

#[test]
fn nonsense_is_refused() {
    let check = |name: &str, arguments: &[&str], code: i32, part: &str| {
        let output = tool(name).args(arguments).output().unwrap();
        assert_failure(&output, code, &[part]);
    };
    check("lsallns", &["pid:"], 2, "pid:");
    check("lsallns", &["net:[x]"], 2, "net:[x]");
    check("lsallns", &["foo:[1]"], 2, "foo:[1]");
    check("lsallns", &["net:[1]"], 1, "net:[1]");
    check("lsallns", &["--pid", "4294967295"], 1, "4294967295");
    check("lxkns", &["--filter", "zip"], 2, "zip");
    check("lxkns", &["--does-not-exist"], 2, "--does-not-exist");
    check("lxkns", &["--tier", "proc", "--bpf", "on"], 2, "--bpf");
    check("dumpns", &["--indent", "9"], 2, "9");
}

#[test]
fn killing_processes_during_a_run_does_not_make_it_fail() {
    need!(userns);
    for _ in 0..5 {
        let victims = Script::new()
            .user_namespace()
            .forks("victim", scaled(200), Script::new().unshare([Uts]))
            .spawn()
            .unwrap();
        let mut command = tool_snapshot();
        let scanner = command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(victims);
        snapshot_of(&scanner.wait_with_output().unwrap());
    }
}

#[test]
fn who_looks_does_not_see_itself() {
    need!(userns);
    // In a PID namespace of its own there are these two only.
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt, Pid])
        .fork(
            "inside",
            Script::new()
                .mount("proc", "/proc", "")
                .in_new(Mnt, |mnt| mnt.note("mnt", Mnt).open_namespace(Mnt, 3))
                .run("lxkns", &tool_snapshot()),
        )
        .spawn()
        .unwrap();
    let snapshot = snapshot_of(child.output("lxkns"));
    let pids: Vec<u32> = snapshot.processes().map(|process| process.pid().0).collect();
    let itself = snapshot.host().scanner_pid.unwrap();
    assert_eq!(pids, [1, itself.0]);
    assert!(snapshot.process(itself).unwrap().threads().is_empty());
    let fds: BTreeSet<_> = snapshot
        .namespaces()
        .flat_map(|namespace| namespace.holders())
        .filter_map(|holder| holder.pid())
        .map(|pid| pid.0)
        .collect();
    assert_eq!(fds.into_iter().collect::<Vec<_>>(), [1]);
}

#[test]
fn links_run_the_tool_of_their_name() {
    let dir = Dir::new().unwrap();
    let links = || tool("lxkns").arg("links").arg(dir.join("")).output().unwrap();
    let names = ["lsallns", "lsuns", "lspidns", "pidtree", "nscaps", "dumpns"];
    // Nothing is replaced, and nothing else created.
    std::fs::write(dir.join("nscaps"), "mine").unwrap();
    assert_failure(&links(), 1, &["nscaps", "already"]);
    assert!(!dir.join("lsallns").exists());
    assert_eq!(std::fs::read(dir.join("nscaps")).unwrap(), b"mine");
    std::fs::remove_file(dir.join("nscaps")).unwrap();
    // A second time changes nothing.
    for _ in 0..2 {
        assert_eq!(stdout(&links()), "");
        for name in names {
            let output = Command::new(dir.join(name)).arg("--version").output().unwrap();
            assert!(stdout(&output).starts_with(&format!("{name} ")), "{output:?}");
        }
    }
    let nowhere = dir.join("nowhere");
    let output = tool("lxkns").arg("links").arg(&nowhere).output().unwrap();
    assert_failure(&output, 1, &["nowhere"]);
}
