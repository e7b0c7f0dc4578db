//! The guard against namespaces that are left behind.
//!
//! Other tests, and others on this machine, make namespaces as well: so nothing is said here of
//! those that this test has not made.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lxkns_discover::{LeakCheck, Options};
use lxkns_nstest::{Script, need};
use lxkns_species::NamespaceType::{Net, Uts};
use lxkns_species::NamespaceTypes;

fn leaky(name: &str) -> Script {
    Script::new()
        .user_namespace()
        .name(name)
        .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
}

#[test]
fn what_is_left_behind_is_named_with_its_holder() {
    need!(userns);
    let check = LeakCheck::start().unwrap();
    let child = leaky("a \"leak").spawn().unwrap();
    let net = child.noted("net");
    let leaks = check.end().unwrap();
    assert!(leaks.namespaces().any(|leaked| leaked.id() == net));
    assert!(leaks.snapshot().why(net).is_some());
    let text = leaks.to_string();
    let line = text.lines().find(|line| line.starts_with(&net.to_string()));
    let holder = format!("fd 3 of process {} (\"a \\\"leak\")", child.pid());
    assert!(line.unwrap().contains(&holder), "{text}");
}

#[test]
fn what_is_gone_by_then_is_no_leak() {
    need!(userns);
    let check = LeakCheck::start().unwrap();
    drop(leaky("no leak").spawn().unwrap());
    let leaks = check.end().unwrap();
    // Its inode may be somebody else's by now, but not with that holder.
    assert!(!leaks.to_string().contains("no leak"), "{leaks}");
}

#[test]
fn a_guard_panics_unless_it_was_ended() {
    need!(userns);
    let child = {
        let guard = LeakCheck::start().unwrap();
        let child = leaky("leak").spawn().unwrap();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(guard)));
        let panic = dropped.unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.starts_with("left behind:\n"), "{text}");
        assert!(text.contains(&child.noted("net").to_string()), "{text}");
        child
    };
    // A panic on the way hides nothing.
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _guard = LeakCheck::start().unwrap();
        let _child = leaky("leak").spawn().unwrap();
        std::panic::panic_any("mine");
    }));
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"mine"));
    drop(child);
}

#[test]
fn only_what_was_asked_for_is_watched() {
    need!(userns);
    let options = Options::everything().types(NamespaceTypes::of([Uts]));
    let check = LeakCheck::start_with(&options).unwrap();
    let child = leaky("leak").spawn().unwrap();
    let leaks = check.end().unwrap();
    assert!(leaks.namespaces().all(|leaked| leaked.id() != child.noted("net")));
}
