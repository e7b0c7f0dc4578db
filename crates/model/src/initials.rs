//! Which namespaces are the initial ones, as far as it can be told from facts.

use lxkns_species::{NamespaceId, NamespaceType, Pid};

use crate::{Joined, ProcessFacts};

/// The initial namespaces: those that the kernel starts with.
///
/// Six types have fixed inodes. Those of net and mount namespaces are fixed from Linux 6.18 on, to
/// numbers that earlier kernels never give out. Before, the kernel's own threads tell, where they
/// are seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Initials {
    of_kernel_threads: Joined,
}

impl Initials {
    /// The initial namespaces as these processes tell them, whose PIDs are those of
    /// `pid_namespace`: PID 2 of the initial PID namespace is the first kernel thread.
    pub fn of(pid_namespace: Option<NamespaceId>, processes: &[ProcessFacts]) -> Initials {
        let initial = NamespaceType::Pid.initial_inode();
        let kthreadd = pid_namespace
            .filter(|id| id.inode() == initial)
            .and_then(|_| processes.iter().find(|process| process.pid == Pid(2)))
            .filter(|process| process.kernel_thread);
        Initials { of_kernel_threads: kthreadd.map(|it| it.namespaces).unwrap_or_default() }
    }

    /// Whether a namespace is an initial one, if that can be told. `unique_id` is its 64-bit ID, if
    /// the kernel gives one.
    pub fn contains(&self, id: NamespaceId, unique_id: Option<u64>) -> Option<bool> {
        let namespace_type = id.namespace_type();
        let fixed = id.inode() == namespace_type.initial_inode();
        match self.of_kernel_threads.get(namespace_type) {
            _ if fixed || namespace_type.always_fixed() => Some(fixed),
            Some(initial) => Some(initial == id),
            // A kernel that gives 64-bit IDs to all types has fixed inodes for all types. Mount
            // namespaces have had such IDs before.
            None if unique_id.is_some() && namespace_type == NamespaceType::Net => Some(false),
            None => None,
        }
    }
}
