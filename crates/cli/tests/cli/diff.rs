//! `lxkns diff`: what it prints and how it ends.

use lxkns_model::{Snapshot, wire};
use serde_json::{Value, json};

use crate::fixtures;
use crate::tool::{Outcome, document, run_with_stdin};

/// Compares two snapshots; notes call the second one `B`.
fn diff(before: &[u8], after: &[u8], arguments: &str) -> Outcome {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), after).unwrap();
    let path = file.path().to_str().unwrap();
    let mut outcome = run_with_stdin(&format!("lxkns diff - {path} {arguments}"), before);
    outcome.stderr = outcome.stderr.replace(&format!("note: \"{path}\":"), "note: B:");
    outcome
}

/// The snapshot as a document in which somebody has changed something.
fn changed(snapshot: &Snapshot, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(&document(snapshot)).unwrap();
    document["host"]["boot-id"] = json!("b007");
    change(&mut document);
    let document = document.to_string().into_bytes();
    wire::read(&document).unwrap();
    document
}

/// The namespace in a document.
fn namespace<'d>(document: &'d mut Value, id: &str) -> &'d mut Value {
    let namespaces = document["namespaces"].as_array_mut().unwrap();
    namespaces.iter_mut().find(|it| it["id"] == id).unwrap()
}

fn before() -> Vec<u8> {
    changed(&fixtures::containers(), |_| {})
}

/// Somebody has stopped the inner container, and passed a file descriptor on.
fn after() -> Vec<u8> {
    changed(&fixtures::containers(), |document| {
        let processes = document["processes"].as_array_mut().unwrap();
        processes.retain(|it| it["pid"] != 310 && it["pid"] != 311);
        let inner = ["user:[4026532300]", "pid:[4026532302]", "net:[4026532303]"];
        let namespaces = document["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|it| !inner.iter().any(|gone| it["id"] == *gone));
        namespaces.push(json!({"id": "uts:[4026532409]", "type": "uts",
            "holders": [{"kind": "fd", "pid": 800, "fd": 8}]}));
        namespace(document, "net:[4026532405]")["holders"] = json!([{"kind": "fd", "pid": 300, "fd": 7}, {"kind": "bind-mount",
                "mount-namespace": "mnt:[4026532201]", "path": "/run/netns/blue"}]);
        // The same inode, another namespace.
        namespace(document, "net:[4026532401]")["holders"] =
            json!([{"kind": "fd", "pid": 500, "fd": 7}]);
    })
}

#[test]
fn differences_are_shown() {
    let mut transcript = String::new();
    for arguments in ["", "--color", "--ignore holders", "--json"] {
        let outcome = diff(&before(), &after(), arguments);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), ""));
        let printed = outcome.stdout.replace('\u{1b}', "␛");
        transcript += &format!("$ lxkns diff A B {arguments}\n{printed}\n");
    }
    insta::assert_snapshot!("diff", transcript);
}

#[test]
fn equal_states_are_the_same() {
    for (name, fixture) in fixtures::all() {
        let document = changed(&fixture, |_| {});
        let outcome = diff(&document, &document, "-q");
        let printed = (outcome.stdout.as_str(), outcome.stderr.as_str());
        assert_eq!((outcome.code, printed), (Some(0), ("", "")), "{name}");
    }
}

#[test]
fn what_is_ignored_is_no_difference() {
    let handed_over = changed(&fixtures::containers(), |document| {
        namespace(document, "net:[4026532405]")["holders"]
            .as_array_mut()
            .unwrap()
            .push(json!({"kind": "fd", "pid": 300, "fd": 7}));
    });
    for (arguments, code) in
        [("", 1), ("--ignore leaders", 1), ("--ignore holders", 0), ("--ignore holders,leaders", 0)]
    {
        let outcome = diff(&before(), &handed_over, arguments);
        assert_eq!(outcome.code, Some(code), "{arguments}");
    }
}

#[test]
fn trouble_has_a_code_of_its_own() {
    let check = |outcome: Outcome, expected: &str| {
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
        assert_eq!(outcome.stdout, "");
    };
    let other_boot = changed(&fixtures::containers(), |document| {
        document["host"]["boot-id"] = json!("5h0e");
    });
    check(diff(&before(), &other_boot, ""), "error: the snapshots are of two boots, b007 and 5h0e");
    check(diff(b"{", &before(), ""), "error: standard input is no snapshot");
    check(diff(&before(), b"", ""), "error: \"");
    check(run_with_stdin("lxkns diff /no/such/file", b""), "error: cannot read");
    check(run_with_stdin("lxkns diff - -", b""), "error: only one snapshot");
    check(run_with_stdin("lxkns diff", b""), "error: ");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let without_fds = changed(&fixtures::containers(), |document| {
        document["options"]["parts"].as_array_mut().unwrap().retain(|part| part != "fds");
        document["host"]["boot-id"].take();
    });
    let outcome = diff(&before(), &without_fds, "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""));
    let expected = "warning: nothing tells whether both snapshots are of the same boot\n\
                    warning: not compared, for only one snapshot has them: fds\n";
    assert_eq!(outcome.stderr, expected);
}

#[test]
fn seeing_less_is_said() {
    let as_user = changed(&fixtures::containers(), |document| {
        document["namespaces"].as_array_mut().unwrap().retain(|it| it["id"] != "net:[4026532401]");
        document["gaps"] = json!([{"what": "fds", "why": "permission denied", "count": 3,
            "examples": []}]);
    });
    let outcome = diff(&before(), &as_user, "");
    assert_eq!(outcome.code, Some(1));
    assert_eq!(
        outcome.stderr,
        "warning: a removed namespace or holder may still be there, but the file descriptors of 3 processes could not \
         be read (permission denied)\n\
         note: B: the file descriptors of 3 processes could not be read (permission denied)\n"
    );
}

#[test]
fn notes_name_their_snapshot() {
    let less = changed(&fixtures::restricted(), |_| {});
    let outcome = diff(&less, &less, "");
    let notes: Vec<&str> = outcome.stderr.lines().collect();
    assert!(
        matches!(&notes[..], [a, b] if a.starts_with("note: standard input: 5 of 8 processes ")
            && b.starts_with("note: B: 5 of 8 processes ")),
        "{notes:?}"
    );
}

#[test]
fn what_may_only_not_have_been_seen_is_marked() {
    let less = changed(&fixtures::containers(), |document| {
        let namespaces = document["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|it| it["id"] != "net:[4026532405]");
        document["gaps"] =
            json!([{"what": "process-namespaces", "why": "permission denied", "count": 312}]);
    });
    let went = diff(&before(), &less, "");
    assert!(went.stdout.starts_with("-? net:[4026532405]"), "{}", went.stdout);
    let came = diff(&less, &before(), "");
    assert!(came.stdout.starts_with("+? net:[4026532405]"), "{}", came.stdout);
}

#[test]
fn a_holder_that_may_only_not_have_been_seen_is_no_loss_for_sure() {
    let seeing_less = changed(&fixtures::containers(), |document| {
        for namespace in document["namespaces"].as_array_mut().unwrap() {
            if let Some(holders) = namespace["holders"].as_array_mut() {
                holders.retain(|it| it["kind"] != "fd");
            }
        }
        document["gaps"].as_array_mut().unwrap().push(json!({
            "what": "fds", "why": "permission denied", "count": 90, "examples": []
        }));
    });
    let outcome = diff(&before(), &seeing_less, "");
    let held = |line: &&str| line.contains("held by fd");
    let signs: Vec<&str> = outcome
        .stdout
        .lines()
        .filter(held)
        .map(|line| line.trim_start().split(' ').next().unwrap())
        .collect();
    assert!(!signs.is_empty(), "{}", outcome.stdout);
    assert!(signs.iter().all(|sign| *sign == "-?"), "{}", outcome.stdout);
    let warning =
        "warning: a removed namespace or holder may still be there, but the file descriptors of 90";
    assert!(outcome.stderr.starts_with(warning), "{}", outcome.stderr);
}

#[test]
fn uncertain_leaders_are_not_compared_and_that_is_said() {
    let led_by = |pid: u64| {
        changed(&fixtures::containers(), |document| {
            document["namespaces"].as_array_mut().unwrap().push(json!({
                "id": "uts:[4026532409]", "type": "uts",
                "holders": [{"kind": "fd", "pid": 300, "fd": 8}],
            }));
            // Its parent cannot be seen.
            document["processes"].as_array_mut().unwrap().push(json!({
                "pid": pid, "ppid": 1, "namespaces": {"uts": "uts:[4026532409]"},
            }));
            let processes = document["processes"].as_array_mut().unwrap();
            for process in processes.iter_mut().filter(|it| it["pid"] == 1) {
                process["namespaces"] = json!({});
            }
        })
    };
    let outcome = diff(&led_by(7001), &led_by(7002), "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""));
    let warning = "not compared, for they are uncertain: who leads uts:[4026532409]";
    assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);
}
