//! What is wrong with a document is said, and where; what is merely odd is read.

use lxkns_model::{Holder, Relation, Snapshot, wire};
use lxkns_species::{NamespaceType, Pid};
use serde_json::{Value, json};

use crate::samples::id;

fn read(document: &Value) -> Snapshot {
    wire::read(document.to_string().as_bytes()).unwrap()
}

fn refused(document: impl AsRef<[u8]>, message: &str) {
    let error = wire::read(document.as_ref()).unwrap_err();
    assert_eq!(error.to_string(), message);
}

/// A native document with these namespaces and processes.
fn native(namespaces: Value, processes: Value) -> Value {
    json!({
        "schema": "lxkns.snapshot/1",
        "host": {},
        "options": {},
        "namespaces": namespaces,
        "processes": processes,
        "counts": {"listed": 0, "read": 0, "unreadable": 0, "vanished": 0},
        "gaps": [],
    })
}

fn refused_native(namespaces: Value, processes: Value, message: &str) {
    refused(native(namespaces, processes).to_string(), message);
}

fn refused_lxkns(namespaces: &str, processes: &str, message: &str) {
    refused(format!(r#"{{"namespaces": {namespaces}, "processes": {processes}}}"#), message);
}

#[test]
fn what_is_no_snapshot_at_all() {
    refused("", "the document is empty");
    refused(" \n", "the document is empty");
    refused("[]", "document: invalid length 0, expected an object");
    refused("7", "document: invalid type: integer `7`, expected an object");
    refused("{", "malformed JSON: EOF while parsing an object at line 1 column 1");
    let neither = "neither a snapshot of lxkns nor an lxkns discovery result";
    refused("{}", neither);
    refused(r#"{"kind": "namespace", "id": "net:[1]"}"#, neither);
    assert!(matches!(wire::lxkns::read(b"[]"), Err(wire::Error::Content { .. })));
    let lxkns = br#"{"namespaces": {}}"#;
    assert!(matches!(wire::snapshot::read(lxkns), Err(wire::Error::Unrecognized)));
    let newer = "cannot read schema \"lxkns.snapshot/2\", only \"lxkns.snapshot/1\"; \
                 a newer lxkns may have written it";
    refused(r#"{"schema": "lxkns.snapshot/2", "namespaces": 7}"#, newer);
    refused(r#"{"kind": "snapshot", "schema": "lxkns.snapshot/2"}"#, newer);
    refused(r#"{"schema": 1}"#, "schema: invalid type: integer `1`, expected a string");
}

#[test]
fn depth_is_limited() {
    let deep = |key: &str| format!("{{\"namespaces\": {{\"{key}\": {}", "[".repeat(1 << 20));
    let error = wire::read(deep("1").as_bytes()).unwrap_err();
    assert!(matches!(error, wire::Error::Syntax(_)), "{error}");
    let nested = format!(
        r#"{{"namespaces": {{}}, "mounts": {}{}}}"#,
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    assert_eq!(wire::read(nested.as_bytes()).unwrap().namespaces().len(), 0);
}

#[test]
fn places_in_lxkns_documents() {
    let net = |rest: &str| format!(r#"{{"4026532281": {{"nsid": 4026532281, {rest}}}}}"#);
    let check = |rest: &str, message: &str| refused_lxkns(&net(rest), "{}", message);
    check(r#""type": "zip""#, "namespaces.\"4026532281\".type: unknown namespace type \"zip\"");
    check(r#""owner": 1"#, "namespaces.\"4026532281\": missing field `type`");
    check(
        r#""type": "net", "leaders": [1, "x"]"#,
        "namespaces.\"4026532281\".leaders[1]: invalid type: string \"x\", expected u32",
    );
    check(
        r#""type": "net", "reference": 7"#,
        "namespaces.\"4026532281\".reference: invalid type: integer `7`, \
         expected a path or a list of paths",
    );
    check(
        r#""type": "net", "owner": 4026532281"#,
        "namespaces.\"4026532281\".owner: 4026532281 is a net namespace, not a user one",
    );
    refused_lxkns(
        r#"{"0": {"nsid": 0, "type": "net"}}"#,
        "{}",
        "namespaces.\"0\".nsid: 0 is no namespace",
    );
    refused_lxkns(
        r#"{"7": {"nsid": 8, "type": "net"}}"#,
        "{}",
        "namespaces.\"7\".nsid: 8 is not what it is listed as",
    );
    let net = r#""7": {"nsid": 7, "type": "net"}"#;
    refused_lxkns(&format!("{{{net}, {net}}}"), "{}", "namespaces.\"7\": listed twice");
    let check = |process: &str, message: &str| refused_lxkns("{}", process, message);
    check(
        r#"{"1": {"pid": 1, "ppid": -1}}"#,
        "processes.\"1\".ppid: invalid value: integer `-1`, expected u32",
    );
    check(
        r#"{"1": {"pid": 1, "namespaces": {"zip": 5}}}"#,
        "processes.\"1\".namespaces: unknown namespace type \"zip\"",
    );
    check(
        r#"{"1": {"pid": 1, "namespaces": {"net": 5, "net": 6}}}"#,
        "processes.\"1\".namespaces.net: listed twice",
    );
    check(
        r#"{"1": {"pid": 1, "namespaces": {"net": 5, "pid": 5}}}"#,
        "processes.\"1\".namespaces.pid: 5 is a net namespace, not a pid one",
    );
    check(r#"{"1": {"pid": 1}, "1": {"pid": 1}}"#, "processes.\"1\": listed twice");
    check(
        r#"{"1": {"pid": 1, "tasks": [{"tid": 2}, {"tid": 2}]}}"#,
        "processes.\"1\".tasks[1].tid: listed twice",
    );
}

#[test]
fn places_in_native_documents() {
    let check = |namespace: Value, message: &str| {
        refused_native(json!([namespace]), json!([]), message);
    };
    check(
        json!({"id": "zip:[1]", "type": "net"}),
        "namespaces[0].id: unknown namespace type \"zip\"",
    );
    check(
        json!({"id": "ipc:[1]", "type": "net"}),
        "namespaces[0].type: ipc:[1] is of another type",
    );
    check(
        json!({"id": "net:[1]", "type": "net", "parent": "net:[2]"}),
        "namespaces[0].parent: net:[1] cannot nest in net:[2]",
    );
    check(
        json!({"id": "user:[1]", "type": "user", "parent": "pid:[2]"}),
        "namespaces[0].parent: user:[1] cannot nest in pid:[2]",
    );
    check(
        json!({"id": "net:[1]", "type": "net", "owner": "net:[2]"}),
        "namespaces[0].owner: net:[2] cannot own net:[1]",
    );
    let held = |holder: Value| json!({"id": "net:[1]", "type": "net", "holders": [holder]});
    check(
        held(json!({"kind": "fd", "pid": 1})),
        "namespaces[0].holders[0]: a holder of kind \"fd\" needs \"fd\"",
    );
    check(
        held(json!({"kind": "fd", "pid": 1, "fd": -1})),
        "namespaces[0].holders[0].fd: invalid value: integer `-1`, expected u32",
    );
    check(
        held(json!({"kind": "bind-mount", "path": "/x", "mount-namespace": "net:[1]"})),
        "namespaces[0].holders[0].mount-namespace: not a mount namespace",
    );
    check(
        held(json!({"kind": "bind-mount", "path": "/x", "path-bytes": "2f7"})),
        "namespaces[0].holders[0].path-bytes: odd number of hexadecimal digits",
    );
    check(
        held(json!({"kind": "bind-mount", "path": "/x", "path-bytes": "2fé"})),
        "namespaces[0].holders[0].path-bytes: not a hexadecimal digit",
    );
    let net = json!({"id": "net:[1]", "type": "net", "dev": 4});
    let twice = json!([net, net]);
    refused_native(twice, json!([]), "namespaces[1].id: net:[1] is listed twice");
    let elsewhere = json!([net, {"id": "net:[2]", "type": "net", "dev": 5}]);
    let message = "namespaces[1].dev: all namespaces have the same device";
    refused_native(elsewhere, json!([]), message);

    let check = |process: Value, message: &str| {
        refused_native(json!([]), json!([process]), message);
    };
    check(json!({"comm": "x"}), "processes[0]: missing field `pid`");
    check(
        json!({"pid": 1, "namespaces": {"net": "uts:[1]"}}),
        "processes[0].namespaces.net: uts:[1] is no net namespace",
    );
    check(
        json!({"pid": 1, "effective-capabilities": ["cap_zip"]}),
        "processes[0].effective-capabilities[0]: unknown capability \"cap_zip\"",
    );
    let twice = json!([{"pid": 1}, {"pid": 1}]);
    refused_native(json!([]), twice, "processes[1].pid: process 1 is listed twice");

    let mut document = native(json!([]), json!([]));
    document["counts"]["listed"] = json!(1);
    refused(document.to_string(), "counts: \"listed\" is not the sum of the others");
    document["counts"] = json!({"listed": 0, "read": u64::MAX, "unreadable": 1, "vanished": 0});
    refused(document.to_string(), "counts: \"listed\" is not the sum of the others");
    document["host"]["taken-at"] = json!("yesterday");
    let error = wire::read(document.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().starts_with("host.taken-at: "), "{error}");
}

#[test]
fn places_in_lines() {
    let head = r#"{"kind": "snapshot", "schema": "lxkns.snapshot/1", "host": {}, "options": {},
        "counts": {"listed": 0, "read": 0, "unreadable": 0, "vanished": 0}}"#
        .replace('\n', "");
    let check = |line: &str, message: &str| refused(format!("{head}\n\n{line}\n"), message);
    check(
        r#"{"kind": "namespace", "id": "net:[0]", "type": "net"}"#,
        "line 3: id: malformed namespace \"net:[0]\", expected something like net:[4026531840]",
    );
    check(
        r#"{"kind": "namespace", "id": "net:[1]", "type": "ipc"}"#,
        "line 3: type: net:[1] is of another type",
    );
    check("{\"kind\": \"gap\"", "line 3, column 14: malformed JSON: EOF while parsing an object");
    check(&head, "line 3: kind: a second head");
    let unknown = format!("{head}\n{{\"kind\": \"weather\"}}");
    assert_eq!(wire::read(unknown.as_bytes()).unwrap().namespaces().len(), 0);
}

#[test]
fn oddities_are_read() {
    let snapshot = read(&native(
        json!([
            {"id": "user:[2]", "type": "user", "parent": "user:[3]", "colour": "blue"},
            {"id": "user:[3]", "type": "user", "parent": "user:[2]"},
            {"id": "net:[4]", "type": "net", "owner": "user:[5]", "leaders": [77], "hidden": true,
             "holders": [{"kind": "magnet", "strength": 5}]},
        ]),
        json!([{"pid": 9, "ppid": 8, "namespaces": {"uts": "uts:[6]"}}]),
    ));
    let namespace = |text| snapshot.namespace(id(text)).unwrap();
    // Parents in a circle.
    assert_eq!(namespace("user:[2]").parent(), Relation::Unknown);
    assert_eq!(namespace("user:[3]").parent(), Relation::Unknown);
    // What is only referred to.
    assert_eq!(namespace("net:[4]").owner(), Some(namespace("user:[5]")));
    assert_eq!(namespace("uts:[6]").processes().len(), 1);
    assert!(namespace("uts:[6]").leaders_uncertain());
    // What follows from something else, and a kind of holder yet to be invented.
    assert_eq!(namespace("net:[4]").leaders().len(), 0);
    assert_eq!(namespace("net:[4]").holders(), [Holder::Unseen]);

    let snapshot = read(&json!({
        "processes": {"8": {"pid": 8, "ppid": 1, "name": "x", "namespaces": {"ipc": 6}}},
        "namespaces": {
            "2": {"nsid": 2, "type": "pid", "parent": 3, "reference": "/proc/x/../y"},
            "3": {"nsid": 3, "type": "pid", "parent": 2, "children": [9]},
            "4": {"nsid": 4, "type": "net", "leaders": [8, 12], "ealdorman": 99},
            "5": {"nsid": 5, "type": "ipc", "leaders": [8], "possessions": [4]},
        },
    }));
    let namespace = |text| snapshot.namespace(id(text)).unwrap();
    assert_eq!(namespace("pid:[2]").parent(), Relation::Unknown);
    assert_eq!(namespace("pid:[3]").children().len(), 0);
    assert!(namespace("pid:[2]").is_hidden());
    // A leader that is not listed, and two that are listed otherwise.
    let leaders: Vec<_> = namespace("net:[4]").leaders().map(|it| it.pid()).collect();
    assert_eq!(leaders, [Pid(8), Pid(12)]);
    assert_eq!(namespace("ipc:[5]").leaders().len(), 0);
    let process = snapshot.process(Pid(8)).unwrap();
    let ipc = process.namespace(NamespaceType::Ipc);
    assert_eq!(ipc, Some(namespace("ipc:[6]")));
    assert_eq!(snapshot.process(Pid(12)).unwrap().comm(), None);
}

#[test]
fn two_types_with_one_inode_cannot_be_written_for_lxkns() {
    let snapshot = read(&native(
        json!([{"id": "net:[1]", "type": "net"}, {"id": "uts:[1]", "type": "uts"}]),
        json!([]),
    ));
    let error = wire::lxkns::write(&snapshot, Vec::new(), wire::Layout::Compact).unwrap_err();
    assert_eq!(error.to_string(), "two namespaces have the inode 1");
}

#[test]
fn lines_that_were_cut_off() {
    let document = include_str!("golden/snapshot-1.jsonl");
    let ends = document.match_indices('\n').map(|(end, _)| end);
    let lines = document.lines().count() - 1;
    for (found, end) in ends.enumerate().take(lines) {
        let message =
            format!("lines: the document announces {lines} lines after the first and has {found}");
        refused(&document[..end], &message);
        refused(&document[..=end], &message);
    }
}
