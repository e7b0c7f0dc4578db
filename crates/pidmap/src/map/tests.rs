//! Translation, from literals and in simulated machines.

use lxkns_model::{Facts, Host, Joined, NamespaceFacts, ProcessFacts, Relation};
use proptest::prelude::*;

use lxkns_species::NamespaceType;

use super::*;

fn id(inode: u64) -> NamespaceId {
    NamespaceId::new(NamespaceType::Pid, inode).unwrap()
}

fn namespace(inode: u64, parent: Relation<u64>) -> NamespaceFacts {
    NamespaceFacts { parent: parent.map(id), ..NamespaceFacts::new(id(inode)) }
}

/// A process by its PIDs, outermost first, in this PID namespace.
fn process(inode: u64, pids: &[u32]) -> ProcessFacts {
    ProcessFacts {
        pids: Some(pids.iter().copied().map(Pid).collect()),
        namespaces: Joined::of([id(inode)]),
        ..ProcessFacts::new(Pid(pids[0]))
    }
}

/// 1 ─┬─ 2 ─── 3
///    └─ 4
fn three_deep() -> Facts {
    Facts {
        namespaces: vec![
            namespace(1, Relation::None),
            namespace(2, Relation::Known(1)),
            namespace(3, Relation::Known(2)),
            namespace(4, Relation::Known(1)),
        ],
        processes: vec![
            process(1, &[1]),
            process(2, &[20, 1]),
            process(3, &[30, 10, 1]),
            process(4, &[40, 1]),
        ],
        ..Facts::default()
    }
}

fn pids(map: &PidMap<'_>, pid: u32) -> Vec<(u64, u32)> {
    let process = map.snapshot.process(Pid(pid)).unwrap();
    map.pids(process).map(|(namespace, pid)| (namespace.id().inode(), pid.0)).collect()
}

fn levels(map: &PidMap<'_>, pid: u32) -> Option<Vec<(Option<u64>, u32)>> {
    let process = map.snapshot.process(Pid(pid)).unwrap();
    let inode = |namespace: Namespace<'_>| namespace.id().inode();
    let levels = process.levels()?.into_iter();
    Some(levels.map(|(at, pid)| (at.map(inode), pid.0)).collect())
}

fn translate(map: &PidMap<'_>, pid: u32, from: u64, to: u64) -> Option<u32> {
    map.translate(Pid(pid), id(from), id(to)).map(|pid| pid.0)
}

#[test]
fn up_down_and_not_sideways() {
    let snapshot = Snapshot::assemble(three_deep());
    let map = PidMap::new(&snapshot);
    assert_eq!(pids(&map, 30), [(1, 30), (2, 10), (3, 1)]);
    for (pid, from, to, expected) in [
        (1, 3, 1, Some(30)),
        (1, 3, 2, Some(10)),
        (10, 2, 3, Some(1)),
        (10, 2, 1, Some(30)),
        (30, 1, 3, Some(1)),
        (30, 1, 1, Some(30)),
        // Not below.
        (1, 1, 2, None),
        (20, 1, 3, None),
        // Siblings.
        (1, 4, 2, None),
        (40, 1, 2, None),
        // Strangers and nobody.
        (99, 1, 2, None),
        (0, 1, 2, None),
        (30, 1, 77, None),
        (30, 77, 1, None),
    ] {
        assert_eq!(translate(&map, pid, from, to), expected, "{pid} {from} {to}");
    }
    assert_eq!(map.process(Pid(10), id(2)).unwrap().pid(), Pid(30));
}

#[test]
fn a_scanner_in_a_container_sees_its_own_part() {
    // The scanner is in 2; its own namespace's parent is out of sight, and so is nothing else.
    let snapshot = Snapshot::assemble(Facts {
        namespaces: vec![namespace(2, Relation::Unknown), namespace(3, Relation::Known(2))],
        processes: vec![process(2, &[1]), process(3, &[10, 1])],
        ..Facts::default()
    });
    let map = PidMap::new(&snapshot);
    assert_eq!(pids(&map, 10), [(2, 10), (3, 1)]);
}

#[test]
fn out_of_sight_parents_leave_a_hole() {
    let mut facts = three_deep();
    facts.namespaces[2].parent = Relation::Unknown;
    let snapshot = Snapshot::assemble(facts);
    let map = PidMap::new(&snapshot);
    assert_eq!(pids(&map, 30), [(1, 30), (3, 1)]);
    assert_eq!(levels(&map, 30), Some(vec![(Some(1), 30), (None, 10), (Some(3), 1)]));
    assert_eq!(translate(&map, 10, 2, 3), None);
    assert_eq!(translate(&map, 1, 3, 1), Some(30));
}

#[test]
fn what_could_not_be_read_is_known_only_to_the_scanner() {
    let mut facts = three_deep();
    facts.processes[0].namespaces = Joined::default();
    facts.processes[2].pids = None;
    facts.processes[3].namespaces = Joined::default();
    let unplaced = Snapshot::assemble(facts.clone());
    let map = PidMap::new(&unplaced);
    assert_eq!(pids(&map, 20), [(1, 20), (2, 1)], "aligned from the end");
    assert_eq!(pids(&map, 30), [], "nobody knows whose PID 30 is");

    facts.host = Host { scanner_namespaces: Joined::of([id(1)]), ..Host::default() };
    let snapshot = Snapshot::assemble(facts);
    let map = PidMap::new(&snapshot);
    assert_eq!(pids(&map, 1), [(1, 1)]);
    assert_eq!(pids(&map, 30), [(1, 30)]);
    assert_eq!(pids(&map, 40), [(1, 40)]);
    assert_eq!(levels(&map, 1), Some(vec![(Some(1), 1)]));
    assert_eq!(levels(&map, 30), None);
    assert_eq!(levels(&map, 40), Some(vec![(Some(1), 40), (None, 1)]));
    assert_eq!(translate(&map, 30, 1, 3), None);
}

#[test]
fn contradictions_are_not_believed() {
    let mut facts = three_deep();
    // Its own namespace is deeper than its list, another's is less deep; a list that is for
    // somebody else, and one with a PID that there is not.
    facts.processes.push(process(3, &[50, 2]));
    facts.processes.push(process(2, &[51, 3, 2]));
    let mut other = process(2, &[52, 3]);
    other.pid = Pid(53);
    facts.processes.push(other);
    facts.processes.push(process(2, &[54, 0]));
    // A PID that somebody else has, too.
    facts.processes.push(process(2, &[55, 1]));
    let snapshot = Snapshot::assemble(facts);
    let map = PidMap::new(&snapshot);
    for pid in [50, 51, 53, 54] {
        assert_eq!(pids(&map, pid), [(1, pid)]);
        assert_eq!(levels(&map, pid), None);
    }
    assert_eq!(translate(&map, 1, 2, 1), None);
    assert_eq!(translate(&map, 20, 1, 2), Some(1));
}

/// A tree of PID namespaces, each with a parent of a lower number, and which of the parents can be
/// seen; then processes by the number of their namespace.
fn machine() -> impl Strategy<Value = (Vec<(usize, bool)>, Vec<usize>)> {
    let parents = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..8);
    parents.prop_flat_map(|parents| {
        let number = parents.len() + 1;
        let parents = parents
            .iter()
            .enumerate()
            .map(|(index, (parent, seen))| (parent.index(index + 1), *seen))
            .collect::<Vec<_>>();
        (Just(parents), prop::collection::vec(0..number, 1..12))
    })
}

proptest! {
    /// What is said is true; and everything is said if every parent can be seen.
    #[test]
    fn the_truth((parents, processes) in machine()) {
        let inode = |number: usize| number as u64 + 1;
        let path = |mut number: usize| {
            let mut path = vec![number];
            while number > 0 {
                number = parents[number - 1].0;
                path.insert(0, number);
            }
            path
        };
        // PIDs differ everywhere: process, then depth.
        let pid = |process: usize, depth: usize| 1 + 10 * process as u32 + depth as u32;
        let mut facts = Facts::default();
        facts.host.scanner_namespaces.set(id(1));
        facts.namespaces.push(namespace(1, Relation::None));
        for (index, (parent, seen)) in parents.iter().enumerate() {
            let parent = if *seen { Relation::Known(inode(*parent)) } else { Relation::Unknown };
            facts.namespaces.push(namespace(inode(index + 1), parent));
        }
        for (index, own) in [0].iter().chain(&processes).enumerate() {
            let pids: Vec<_> = (0..path(*own).len()).map(|depth| pid(index, depth)).collect();
            facts.processes.push(process(inode(*own), &pids));
        }
        let snapshot = Snapshot::assemble(facts);
        let map = PidMap::new(&snapshot);
        for (index, own) in processes.iter().enumerate() {
            let path = path(*own);
            let all_seen = path[1..].iter().all(|number| parents[number - 1].1);
            for from in 0..=parents.len() {
                for (depth, at) in path.iter().enumerate() {
                    let found = translate(&map, pid(index + 1, depth), inode(*at), inode(from));
                    let truth = path.iter().position(|it| *it == from);
                    let truth = truth.map(|depth| pid(index + 1, depth));
                    prop_assert!(found == truth || found.is_none() && !all_seen);
                }
            }
        }
    }
}
