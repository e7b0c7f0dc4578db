//! Errors that users will make: one line that names the thing and what to do, and an exit code.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use lxkns_model::{Facts, ProcessFacts, Snapshot};
use lxkns_species::{NamespaceType, NamespaceTypes, Pid};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::fixtures;
use crate::tool::{Outcome, command, run, run_on, run_with_stdin};

/// Nothing but one line on standard error, with all of these parts in it.
fn check(line: &str, outcome: &Outcome, code: i32, parts: &[&str]) {
    let stderr = &outcome.stderr;
    assert_eq!(outcome.code, Some(code), "{line}: {stderr}");
    assert_eq!(outcome.stdout, "", "{line}");
    assert_eq!(stderr.lines().count(), 1, "{line}: {stderr}");
    assert!(stderr.starts_with("error: "), "{line}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{line}: {stderr} has no {part:?}");
    }
}

#[test]
fn nonsense_on_the_command_line() {
    let check = |line: &str, parts: &[&str]| check(line, &run(line), 2, parts);
    for tool in ["lxkns", "lsallns", "lsuns", "lspidns", "pidtree", "nscaps", "dumpns"] {
        let help = format!("see '{tool} --help'");
        check(&format!("{tool} --nonsense"), &["'--nonsense'", &help]);
        check(&format!("{tool} --tier best"), &["'best'", "proc, mounts, ids, listns", &help]);
    }
    check("lsuns --colour", &["'--colour'", "'--color'", "see 'lsuns --help'"]);
    check("lxkns net:x", &["malformed namespace \"net:x\""]);
    check("lxkns lsuns --nonsense", &["see 'lxkns lsuns --help'"]);
    check("lxkns nonsense", &["no command \"nonsense\"", "see 'lxkns --help'"]);
    check("lsuns --color=sometimes", &["'sometimes'"]);
    check("lsuns -f mount", &["'mount'", "mnt/m"]);
    check("lsuns --skip all", &["'all'", "processes"]);
    check("lsallns -o nonsense", &["'nonsense'", "namespace, type"]);
    for pid in ["x", "0", "99999999999"] {
        check(&format!("lsallns -p {pid}"), &[pid, "--pid", "a PID is"]);
        check(&format!("lxkns pid {pid}"), &[pid, "a PID is"]);
    }
    let hint = "options go after the command: lxkns why";
    check("lxkns -v why net@2", &[hint]);
    check("lxkns --input x.json why net@2", &[hint]);
    check("lsallns -p -1", &["-1"]);
    check("lsallns --json --jsonl", &["--json"]);
    check("dumpns --indent 9", &["9", "--indent"]);
    check("dumpns --color", &["--color"]);
    check("nscaps", &["<NAMESPACE>", "see 'nscaps --help'"]);
    check("pidtree -n pid:[1]", &["--pid"]);
}

#[test]
fn a_command_without_dashes_before_it() {
    let line = "lxkns exec net@2 ip link";
    check(line, &run(line), 125, &["\"ip\"", "put -- before"]);
    let line = "lxkns exec net: -- ip link";
    let outcome = run(line);
    check(line, &outcome, 125, &["\"net:\""]);
    assert!(!outcome.stderr.contains("put --"), "{}", outcome.stderr);
    let line = "lxkns -v exec net@2 -- ip link";
    check(line, &run(line), 125, &["options go after the command"]);
}

#[test]
fn arguments_that_are_not_utf8() {
    let nonsense = OsStr::from_bytes(b"\xff\x1b[31m");
    for line in [
        "lxkns",
        "lxkns pid",
        "lsallns",
        "lsuns",
        "lspidns --pid",
        "pidtree --pid",
        "nscaps",
        "dumpns --indent",
        "lxkns --tier",
    ] {
        let mut words = line.split_whitespace();
        let output = command(words.next().unwrap()).args(words).arg(nonsense).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {stderr}");
        assert!(stderr.starts_with("error: "), "{line}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{line}: {stderr}");
        assert!(!stderr.contains('\x1b'), "{line}: {stderr:?}");
    }
}

#[test]
fn malformed_namespaces() {
    for tool in ["nscaps", "lsallns"] {
        let check = |text: &str, parts: &[&str]| {
            let line = format!("{tool} {text}");
            check(&line, &run(&line), 2, parts);
        };
        check("net:", &["malformed namespace \"net:\"", "net:[4026531840]"]);
        check("net:[x]", &["malformed namespace \"net:[x]\""]);
        check("foo:[1]", &["unknown namespace type \"foo\""]);
    }
    let line = "pidtree -p 1 -n net:[1]";
    check(line, &run(line), 2, &["--ns", "pid:[4026531836]", "net:[1]"]);
}

#[test]
fn things_that_are_not_there() {
    let snapshot = fixtures::containers();
    let check = |line: &str, parts: &[&str]| check(line, &run_on(&snapshot, line), 1, parts);
    for tool in ["nscaps -p 1", "lsallns"] {
        check(&format!("{tool} net:[1]"), &["no namespace net:[1]", "'lxkns'"]);
        check(&format!("{tool} 1"), &["no namespace 1", "'lxkns'"]);
        check(&format!("{tool} net@4711"), &["no process 4711"]);
    }
    check("lsallns -p 4711", &["no process 4711"]);
    check("pidtree -p 4711", &["no process 4711"]);
    check("pidtree -p 301 -n pid:[4026532202]", &["no process 301 in pid:[4026532202]"]);
    check("pidtree -p 1 -n pid:[7]", &["no namespace pid:[7]"]);
    check("nscaps -p 4711 net@1", &["no process 4711"]);
}

#[test]
fn a_namespace_of_another_type_than_needed() {
    let snapshot = fixtures::containers();
    for line in [
        "pidtree -p 1 -n net:[4026532203]",
        "pidtree -p 1 -n 4026532203",
        "nscaps -p 1 -n net:4026532203 net@1",
        "lxkns pid 1 --to net:[4026532203]",
    ] {
        let parts = ["net:[4026532203] is none", "pid:[4026531836]"];
        check(line, &run_on(&snapshot, line), 2, &parts);
    }
    let line = "pidtree -p 1 -n net@1";
    check(line, &run_on(&snapshot, line), 2, &["--ns", "net@1 is none"]);
}

#[test]
fn what_cannot_be_read_of_a_process() {
    let snapshot = fixtures::restricted();
    let said = check;
    let check = |line: &str, parts: &[&str]| said(line, &run_on(&snapshot, line), 1, parts);
    let denied = "(permission denied)";
    for line in ["lsallns net@1", "lsallns net@700", "lxkns why net@700", "nscaps -p 811 net@700"] {
        check(line, &["the net namespace of process ", denied]);
    }
    // That process could be read.
    let line = "lsallns uts@811";
    let outcome = run_on(&snapshot, line);
    said(line, &outcome, 1, &["the uts namespace of process 811"]);
    assert!(!outcome.stderr.contains(denied), "{}", outcome.stderr);

    let mut facts = Facts::default();
    facts.scope.types = NamespaceTypes::of([NamespaceType::Net]);
    facts.processes = vec![ProcessFacts { state: Some('Z'), ..ProcessFacts::new(Pid(7)) }];
    let snapshot = Snapshot::assemble(facts);
    let check = |line: &str, parts: &[&str]| said(line, &run_on(&snapshot, line), 1, parts);
    check("lsallns -p 7", &["process 7", "has ended"]);
    check("lsallns net@7", &["process 7", "has ended"]);
    check("lsallns uts@7", &["uts", "not looked for"]);
}

#[test]
fn contradictions() {
    let line = "lsallns --tier proc --bpf on";
    check(line, &run(line), 2, &["--tier proc", "--bpf on"]);
    let snapshot = fixtures::small();
    let check = |line: &str, parts: &[&str]| check(line, &run_on(&snapshot, line), 2, parts);
    check("nscaps net@1", &["--input", "--pid"]);
    check("lsallns --tier ids", &["--input", "--tier"]);
    check("lsuns --skip fds", &["--input", "--skip"]);
    check("lspidns --proc-root /proc", &["--input", "--proc-root"]);
    check("dumpns --filter net", &["--input", "--filter"]);
    check("lxkns snapshot --filter net", &["--input", "--filter"]);
    check("nscaps -p 1 /proc/1/ns/net", &["\"/proc/1/ns/net\"", "snapshot"]);
}

#[test]
fn broken_snapshots() {
    for tool in ["lsallns", "lsuns", "lspidns", "pidtree", "dumpns", "lxkns snapshot"] {
        let line = format!("{tool} --input -");
        for broken in ["", "{", "[]", "{\"a\": 1}"] {
            let outcome = run_with_stdin(&line, broken.as_bytes());
            check(&line, &outcome, 1, &["standard input", "lxkns snapshot"]);
        }
        let newer = b"{\"schema\": \"lxkns.snapshot/99\"}";
        let parts = ["cannot read standard input", "lxkns.snapshot/99", "newer"];
        check(&line, &run_with_stdin(&line, newer), 1, &parts);
        let line = format!("{tool} --input /nonexistent.json");
        check(&line, &run(&line), 1, &["\"/nonexistent.json\"", "No such file"]);
        let line = format!("{tool} --input /");
        check(&line, &run(&line), 1, &["\"/\"", "Is a directory"]);
    }
}

#[test]
fn no_proc() {
    for tool in ["lsallns", "lsuns", "lspidns", "pidtree", "nscaps 1", "dumpns", "lxkns snapshot"] {
        let line = format!("{tool} --proc-root /nonexistent");
        check(&line, &run(&line), 1, &["/nonexistent", "--proc-root", "No such file"]);
    }
    for nonsense in ["/proc/self", "/proc/self/task", "/tmp/.."] {
        let line = format!("lsallns --proc-root {nonsense}");
        check(&line, &run(&line), 1, &[nonsense, "--proc-root", "procfs"]);
    }
}

#[test]
fn arguments_cannot_write_to_the_terminal() {
    for line in ["lsuns --\u{1b}[2J", "lsallns net:\u{9b}31m", "lsuns --input /\u{1b}[31m"] {
        let stderr = run(line).stderr;
        let harmless = |c: char| c == '\n' || !c.is_control();
        assert!(stderr.chars().all(harmless), "{stderr:?}");
        assert_eq!(stderr.lines().count(), 1, "{stderr:?}");
    }
}

#[test]
fn faulty_themes_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("theme.toml");
    fs::write(&path, "net = { bold = true }\n\nnett = {}\n").unwrap();
    let snapshot = fixtures::small();
    let line = format!("lsuns --color --theme {}", path.display());
    let outcome = run_on(&snapshot, &line);
    assert_eq!(outcome.code, Some(0));
    assert_eq!(outcome.stdout, run_on(&snapshot, "lsuns --color --theme=dark").stdout);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    for part in ["warning: ", "theme.toml\"", "line 3", "\"nett\"", "dark theme"] {
        assert!(outcome.stderr.contains(part), "{} has no {part:?}", outcome.stderr);
    }
    let quiet = run_on(&snapshot, &format!("{line} --quiet"));
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
}

#[test]
fn themes_come_from_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lxkns/theme.toml");
    fs::create_dir(directory.path().join("lxkns")).unwrap();
    fs::write(&path, "net = { underline = true, fg = \"#010203\" }\n").unwrap();
    let dump = |arguments: &[&str]| {
        let mut command = crate::tool::command("lsuns");
        command.env("XDG_CONFIG_HOME", directory.path());
        let output = command.args(arguments).output().unwrap();
        assert_eq!(output.stderr, b"");
        String::from_utf8(output.stdout).unwrap()
    };
    let theme = dump(&["--dump-theme"]);
    assert!(theme.contains("net = { underline = true, fg = \"#010203\" }\n"), "{theme}");
    assert_eq!(theme, dump(&["--dump"]));
    // What was dumped is a theme file, and the same theme.
    fs::write(&path, &theme).unwrap();
    assert_eq!(theme, dump(&["--dump-theme"]));
    let dark = dump(&["--dump-theme", "--theme=dark"]);
    assert_ne!(theme, dark);
    // Nobody would ever write to it.
    fs::remove_file(&path).unwrap();
    mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert_eq!(dump(&["--dump-theme"]), dark);
}
