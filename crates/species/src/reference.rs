//! Places where a namespace can be opened.

use std::fmt;
use std::path::PathBuf;

use crate::{NamespaceId, NamespaceType, Pid};

/// A place where a namespace can be opened later, and its words in errors and logs.
///
/// PIDs and TIDs are those of the `/proc` that the caller sees. `lxkns-ops` opens references.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reference {
    /// A file on nsfs: a bind mount, or a `/proc/PID/ns` link.
    Path(PathBuf),
    /// The namespace of this type that a process is joined to.
    Process(Pid, NamespaceType),
    /// The namespace that a thread of a process is joined to.
    Thread {
        /// The process.
        pid: Pid,
        /// The thread.
        tid: Pid,
        /// The type of the namespace.
        namespace_type: NamespaceType,
    },
    /// The namespace that the next children of a process will be in.
    ChildrenOf {
        /// The process.
        pid: Pid,
        /// The thread, if children of the main thread go elsewhere.
        tid: Option<Pid>,
        /// The type of the namespace: PID or time.
        namespace_type: NamespaceType,
    },
    /// The caller's own namespace of this type.
    Own(NamespaceType),
    /// A file descriptor of another process.
    FdOf {
        /// The process.
        pid: Pid,
        /// The thread, if it has a file table of its own.
        tid: Option<Pid>,
        /// The number of the file descriptor.
        fd: u32,
    },
    /// A file descriptor of the caller.
    Fd(i32),
    /// A bind mount at this path in another mount namespace, seen from its root directory.
    PathIn(Box<Reference>, PathBuf),
    /// The namespace with this unique ID; and with this type and inode, if known.
    UniqueId(u64, Option<NamespaceId>),
}

impl Reference {
    /// The type of the namespace, if the reference says so.
    ///
    /// ```
    /// use lxkns_species::{NamespaceType, Reference};
    ///
    /// assert_eq!(Reference::Own(NamespaceType::Ipc).namespace_type(), Some(NamespaceType::Ipc));
    /// assert_eq!(Reference::Fd(3).namespace_type(), None);
    /// ```
    pub fn namespace_type(&self) -> Option<NamespaceType> {
        match *self {
            Reference::Process(_, expected)
            | Reference::Thread { namespace_type: expected, .. }
            | Reference::ChildrenOf { namespace_type: expected, .. }
            | Reference::Own(expected) => Some(expected),
            Reference::UniqueId(_, id) => id.map(NamespaceId::namespace_type),
            Reference::Path(_)
            | Reference::FdOf { .. }
            | Reference::Fd(_)
            | Reference::PathIn(..) => None,
        }
    }

    /// The path that opens it, in the caller's mount namespace; `None` if no path does.
    ///
    /// ```
    /// use lxkns_species::{NamespaceType, Pid, Reference};
    ///
    /// let path = Reference::Process(Pid(812), NamespaceType::Net).path();
    /// assert_eq!(path.unwrap().to_str(), Some("/proc/812/ns/net"));
    /// let path = Reference::FdOf { pid: Pid(812), tid: Some(Pid(814)), fd: 3 }.path();
    /// assert_eq!(path.unwrap().to_str(), Some("/proc/812/task/814/fd/3"));
    /// ```
    pub fn path(&self) -> Option<PathBuf> {
        let path = match self {
            Reference::Path(path) => return Some(path.clone()),
            Reference::Process(pid, ns_type) => format!("/proc/{pid}/{}", ns_type.proc_file()),
            Reference::Thread { pid, tid, namespace_type } => {
                format!("/proc/{pid}/task/{tid}/{}", namespace_type.proc_file())
            }
            Reference::ChildrenOf { pid, tid, namespace_type } => {
                format!("{}/{}", directory(*pid, *tid), namespace_type.proc_file_for_children()?)
            }
            Reference::Own(ns_type) => format!("/proc/thread-self/{}", ns_type.proc_file()),
            Reference::FdOf { pid, tid, fd } => format!("{}/fd/{fd}", directory(*pid, *tid)),
            Reference::Fd(fd) => format!("/proc/self/fd/{fd}"),
            Reference::PathIn(..) | Reference::UniqueId(..) => return None,
        };
        Some(path.into())
    }
}

fn directory(pid: Pid, tid: Option<Pid>) -> String {
    match tid {
        Some(tid) => format!("/proc/{pid}/task/{tid}"),
        None => format!("/proc/{pid}"),
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Path(path) => write!(f, "{path:?}"),
            Reference::Process(pid, ns_type) => {
                write!(f, "the {ns_type} namespace of {}", Task(*pid, None))
            }
            Reference::Thread { pid, tid, namespace_type } => {
                write!(f, "the {namespace_type} namespace of {}", Task(*pid, Some(*tid)))
            }
            Reference::ChildrenOf { pid, tid, namespace_type } => {
                write!(f, "the {namespace_type} namespace for children of {}", Task(*pid, *tid))
            }
            Reference::Own(ns_type) => write!(f, "the own {ns_type} namespace"),
            Reference::FdOf { pid, tid, fd } => write!(f, "fd {fd} of {}", Task(*pid, *tid)),
            Reference::Fd(fd) => write!(f, "fd {fd}"),
            Reference::PathIn(mount_namespace, path) => write!(f, "{path:?} in {mount_namespace}"),
            Reference::UniqueId(unique_id, None) => write!(f, "namespace {unique_id}"),
            Reference::UniqueId(unique_id, Some(id)) => write!(f, "namespace {unique_id}, {id}"),
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
