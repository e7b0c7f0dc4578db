//! What keeps a namespace alive.

use std::fmt;

use lxkns_species::{NamespaceId, NamespaceType, Pid, Reference};

use crate::{Gap, Missing, Part, Reason, Text};

/// One reason why a namespace is alive, apart from processes joined to it and namespaces below it:
/// those follow from the processes' and namespaces' own facts ([`crate::Namespace::processes`],
/// [`crate::Namespace::children`], [`crate::Namespace::owned`]).
///
/// PIDs, TIDs and fd numbers are those of the scanner's PID namespace and of the process in
/// question. A `tid` is there where the thread has a file table of its own, which only
/// `/proc/PID/task/TID/fd` shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Holder {
    /// A thread is joined to it, unlike its process.
    Thread {
        /// The process.
        pid: Pid,
        /// The thread.
        tid: Pid,
    },
    /// The next child of a process (or thread) will be born in it: unshare(2) of a PID or time
    /// namespace before the first fork.
    PendingChildren {
        /// The process.
        pid: Pid,
        /// The thread, where it is not the process's main thread.
        tid: Option<Pid>,
    },
    /// An open file belongs to it.
    File {
        /// The kind of file.
        kind: FileKind,
        /// The process.
        pid: Pid,
        /// The thread with an own file table.
        tid: Option<Pid>,
        /// The number of the file descriptor.
        fd: u32,
    },
    /// A mount belongs to it.
    Mount {
        /// The kind of mount.
        kind: MountKind,
        /// The mount namespace in which it is mounted.
        mount_namespace: Option<NamespaceId>,
        /// The mount point, as seen from the root of that mount namespace.
        path: Text,
    },
    /// The kernel lists it as alive, and nothing that can be seen explains it: a file registered
    /// with io_uring, a detached mount tree, the kernel itself. See [`crate::blind_spots()`].
    Unseen,
}

/// The kinds of files that keep a namespace alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// The namespace itself, on nsfs.
    Namespace,
    /// A socket that was created in it (network namespaces).
    Socket,
    /// A tun/tap device file that was opened in it (network namespaces).
    Tun,
    /// A Unix socket in which one of the others is queued, sent and not received yet.
    InFlight {
        /// The inode of that socket: processes that share it share the queue.
        inode: u64,
    },
}

/// The kinds of mounts that keep a namespace alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MountKind {
    /// A bind mount of the namespace.
    Bind,
    /// A procfs that shows it (PID namespaces).
    Proc,
}

impl Holder {
    /// The name of this kind of holder, as in the native snapshot format.
    pub fn kind(&self) -> &'static str {
        match self {
            Holder::Thread { .. } => "thread",
            Holder::PendingChildren { .. } => "pending-children",
            Holder::File { kind: FileKind::Namespace, .. } => "fd",
            Holder::File { kind: FileKind::Socket, .. } => "socket",
            Holder::File { kind: FileKind::Tun, .. } => "tun",
            Holder::File { kind: FileKind::InFlight { .. }, .. } => "in-flight",
            Holder::Mount { kind: MountKind::Bind, .. } => "bind-mount",
            Holder::Mount { kind: MountKind::Proc, .. } => "proc-mount",
            Holder::Unseen => "unseen",
        }
    }

    /// The process behind it, where there is one.
    pub fn pid(&self) -> Option<Pid> {
        match *self {
            Holder::Thread { pid, .. }
            | Holder::PendingChildren { pid, .. }
            | Holder::File { pid, .. } => Some(pid),
            Holder::Mount { .. } | Holder::Unseen => None,
        }
    }

    /// The place in `/proc` where it opens the namespace, which is of this type.
    ///
    /// `None` for sockets, tun devices and files in flight, which no path leads through, and for
    /// mounts: the way to those depends on their mount namespace.
    ///
    /// ```
    /// use lxkns_model::Holder;
    /// use lxkns_species::{NamespaceType, Pid};
    ///
    /// let holder = Holder::PendingChildren { pid: Pid(812), tid: None };
    /// let path = holder.reference(NamespaceType::Pid).and_then(|reference| reference.path());
    /// assert_eq!(path.unwrap().to_str(), Some("/proc/812/ns/pid_for_children"));
    /// ```
    pub fn reference(&self, namespace_type: NamespaceType) -> Option<Reference> {
        match *self {
            Holder::Thread { pid, tid } => Some(Reference::Thread { pid, tid, namespace_type }),
            Holder::PendingChildren { pid, tid } => {
                Some(Reference::ChildrenOf { pid, tid, namespace_type })
            }
            Holder::File { kind: FileKind::Namespace, pid, tid, fd } => {
                Some(Reference::FdOf { pid, tid, fd })
            }
            Holder::File { .. } | Holder::Mount { .. } | Holder::Unseen => None,
        }
    }

    /// The mount namespace that a mount is in, if it is a mount, and that is known.
    pub fn mount_namespace(&self) -> Option<NamespaceId> {
        match self {
            Holder::Mount { mount_namespace, .. } => *mount_namespace,
            _ => None,
        }
    }

    /// The part of a scan that finds it.
    pub fn part(&self) -> Part {
        match self {
            Holder::Thread { .. } | Holder::PendingChildren { .. } => Part::Threads,
            Holder::File { kind: FileKind::Namespace | FileKind::InFlight { .. }, .. } => Part::Fds,
            Holder::File { kind: FileKind::Socket | FileKind::Tun, .. } => Part::Sockets,
            Holder::Mount { .. } => Part::Mounts,
            Holder::Unseen => Part::Kernel,
        }
    }

    /// Whether it may be among the things that a scan has missed.
    fn may_be_behind(&self, missing: &Missing) -> bool {
        use Missing::{
            BindMounts, Creators, Fds, Holders, Identity, InFlight, KernelList, LiveFacts,
            MountNamespaces, Mounts, Names, Other, Owners, Parents, PendingChildren, ProcMounts,
            ProcessDetails, ProcessNamespaces, Processes, Sockets, Threads, TunDevices,
        };
        match missing {
            Processes | Threads => self.pid().is_some(),
            ProcessNamespaces => {
                matches!(self, Holder::Thread { .. } | Holder::PendingChildren { .. })
            }
            PendingChildren => matches!(self, Holder::PendingChildren { .. }),
            Fds => matches!(self, Holder::File { .. }),
            InFlight => matches!(self, Holder::File { kind: FileKind::InFlight { .. }, .. }),
            Sockets => matches!(self, Holder::File { kind: FileKind::Socket, .. }),
            TunDevices => matches!(self, Holder::File { kind: FileKind::Tun, .. }),
            Mounts | MountNamespaces => self.is_mount(),
            BindMounts => matches!(self, Holder::Mount { kind: MountKind::Bind, .. }),
            ProcMounts => matches!(self, Holder::Mount { kind: MountKind::Proc, .. }),
            KernelList => *self == Holder::Unseen,
            ProcessDetails | Owners | Parents | Creators | Identity | Names => false,
            Holders | LiveFacts | Other(_) => true,
        }
    }

    pub(crate) fn is_mount(&self) -> bool {
        matches!(self, Holder::Mount { .. })
    }
}

impl Gap {
    /// Whether a holder like this one may be behind it.
    pub fn may_hide_holder(&self, holder: &Holder) -> bool {
        self.why != Reason::Gone && holder.may_be_behind(&self.what)
    }
}

/// In the words of Linux, such as `fd 3 of process 812` or `bind mount /run/netns/blue`. Paths are
/// foreign text and escaped.
///
/// ```
/// use lxkns_model::{FileKind, Holder, MountKind};
/// use lxkns_species::Pid;
///
/// let fd = Holder::File { kind: FileKind::Namespace, pid: Pid(812), tid: None, fd: 3 };
/// assert_eq!(fd.to_string(), "fd 3 of process 812");
/// let path = "/run/netns/a\nb".into();
/// let mount = Holder::Mount { kind: MountKind::Bind, mount_namespace: None, path };
/// assert_eq!(mount.to_string(), r#"bind mount "/run/netns/a\nb""#);
/// ```
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Thread { pid, tid } => write!(f, "{}", Task(*pid, Some(*tid))),
            Holder::PendingChildren { pid, tid } => write!(f, "children of {}", Task(*pid, *tid)),
            Holder::File { kind, pid, tid, fd } => {
                let file = match kind {
                    FileKind::Namespace => "fd",
                    FileKind::Socket => "socket",
                    FileKind::Tun => "tun device",
                    FileKind::InFlight { .. } => "file in flight to fd",
                };
                write!(f, "{file} {fd} of {}", Task(*pid, *tid))
            }
            Holder::Mount { kind, mount_namespace, path } => {
                let mount = match kind {
                    MountKind::Bind => "bind mount",
                    MountKind::Proc => "procfs",
                };
                write!(f, "{mount} {path:?}{}", In(*mount_namespace))
            }
            Holder::Unseen => f.write_str("unseen"),
        }
    }
}

struct Task(Pid, Option<Pid>);

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Task(pid, Some(tid)) => write!(f, "thread {tid} of process {pid}"),
            Task(pid, None) => write!(f, "process {pid}"),
        }
    }
}

struct In(Option<NamespaceId>);

impl fmt::Display for In {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |mount_namespace| write!(f, " in {mount_namespace}"))
    }
}
