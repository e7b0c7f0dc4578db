//! Differences, from literals.

use lxkns_species::NamespaceType;

use super::*;
use crate::{
    Facts, FileKind, Joined, Missing, MountKind, NamespaceFacts, ProcessFacts, Reason, wire,
};

fn id(text: &str) -> NamespaceId {
    text.parse().unwrap()
}

fn namespace(text: &str, holders: &[Holder]) -> NamespaceFacts {
    NamespaceFacts { holders: holders.to_vec(), ..NamespaceFacts::new(id(text)) }
}

fn unique(text: &str, unique_id: u64) -> NamespaceFacts {
    NamespaceFacts { unique_id: Some(unique_id), ..namespace(text, &[fd(1, 1)]) }
}

fn child(text: &str, parent: &str) -> NamespaceFacts {
    NamespaceFacts { parent: Relation::Known(id(parent)), ..NamespaceFacts::new(id(text)) }
}

fn owned(text: &str, owner: &str) -> NamespaceFacts {
    NamespaceFacts { owner: Some(id(owner)), ..NamespaceFacts::new(id(text)) }
}

fn process(pid: u32, start: u64, joined: &[&str]) -> ProcessFacts {
    ProcessFacts {
        ppid: Some(Pid(0)),
        start_time: Some(start),
        namespaces: Joined::of(joined.iter().map(|text| id(text))),
        ..ProcessFacts::new(Pid(pid))
    }
}

fn fd(pid: u32, fd: u32) -> Holder {
    Holder::File { kind: FileKind::Namespace, pid: Pid(pid), tid: None, fd }
}

fn mount(mount_namespace: &str, path: &str) -> Holder {
    Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: Some(id(mount_namespace)),
        path: path.into(),
    }
}

fn facts(
    namespaces: impl IntoIterator<Item = NamespaceFacts>,
    processes: impl IntoIterator<Item = ProcessFacts>,
) -> Facts {
    let mut facts = Facts {
        namespaces: namespaces.into_iter().collect(),
        processes: processes.into_iter().collect(),
        ..Facts::default()
    };
    facts.host.boot_id = Some("b007".into());
    facts
}

/// `+net:[5]` is added, `-net:[5]` removed, `~net:[5]` changed.
fn compare(before: Facts, after: Facts, ignore: Ignore) -> String {
    let (before, after) = (Snapshot::assemble(before), Snapshot::assemble(after));
    let diff = Diff::between(&before, &after, ignore).unwrap();
    let removed = diff.removed.iter().map(|it| format!("-{}", it.id()));
    let added = diff.added.iter().map(|it| format!("+{}", it.id()));
    let changed = diff.changed.iter().map(|it| format!("~{}", it.after.id()));
    let all: Vec<_> = removed.chain(added).chain(changed).collect();
    assert_eq!(diff.is_empty(), all.is_empty());
    all.join(" ")
}

fn check(before: Facts, after: Facts, expected: &str) {
    assert_eq!(compare(before, after, Ignore::default()), expected);
}

#[test]
fn equal_states_do_not_differ() {
    let state = || {
        facts(
            [
                child("user:[5]", "user:[4]"),
                owned("net:[6]", "user:[5]"),
                namespace("net:[7]", &[fd(10, 3)]),
                namespace("net:[8]", &[mount("mnt:[1]", "/x")]),
                namespace("net:[9]", &[Holder::Unseen]),
                NamespaceFacts::new(id("pid:[2]")),
            ],
            [process(10, 1, &["net:[1]"]), process(11, 2, &[])],
        )
    };
    check(state(), state(), "");
    let all = "net:[1] net:[6] net:[7] net:[8] net:[9] pid:[2] user:[4] user:[5]";
    let all = |sign: &str| {
        let all = all.split(' ').map(|it| format!("{sign}{it}"));
        all.collect::<Vec<_>>().join(" ")
    };
    check(state(), facts([], []), &all("-"));
    check(facts([], []), state(), &all("+"));
}

#[test]
fn two_boots_are_refused() {
    let mut other = facts([], []);
    other.host.boot_id = Some("5h0e".into());
    let (before, after) = (Snapshot::assemble(facts([], [])), Snapshot::assemble(other));
    let error = Diff::between(&before, &after, Ignore::default()).unwrap_err();
    let text = "the snapshots are of two boots, b007 and 5h0e: they have nothing in common";
    assert_eq!(error.to_string(), text);

    let mut unknown = facts([], []);
    unknown.host.boot_id = None;
    let unknown = Snapshot::assemble(unknown);
    let diff = Diff::between(&before, &unknown, Ignore::default()).unwrap();
    assert!(!diff.same_boot && diff.is_empty());
}

#[test]
fn unique_ids_decide() {
    let with = |unique_id| facts([unique("net:[5]", unique_id)], []);
    check(with(77), with(77), "");
    check(with(77), with(78), "-net:[5] +net:[5]");
}

#[test]
fn a_reused_inode_is_another_namespace() {
    let led_by = |pid, start| facts([], [process(pid, start, &["net:[5]"])]);
    check(led_by(10, 1), led_by(10, 1), "");
    // Somebody else, and somebody else with the same PID.
    check(led_by(10, 1), led_by(20, 2), "-net:[5] +net:[5]");
    check(led_by(10, 1), led_by(10, 2), "-net:[5] +net:[5]");

    let held = |start| facts([namespace("net:[5]", &[fd(10, 3)])], [process(10, start, &[])]);
    check(held(1), held(1), "");
    check(held(1), held(2), "-net:[5] +net:[5]");
}

#[test]
fn what_never_changes_tells_namespaces_apart() {
    let stays = || process(10, 1, &["net:[5]"]);
    let owned_by = |owner| facts([owned("net:[5]", owner)], [stays()]);
    let in_both = "-user:[2] +user:[3]";
    let all = |differences: &str| format!("-net:[5] {differences}").replace(" +", " +net:[5] +");
    check(owned_by("user:[2]"), owned_by("user:[3]"), &all(in_both));

    let created_by = |uid| {
        let user = NamespaceFacts {
            creator: Some(lxkns_species::Uid(uid)),
            ..namespace("user:[5]", &[fd(10, 3)])
        };
        let mut facts = facts([user], []);
        facts.host.scanner_namespaces = Joined::of([id("user:[1]")]);
        facts
    };
    check(created_by(0), created_by(0), "");
    check(created_by(0), created_by(1), "-user:[5] +user:[5]");
    let mut from_elsewhere = created_by(1);
    from_elsewhere.host.scanner_namespaces = Joined::of([id("user:[7]")]);
    check(created_by(0), from_elsewhere, "");
}

#[test]
fn everything_in_another_mount_namespace_is_something_else() {
    let with = |unique_id| {
        let namespaces =
            [unique("mnt:[5]", unique_id), namespace("net:[6]", &[mount("mnt:[5]", "/x")])];
        facts(namespaces, [])
    };
    check(with(1), with(1), "");
    check(with(1), with(2), "-mnt:[5] -net:[6] +mnt:[5] +net:[6]");
}

#[test]
fn what_is_below_the_other_is_other_and_what_is_above_the_same_is_the_same() {
    // user:[4] ── user:[5], which owns net:[6].
    let with = |unique_id| {
        let net = NamespaceFacts { owner: Some(id("user:[5]")), ..unique("net:[6]", unique_id) };
        facts([child("user:[5]", "user:[4]"), net], [])
    };
    check(with(1), with(1), "");
    let with = |unique_id| {
        let user = NamespaceFacts {
            parent: Relation::Known(id("user:[4]")),
            ..unique("user:[5]", unique_id)
        };
        facts([user, owned("net:[6]", "user:[5]")], [])
    };
    check(with(1), with(2), "-net:[6] -user:[5] +net:[6] +user:[5]");
}

#[test]
fn mounts_at_one_place_come_and_go_one_by_one() {
    let mounted = |times| {
        let mount = mount("mnt:[1]", "/x");
        let net = namespace("net:[5]", &vec![mount; times]);
        Snapshot::assemble(facts([net], [process(10, 1, &["mnt:[1]"])]))
    };
    let (twice, thrice) = (mounted(2), mounted(3));
    let moved = |before, after| {
        let diff = Diff::between(before, after, Ignore::default()).unwrap();
        let changed = diff.changed.iter();
        changed.map(|it| (it.holders_removed.len(), it.holders_added.len())).collect::<Vec<_>>()
    };
    assert_eq!(moved(&twice, &thrice), [(0, 1)]);
    assert_eq!(moved(&thrice, &twice), [(1, 0)]);
    assert_eq!(moved(&twice, &twice), []);
}

#[test]
fn changing_hands_is_told_and_can_be_ignored() {
    let before = || {
        let net = namespace("net:[5]", &[fd(10, 3), mount("mnt:[1]", "/x")]);
        facts([net], [process(10, 1, &["net:[5]"])])
    };
    let after = || {
        let net = namespace("net:[5]", &[fd(20, 3), mount("mnt:[1]", "/x")]);
        facts([net], [process(10, 1, &[]), process(20, 2, &["net:[5]"])])
    };
    let (was, is) = (Snapshot::assemble(before()), Snapshot::assemble(after()));
    let diff = Diff::between(&was, &is, Ignore::default()).unwrap();
    let [change] = &diff.changed[..] else { panic!("{:?}", diff.changed) };
    assert_eq!(change.holders_removed, [&fd(10, 3)]);
    assert_eq!(change.holders_added, [&fd(20, 3)]);
    assert_eq!(change.leaders_removed, [was.process(Pid(10)).unwrap()]);
    assert_eq!(change.leaders_added, [is.process(Pid(20)).unwrap()]);
    assert!(!change.owner && !change.parent);

    let check = |holders, leaders, expected| {
        let ignore = Ignore { holders, leaders };
        assert_eq!(compare(before(), after(), ignore), expected);
    };
    check(true, false, "~net:[5]");
    check(false, true, "~net:[5]");
    check(true, true, "");
}

#[test]
fn knowing_more_is_no_change() {
    let knows = || {
        let net = NamespaceFacts { owner: Some(id("user:[2]")), ..unique("net:[5]", 1) };
        facts([net, child("user:[3]", "user:[2]"), unique("user:[2]", 2)], [])
    };
    let knows_less = || {
        let user = NamespaceFacts::new(id("user:[3]"));
        facts([unique("net:[5]", 1), user, unique("user:[2]", 2)], [])
    };
    check(knows(), knows_less(), "");
    check(knows_less(), knows(), "");
}

#[test]
fn a_document_may_claim_that_an_owner_changed() {
    let owned_by = |owner| {
        let net = NamespaceFacts { owner: Some(id(owner)), ..unique("net:[5]", 1) };
        facts([net, unique("user:[2]", 2), unique("user:[3]", 3)], [])
    };
    check(owned_by("user:[2]"), owned_by("user:[3]"), "~net:[5]");
}

#[test]
fn the_scanner_is_no_change() {
    let scanned_by = |pid| {
        let mut facts = facts([unique("net:[5]", 1)], [process(pid, 9, &["net:[5]"])]);
        facts.host.scanner_pid = Some(Pid(pid));
        facts
    };
    check(scanned_by(30), scanned_by(31), "");
}

#[test]
fn only_what_both_looked_for_is_compared() {
    let everything = || {
        let namespaces = [namespace("net:[5]", &[fd(10, 3)]), namespace("uts:[6]", &[fd(10, 4)])];
        facts(namespaces, [process(10, 1, &["uts:[6]"])])
    };
    let without_fds = || {
        let mut facts = facts([], [process(10, 1, &["uts:[6]"])]);
        facts.scope.parts = Parts::ALL.without(Part::Fds).without(Part::Cmdline);
        facts
    };
    let without_net = || {
        let mut facts = facts([namespace("uts:[6]", &[fd(10, 4)])], everything().processes);
        facts.scope.types = NamespaceTypes::of([NamespaceType::Uts]);
        facts
    };
    check(everything(), without_fds(), "");
    check(without_fds(), everything(), "");
    check(everything(), without_net(), "");
    check(without_net(), everything(), "");
    let everything = Snapshot::assemble(everything());
    let between = |other| {
        let other = Snapshot::assemble(other);
        let diff = Diff::between(&everything, &other, Ignore::default()).unwrap();
        (diff.uncompared, diff.uncompared_types.iter().count())
    };
    assert_eq!(between(without_fds()), (Parts::NONE.with(Part::Fds), 0));
    assert_eq!(between(without_net()), (Parts::NONE, 7));
}

#[test]
fn seeing_less_is_said() {
    let with = |gaps: &[(Missing, Reason, u64)]| {
        let gaps = gaps.iter().cloned().map(|(what, why, count)| Gap {
            what,
            why,
            count,
            examples: Vec::new(),
        });
        Snapshot::assemble(Facts { gaps: gaps.collect(), ..facts([], []) })
    };
    let root = with(&[
        (Missing::ProcessNamespaces, Reason::Denied, 1),
        (Missing::Sockets, Reason::Failed, 3),
    ]);
    let user = with(&[
        (Missing::ProcessNamespaces, Reason::Denied, 300),
        (Missing::ProcessDetails, Reason::Denied, 300),
        (Missing::Threads, Reason::Gone, 2),
        (Missing::Fds, Reason::Denied, 300),
        (Missing::Sockets, Reason::Failed, 4),
    ]);
    let check = |before, after, expected: [&[Missing]; 2]| {
        let diff = Diff::between(before, after, Ignore::default()).unwrap();
        let unseen = [diff.unseen_before, diff.unseen_after];
        let unseen = unseen.map(|gaps| gaps.iter().map(|it| it.what.clone()).collect::<Vec<_>>());
        assert_eq!(unseen, expected);
    };
    check(&root, &root, [&[], &[]]);
    let less = [Missing::ProcessNamespaces, Missing::Fds];
    check(&root, &user, [&[], &less]);
    check(&user, &root, [&less, &[]]);
}

/// The lxkns format names one holder of a namespace, if no process is in it.
#[test]
fn a_format_with_fewer_holders_is_no_change() {
    let state = || {
        facts(
            [
                namespace("net:[7]", &[fd(10, 3), mount("mnt:[3]", "/x")]),
                namespace("net:[8]", &[mount("mnt:[3]", "/y"), mount("mnt:[4]", "/x")]),
                namespace("net:[9]", &[Holder::Unseen]),
                namespace("mnt:[3]", &[fd(10, 4)]),
                namespace("mnt:[4]", &[fd(10, 5), fd(10, 6)]),
            ],
            [process(10, 1, &["net:[1]"])],
        )
    };
    let mut document = Vec::new();
    let snapshot = Snapshot::assemble(state());
    wire::lxkns::write(&snapshot, &mut document, wire::Layout::Compact).unwrap();
    let read = wire::read(&document).unwrap();
    for (before, after) in [(&snapshot, &read), (&read, &snapshot)] {
        let diff = Diff::between(before, after, Ignore::default()).unwrap();
        assert!(diff.is_empty(), "{diff:?}");
    }
    let why = read.why(id("net:[7]")).unwrap();
    let mut doubts = why.gaps.iter();
    assert!(doubts.any(|gap| gap.what == Missing::Holders));
}
