//! Documents of a real machine: written and read back they say the same, old ones stay readable,
//! and broken ones are refused.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::fs;
use std::path::Path;
use std::process::Output;

use lxkns_it::{assert_failure, scan, stdout};
use lxkns_model::wire::{self, Layout};
use lxkns_model::{Namespace, Snapshot};
use lxkns_nstest::{Child, Dir, Script, need, tool};
use lxkns_species::NamespaceType::{Net, Pid, User, Uts};
use lxkns_species::{NamespaceId, Pid as ProcessId};

/// A namespace of each kind of trouble: hidden, held by an fd only, with an odd process in it.
fn troubled() -> Child {
    let odd = Script::new().name("\x1b[1m \"\\\u{85}\n");
    Script::new()
        .in_new(User, |user| {
            user.note("user", User).unshare([Net]).note("net", Net).open_namespace(Net, 3)
        })
        .user_namespace()
        .unshare([Pid, Uts])
        .fork("odd", odd)
        .spawn()
        .unwrap()
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Vec<u8> {
    let mut document = Vec::new();
    write(&mut document).unwrap();
    document
}

/// A snapshot in the native format, in one piece and in lines.
fn native(snapshot: &Snapshot) -> [Vec<u8>; 2] {
    [
        written(|out| wire::snapshot::write(snapshot, out, Layout::Compact)),
        written(|out| wire::snapshot::write_lines(snapshot, out)),
    ]
}

/// Everything there is to know of a snapshot, links included; too much to be shown.
fn all_of(snapshot: &Snapshot) -> String {
    format!("{snapshot:?}")
}

fn lxkns(snapshot: &Snapshot) -> Vec<u8> {
    written(|out| wire::lxkns::write(snapshot, out, Layout::Compact))
}

/// Has a tool read a document.
fn run(name: &str, arguments: &[&str], document: &Path) -> Output {
    let mut command = tool(name);
    command.args(arguments).arg("--input").arg(document);
    command.output().unwrap()
}

#[test]
fn the_native_format_says_all_of_it() {
    need!(userns);
    let child = troubled();
    let snapshot = scan();
    assert!(snapshot.namespace(child.noted("user")).is_some());
    let expected = all_of(&snapshot);
    for document in native(&snapshot) {
        assert!(all_of(&wire::read(&document).unwrap()) == expected);
    }
}

/// What both formats have of a namespace.
fn relations(namespace: Namespace<'_>) -> (NamespaceId, Option<NamespaceId>, Vec<ProcessId>, bool) {
    (
        namespace.id(),
        namespace.owner().map(Namespace::id),
        namespace.processes().map(|process| process.pid()).collect(),
        namespace.processes().len() > 0,
    )
}

#[test]
fn the_lxkns_format_says_who_is_where_and_who_owns_what() {
    need!(userns);
    let child = troubled();
    let snapshot = scan();
    let document = lxkns(&snapshot);
    let read = wire::read(&document).unwrap();
    let all = |snapshot: &Snapshot| snapshot.namespaces().map(relations).collect::<Vec<_>>();
    assert_eq!(all(&read), all(&snapshot));
    for (pid, name) in [(child.pid(), None), (child.pid_of("odd"), Some("\x1b[1m \"\\\u{85}\n"))] {
        let (expected, found) = (snapshot.process(pid).unwrap(), read.process(pid).unwrap());
        assert_eq!(found.comm(), expected.comm());
        assert_eq!(found.start_time(), expected.start_time());
        if let Some(name) = name {
            assert_eq!(found.comm().and_then(|comm| comm.to_str()), Some(name));
        }
    }
    // What is read is written as it was.
    assert_eq!(lxkns(&read), document);
}

#[test]
fn the_tools_write_what_they_have_read() {
    need!(userns);
    let _child = troubled();
    let dir = Dir::new().unwrap();
    let snapshot = scan();
    let [compact, lines] = native(&snapshot);
    let file = dir.join("snapshot.json");
    let expected = all_of(&snapshot);
    for (document, layout) in [(&compact, "--jsonl"), (&lines, "--compact")] {
        fs::write(&file, document).unwrap();
        let output = run("lxkns", &["snapshot", layout], &file);
        let read = wire::read(stdout(&output).as_bytes()).unwrap();
        assert!(all_of(&read) == expected);
    }
    let dumped = run("dumpns", &["--compact"], &file);
    let dumped = wire::read(stdout(&dumped).as_bytes()).unwrap();
    assert!(lxkns(&dumped) == lxkns(&snapshot));
}

/// A FIFO that the user names, and what a shell makes of `<(…)` and of a pipe.
#[test]
fn a_document_may_come_from_a_writer() {
    let dir = Dir::new().unwrap();
    let (file, fifo) = (dir.join("file"), dir.join("fifo"));
    let [document, _] = native(&scan());
    fs::write(&file, &document).unwrap();
    let expected = stdout(&run("lsuns", &[], &file)).to_owned();
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| fs::write(&fifo, &document).unwrap());
        assert_eq!(stdout(&run("lsuns", &[], &fifo)), expected);
    });
    for name in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut command = tool("lsuns");
        command.args(["--input", name]).stdin(reader);
        std::thread::scope(|scope| {
            let output = scope.spawn(move || command.output().unwrap());
            std::io::Write::write_all(&mut writer, &document).unwrap();
            drop(writer);
            assert_eq!(stdout(&output.join().unwrap()), expected, "{name}");
        });
    }
}

#[test]
fn old_documents_are_readable_by_every_tool() {
    let old = [
        &include_bytes!("../../../crates/model/tests/wire/golden/lxkns-0.15.5.json")[..],
        include_bytes!("../../../crates/model/tests/wire/golden/lxkns-0.46.json"),
        include_bytes!("../../../crates/model/tests/wire/golden/snapshot-1.json"),
        include_bytes!("../../../crates/model/tests/wire/golden/snapshot-1.jsonl"),
    ];
    let dir = Dir::new().unwrap();
    let file = dir.join("old.json");
    for document in old {
        fs::write(&file, document).unwrap();
        let snapshot = wire::read(document).unwrap();
        for name in ["lxkns", "lsallns"] {
            let output = run(name, &["--noheadings"], &file);
            let rows = stdout(&output).lines().count();
            assert_eq!(rows, snapshot.namespaces().len());
        }
        for (name, ns_type) in [("lsuns", User), ("lspidns", Pid), ("pidtree", Pid)] {
            let roots = snapshot.roots(ns_type).count();
            let output = run(name, &[], &file);
            assert!(stdout(&output).lines().count() >= roots, "{name}");
        }
        assert!(wire::read(&run("dumpns", &[], &file).stdout).is_ok());
    }
}

#[test]
fn broken_documents_are_refused_in_one_line() {
    need!(userns);
    let _child = troubled();
    let snapshot = scan();
    let [compact, lines] = native(&snapshot);
    let dir = Dir::new().unwrap();
    let file = dir.join("broken.json");
    let refused = |name: &str, document: &[u8]| {
        fs::write(&file, document).unwrap();
        assert!(wire::read(document).is_err());
        assert_failure(&run(name, &[], &file), 1, &["broken.json", "is no snapshot"]);
    };
    let newer = br#"{"schema": "lxkns.snapshot/2"}"#;
    fs::write(&file, newer).unwrap();
    let parts = ["broken.json", "lxkns.snapshot/2", "newer"];
    assert_failure(&run("lsuns", &[], &file), 1, &parts);
    for document in [&compact, &lines, &lxkns(&snapshot)] {
        // All of the bytes up to the last bracket are needed.
        for cut in [0, 1, document.len() / 3, document.len() / 2, document.len() - 2] {
            refused("lsallns", &document[..cut]);
        }
        let mut flipped = document.clone();
        let middle = flipped.len() / 2;
        flipped[middle..middle + 3].copy_from_slice(b"\x00\xff{");
        refused("pidtree", &flipped);
    }
    let text = String::from_utf8(compact).unwrap();
    for (from, to) in [
        ("\"namespaces\":[{", "\"namespaces\":[7,{"),
        ("\"pid\":1,", "\"pid\":-1,"),
        ("\"type\":\"net\"", "\"type\":\"\\u001b[1m\""),
    ] {
        assert!(text.contains(from), "{from}");
        refused("lsuns", text.replacen(from, to, 1).as_bytes());
    }
    refused("dumpns", &b"[".repeat(100_000));
}
