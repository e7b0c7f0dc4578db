//! References, from literals.

use super::*;
use crate::{Facts, FileKind, Joined, MountKind, NamespaceFacts, ProcessFacts, Snapshot};

fn id(text: &str) -> NamespaceId {
    text.parse().unwrap()
}

fn process(pid: u32, start: u64, joined: &[&str]) -> ProcessFacts {
    ProcessFacts {
        ppid: Some(Pid(0)),
        start_time: Some(start),
        namespaces: Joined::of(joined.iter().map(|text| id(text))),
        ..ProcessFacts::new(Pid(pid))
    }
}

fn bind_mount(mount_namespace: Option<&str>, path: &str) -> Holder {
    Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: mount_namespace.map(id),
        path: path.into(),
    }
}

/// The reference to a namespace with these holders; the scanner is in mnt:[1], 20 in mnt:[2].
fn reference(text: &str, holders: Vec<Holder>) -> Option<String> {
    let mut facts = Facts::default();
    facts.host.scanner_namespaces.set(id("mnt:[1]"));
    facts.namespaces.push(NamespaceFacts { holders, ..NamespaceFacts::new(id(text)) });
    facts.processes = vec![process(10, 9, &["net:[7]"]), process(20, 5, &["net:[7]", "mnt:[2]"])];
    let snapshot = Snapshot::assemble(facts);
    let path = snapshot.namespace(id(text)).unwrap().path()?;
    Some(path.to_str().unwrap().to_owned())
}

#[test]
fn the_best_holder_is_taken() {
    let (pid, tid) = (Pid(10), Some(Pid(11)));
    // From worst to best: each one is taken as long as the next ones are not there.
    let holders = [
        (bind_mount(Some("mnt:[3]"), "/nobody/there"), None),
        (Holder::Unseen, None),
        (Holder::File { kind: FileKind::Socket, pid, tid, fd: 3 }, None),
        (bind_mount(Some("mnt:[2]"), "/run/x"), Some("/proc/20/root/run/x")),
        (bind_mount(Some("mnt:[1]"), "/run/y"), Some("/run/y")),
        (
            Holder::File { kind: FileKind::Namespace, pid, tid, fd: 4 },
            Some("/proc/10/task/11/fd/4"),
        ),
        (Holder::File { kind: FileKind::Namespace, pid, tid: None, fd: 4 }, Some("/proc/10/fd/4")),
        (Holder::PendingChildren { pid, tid: None }, Some("/proc/10/ns/pid_for_children")),
        (Holder::Thread { pid, tid: Pid(11) }, Some("/proc/10/task/11/ns/pid")),
    ];
    let mut so_far = Vec::new();
    for (holder, expected) in holders {
        so_far.push(holder);
        let found = reference("pid:[5]", so_far.clone());
        assert_eq!(found.as_deref(), expected, "{so_far:?}");
    }
    assert_eq!(
        reference("net:[7]", so_far).as_deref(),
        Some("/proc/20/ns/net"),
        "the most senior leader"
    );
}

#[test]
fn only_pid_and_time_namespaces_await_children() {
    let (pid, tid) = (Pid(10), None);
    let holders = vec![Holder::PendingChildren { pid, tid }, bind_mount(Some("mnt:[1]"), "/run/y")];
    assert_eq!(reference("net:[5]", holders).as_deref(), Some("/run/y"));
}

#[test]
fn a_mount_nobody_knows_where_is_no_path_of_ours() {
    assert_eq!(reference("net:[5]", vec![bind_mount(None, "/run/x")]), None);
    assert_eq!(reference("net:[5]", vec![]), None);
}

#[test]
fn paths_are_read_back() {
    let check = |path: &str, expected: Option<Holder>| {
        let mount_namespace_of = |pid| (pid == Pid(20)).then(|| id("mnt:[2]"));
        assert_eq!(holder_behind(path, mount_namespace_of), expected, "{path}");
    };
    let (pid, tid) = (Pid(20), Some(Pid(21)));
    check("/proc/20/fd/7", Some(Holder::File { kind: FileKind::Namespace, pid, tid: None, fd: 7 }));
    check(
        "/proc/20/task/21/fd/7",
        Some(Holder::File { kind: FileKind::Namespace, pid, tid, fd: 7 }),
    );
    check("/proc/20/task/21/ns/net", Some(Holder::Thread { pid, tid: Pid(21) }));
    for name in ["pid", "time"] {
        let pending = |tid| Some(Holder::PendingChildren { pid, tid });
        check(&format!("/proc/20/ns/{name}_for_children"), pending(None));
        check(&format!("/proc/20/task/21/ns/{name}_for_children"), pending(tid));
    }
    check("/proc/20/root/run/x", Some(bind_mount(Some("mnt:[2]"), "/run/x")));
    check("/run/x", Some(bind_mount(None, "/run/x")));
    for path in [
        "",
        "run/x",
        "/proc/",
        "/proc/20",
        "/proc/20/ns/net",
        "/proc/20/fd/x",
        "/proc/20/task/21",
        "/proc/20/task/21/comm",
        "/proc/self/fd/3",
        "/proc/99/root/run/x",
    ] {
        check(path, None);
    }
}

#[test]
fn where_two_are_mounted_only_one_can_be_reached() {
    let mut facts = Facts::default();
    facts.host.scanner_namespaces.set(id("mnt:[1]"));
    let mounted = |text: &str, paths: &[&str]| NamespaceFacts {
        holders: paths.iter().map(|path| bind_mount(Some("mnt:[1]"), path)).collect(),
        ..NamespaceFacts::new(id(text))
    };
    facts.namespaces = vec![mounted("net:[8]", &["/a"]), mounted("net:[9]", &["/a", "/b"])];
    let snapshot = Snapshot::assemble(facts);
    let net = |text| snapshot.namespace(id(text)).unwrap();
    assert_eq!(net("net:[8]").path(), None);
    assert_eq!(net("net:[9]").path(), Some("/b".into()));
    assert!(snapshot.is_stacked(&bind_mount(Some("mnt:[1]"), "/a")));
    assert!(!snapshot.is_stacked(&bind_mount(Some("mnt:[1]"), "/b")));
    assert!(!snapshot.is_stacked(&bind_mount(Some("mnt:[2]"), "/a")));
}
