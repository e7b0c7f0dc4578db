//! The view of one namespace.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter;

use lxkns_species::{NamespaceId, NamespaceType, Uid};

use crate::snapshot::{NamespaceIndex, NamespaceNode};
use crate::{Holder, IdMapping, Process, Relation, Snapshot, Text, Workload};

/// One namespace of a [`Snapshot`]; as cheap to copy as a reference.
///
/// Two are equal if they are the same namespace of the same snapshot.
#[derive(Clone, Copy)]
pub struct Namespace<'s> {
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) index: NamespaceIndex,
}

impl<'s> Namespace<'s> {
    fn node(self) -> &'s NamespaceNode {
        self.snapshot.node(self.index)
    }

    /// Type and inode.
    pub fn id(self) -> NamespaceId {
        self.node().facts.id
    }

    /// The type.
    pub fn namespace_type(self) -> NamespaceType {
        self.id().namespace_type()
    }

    /// The kernel's 64-bit id, never reused within a boot, where the kernel told it: for mount
    /// namespaces from Linux 6.12 on, for all from 6.18 on.
    pub fn unique_id(self) -> Option<u64> {
        self.node().facts.unique_id
    }

    /// Whether this is the one that the kernel booted with; `None` where nothing tells, as for net
    /// and mount namespaces seen from inside of a container before Linux 6.18.
    pub fn is_initial(self) -> Option<bool> {
        self.node().facts.initial
    }

    /// Whether it is known only as somebody's parent or owner: nobody is joined to it, nothing
    /// visible holds it but the namespaces below it.
    pub fn is_hidden(self) -> bool {
        let node = self.node();
        node.processes.is_empty() && node.facts.holders.is_empty()
    }

    /// Whether it is a PID namespace whose PID 1 has ended, so that fork(2) fails for those whose
    /// children were to be in it. One whose PID 1 is yet to come cannot be seen like that, see
    /// pid_namespaces(7). `false` as well if processes could not be read that may be in it.
    pub fn has_dead_init(self) -> bool {
        let is_pending = |holder: &Holder| matches!(holder, Holder::PendingChildren { .. });
        self.namespace_type() == NamespaceType::Pid
            && self.processes().len() == 0
            && self.holders().iter().any(is_pending)
            && self.snapshot.processes().all(|it| it.joined().get(NamespaceType::Pid).is_some())
    }

    /// The namespace that this one nests in (user and PID namespaces; [`Relation::None`] for all
    /// other types).
    pub fn parent(self) -> Relation<Namespace<'s>> {
        self.node().parent.map(|index| self.snapshot.at(index))
    }

    /// This namespace's parent, that one's parent, and so on, as far as known.
    pub fn ancestors(self) -> impl Iterator<Item = Namespace<'s>> {
        iter::successors(self.parent().known(), |namespace| namespace.parent().known())
    }

    /// The namespaces that nest in this one, by inode.
    pub fn children(self) -> impl DoubleEndedIterator<Item = Namespace<'s>> + ExactSizeIterator {
        self.node().children.iter().map(move |index| self.snapshot.at(*index))
    }

    /// The user namespace that owns this one; `None` if unknown, and for user namespaces, whose
    /// owner is their parent.
    pub fn owner(self) -> Option<Namespace<'s>> {
        self.node().owner.map(|index| self.snapshot.at(index))
    }

    /// The namespaces of other types that this user namespace owns, by type, then inode.
    pub fn owned(self) -> impl DoubleEndedIterator<Item = Namespace<'s>> + ExactSizeIterator {
        self.node().owned.iter().map(move |index| self.snapshot.at(*index))
    }

    /// The user who created this user namespace, as seen from the scanner's.
    #[doc(alias = "NS_GET_OWNER_UID")]
    pub fn creator(self) -> Option<Uid> {
        self.node().facts.creator
    }

    /// The login name of the creator.
    pub fn creator_name(self) -> Option<&'s Text> {
        self.node().facts.creator_name.as_ref()
    }

    /// The UIDs mapped in this user namespace; an empty list if none are.
    pub fn uid_map(self) -> Option<&'s [IdMapping]> {
        self.node().facts.uid_map.as_deref()
    }

    /// The GIDs mapped in this user namespace; an empty list if none are.
    pub fn gid_map(self) -> Option<&'s [IdMapping]> {
        self.node().facts.gid_map.as_deref()
    }

    /// What keeps it alive besides its processes, children and possessions; sorted. Each holder is
    /// listed once, but a mount point as often as it is mounted there.
    pub fn holders(self) -> &'s [Holder] {
        &self.node().facts.holders
    }

    /// The processes joined to it, by PID.
    pub fn processes(self) -> impl DoubleEndedIterator<Item = Process<'s>> + ExactSizeIterator {
        self.node().processes.iter().map(move |index| self.snapshot.process_at(*index))
    }

    /// The topmost processes joined to it: those whose parent is joined to another namespace (or
    /// is not known to be joined to this one, see [`Namespace::leaders_uncertain`]). By seniority:
    /// who started first, then lower PID.
    pub fn leaders(self) -> impl ExactSizeIterator<Item = Process<'s>> {
        self.node().leaders.iter().map(move |index| self.snapshot.process_at(*index))
    }

    /// Whether a leader may in truth have an ancestor in this namespace, because that could not be
    /// read.
    pub fn leaders_uncertain(self) -> bool {
        self.node().leaders_uncertain
    }

    /// The workload that it belongs to: whose first process is in it, while the process that looks
    /// after the workload is not.
    ///
    /// Other workloads in it are its [guests](Namespace::guests).
    pub fn workload(self) -> Option<Workload<'s>> {
        self.node().workload.map(|index| self.snapshot.workload_at(index))
    }

    /// The workloads with processes in it that it does not belong to, by kind, engine and name.
    pub fn guests(self) -> Vec<Workload<'s>> {
        let mut guests: Vec<_> = self.processes().filter_map(Process::workload).collect();
        guests.sort_unstable_by_key(|guest| guest.index);
        guests.dedup();
        guests.retain(|guest| Some(*guest) != self.workload());
        guests
    }

    /// The most senior leader. lxkns calls it the ealdorman.
    #[doc(alias = "ealdorman")]
    pub fn senior_leader(self) -> Option<Process<'s>> {
        self.leaders().next()
    }
}

impl PartialEq for Namespace<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.snapshot, other.snapshot) && self.index == other.index
    }
}

impl Eq for Namespace<'_> {}

impl Hash for Namespace<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.snapshot, state);
        self.index.hash(state);
    }
}

impl fmt::Debug for Namespace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({})", self.id())
    }
}
