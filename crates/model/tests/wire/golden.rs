//! Documents that exist in the world must stay readable.
//!
//! Those of lxkns are written by hand after what its releases write. The native one is the sample
//! as schema version 1 has it; later versions get files of their own beside it.

use lxkns_model::{Details, Holder, MountKind, Part, Parts, Relation, Snapshot, wire};
use lxkns_species::{NamespaceType, NamespaceTypes, Pid};
use serde_json::Value;

use crate::samples::{self, id};

const LXKNS_0_15_5: &str = include_str!("golden/lxkns-0.15.5.json");
const LXKNS_0_46: &str = include_str!("golden/lxkns-0.46.json");
const SNAPSHOT_1: &str = include_str!("golden/snapshot-1.json");
const SNAPSHOT_1_BEFORE_NAMES: &str = include_str!("golden/snapshot-1-before-names.json");
const SNAPSHOT_1_LINES: &str = include_str!("golden/snapshot-1.jsonl");

fn read(document: &str) -> Snapshot {
    wire::read(document.as_bytes()).unwrap()
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut document = Vec::new();
    write(&mut document).unwrap();
    String::from_utf8(document).unwrap()
}

fn reference(snapshot: &Snapshot, text: &str) -> Option<String> {
    let path = snapshot.namespace(id(text)).unwrap().path()?;
    Some(path.to_str().unwrap().to_owned())
}

#[test]
fn schema_1_is_written_and_read() {
    let sample = samples::snapshot();
    let spaces = wire::Layout::Spaces(2);
    let document = written(|out| wire::snapshot::write(&sample, out, spaces));
    assert_eq!(document, SNAPSHOT_1);
    let lines = written(|out| wire::snapshot::write_lines(&sample, out));
    assert_eq!(lines, SNAPSHOT_1_LINES);
    for golden in [SNAPSHOT_1, SNAPSHOT_1_LINES] {
        assert_eq!(format!("{:?}", read(golden)), format!("{sample:?}"));
    }
}

/// An older document has no workloads, and its scan did not look for any.
#[test]
fn schema_1_without_workloads_is_read() {
    let snapshot = read(SNAPSHOT_1_BEFORE_NAMES);
    assert!(!snapshot.scope().parts.contains(Part::Names));
    assert_eq!(snapshot.workloads().len(), 0);
    let all = |snapshot: &Snapshot| snapshot.namespaces().map(|it| it.id()).collect::<Vec<_>>();
    assert_eq!(all(&snapshot), all(&samples::snapshot()));
}

#[test]
fn lxkns_0_15_5_is_read() {
    let snapshot = read(LXKNS_0_15_5);
    assert_eq!(snapshot.namespaces().len(), 7);
    assert_eq!(snapshot.processes().len(), 3);
    assert_eq!(snapshot.counts().read, 3);

    let net = snapshot.namespace(id("net:[4026532281]")).unwrap();
    assert_eq!(net.senior_leader().unwrap().pid(), Pid(812));
    let owner = net.owner().unwrap();
    assert_eq!(owner.id(), id("user:[4026532270]"));
    assert_eq!(owner.owned().collect::<Vec<_>>(), [net]);
    assert_eq!(owner.creator_name().unwrap().to_str(), Some("jo"));

    let hidden = snapshot.namespace(id("user:[4026532260]")).unwrap();
    assert!(hidden.is_hidden());
    assert_eq!(owner.parent(), Relation::Known(hidden));
    let root = snapshot.initial(NamespaceType::User).unwrap();
    assert_eq!(root.parent(), Relation::None);
    assert_eq!(root.children().collect::<Vec<_>>(), [hidden]);

    let bound = snapshot.namespace(id("net:[4026532300]")).unwrap();
    let bind_mount = Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: None,
        path: "/run/netns/blue".into(),
    };
    assert_eq!(bound.holders(), [bind_mount]);
    for (namespace, path) in [
        ("net:[4026532281]", "/proc/812/ns/net"),
        ("net:[4026532300]", "/run/netns/blue"),
        ("uts:[4026532301]", "/proc/1/fd/7"),
    ] {
        assert_eq!(reference(&snapshot, namespace).as_deref(), Some(path));
    }

    let kthreadd = snapshot.process(Pid(2)).unwrap();
    assert!(kthreadd.cmdline().unwrap().arguments.is_empty());
    assert_eq!(kthreadd.cgroup(), None);
    assert!(!snapshot.scope().parts.contains(Part::Threads));
}

#[test]
fn what_lxkns_0_15_5_writes_is_written() {
    let snapshot = read(LXKNS_0_15_5);
    let again = written(|out| wire::lxkns::write(&snapshot, out, wire::Layout::Tab));
    let parsed: Value = serde_json::from_str(&again).unwrap();
    let mut golden: Value = serde_json::from_str(LXKNS_0_15_5).unwrap();
    // The order of types is ours.
    let types = &mut golden["discovery-options"]["scanned-namespace-types"];
    *types = serde_json::to_value(NamespaceType::ALL).unwrap();
    assert_eq!(parsed, golden);
}

#[test]
fn lxkns_0_46_is_read() {
    let snapshot = read(LXKNS_0_46);
    let scope = snapshot.scope();
    let types = [NamespaceType::Mnt, NamespaceType::Net, NamespaceType::Uts];
    assert_eq!(scope.types, NamespaceTypes::of(types));
    assert_eq!(scope.details, Details::Everyone);
    let parts: Parts = [
        Part::Processes,
        Part::Threads,
        Part::Mounts,
        Part::Hierarchy,
        Part::Cmdline,
        Part::Cgroup,
    ]
    .into_iter()
    .collect();
    assert_eq!(scope.parts, parts);

    let inner = snapshot.namespace(id("net:[4026532410]")).unwrap();
    let bind_mount = Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: Some(id("mnt:[4026532400]")),
        path: "/run/netns/inner".into(),
    };
    assert_eq!(inner.holders(), [bind_mount]);
    assert_eq!(
        reference(&snapshot, "net:[4026532410]").as_deref(),
        Some("/proc/900/root/run/netns/inner")
    );

    let stray = snapshot.namespace(id("net:[4026532420]")).unwrap();
    let thread = Holder::Thread { pid: Pid(1), tid: Pid(17) };
    assert_eq!(stray.holders(), [thread]);
    let init = snapshot.process(Pid(1)).unwrap();
    assert_eq!(init.threads().len(), 1, "tasks like their process are none");
    assert_eq!(init.cgroup().unwrap().to_str(), Some("/init.scope"));
    assert_eq!(snapshot.process(Pid(900)).unwrap().cmdline(), None);
}

/// The decoder of lxkns 0.15.5 refuses any other key at the top, and a process without all of its
/// fields.
#[test]
fn a_strict_decoder_reads_what_is_written() {
    let sample = samples::snapshot();
    let document = written(|out| wire::lxkns::write(&sample, out, wire::Layout::Compact));
    let document: serde_json::Map<String, Value> = serde_json::from_str(&document).unwrap();
    let keys: Vec<_> = document.keys().map(String::as_str).collect();
    assert_eq!(keys, ["discovery-options", "namespaces", "processes"]);
    for (inode, namespace) in document["namespaces"].as_object().unwrap() {
        assert_eq!(namespace["nsid"].as_u64().unwrap().to_string(), *inode);
        let is_user = namespace["type"] == "user";
        assert!(!(is_user && namespace.get("owner").is_some()));
        assert!(namespace.as_object().unwrap().values().all(|it| !it.is_null()));
    }
    for (pid, process) in document["processes"].as_object().unwrap() {
        assert_eq!(process["pid"].as_u64().unwrap().to_string(), *pid);
        assert!(process["ppid"].is_u64() && process["starttime"].is_u64());
        assert!(process["name"].is_string() && process["cgroup"].is_string());
        assert!(process["cmdline"].is_array() && process["namespaces"].is_object());
    }
    assert_eq!(document["processes"]["3"]["cmdline"], serde_json::json!([]));
    assert_eq!(document["processes"]["2"]["cmdline"], serde_json::json!([""]));
}
