//! Plain facts, as sources of any kind report them.

use std::fmt;
use std::num::NonZeroU64;

use lxkns_species::{Capabilities, NamespaceId, NamespaceType, NamespaceTypes, Pid, Uid};

use crate::{Counts, Gap, Holder, Host, MountFacts, Relation, Scope, Text, WorkloadFacts};

/// All that is known, before it is put in order by [`crate::Snapshot::assemble`].
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Where, when and by whom it was found out.
    pub host: Host,
    /// What was looked for.
    pub scope: Scope,
    /// The namespaces, in any order. One that is only referred to need not be listed.
    pub namespaces: Vec<NamespaceFacts>,
    /// The processes, in any order, readable or not.
    pub processes: Vec<ProcessFacts>,
    /// The mounts that hold namespaces, and those that matter for unmounting them, in any order.
    pub mounts: Vec<MountFacts>,
    /// The containers, units and machines that processes belong to, in any order.
    pub workloads: Vec<WorkloadFacts>,
    /// How many processes were come across.
    pub counts: Counts,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
}

/// What is known of one namespace by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// Type and inode.
    pub id: NamespaceId,
    /// The kernel's 64-bit id, never reused within a boot (Linux 6.18; mount namespaces 6.12).
    pub unique_id: Option<u64>,
    /// Whether it is the one that the kernel booted with; `None` where nothing tells.
    pub initial: Option<bool>,
    /// The namespace that it nests in (user and PID namespaces).
    pub parent: Relation<NamespaceId>,
    /// The user namespace that owns it (all types but user).
    pub owner: Option<NamespaceId>,
    /// The user who created it (user namespaces), as seen from the scanner's user namespace.
    pub creator: Option<Uid>,
    /// That user's login name.
    pub creator_name: Option<Text>,
    /// The UIDs mapped in it (user namespaces), see user_namespaces(7); empty if none are yet.
    pub uid_map: Option<Vec<IdMapping>>,
    /// The GIDs mapped in it (user namespaces).
    pub gid_map: Option<Vec<IdMapping>>,
    /// What keeps it alive, in any order.
    pub holders: Vec<Holder>,
}

impl NamespaceFacts {
    /// A namespace of which nothing but the id is known.
    pub fn new(id: NamespaceId) -> NamespaceFacts {
        let has_parent = id.namespace_type().is_hierarchical();
        NamespaceFacts {
            id,
            unique_id: None,
            initial: None,
            parent: if has_parent { Relation::Unknown } else { Relation::None },
            owner: None,
            creator: None,
            creator_name: None,
            uid_map: None,
            gid_map: None,
            holders: Vec::new(),
        }
    }
}

/// A line of `/proc/PID/uid_map` or `gid_map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdMapping {
    /// The first id inside.
    pub inside: u32,
    /// What it maps to outside.
    pub outside: u32,
    /// How many ids.
    pub count: u32,
}

/// What is known of one process. PIDs are those of the scanner's PID namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessFacts {
    /// The PID.
    pub pid: Pid,
    /// The parent's; 0 if that one is outside of the scanner's PID namespace, or there is none.
    pub ppid: Option<Pid>,
    /// The name, at most 15 bytes long (longer for some kernel threads).
    pub comm: Option<Text>,
    /// The command line.
    pub cmdline: Option<Cmdline>,
    /// When it started, in clock ticks since boot.
    pub start_time: Option<u64>,
    /// The state letter of proc_pid_stat(5), such as `S` or `Z`.
    pub state: Option<char>,
    /// Whether it is a kernel thread.
    pub kernel_thread: bool,
    /// Whether it is ending already: it has given up its memory, files and most namespaces, and
    /// may wait for the processes of its PID namespace to be waited for.
    pub exiting: bool,
    /// The first of the processes that share its file table, itself if that is the first one or
    /// there are no others. `None` if nothing was compared: so it is unless another process has the
    /// same files open that hold namespaces.
    pub file_table: Option<Pid>,
    /// The effective UID, as seen from the scanner's user namespace.
    pub euid: Option<Uid>,
    /// The effective capabilities, valid in the process's own user namespace.
    pub effective_capabilities: Option<Capabilities>,
    /// Its PIDs, from the scanner's PID namespace down to its own (`NSpid` of proc_pid_status(5)).
    pub pids: Option<Vec<Pid>>,
    /// The cgroup path, as seen from the scanner's cgroup namespace.
    pub cgroup: Option<Text>,
    /// The namespaces that it is joined to.
    pub namespaces: Joined,
    /// Those of its threads that are joined to other namespaces than it is, by TID.
    pub threads: Vec<ThreadFacts>,
}

impl ProcessFacts {
    /// A process of which nothing but the PID is known.
    pub fn new(pid: Pid) -> ProcessFacts {
        ProcessFacts {
            pid,
            ppid: None,
            comm: None,
            cmdline: None,
            start_time: None,
            state: None,
            kernel_thread: false,
            exiting: false,
            file_table: None,
            euid: None,
            effective_capabilities: None,
            pids: None,
            cgroup: None,
            namespaces: Joined::default(),
            threads: Vec::new(),
        }
    }
}

/// A command line; empty for kernel threads and for zombies.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Cmdline {
    /// The arguments, the program's name first.
    pub arguments: Vec<Text>,
    /// Whether there was more than the scanner keeps.
    pub cut: bool,
}

/// What is known of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadFacts {
    /// The thread id.
    pub tid: Pid,
    /// The thread's own name.
    pub comm: Option<Text>,
    /// When it started, in clock ticks since boot.
    pub start_time: Option<u64>,
    /// The namespaces that it is joined to.
    pub namespaces: Joined,
}

/// The namespaces that a process or thread is joined to: at most one of each type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Joined([Option<NonZeroU64>; 8]);

impl Joined {
    /// The given namespaces; the last one of a type counts.
    pub fn of(ids: impl IntoIterator<Item = NamespaceId>) -> Joined {
        let mut joined = Joined::default();
        ids.into_iter().for_each(|id| joined.set(id));
        joined
    }

    /// The namespace of this type, if known.
    pub fn get(&self, namespace_type: NamespaceType) -> Option<NamespaceId> {
        let inode = (*self.0.get(namespace_type.index())?)?;
        NamespaceId::new(namespace_type, inode.get())
    }

    /// Sets the namespace of the id's type.
    pub fn set(&mut self, id: NamespaceId) {
        if let Some(slot) = self.0.get_mut(id.namespace_type().index()) {
            *slot = NonZeroU64::new(id.inode());
        }
    }

    /// Forgets the namespace of this type.
    pub fn clear(&mut self, namespace_type: NamespaceType) {
        if let Some(slot) = self.0.get_mut(namespace_type.index()) {
            *slot = None;
        }
    }

    /// The known ones, in the order of [`NamespaceType::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = NamespaceId> {
        NamespaceType::ALL.into_iter().filter_map(|namespace_type| self.get(namespace_type))
    }

    /// The types of the known ones.
    pub fn types(&self) -> NamespaceTypes {
        self.iter().map(NamespaceId::namespace_type).collect()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

impl FromIterator<NamespaceId> for Joined {
    fn from_iter<T: IntoIterator<Item = NamespaceId>>(ids: T) -> Joined {
        Joined::of(ids)
    }
}

impl Extend<NamespaceId> for Joined {
    fn extend<T: IntoIterator<Item = NamespaceId>>(&mut self, ids: T) {
        ids.into_iter().for_each(|id| self.set(id));
    }
}

impl fmt::Debug for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|id| id.to_string())).finish()
    }
}
