//! Where a namespace is to be found.

use std::fmt;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use lxkns_species::{NamespaceId, NamespaceType, Pid};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::foreign::{self, TIMEOUT, c_path};
use crate::visit::{open_in, root_of};
use crate::{Error, NamespaceFd, handle};

/// Where a namespace is to be found, in words: for opening it later, and for errors and logs.
///
/// PIDs are those of the `/proc` that the caller sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reference {
    /// A file on nsfs: a bind mount, or a `/proc/PID/ns` link.
    Path(PathBuf),
    /// The namespace of this type that a process is joined to.
    Process(Pid, NamespaceType),
    /// The namespace of this type that a thread (second) of a process (first) is joined to.
    Thread(Pid, Pid, NamespaceType),
    /// The namespace of this type that the children of a process will be in.
    ChildrenOf(Pid, NamespaceType),
    /// The caller's own namespace of this type.
    Own(NamespaceType),
    /// A file descriptor of another process.
    FdOf(Pid, u32),
    /// A file descriptor of the caller.
    Fd(i32),
    /// A bind mount at this path in another mount namespace, seen from its root directory.
    PathIn(Box<Reference>, PathBuf),
    /// The namespace with this 64-bit id; and with this type and inode, if known.
    UniqueId(u64, Option<NamespaceId>),
}

impl Reference {
    /// Opens the namespace.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if nothing can be opened there, [`Error::NoAnswer`] after
    /// [`TIMEOUT`](crate::foreign::TIMEOUT), [`Error::NotNamespace`] if it is something else,
    /// [`Error::WrongType`] if it is of another type than the reference says.
    ///
    /// ```
    /// use lxkns_ops::Reference;
    /// use lxkns_species::NamespaceType;
    ///
    /// let ipc = Reference::Own(NamespaceType::Ipc).open()?;
    /// assert_eq!(ipc.id().namespace_type(), NamespaceType::Ipc);
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn open(&self) -> Result<NamespaceFd, Error> {
        let Some(path) = self.path() else {
            return match self {
                Reference::UniqueId(unique_id, id) => handle::open(*unique_id, *id),
                Reference::PathIn(mount_namespace, path) => self.open_in(mount_namespace, path),
                _ => Err(Error::NotNamespace { reference: self.clone() }),
            };
        };
        // Blocking is for FIFOs, devices and the like, which any user may have put there.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let path = c_path(&path).map_err(|errno| self.failed(errno))?;
        // Look before opening: a device's open may have effects.
        let place = match self {
            Reference::Path(_) => foreign::find_at(&path, TIMEOUT),
            _ => openat(CWD, path.as_c_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()),
        };
        let place = place.map_err(|errno| self.failed(errno))?;
        if !NamespaceFd::is_nsfs(&place) {
            return Err(Error::NotNamespace { reference: self.clone() });
        }
        // Without a procfs, by its path once more.
        let fd = foreign::reopen(&place)
            .or_else(|_| openat(CWD, path.as_c_str(), flags, Mode::empty()))
            .map_err(|errno| self.failed(errno))?;
        let namespace = NamespaceFd::checked(fd, || self.clone())?;
        match self.namespace_type() {
            Some(expected) => self.must_be(expected, namespace),
            None => Ok(namespace),
        }
    }

    /// Opens the namespace, which must be of this type.
    ///
    /// # Errors
    ///
    /// As [`Reference::open`].
    ///
    /// ```
    /// use lxkns_ops::{Error, Reference};
    /// use lxkns_species::NamespaceType;
    ///
    /// let reference = Reference::Path("/proc/self/ns/net".into());
    /// assert!(reference.open_as(NamespaceType::Net).is_ok());
    /// let error = reference.open_as(NamespaceType::Uts).unwrap_err();
    /// assert!(matches!(error, Error::WrongType { .. }));
    /// ```
    pub fn open_as(&self, expected: NamespaceType) -> Result<NamespaceFd, Error> {
        self.must_be(expected, self.open()?)
    }

    fn failed(&self, source: Errno) -> Error {
        match source {
            Errno::TIMEDOUT => Error::NoAnswer { reference: self.clone() },
            source => Error::Open { reference: self.clone(), source },
        }
    }

    fn must_be(
        &self,
        expected: NamespaceType,
        namespace: NamespaceFd,
    ) -> Result<NamespaceFd, Error> {
        if namespace.id().namespace_type() == expected {
            return Ok(namespace);
        }
        Err(Error::WrongType { reference: self.clone(), found: namespace.id(), expected })
    }

    /// Looks into the mount namespace from outside.
    fn open_in(&self, mount_namespace: &Reference, path: &Path) -> Result<NamespaceFd, Error> {
        let failed = |source| self.failed(source);
        let mount_namespace = mount_namespace.open_as(NamespaceType::Mnt)?;
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = openat(CWD, c"/proc", directory, Mode::empty()).map_err(failed)?;
        let root = root_of(&mount_namespace)?;
        let path = c_path(path).map_err(failed)?;
        let opened = open_in(&root, &path, TIMEOUT);
        let place = opened.map_err(|error| failed(error.errno().unwrap_or(Errno::IO)))?;
        if !NamespaceFd::is_nsfs(&place) {
            return Err(Error::NotNamespace { reference: self.clone() });
        }
        let again = format!("thread-self/fd/{}", place.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = openat(&proc, again, flags, Mode::empty()).map_err(failed)?;
        NamespaceFd::checked(fd, || self.clone())
    }

    /// The type of the namespace, if the reference says so.
    ///
    /// ```
    /// use lxkns_ops::Reference;
    /// use lxkns_species::NamespaceType;
    ///
    /// assert_eq!(Reference::Own(NamespaceType::Ipc).namespace_type(), Some(NamespaceType::Ipc));
    /// assert_eq!(Reference::Fd(3).namespace_type(), None);
    /// ```
    pub fn namespace_type(&self) -> Option<NamespaceType> {
        match *self {
            Reference::Process(_, expected)
            | Reference::Thread(_, _, expected)
            | Reference::ChildrenOf(_, expected)
            | Reference::Own(expected) => Some(expected),
            Reference::UniqueId(_, id) => id.map(NamespaceId::namespace_type),
            Reference::Path(_) | Reference::FdOf(..) | Reference::Fd(_) | Reference::PathIn(..) => {
                None
            }
        }
    }

    /// The path that opens it, in the caller's mount namespace; `None` if no path does.
    ///
    /// ```
    /// use lxkns_ops::Reference;
    /// use lxkns_species::{NamespaceType, Pid};
    ///
    /// let path = Reference::Process(Pid(812), NamespaceType::Net).path();
    /// assert_eq!(path.unwrap().to_str(), Some("/proc/812/ns/net"));
    /// ```
    pub fn path(&self) -> Option<PathBuf> {
        let path = match self {
            Reference::Path(path) => return Some(path.clone()),
            Reference::Process(pid, ns_type) => format!("/proc/{pid}/{}", ns_type.proc_file()),
            Reference::Thread(pid, tid, ns_type) => {
                format!("/proc/{pid}/task/{tid}/{}", ns_type.proc_file())
            }
            Reference::ChildrenOf(pid, ns_type) => {
                let file = ns_type.proc_file_for_children();
                format!("/proc/{pid}/{}", file.unwrap_or(ns_type.proc_file()))
            }
            Reference::Own(ns_type) => format!("/proc/thread-self/{}", ns_type.proc_file()),
            Reference::FdOf(pid, fd) => format!("/proc/{pid}/fd/{fd}"),
            Reference::Fd(fd) => format!("/proc/self/fd/{fd}"),
            Reference::PathIn(..) | Reference::UniqueId(..) => return None,
        };
        Some(path.into())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Path(path) => write!(f, "{path:?}"),
            Reference::Process(pid, ns_type) => {
                write!(f, "the {ns_type} namespace of process {pid}")
            }
            Reference::Thread(pid, tid, ns_type) => {
                write!(f, "the {ns_type} namespace of thread {tid} of process {pid}")
            }
            Reference::ChildrenOf(pid, ns_type) => {
                write!(f, "the {ns_type} namespace for children of process {pid}")
            }
            Reference::Own(ns_type) => write!(f, "the own {ns_type} namespace"),
            Reference::FdOf(pid, fd) => write!(f, "fd {fd} of process {pid}"),
            Reference::Fd(fd) => write!(f, "fd {fd}"),
            Reference::PathIn(mount_namespace, path) => write!(f, "{path:?} in {mount_namespace}"),
            Reference::UniqueId(unique_id, None) => write!(f, "namespace {unique_id}"),
            Reference::UniqueId(unique_id, Some(id)) => write!(f, "namespace {unique_id}, {id}"),
        }
    }
}
