//! All that keeps a namespace alive, in one list.

use std::fmt;

use crate::{Holder, Namespace, Process};

/// One thing that keeps a namespace alive, see [`Namespace::held_by`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy<'s> {
    /// A process is joined to it.
    Process(Process<'s>),
    /// A file, a socket, a mount, a thread or the like.
    Holder(&'s Holder),
    /// A namespace nests in it.
    Child(Namespace<'s>),
    /// It is a user namespace and owns this namespace of another type.
    Owned(Namespace<'s>),
}

impl<'s> Namespace<'s> {
    /// All that keeps it alive: its processes, its holders, and the namespaces that nest in it or
    /// that it owns, in this order.
    ///
    /// The list has what the scan has seen. [`Snapshot::gaps`](crate::Snapshot::gaps) and
    /// [`crate::blind_spots()`] tell the rest; [`Snapshot::why`](crate::Snapshot::why) tells how it
    /// would end.
    pub fn held_by(self) -> impl Iterator<Item = HeldBy<'s>> {
        let processes = self.processes().map(HeldBy::Process);
        let holders = self.holders().iter().map(HeldBy::Holder);
        let children = self.children().map(HeldBy::Child);
        let owned = self.owned().map(HeldBy::Owned);
        processes.chain(holders).chain(children).chain(owned)
    }
}

impl fmt::Display for HeldBy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeldBy::Process(process) => write!(f, "process {}", process.pid()),
            HeldBy::Holder(holder) => holder.fmt(f),
            HeldBy::Child(child) => write!(f, "child {}", child.id()),
            HeldBy::Owned(owned) => write!(f, "owned {}", owned.id()),
        }
    }
}
