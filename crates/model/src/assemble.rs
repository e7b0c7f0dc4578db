//! From facts to a snapshot: pure code, no questions asked.
//!
//! Facts come from a living system, where one process is read a moment after another, or from
//! somebody else's document. So nothing is taken for granted here: what is referred to without
//! being listed is added as hidden, what contradicts itself (a parent of another type, a cycle, a
//! parent younger than its child) becomes unknown.

mod workloads;

use std::collections::{BTreeSet, HashSet};

use lxkns_species::{NamespaceId, NamespaceType, Pid};

use crate::leaders;
use crate::reference::stacked;
use crate::snapshot::{NamespaceIndex, NamespaceNode, ProcessIndex, ProcessLinks};
use crate::{Facts, Gap, Holder, NamespaceFacts, Part, ProcessFacts, Relation, Snapshot};

impl Snapshot {
    /// Puts facts in order: sorts them, links parents, children, owners and members, elects
    /// leaders.
    ///
    /// - A namespace that is only referred to (by a process, thread, child or possession) is added
    ///   with nothing but its id.
    /// - A namespace or process that is listed twice counts once: the first one's facts, plus what
    ///   only the second one knows.
    /// - A thread that is joined to another namespace than its process becomes a
    ///   [`Holder::Thread`].
    /// - A mount that is listed twice counts once.
    /// - A parent of the wrong type, or one that would close a cycle, becomes unknown. A process
    ///   is no child of one that started after it: that PID has been reused.
    pub fn assemble(facts: Facts) -> Snapshot {
        let Facts { host, scope, namespaces, mut processes, mut mounts, workloads, counts, gaps } =
            facts;
        processes.sort_by_key(|process| process.pid);
        processes.dedup_by(|second, first| first.pid == second.pid);
        for process in &mut processes {
            process.threads.sort_by_key(|thread| thread.tid);
        }
        mounts.sort_unstable();
        mounts.dedup_by_key(|mount| (mount.mount_namespace, mount.id));
        let namespaces = complete(namespaces, &processes);
        let (links, process_children) = link_processes(&processes);

        let mut snapshot = Snapshot {
            host,
            scope,
            counts,
            gaps: sum_up(gaps),
            mounts,
            released: BTreeSet::new(),
            stacked: stacked(namespaces.iter()),
            outermost: None,
            namespaces: link_namespaces(namespaces),
            processes,
            links,
            process_children,
            workloads: workloads::sorted(workloads),
        };
        snapshot.outermost = snapshot.find_pid_namespace();
        place_by_pids(&mut snapshot);
        join(&mut snapshot);
        workloads::link(&mut snapshot);
        leaders::elect(&mut snapshot.namespaces, &snapshot.processes, &snapshot.links);
        snapshot
    }
}

/// Sorts and merges the namespaces, and adds what is only referred to.
fn complete(
    mut namespaces: Vec<NamespaceFacts>,
    processes: &[ProcessFacts],
) -> Vec<NamespaceFacts> {
    // Most are mentioned over and over again.
    let mut mentioned: HashSet<NamespaceId> = HashSet::new();
    for namespace in &namespaces {
        mentioned.extend(namespace.parent.known());
        mentioned.extend(namespace.owner);
    }
    let mut threads: Vec<(NamespaceId, Holder)> = Vec::new();
    for process in processes {
        mentioned.extend(process.namespaces.iter());
        for thread in &process.threads {
            let holder = Holder::Thread { pid: process.pid, tid: thread.tid };
            let differs =
                |id: &NamespaceId| process.namespaces.get(id.namespace_type()) != Some(*id);
            let own = thread.namespaces.iter().filter(differs);
            threads.extend(own.map(|id| (id, holder.clone())));
        }
    }
    mentioned.extend(threads.iter().map(|(id, _)| *id));
    for namespace in &namespaces {
        mentioned.remove(&namespace.id);
    }
    namespaces.extend(mentioned.into_iter().map(NamespaceFacts::new));

    // Stable, so that what was listed comes before what was only mentioned.
    namespaces.sort_by_key(|namespace| namespace.id);
    namespaces.dedup_by(|second, first| {
        let same = first.id == second.id;
        if same {
            merge(first, second);
        }
        same
    });
    for (id, holder) in threads {
        let found = namespaces.binary_search_by_key(&id, |namespace| namespace.id);
        if let Some(namespace) = found.ok().and_then(|found| namespaces.get_mut(found)) {
            namespace.holders.push(holder);
        }
    }
    for namespace in &mut namespaces {
        namespace.holders.sort_unstable();
        // Each of several mounts at one place holds by itself.
        let is_same = |b: &mut Holder, a: &mut Holder| a == b && !a.is_mount();
        namespace.holders.dedup_by(is_same);
    }
    namespaces
}

fn merge(first: &mut NamespaceFacts, second: &mut NamespaceFacts) {
    if first.parent == Relation::Unknown {
        first.parent = second.parent;
    }
    first.unique_id = first.unique_id.or(second.unique_id);
    first.initial = first.initial.or(second.initial);
    first.owner = first.owner.or(second.owner);
    first.creator = first.creator.or(second.creator);
    first.creator_name = first.creator_name.take().or(second.creator_name.take());
    first.uid_map = first.uid_map.take().or(second.uid_map.take());
    first.gid_map = first.gid_map.take().or(second.gid_map.take());
    first.holders.append(&mut second.holders);
}

/// Links parents, children, owners and possessions of sorted, complete namespaces.
fn link_namespaces(namespaces: Vec<NamespaceFacts>) -> Vec<NamespaceNode> {
    let index_of = |id: NamespaceId| {
        let index = namespaces.binary_search_by_key(&id, |namespace| namespace.id).ok()?;
        Some(NamespaceIndex(index as u32))
    };
    let parents: Vec<_> = namespaces
        .iter()
        .map(|namespace| parent_of(namespace, |id| index_of(id).map(|index| index.0)))
        .collect();
    let owners: Vec<_> = namespaces
        .iter()
        .map(|namespace| {
            let owner = namespace.owner?;
            let fits = owner.namespace_type() == NamespaceType::User
                && namespace.id.namespace_type() != NamespaceType::User;
            if fits { index_of(owner) } else { None }
        })
        .collect();
    let on_cycle = on_cycle(&parents.iter().map(|parent| parent.known()).collect::<Vec<_>>());

    let mut nodes: Vec<NamespaceNode> = namespaces
        .into_iter()
        .zip(parents.iter().zip(&on_cycle))
        .zip(&owners)
        .map(|((facts, (parent, on_cycle)), owner)| NamespaceNode {
            facts,
            parent: if *on_cycle { Relation::Unknown } else { parent.map(NamespaceIndex) },
            children: Vec::new(),
            owner: *owner,
            owned: Vec::new(),
            processes: Vec::new(),
            leaders: Vec::new(),
            leaders_uncertain: false,
            workload: None,
        })
        .collect();
    for index in 0..nodes.len() {
        let this = NamespaceIndex(index as u32);
        let (parent, owner) = match nodes.get(index) {
            Some(node) => (node.parent.known(), node.owner),
            None => continue,
        };
        if let Some(parent) = parent.and_then(|parent| nodes.get_mut(parent.0 as usize)) {
            parent.children.push(this);
        }
        if let Some(owner) = owner.and_then(|owner| nodes.get_mut(owner.0 as usize)) {
            owner.owned.push(this);
        }
    }
    // What the nodes say of themselves must agree with how they are linked.
    for index in 0..nodes.len() {
        let Some(node) = nodes.get(index) else {
            continue;
        };
        let id_at = |index: NamespaceIndex| nodes.get(index.0 as usize).map(|node| node.facts.id);
        let parent = match node.parent {
            Relation::Known(parent) => id_at(parent).map_or(Relation::Unknown, Relation::Known),
            Relation::None => Relation::None,
            Relation::Unknown => Relation::Unknown,
        };
        let owner = node.owner.and_then(id_at);
        if let Some(node) = nodes.get_mut(index) {
            node.facts.parent = parent;
            node.facts.owner = owner;
        }
    }
    nodes
}

fn parent_of(
    namespace: &NamespaceFacts,
    index_of: impl Fn(NamespaceId) -> Option<u32>,
) -> Relation<u32> {
    let namespace_type = namespace.id.namespace_type();
    match namespace.parent {
        _ if !namespace_type.is_hierarchical() => Relation::None,
        Relation::Known(parent) if parent.namespace_type() == namespace_type => {
            index_of(parent).map_or(Relation::Unknown, Relation::Known)
        }
        Relation::Known(_) | Relation::Unknown => Relation::Unknown,
        Relation::None => Relation::None,
    }
}

/// Which elements lie on a cycle, where each may point at one other.
fn on_cycle(parents: &[Option<u32>]) -> Vec<bool> {
    const FRESH: u32 = u32::MAX;
    let mut visited_from = vec![FRESH; parents.len()];
    let mut on_cycle = vec![false; parents.len()];
    for start in 0..parents.len() as u32 {
        let mut at = start;
        while let Some(visited) = visited_from.get_mut(at as usize)
            && *visited == FRESH
        {
            *visited = start;
            match parents.get(at as usize).copied().flatten() {
                Some(parent) => at = parent,
                None => break,
            }
        }
        // Back at something that this very climb has passed, and not the end of a climb.
        let closes = visited_from.get(at as usize) == Some(&start)
            && parents.get(at as usize).copied().flatten().is_some();
        while closes
            && let Some(mark) = on_cycle.get_mut(at as usize)
            && !*mark
        {
            *mark = true;
            match parents.get(at as usize).copied().flatten() {
                Some(parent) => at = parent,
                None => break,
            }
        }
    }
    on_cycle
}

/// Links parents and children of sorted processes; and the children of all.
fn link_processes(processes: &[ProcessFacts]) -> (Vec<ProcessLinks>, Vec<ProcessIndex>) {
    let parent = |process: &ProcessFacts| {
        let ppid = process.ppid.filter(|ppid| *ppid != Pid(0))?;
        let index = processes.binary_search_by_key(&ppid, |process| process.pid).ok()?;
        let parent_start = processes.get(index)?.start_time;
        let reused = matches!((parent_start, process.start_time),
            (Some(parent), Some(child)) if parent > child);
        if reused { None } else { Some(index as u32) }
    };
    let mut parents: Vec<Option<u32>> = processes.iter().map(parent).collect();
    let on_cycle = on_cycle(&parents);
    for (parent, _) in parents.iter_mut().zip(on_cycle).filter(|(_, on_cycle)| *on_cycle) {
        *parent = None;
    }
    let mut by_parent: Vec<(u32, ProcessIndex)> = Vec::new();
    for (index, parent) in parents.iter().enumerate() {
        by_parent.extend(parent.map(|parent| (parent, ProcessIndex(index as u32))));
    }
    by_parent.sort_unstable();
    let mut end = 0;
    let links = parents.into_iter().enumerate().map(|(index, parent)| {
        let start = end;
        while by_parent.get(end).is_some_and(|(parent, _)| *parent == index as u32) {
            end += 1;
        }
        ProcessLinks {
            parent: parent.map(ProcessIndex),
            children: start as u32..end as u32,
            workload: None,
        }
    });
    let links = links.collect();
    (links, by_parent.into_iter().map(|(_, child)| child).collect())
}

/// Completes the PID namespaces of processes whose links could not be read.
///
/// Everyone may read how many PIDs a process has. A process with a single PID is in the PID
/// namespace that all PIDs of the snapshot are of.
fn place_by_pids(snapshot: &mut Snapshot) {
    let scope = snapshot.scope;
    if !scope.types.contains(NamespaceType::Pid) || !scope.parts.contains(Part::Processes) {
        return;
    }
    let Some(id) = snapshot.outermost else {
        return;
    };
    for process in &mut snapshot.processes {
        let has_one = process.pids.as_ref().is_some_and(|pids| pids.len() == 1);
        if has_one && process.namespaces.get(NamespaceType::Pid).is_none() {
            process.namespaces.set(id);
        }
    }
}

/// Tells each namespace which processes are joined to it.
fn join(snapshot: &mut Snapshot) {
    let Snapshot { namespaces, processes, .. } = snapshot;
    for (index, process) in processes.iter().enumerate() {
        for id in process.namespaces.iter() {
            let found = namespaces.binary_search_by_key(&id, |node| node.facts.id);
            if let Some(node) = found.ok().and_then(|found| namespaces.get_mut(found)) {
                node.processes.push(ProcessIndex(index as u32));
            }
        }
    }
}

/// One gap per thing missing and reason, sorted, with a few examples.
fn sum_up(mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.sort_by(|a, b| (&a.what, &a.why).cmp(&(&b.what, &b.why)));
    gaps.dedup_by(|second, first| {
        let same = (&first.what, &first.why) == (&second.what, &second.why);
        if same {
            first.count = first.count.saturating_add(second.count);
            first.examples.append(&mut second.examples);
        }
        same
    });
    for gap in &mut gaps {
        gap.examples.truncate(Gap::MAX_EXAMPLES);
    }
    gaps
}

#[cfg(test)]
mod tests;
