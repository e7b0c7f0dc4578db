//! Assembly, from literals.

use super::*;
use crate::{Joined, Missing, Reason, Text, ThreadFacts};

fn id(text: &str) -> NamespaceId {
    text.parse().unwrap()
}

fn child(text: &str, parent: &str) -> NamespaceFacts {
    NamespaceFacts { parent: Relation::Known(id(parent)), ..NamespaceFacts::new(id(text)) }
}

fn process(pid: u32, ppid: u32, start: u64, joined: &[&str]) -> ProcessFacts {
    ProcessFacts {
        ppid: Some(Pid(ppid)),
        start_time: Some(start),
        namespaces: Joined::of(joined.iter().map(|text| id(text))),
        ..ProcessFacts::new(Pid(pid))
    }
}

fn of_processes(processes: Vec<ProcessFacts>) -> Snapshot {
    Snapshot::assemble(Facts { processes, ..Facts::default() })
}

fn of_namespaces(namespaces: Vec<NamespaceFacts>) -> Snapshot {
    Snapshot::assemble(Facts { namespaces, ..Facts::default() })
}

fn leaders(snapshot: &Snapshot, text: &str) -> Vec<u32> {
    snapshot.namespace(id(text)).unwrap().leaders().map(|leader| leader.pid().0).collect()
}

#[test]
fn a_leader_is_on_top_of_its_members() {
    // 1 ── 10 (net 2) ── 11 (net 2) ── 12 (net 1, a visitor) ── 13 (net 2 again)
    let snapshot = of_processes(vec![
        process(13, 12, 5, &["net:[2]"]),
        process(1, 0, 1, &["net:[1]"]),
        process(11, 10, 3, &["net:[2]"]),
        process(10, 1, 2, &["net:[2]"]),
        process(12, 11, 4, &["net:[1]"]),
    ]);
    assert_eq!(leaders(&snapshot, "net:[1]"), [1, 12]);
    assert_eq!(leaders(&snapshot, "net:[2]"), [10, 13]);
    assert!(snapshot.namespaces().all(|namespace| !namespace.leaders_uncertain()));
    assert_eq!(snapshot.process(Pid(11)).unwrap().parent().unwrap().pid(), Pid(10));
}

#[test]
fn the_most_senior_started_first_then_has_the_lowest_pid() {
    let snapshot = of_processes(vec![
        process(30, 0, 7, &["uts:[1]"]),
        process(20, 0, 7, &["uts:[1]"]),
        process(10, 0, 9, &["uts:[1]"]),
        ProcessFacts { start_time: None, ..process(5, 0, 0, &["uts:[1]"]) },
    ]);
    assert_eq!(leaders(&snapshot, "uts:[1]"), [20, 30, 10, 5]);
}

#[test]
fn an_unreadable_or_vanished_parent_makes_leaders_uncertain() {
    let snapshot = of_processes(vec![
        process(1, 0, 1, &[]),
        process(2, 1, 2, &["ipc:[1]"]),
        process(3, 99, 2, &["ipc:[2]"]),
        process(4, 0, 2, &["ipc:[3]"]),
    ]);
    let uncertain = |text| snapshot.namespace(id(text)).unwrap().leaders_uncertain();
    assert_eq!(leaders(&snapshot, "ipc:[1]"), [2]);
    assert!(uncertain("ipc:[1]") && uncertain("ipc:[2]") && !uncertain("ipc:[3]"));
}

#[test]
fn pids_place_processes_whose_links_are_unread() {
    let with_pids = |process: ProcessFacts, pids: &[u32]| ProcessFacts {
        pids: Some(pids.iter().copied().map(Pid).collect()),
        ..process
    };
    let snapshot = of_processes(vec![
        // The scanner and its parents, whose links only root may read.
        with_pids(process(1, 0, 1, &[]), &[1]),
        with_pids(process(2, 1, 2, &[]), &[2]),
        with_pids(process(3, 2, 3, &["pid:[1]"]), &[3]),
        // A container: neither its first process nor what joined it later is led from outside.
        with_pids(process(4, 2, 4, &["pid:[2]"]), &[4, 1]),
        with_pids(process(5, 4, 5, &["pid:[2]"]), &[5, 2]),
        with_pids(process(6, 2, 6, &["pid:[2]"]), &[6, 3]),
        // Somewhere deep down: which of the namespaces is unknown.
        with_pids(process(7, 4, 7, &[]), &[7, 1, 1]),
        with_pids(process(8, 7, 8, &["pid:[3]"]), &[8, 2, 2]),
    ]);
    let members = |text| {
        let namespace = snapshot.namespace(id(text)).unwrap();
        namespace.processes().map(|process| process.pid().0).collect::<Vec<_>>()
    };
    let uncertain = |text| snapshot.namespace(id(text)).unwrap().leaders_uncertain();
    assert_eq!(members("pid:[1]"), [1, 2, 3]);
    assert_eq!(leaders(&snapshot, "pid:[1]"), [1]);
    assert_eq!(leaders(&snapshot, "pid:[2]"), [4, 6]);
    assert!(!uncertain("pid:[1]") && !uncertain("pid:[2]"));
    assert_eq!(leaders(&snapshot, "pid:[3]"), [8]);
    assert!(uncertain("pid:[3]"));
}

#[test]
fn a_parent_younger_than_its_child_is_somebody_else() {
    let snapshot = of_processes(vec![process(7, 9, 10, &[]), process(9, 0, 20, &[])]);
    assert_eq!(snapshot.process(Pid(7)).unwrap().parent(), None);
}

#[test]
fn namespaces_only_referred_to_are_hidden() {
    let mut net = NamespaceFacts::new(id("net:[5]"));
    net.owner = Some(id("user:[3]"));
    net.holders = vec![Holder::Unseen];
    let snapshot = of_namespaces(vec![net, child("user:[3]", "user:[2]")]);
    let user = snapshot.namespace(id("user:[2]")).unwrap();
    assert!(user.is_hidden());
    assert_eq!(user.parent(), Relation::Unknown);
    let owner = snapshot.namespace(id("net:[5]")).unwrap().owner().unwrap();
    assert_eq!(owner.parent(), Relation::Known(user));
    assert_eq!(owner.owned().map(|owned| owned.id()).collect::<Vec<_>>(), [id("net:[5]")]);
    assert_eq!(owner.ancestors().collect::<Vec<_>>(), [user]);
    let order: Vec<_> = snapshot.namespaces().map(|namespace| namespace.id()).collect();
    assert_eq!(order, ["net:[5]", "user:[2]", "user:[3]"].map(id));
}

#[test]
fn cycles_and_nonsense_relations_become_unknown() {
    let mut flat = child("net:[9]", "net:[8]");
    flat.owner = Some(id("pid:[6]"));
    let snapshot = of_namespaces(vec![
        child("user:[1]", "user:[2]"),
        child("user:[2]", "user:[3]"),
        child("user:[3]", "user:[2]"),
        child("user:[4]", "user:[4]"),
        child("pid:[6]", "user:[1]"),
        flat,
    ]);
    let parent = |text| snapshot.namespace(id(text)).unwrap().parent().map(|parent| parent.id());
    assert_eq!(parent("user:[1]"), Relation::Known(id("user:[2]")));
    for text in ["user:[2]", "user:[3]", "user:[4]", "pid:[6]"] {
        assert_eq!(parent(text), Relation::Unknown, "{text}");
    }
    assert_eq!(parent("net:[9]"), Relation::None);
    assert_eq!(snapshot.namespace(id("net:[9]")).unwrap().owner(), None);

    let snapshot = of_processes(vec![process(1, 2, 5, &[]), process(2, 1, 5, &[])]);
    assert_eq!(snapshot.process_roots().count(), 2);
}

#[test]
fn the_same_namespace_twice_is_one_with_all_that_is_known() {
    let first = NamespaceFacts { initial: Some(false), ..NamespaceFacts::new(id("user:[4]")) };
    let mut second = child("user:[4]", "user:[1]");
    second.initial = Some(true);
    second.holders = vec![Holder::Unseen, Holder::Unseen];
    let snapshot = of_namespaces(vec![first, second]);
    let merged = snapshot.namespace(id("user:[4]")).unwrap();
    assert_eq!(merged.is_initial(), Some(false));
    assert_eq!(merged.parent().known().unwrap().id(), id("user:[1]"));
    assert_eq!(merged.holders(), [Holder::Unseen]);
}

#[test]
fn a_thread_elsewhere_is_a_holder() {
    let thread = ThreadFacts {
        tid: Pid(8),
        comm: Some(Text::from("worker")),
        start_time: None,
        namespaces: Joined::of([id("net:[2]"), id("uts:[3]")]),
    };
    let main = ProcessFacts { threads: vec![thread], ..process(7, 0, 1, &["net:[1]", "uts:[3]"]) };
    let snapshot = of_processes(vec![main]);
    let holder = Holder::Thread { pid: Pid(7), tid: Pid(8) };
    assert_eq!(snapshot.namespace(id("net:[2]")).unwrap().holders(), [holder]);
    assert_eq!(snapshot.namespace(id("uts:[3]")).unwrap().holders(), []);
}

#[test]
fn gaps_are_summed_up_by_what_and_why() {
    let gap = |why, example: &str| Gap {
        what: Missing::Fds,
        why,
        count: 2,
        examples: vec![example.into()],
    };
    let gaps = vec![gap(Reason::Gone, "c"), gap(Reason::Denied, "a"), gap(Reason::Denied, "b")];
    let snapshot = Snapshot::assemble(Facts { gaps, ..Facts::default() });
    let summed: Vec<_> =
        snapshot.gaps().iter().map(|gap| (&gap.why, gap.count, gap.examples.len())).collect();
    assert_eq!(summed, [(&Reason::Denied, 4, 2), (&Reason::Gone, 2, 1)]);
}
