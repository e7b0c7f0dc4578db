//! Comparing snapshots, with differences that say what differs in which fact of what.

use std::collections::BTreeMap;
use std::fmt::Debug;

use lxkns_model::{MountFacts, Namespace, Process, Relation, Snapshot};
use lxkns_species::NamespaceId;

/// A fact by its name, in words.
type Fact = (&'static str, String);

/// In what two snapshots differ, as far as it concerns some namespaces and the processes that are
/// joined to them; one line for each fact, and none if they agree.
///
/// Everything counts but what two scans of the same state may tell differently: the circumstances
/// of the scan, its counts and gaps. A fact that is unknown in one only is a difference, except for
/// a namespace's 64-bit id, which some ways to scan cannot know.
///
/// ```
/// use lxkns_model::{Facts, NamespaceFacts, Snapshot};
/// use lxkns_nstest::differences;
///
/// let net = NamespaceFacts::new("net:[4026532281]".parse()?);
/// let one = Facts { namespaces: vec![net.clone()], ..Facts::default() };
/// let owner = Some("user:[4026532177]".parse()?);
/// let other = Facts { namespaces: vec![NamespaceFacts { owner, ..net }], ..Facts::default() };
/// let (one, other) = (Snapshot::assemble(one), Snapshot::assemble(other));
/// assert_eq!(
///     differences(&one, &other, |id| id.inode() == 4026532281),
///     ["net:[4026532281]: owner is unknown, but user:[4026532177] in the other"]
/// );
/// # Ok::<(), lxkns_species::ParseError>(())
/// ```
pub fn differences(
    one: &Snapshot,
    other: &Snapshot,
    only: impl Fn(NamespaceId) -> bool,
) -> Vec<String> {
    let mut lines = compared(namespaces(one, other, &only), namespaces(other, one, &only));
    lines.extend(compared(processes(one, &only), processes(other, &only)));
    lines
}

/// The facts of each thing, by its name, in a defined order.
type Things = BTreeMap<String, Vec<Fact>>;

fn compared(one: Things, mut other: Things) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, facts) in one {
        let Some(others) = other.remove(&name) else {
            lines.push(format!("{name}: missing in the other"));
            continue;
        };
        for ((fact, here), (_, there)) in facts.into_iter().zip(others) {
            if here != there {
                lines.push(format!("{name}: {fact} is {here}, but {there} in the other"));
            }
        }
    }
    lines.extend(other.into_keys().map(|name| format!("{name}: only in the other")));
    lines
}

fn namespaces(here: &Snapshot, there: &Snapshot, only: &impl Fn(NamespaceId) -> bool) -> Things {
    here.namespaces()
        .filter(|namespace| only(namespace.id()))
        .map(|namespace| {
            let other = there.namespace(namespace.id());
            let both_know = other.is_none_or(|other| other.unique_id().is_some());
            (namespace.id().to_string(), namespace_facts(here, namespace, both_know))
        })
        .collect()
}

fn namespace_facts(
    snapshot: &Snapshot,
    namespace: Namespace<'_>,
    with_unique_id: bool,
) -> Vec<Fact> {
    let ids = |namespaces: &mut dyn Iterator<Item = Namespace<'_>>| {
        list(namespaces.map(|namespace| namespace.id().to_string()))
    };
    let pids = |processes: &mut dyn Iterator<Item = Process<'_>>| {
        list(processes.map(|process| process.pid().to_string()))
    };
    vec![
        ("64-bit id", known(namespace.unique_id().filter(|_| with_unique_id))),
        ("initial", known(namespace.is_initial())),
        ("hidden", namespace.is_hidden().to_string()),
        (
            "parent",
            match namespace.parent() {
                Relation::Known(parent) => parent.id().to_string(),
                Relation::None => "none".into(),
                Relation::Unknown => "unknown".into(),
            },
        ),
        ("owner", namespace.owner().map_or_else(unknown, |owner| owner.id().to_string())),
        ("creator", known(namespace.creator())),
        ("creator name", known(namespace.creator_name())),
        ("uid map", known(namespace.uid_map())),
        ("gid map", known(namespace.gid_map())),
        ("mounts", mounts(snapshot, namespace.id())),
        ("holders", list(namespace.holders().iter().map(|holder| format!("{holder:?}")))),
        ("children", ids(&mut namespace.children())),
        ("owned", ids(&mut namespace.owned())),
        ("processes", pids(&mut namespace.processes())),
        ("leaders", pids(&mut namespace.leaders())),
        ("leaders uncertain", namespace.leaders_uncertain().to_string()),
    ]
}

/// The mounts that hold it. Their 64-bit IDs are not told by every interface.
fn mounts(snapshot: &Snapshot, held: NamespaceId) -> String {
    let holding = snapshot.mounts().iter().filter(|mount| mount.holds == Some(held));
    list(holding.map(|mount| format!("{:?}", MountFacts { unique_id: None, ..mount.clone() })))
}

fn processes(snapshot: &Snapshot, only: &impl Fn(NamespaceId) -> bool) -> Things {
    snapshot
        .processes()
        .filter(|process| process.joined().iter().any(only))
        .map(|process| (format!("process {:>7}", process.pid().0), process_facts(process)))
        .collect()
}

fn process_facts(process: Process<'_>) -> Vec<Fact> {
    vec![
        ("parent", known(process.ppid())),
        ("name", known(process.comm())),
        ("command line", known(process.cmdline())),
        ("start time", known(process.start_time())),
        ("euid", known(process.euid())),
        ("capabilities", known(process.effective_capabilities())),
        ("pids", known(process.pids())),
        ("cgroup", known(process.cgroup())),
        ("namespaces", list(process.joined().iter().map(|id| id.to_string()))),
        ("threads", list(process.threads().iter().map(|thread| format!("{thread:?}")))),
    ]
}

fn known(fact: Option<impl Debug>) -> String {
    fact.map_or_else(unknown, |fact| format!("{fact:?}"))
}

fn unknown() -> String {
    "unknown".into()
}

fn list(texts: impl Iterator<Item = String>) -> String {
    format!("[{}]", texts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use lxkns_model::{Facts, FileKind, Holder, Joined, NamespaceFacts, ProcessFacts};
    use lxkns_species::Pid;

    use super::*;

    fn id(text: &str) -> NamespaceId {
        text.parse().unwrap()
    }

    fn snapshot(namespaces: Vec<NamespaceFacts>, processes: Vec<ProcessFacts>) -> Snapshot {
        Snapshot::assemble(Facts { namespaces, processes, ..Facts::default() })
    }

    #[test]
    fn what_agrees_is_silent() {
        let net = NamespaceFacts::new(id("net:[7]"));
        let with_id = NamespaceFacts { unique_id: Some(99), ..net.clone() };
        let other_id = NamespaceFacts { unique_id: Some(98), ..net.clone() };
        let (one, two, three) = (
            snapshot(vec![net], vec![]),
            snapshot(vec![with_id], vec![]),
            snapshot(vec![other_id], vec![]),
        );
        assert!(differences(&one, &one, |_| true).is_empty());
        assert!(differences(&one, &two, |_| true).is_empty());
        assert!(differences(&two, &one, |_| true).is_empty());
        assert_eq!(
            differences(&two, &three, |_| true),
            ["net:[7]: 64-bit id is 99, but 98 in the other"]
        );
    }

    #[test]
    fn every_difference_is_a_line() {
        let held = |fd| NamespaceFacts {
            holders: vec![Holder::File { kind: FileKind::Namespace, pid: Pid(3), tid: None, fd }],
            ..NamespaceFacts::new(id("net:[7]"))
        };
        let process = |ppid| ProcessFacts {
            ppid: Some(Pid(ppid)),
            namespaces: Joined::of([id("uts:[5]")]),
            ..ProcessFacts::new(Pid(3))
        };
        let one = snapshot(vec![held(4), NamespaceFacts::new(id("ipc:[1]"))], vec![process(1)]);
        let two = snapshot(vec![held(5)], vec![process(2)]);
        let lines = differences(&one, &two, |_| true);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[0], "ipc:[1]: missing in the other");
        assert!(lines[1].starts_with("net:[7]: holders is [File {"), "{lines:?}");
        assert_eq!(lines[2], "process       3: parent is Pid(1), but Pid(2) in the other");
        assert_eq!(differences(&two, &one, |id| id.inode() == 1), ["ipc:[1]: only in the other"]);
    }
}
