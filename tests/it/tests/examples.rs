//! The examples of the crates: each is run, and finds what is there.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use lxkns_it::stdout;
use lxkns_nstest::{Script, need, own_namespace, tool};
use lxkns_species::NamespaceType::{Net, User, Uts};

fn example(name: &str) -> Command {
    tool(&format!("examples/{name}"))
}

#[test]
fn barebones() {
    let output = example("barebones").output().unwrap();
    let own = format!("{} ", own_namespace(Net));
    assert!(stdout(&output).lines().any(|line| line.starts_with(&own)));
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
