//! Who leads a namespace.
//!
//! A leader is a process at the top of the process tree among those joined to a namespace. Climbing
//! from every member to its topmost member ancestor comes to the same as asking each member about
//! its parent only: it leads unless its parent is a member too.
//!
//! A parent whose namespace of that type is unknown ends the climb and makes the leader a guess:
//! the namespace is marked as such. Of PID namespaces, the PIDs of the two processes often decide:
//! they can be read where the link cannot.

use lxkns_species::{NamespaceType, Pid};

use crate::ProcessFacts;
use crate::snapshot::{NamespaceNode, ProcessIndex, ProcessLinks};

/// Fills in `leaders` and `leaders_uncertain` from `processes` and the process tree.
pub(crate) fn elect(
    namespaces: &mut [NamespaceNode],
    processes: &[ProcessFacts],
    links: &[ProcessLinks],
) {
    for node in namespaces {
        let id = node.facts.id;
        for &member in &node.processes {
            match parent_membership(processes, links, member, id.namespace_type()) {
                Membership::Of(inode) if inode == id.inode() => continue,
                Membership::Of(_) | Membership::NoParent => {}
                Membership::Unknown => node.leaders_uncertain = true,
            }
            node.leaders.push(member);
        }
        node.leaders.sort_by_key(|&leader| seniority(processes, leader));
    }
}

enum Membership {
    /// The parent is joined to the namespace with this inode.
    Of(u64),
    /// There is no parent that we could see.
    NoParent,
    /// There is a parent, whose namespaces are unknown.
    Unknown,
}

fn parent_membership(
    processes: &[ProcessFacts],
    links: &[ProcessLinks],
    member: ProcessIndex,
    namespace_type: NamespaceType,
) -> Membership {
    let at = member.0 as usize;
    let (Some(facts), Some(links)) = (processes.get(at), links.get(at)) else {
        return Membership::Unknown;
    };
    let parent = links.parent.and_then(|parent| processes.get(parent.0 as usize));
    if namespace_type == NamespaceType::Pid && is_parent_elsewhere(facts, parent) {
        return Membership::NoParent;
    }
    match (parent, facts.ppid) {
        (Some(parent), _) => match parent.namespaces.get(namespace_type) {
            Some(id) => Membership::Of(id.inode()),
            None => Membership::Unknown,
        },
        (None, Some(Pid(0))) => Membership::NoParent,
        (None, _) => Membership::Unknown,
    }
}

/// Whether the PIDs of a process prove that its parent is in another PID namespace: the process is
/// the first in its own, or the two have different numbers of PIDs.
fn is_parent_elsewhere(process: &ProcessFacts, parent: Option<&ProcessFacts>) -> bool {
    let Some(pids) = &process.pids else {
        return false;
    };
    let parents = parent.and_then(|parent| parent.pids.as_ref());
    pids.last() == Some(&Pid(1)) || parents.is_some_and(|parents| parents.len() != pids.len())
}

/// Earliest start first, unknown ones last, then by PID.
fn seniority(processes: &[ProcessFacts], index: ProcessIndex) -> (u64, Pid) {
    match processes.get(index.0 as usize) {
        Some(facts) => (facts.start_time.unwrap_or(u64::MAX), facts.pid),
        None => (u64::MAX, Pid(u32::MAX)),
    }
}
