//! The snapshot: arenas inside, views outside.

use std::collections::BTreeSet;
use std::ops::Range;

use lxkns_species::{NamespaceId, NamespaceType, Pid};

use crate::reference::Place;
use crate::{
    Counts, Facts, Gap, Host, MountFacts, Namespace, NamespaceFacts, Process, ProcessFacts, Reason,
    Relation, Scope, Workload, WorkloadFacts,
};

/// All that one discovery found out, put in order. Immutable; the way in is
/// [`Snapshot::assemble`].
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) host: Host,
    pub(crate) scope: Scope,
    pub(crate) counts: Counts,
    pub(crate) gaps: Vec<Gap>,
    /// By mount namespace, then number.
    pub(crate) mounts: Vec<MountFacts>,
    /// The namespaces that nothing but the scanner held.
    pub(crate) released: BTreeSet<NamespaceId>,
    /// Where more than one namespace is mounted.
    pub(crate) stacked: BTreeSet<Place>,
    /// See [`Snapshot::pid_namespace`].
    pub(crate) outermost: Option<NamespaceId>,
    /// By id.
    pub(crate) namespaces: Vec<NamespaceNode>,
    /// By PID.
    pub(crate) processes: Vec<ProcessFacts>,
    /// How the process at the same place in `processes` is linked to others. Apart from the facts,
    /// of which there is never a second copy.
    pub(crate) links: Vec<ProcessLinks>,
    /// The children of all processes: those of each one after another, by PID.
    pub(crate) process_children: Vec<ProcessIndex>,
    /// By kind, engine and name.
    pub(crate) workloads: Vec<WorkloadFacts>,
}

/// Threads may share a snapshot.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Snapshot>();
};

/// Where a namespace stands in [`Snapshot::namespaces`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NamespaceIndex(pub(crate) u32);

/// Where a process stands in [`Snapshot::processes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ProcessIndex(pub(crate) u32);

/// Where a workload stands in [`Snapshot::workloads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WorkloadIndex(pub(crate) u32);

#[derive(Debug, Clone)]
pub(crate) struct NamespaceNode {
    pub(crate) facts: NamespaceFacts,
    pub(crate) parent: Relation<NamespaceIndex>,
    pub(crate) children: Vec<NamespaceIndex>,
    pub(crate) owner: Option<NamespaceIndex>,
    pub(crate) owned: Vec<NamespaceIndex>,
    pub(crate) processes: Vec<ProcessIndex>,
    pub(crate) leaders: Vec<ProcessIndex>,
    pub(crate) leaders_uncertain: bool,
    pub(crate) workload: Option<WorkloadIndex>,
}

#[derive(Debug, Clone)]
pub(crate) struct ProcessLinks {
    pub(crate) parent: Option<ProcessIndex>,
    /// Where its children are in [`Snapshot::process_children`].
    pub(crate) children: Range<u32>,
    pub(crate) workload: Option<WorkloadIndex>,
}

impl Snapshot {
    /// The snapshot as if the scanner were not there: it will be gone when somebody acts upon the
    /// snapshot, and with it all that it held. Nothing changes if the scanner is unknown.
    #[must_use]
    pub fn without_scanner(self) -> Snapshot {
        let Some(pid) = self.host.scanner_pid.filter(|pid| self.process(*pid).is_some()) else {
            return self;
        };
        let is_held = |namespace: &Namespace<'_>| {
            namespace.holders().iter().any(|holder| holder.pid() != Some(pid))
                || namespace.processes().any(|process| process.pid() != pid)
                || namespace.is_hidden()
        };
        let released = self.namespaces().filter(|it| !is_held(it)).map(|it| it.id()).collect();
        let Snapshot {
            host, scope, counts, gaps, mounts, namespaces, processes, workloads, ..
        } = self;
        let facts = Facts {
            host,
            scope,
            counts,
            gaps,
            mounts,
            workloads,
            namespaces: namespaces
                .into_iter()
                .map(|NamespaceNode { mut facts, .. }| {
                    facts.holders.retain(|holder| holder.pid() != Some(pid));
                    facts
                })
                .collect(),
            processes: processes.into_iter().filter(|process| process.pid != pid).collect(),
        };
        Snapshot { released, ..Snapshot::assemble(facts) }
    }

    /// Whether nothing but the scanner held a namespace, see [`Snapshot::without_scanner`].
    pub(crate) fn is_released(&self, id: NamespaceId) -> bool {
        self.released.contains(&id)
    }

    /// Where, when and by whom the snapshot was taken.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What was looked for.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// How many processes the scan came across.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What could not be seen, sorted. Empty: nothing was missed.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// All namespaces, by type, then inode.
    pub fn namespaces(&self) -> impl DoubleEndedIterator<Item = Namespace<'_>> + ExactSizeIterator {
        (0..self.namespaces.len() as u32).map(|index| self.at(NamespaceIndex(index)))
    }

    /// The namespaces of one type, by inode.
    pub fn namespaces_of(
        &self,
        namespace_type: NamespaceType,
    ) -> impl DoubleEndedIterator<Item = Namespace<'_>> {
        let of_type = |node: &NamespaceNode| node.facts.id.namespace_type();
        let start = self.namespaces.partition_point(|node| of_type(node) < namespace_type);
        let end = self.namespaces.partition_point(|node| of_type(node) <= namespace_type);
        (start as u32..end as u32).map(|index| self.at(NamespaceIndex(index)))
    }

    /// The namespace with this id.
    pub fn namespace(&self, id: NamespaceId) -> Option<Namespace<'_>> {
        let index = self.namespaces.binary_search_by_key(&id, |node| node.facts.id).ok()?;
        Some(self.at(NamespaceIndex(index as u32)))
    }

    /// The namespaces with this inode: at most one on a live system, where all types share one
    /// range of inodes.
    pub fn namespaces_with_inode(&self, inode: u64) -> impl Iterator<Item = Namespace<'_>> {
        NamespaceType::ALL.into_iter().filter_map(move |namespace_type| {
            self.namespace(NamespaceId::new(namespace_type, inode)?)
        })
    }

    /// The namespace of this type that the kernel booted with, if it is in the snapshot and known
    /// as such.
    pub fn initial(&self, namespace_type: NamespaceType) -> Option<Namespace<'_>> {
        self.namespaces_of(namespace_type).find(|namespace| namespace.is_initial() == Some(true))
    }

    /// The namespaces of one type that have no known parent: for user and PID namespaces the roots
    /// of what can be seen, of which a restricted view may have several.
    pub fn roots(&self, namespace_type: NamespaceType) -> impl Iterator<Item = Namespace<'_>> {
        self.namespaces_of(namespace_type).filter(|namespace| namespace.parent().known().is_none())
    }

    /// All processes, by PID.
    pub fn processes(&self) -> impl DoubleEndedIterator<Item = Process<'_>> + ExactSizeIterator {
        (0..self.processes.len() as u32).map(|index| self.process_at(ProcessIndex(index)))
    }

    /// The PID namespace that the PIDs in here are of: that of the procfs that was read. `None` if
    /// nothing tells.
    ///
    /// Its first process never leaves it; nor does any process that has but one PID. Where no such
    /// process can be read, it is the scanner's, if that was in the one that the procfs showed.
    pub fn pid_namespace(&self) -> Option<Namespace<'_>> {
        self.namespace(self.outermost?)
    }

    pub(crate) fn find_pid_namespace(&self) -> Option<NamespaceId> {
        let of = |process: Process<'_>| {
            let own = process.joined().get(NamespaceType::Pid)?;
            self.namespace(own)
        };
        let has_one = |process: &Process<'_>| process.pids().is_some_and(|pids| pids.len() == 1);
        let scanners = || {
            let is_foreign = |gap: &Gap| gap.why == Reason::ForeignProc;
            let own = self.host.scanner_namespaces.get(NamespaceType::Pid)?;
            let is_read = !self.gaps.iter().any(is_foreign);
            self.namespace(own).filter(|_| is_read)
        };
        let first = self.process(Pid(1)).and_then(of);
        let some = || self.processes().filter(has_one).find_map(of);
        first.or_else(some).or_else(scanners).map(Namespace::id)
    }

    /// The process with this PID in [the PID namespace](Snapshot::pid_namespace) of the snapshot.
    pub fn process(&self, pid: Pid) -> Option<Process<'_>> {
        let index = self.processes.binary_search_by_key(&pid, |facts| facts.pid).ok()?;
        Some(self.process_at(ProcessIndex(index as u32)))
    }

    /// The processes without a known parent, by PID.
    pub fn process_roots(&self) -> impl Iterator<Item = Process<'_>> {
        self.processes().filter(|process| process.parent().is_none())
    }

    /// All workloads, by kind, engine and name.
    pub fn workloads(&self) -> impl DoubleEndedIterator<Item = Workload<'_>> + ExactSizeIterator {
        let all = 0..self.workloads.len() as u32;
        all.map(|index| Workload { snapshot: self, index: WorkloadIndex(index) })
    }

    pub(crate) fn workload_at(&self, index: WorkloadIndex) -> Workload<'_> {
        Workload { snapshot: self, index }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "indices are only made by assembly, for this arena"
    )]
    pub(crate) fn workload_facts(&self, index: WorkloadIndex) -> &WorkloadFacts {
        &self.workloads[index.0 as usize]
    }

    pub(crate) fn at(&self, index: NamespaceIndex) -> Namespace<'_> {
        Namespace { snapshot: self, index }
    }

    pub(crate) fn process_at(&self, index: ProcessIndex) -> Process<'_> {
        Process { snapshot: self, index }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "indices are only made by assembly, for this arena"
    )]
    pub(crate) fn node(&self, index: NamespaceIndex) -> &NamespaceNode {
        &self.namespaces[index.0 as usize]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "indices are only made by assembly, for this arena"
    )]
    pub(crate) fn process_facts(&self, index: ProcessIndex) -> &ProcessFacts {
        &self.processes[index.0 as usize]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "indices are only made by assembly, for this arena"
    )]
    pub(crate) fn process_links(&self, index: ProcessIndex) -> &ProcessLinks {
        &self.links[index.0 as usize]
    }
}
