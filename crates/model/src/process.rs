//! The view of one process.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter;
use std::ops::Range;

use lxkns_species::{Capabilities, NamespaceId, NamespaceType, Pid, Uid};

use crate::snapshot::ProcessIndex;
use crate::{Cmdline, Joined, Namespace, ProcessFacts, Snapshot, Text, ThreadFacts, Workload};

/// One process of a [`Snapshot`]; as cheap to copy as a reference.
///
/// Two are equal if they are the same process of the same snapshot.
#[derive(Clone, Copy)]
pub struct Process<'s> {
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) index: ProcessIndex,
}

impl<'s> Process<'s> {
    fn facts(self) -> &'s ProcessFacts {
        self.snapshot.process_facts(self.index)
    }

    /// The PID in the scanner's PID namespace.
    pub fn pid(self) -> Pid {
        self.facts().pid
    }

    /// The parent's PID; 0 if the parent is outside of the scanner's PID namespace.
    pub fn ppid(self) -> Option<Pid> {
        self.facts().ppid
    }

    /// The parent; `None` too if it is not in the snapshot.
    pub fn parent(self) -> Option<Process<'s>> {
        self.snapshot.process_links(self.index).parent.map(|index| self.snapshot.process_at(index))
    }

    /// The parent, that one's parent, and so on.
    pub fn ancestors(self) -> impl Iterator<Item = Process<'s>> {
        iter::successors(self.parent(), |process| process.parent())
    }

    /// The child processes, by PID.
    pub fn children(self) -> impl DoubleEndedIterator<Item = Process<'s>> + ExactSizeIterator {
        let Range { start, end } = self.snapshot.process_links(self.index).children;
        let children = self.snapshot.process_children.get(start as usize..end as usize);
        children.unwrap_or_default().iter().map(move |index| self.snapshot.process_at(*index))
    }

    /// The name, see proc_pid_comm(5).
    pub fn comm(self) -> Option<&'s Text> {
        self.facts().comm.as_ref()
    }

    /// The command line; empty for kernel threads and zombies, `None` if it was not read.
    pub fn cmdline(self) -> Option<&'s Cmdline> {
        self.facts().cmdline.as_ref()
    }

    /// When it started, in clock ticks since boot.
    pub fn start_time(self) -> Option<u64> {
        self.facts().start_time
    }

    /// The state letter of proc_pid_stat(5), such as `S` or `Z`.
    pub fn state(self) -> Option<char> {
        self.facts().state
    }

    /// Whether it is a kernel thread.
    pub fn is_kernel_thread(self) -> bool {
        self.facts().kernel_thread
    }

    /// Whether it is ending already, and waits for the processes of its PID namespace.
    pub fn is_exiting(self) -> bool {
        self.facts().exiting
    }

    /// The first of the processes that share its file table, maybe itself; `None` if no process was
    /// compared with it.
    #[doc(alias = "KCMP_FILES")]
    pub fn file_table(self) -> Option<Pid> {
        self.facts().file_table
    }

    /// The effective UID, as seen from the scanner's user namespace.
    pub fn euid(self) -> Option<Uid> {
        self.facts().euid
    }

    /// The effective capabilities, valid in its own user namespace.
    pub fn effective_capabilities(self) -> Option<Capabilities> {
        self.facts().effective_capabilities
    }

    /// The workload that it belongs to, where that is known.
    pub fn workload(self) -> Option<Workload<'s>> {
        let workload = self.snapshot.process_links(self.index).workload?;
        Some(self.snapshot.workload_at(workload))
    }

    /// Its PIDs from the scanner's PID namespace down to its own, in which it has the last one.
    pub fn pids(self) -> Option<&'s [Pid]> {
        self.facts().pids.as_deref()
    }

    /// All of its PIDs, from the outermost namespace to its own; `None` beside those whose
    /// namespace is out of sight.
    ///
    /// `None` if its PIDs could not be read, or contradict what is known of its namespaces.
    pub fn levels(self) -> Option<Vec<(Option<Namespace<'s>>, Pid)>> {
        let listed = self.pids()?;
        let is_real = listed.first() == Some(&self.pid()) && !listed.contains(&Pid(0));
        let own = self.namespace(NamespaceType::Pid);
        let mut upwards = own.into_iter().flat_map(|own| iter::once(own).chain(own.ancestors()));
        let mut levels: Vec<_> = listed.iter().rev().map(|pid| (upwards.next(), *pid)).collect();
        levels.reverse();
        let outermost = self.snapshot.pid_namespace();
        if let (Some(outermost), Some((first, _))) = (outermost, levels.first_mut()) {
            first.get_or_insert(outermost);
        }
        // The first of the list is for the outermost namespace, and no other one is.
        let fits = outermost.is_none_or(|outermost| {
            let is_outermost = |(namespace, _): &(Option<_>, Pid)| *namespace == Some(outermost);
            levels.iter().enumerate().all(|(index, level)| is_outermost(level) == (index == 0))
        });
        (is_real && fits).then_some(levels)
    }

    /// The PID that it has in this PID namespace; `None` if it has none there, or it is not known.
    pub fn pid_in(self, namespace: NamespaceId) -> Option<Pid> {
        match self.levels() {
            Some(levels) => {
                let is_there = |level: &&(Option<Namespace<'_>>, Pid)| {
                    level.0.is_some_and(|at| at.id() == namespace)
                };
                levels.iter().find(is_there).map(|(_, pid)| *pid)
            }
            None => (self.snapshot.outermost == Some(namespace)).then(|| self.pid()),
        }
    }

    /// The cgroup path, as seen from the scanner's cgroup namespace.
    pub fn cgroup(self) -> Option<&'s Text> {
        self.facts().cgroup.as_ref()
    }

    /// The ids of the namespaces that it is joined to, as far as known.
    pub fn joined(self) -> &'s Joined {
        &self.facts().namespaces
    }

    /// The namespace of this type that it is joined to.
    pub fn namespace(self, namespace_type: NamespaceType) -> Option<Namespace<'s>> {
        self.snapshot.namespace(self.joined().get(namespace_type)?)
    }

    /// Those of its threads that are joined to other namespaces than it is, by TID.
    pub fn threads(self) -> &'s [ThreadFacts] {
        &self.facts().threads
    }
}

impl PartialEq for Process<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.snapshot, other.snapshot) && self.index == other.index
    }
}

impl Eq for Process<'_> {}

impl Hash for Process<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.snapshot, state);
        self.index.hash(state);
    }
}

impl fmt::Debug for Process<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({})", self.pid())
    }
}
