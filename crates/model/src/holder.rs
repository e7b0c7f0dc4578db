//! What keeps a namespace alive.

use std::fmt;

use lxkns_species::{NamespaceId, Pid};

use crate::Text;

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
    /// A file descriptor refers to it on nsfs.
    Fd {
        /// The process.
        pid: Pid,
        /// The thread with an own file table.
        tid: Option<Pid>,
        /// The number.
        fd: u32,
    },
    /// A socket was created in it (network namespaces).
    Socket {
        /// The process.
        pid: Pid,
        /// The thread with an own file table.
        tid: Option<Pid>,
        /// The number.
        fd: u32,
    },
    /// A tun/tap device file was opened in it (network namespaces).
    Tun {
        /// The process.
        pid: Pid,
        /// The thread with an own file table.
        tid: Option<Pid>,
        /// The number.
        fd: u32,
    },
    /// A file is queued in a Unix socket, sent and not received yet: the namespace itself on nsfs,
    /// or a socket or tun/tap device file that belongs to it.
    InFlight {
        /// The process that can receive it.
        pid: Pid,
        /// The thread with an own file table.
        tid: Option<Pid>,
        /// The number of the Unix socket that it is queued in.
        fd: u32,
        /// The inode of that socket: processes that share it share the queue.
        inode: u64,
    },
    /// It is bind-mounted.
    BindMount {
        /// The mount namespace in which it is mounted.
        mount_namespace: Option<NamespaceId>,
        /// The mount point, as seen from the root of that mount namespace.
        path: Text,
    },
    /// A procfs shows it (PID namespaces).
    ProcMount {
        /// The mount namespace in which that procfs is mounted.
        mount_namespace: Option<NamespaceId>,
        /// The mount point.
        path: Text,
    },
    /// The kernel lists it as alive, and nothing that can be seen explains it: a file registered
    /// with io_uring, a detached mount tree, the kernel itself. See [`crate::blind_spots()`].
    Unseen,
}

impl Holder {
    /// The name of this kind of holder, as in the native snapshot format.
    pub fn kind(&self) -> &'static str {
        match self {
            Holder::Thread { .. } => "thread",
            Holder::PendingChildren { .. } => "pending-children",
            Holder::Fd { .. } => "fd",
            Holder::Socket { .. } => "socket",
            Holder::Tun { .. } => "tun",
            Holder::InFlight { .. } => "in-flight",
            Holder::BindMount { .. } => "bind-mount",
            Holder::ProcMount { .. } => "proc-mount",
            Holder::Unseen => "unseen",
        }
    }

    /// The process behind it, where there is one.
    pub fn pid(&self) -> Option<Pid> {
        match *self {
            Holder::Thread { pid, .. }
            | Holder::PendingChildren { pid, .. }
            | Holder::Fd { pid, .. }
            | Holder::Socket { pid, .. }
            | Holder::Tun { pid, .. }
            | Holder::InFlight { pid, .. } => Some(pid),
            Holder::BindMount { .. } | Holder::ProcMount { .. } | Holder::Unseen => None,
        }
    }

    pub(crate) fn is_mount(&self) -> bool {
        matches!(self, Holder::BindMount { .. } | Holder::ProcMount { .. })
    }
}

/// In the words of Linux, such as `fd 3 of process 812` or `bind mount /run/netns/blue`. Paths are
/// foreign text and escaped.
///
/// ```
/// use lxkns_model::Holder;
/// use lxkns_species::Pid;
///
/// let fd = Holder::Fd { pid: Pid(812), tid: None, fd: 3 };
/// assert_eq!(fd.to_string(), "fd 3 of process 812");
/// let mount = Holder::BindMount { mount_namespace: None, path: "/run/netns/a\nb".into() };
/// assert_eq!(mount.to_string(), r#"bind mount "/run/netns/a\nb""#);
/// ```
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Thread { pid, tid } => write!(f, "{}", Task(*pid, Some(*tid))),
            Holder::PendingChildren { pid, tid } => write!(f, "children of {}", Task(*pid, *tid)),
            Holder::Fd { pid, tid, fd } => write!(f, "fd {fd} of {}", Task(*pid, *tid)),
            Holder::Socket { pid, tid, fd } => write!(f, "socket {fd} of {}", Task(*pid, *tid)),
            Holder::Tun { pid, tid, fd } => write!(f, "tun device {fd} of {}", Task(*pid, *tid)),
            Holder::InFlight { pid, tid, fd, .. } => {
                write!(f, "file in flight to fd {fd} of {}", Task(*pid, *tid))
            }
            Holder::BindMount { mount_namespace, path } => {
                write!(f, "bind mount {path:?}{}", In(*mount_namespace))
            }
            Holder::ProcMount { mount_namespace, path } => {
                write!(f, "procfs {path:?}{}", In(*mount_namespace))
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
