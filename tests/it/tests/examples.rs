//! The examples of the crates: each is run, and finds what is there.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use lxkns_it::stdout;
use lxkns_model::wire;
use lxkns_nstest::{Dir, Script, need, own_namespace, tool};
use lxkns_species::NamespaceType::{Net, Pid, User, Uts};

fn example(name: &str) -> Command {
    tool(&format!("examples/{name}"))
}

/// The lines that an example prints.
fn lines(name: &str, arguments: &[&str]) -> Vec<String> {
    let output = example(name).args(arguments).output().unwrap();
    stdout(&output).lines().map(str::to_owned).collect()
}

#[test]
fn pids() {
    need!(userns);
    let child = Script::new().user_namespace().unshare([Net]).spawn().unwrap();
    let expected = format!("{}: [{}]", child.namespace(Net), child.pid());
    let lines = lines("pids", &[]);
    assert!(lines.contains(&expected), "{lines:?}");
}

#[test]
fn owner() {
    need!(userns);
    let child = Script::new().user_namespace().unshare([Net]).spawn().unwrap();
    let lines = lines("owner", &[&format!("/proc/{}/ns/net", child.pid())]);
    let expected = [child.namespace(Net), child.namespace(User)].map(|id| id.to_string());
    assert!(lines.starts_with(&expected), "{lines:?}");
}

#[test]
fn holders() {
    need!(userns);
    let script = Script::new().user_namespace();
    let child = script.in_new(Net, |net| net.note("net", Net).open_namespace(Net, 7)).spawn();
    let child = child.unwrap();
    let (net, pid) = (child.noted("net"), child.pid());
    assert_eq!(lines("holders", &[&net.to_string()])[0], format!("fd 7 of process {pid}"));
    let user = child.namespace(User);
    let lines = lines("holders", &[&user.to_string()]);
    let expected = [format!("process {pid}"), format!("owned {net}")];
    assert!(expected.iter().all(|line| lines.contains(line)), "{lines:?}");
}

#[test]
fn socket() {
    need!(userns);
    let child = Script::new().user_namespace().unshare([Net]).spawn().unwrap();
    let lines = lines("socket", &[&child.pid().to_string()]);
    assert_eq!(lines, [format!("0.0.0.0:0 of {}", child.namespace(Net))]);
}

#[test]
fn pid() {
    need!(userns);
    let script = Script::new().user_namespace().unshare([Pid]);
    let child = script.fork("first", Script::new()).spawn().unwrap();
    let first = child.pid_of("first");
    let lines = lines("pid", &[&first.to_string()]);
    let expected = [
        format!("{first} in {}", own_namespace(Pid)),
        format!("1 in {}", child.namespace_of("first", Pid)),
    ];
    assert!(expected.iter().all(|line| lines.contains(line)), "{lines:?}");
}

#[test]
fn leaders() {
    need!(userns);
    let child = Script::new().user_namespace().unshare([Uts]).spawn().unwrap();
    let expected = format!("{} is led by {}", child.namespace(Uts), child.pid());
    let lines = lines("leaders", &[]);
    assert!(lines.iter().any(|line| line.trim_end_matches('?') == expected), "{lines:?}");
}

#[test]
fn changes() {
    need!(userns);
    let goes = Script::new().user_namespace().unshare([Uts]).spawn().unwrap();
    let piped = || Stdio::piped();
    let mut changes = example("changes").stdin(piped()).stdout(piped()).spawn().unwrap();
    let mut lines = BufReader::new(changes.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "press Enter");
    let gone = goes.namespace(Uts);
    drop(goes);
    let comes = Script::new().user_namespace().unshare([Uts]).spawn().unwrap();
    writeln!(changes.stdin.take().unwrap()).unwrap();
    let lines: Vec<String> = lines.collect();
    let (minus, plus) = (format!("- {gone}"), format!("+ {}", comes.namespace(Uts)));
    // A kernel without 64-bit ids may have given the number away again, and cannot tell.
    assert!(lines.contains(&plus) || gone == comes.namespace(Uts), "{lines:?}");
    assert!(lines.contains(&minus) || gone == comes.namespace(Uts), "{lines:?}");
    assert!(changes.wait().unwrap().success());
}

#[test]
fn file() {
    let dir = Dir::new().unwrap();
    let path = dir.join("snapshot.json");
    let path = path.to_str().unwrap();
    assert!(lines("file", &[path]).is_empty());
    let snapshot = wire::read(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(lines("file", &[path]), [format!("{} namespaces", snapshot.namespaces().len())]);
}

#[test]
fn list() {
    need!(userns);
    let child = Script::new().user_namespace().unshare([Net, Uts]).spawn().unwrap();
    let output = example("list").arg("net").output().unwrap();
    let text = stdout(&output);
    let (net, user) = (child.namespace(Net), child.namespace(User));
    assert!(text.contains(&format!("{net}\n    is owned by {user}\n")), "{text}");
    assert!(!text.contains("\nuts:["), "{text}");
}

#[test]
fn watch() {
    need!(userns);
    let mut child = Script::new().user_namespace().pause().unshare([Uts]).spawn().unwrap();
    let before = child.namespace(Uts);
    let mut watching =
        example("watch").arg(child.pid().to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut until = |expected: &str| {
        let found = lines.any(|line| line.unwrap() == expected);
        assert!(found, "never printed: {expected}");
    };
    until(&format!("in {before}"));
    child.proceed().unwrap();
    until(&format!("in {}", child.namespace(Uts)));
    drop(child);
    until("ended");
    assert!(watching.wait().unwrap().success());
}

#[test]
fn ask() {
    need!(userns);
    let child = Script::new().user_namespace().unshare([Net]).spawn().unwrap();
    let path = format!("/proc/{}/ns/net", child.pid());
    let output = example("ask").arg(path).output().unwrap();
    let (net, user) = (child.namespace(Net), child.namespace(User));
    let expected = format!("    is owned by {user}\n{user}\n");
    let text = stdout(&output);
    assert!(text.starts_with(&format!("{net}\n")) && text.contains(&expected), "{text}");
}

#[test]
fn enter() {
    need!(root);
    let child = Script::new().unshare([Net]).spawn().unwrap();
    let output = example("enter").arg(child.pid().to_string()).output().unwrap();
    let expected = format!("in {}:\n    lo\n", child.namespace(Net));
    assert!(stdout(&output).starts_with(&expected), "{}", stdout(&output));
}
