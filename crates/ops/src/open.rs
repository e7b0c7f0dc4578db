//! Opening namespaces at their references.

use std::os::fd::AsRawFd;
use std::path::Path;

use lxkns_species::{NamespaceType, Reference};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::foreign::{self, TIMEOUT, c_path};
use crate::visit::{open_in, root_of};
use crate::{Error, NamespaceFd, handle};

impl NamespaceFd {
    /// Opens the namespace that a reference leads to.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if nothing can be opened there, [`Error::NoAnswer`] after
    /// [`TIMEOUT`](crate::foreign::TIMEOUT), [`Error::NotNamespace`] if it is something else,
    /// [`Error::WrongType`] if it is of another type than the reference says.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::{NamespaceType, Reference};
    ///
    /// let ipc = NamespaceFd::open(&Reference::Own(NamespaceType::Ipc))?;
    /// assert_eq!(ipc.id().namespace_type(), NamespaceType::Ipc);
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn open(reference: &Reference) -> Result<NamespaceFd, Error> {
        let Some(path) = reference.path() else {
            return match reference {
                Reference::UniqueId(unique_id, id) => handle::open(*unique_id, *id),
                Reference::PathIn(mount_namespace, path) => {
                    open_in_other(reference, mount_namespace, path)
                }
                _ => Err(Error::NotNamespace { reference: reference.clone() }),
            };
        };
        // Blocking is for FIFOs, devices and the like, which any user may have put there.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let path = c_path(&path).map_err(|errno| failed(reference, errno))?;
        // Look before opening: a device's open may have effects. A file of another process may be
        // on a dead file server.
        let place = match reference {
            Reference::Path(_) | Reference::FdOf { .. } => foreign::find_at(&path, TIMEOUT),
            _ => openat(CWD, path.as_c_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()),
        };
        let place = place.map_err(|errno| failed(reference, errno))?;
        if !NamespaceFd::is_nsfs(&place) {
            return Err(Error::NotNamespace { reference: reference.clone() });
        }
        // Without a procfs, by its path once more.
        let fd = foreign::reopen(&place)
            .or_else(|_| openat(CWD, path.as_c_str(), flags, Mode::empty()))
            .map_err(|errno| failed(reference, errno))?;
        let namespace = NamespaceFd::checked(fd, || reference.clone())?;
        match reference.namespace_type() {
            Some(expected) => must_be(reference, expected, namespace),
            None => Ok(namespace),
        }
    }

    /// Opens the namespace that a reference leads to, which must be of this type.
    ///
    /// # Errors
    ///
    /// As [`NamespaceFd::open`].
    ///
    /// ```
    /// use lxkns_ops::{Error, NamespaceFd};
    /// use lxkns_species::{NamespaceType, Reference};
    ///
    /// let reference = Reference::Path("/proc/self/ns/net".into());
    /// assert!(NamespaceFd::open_as(&reference, NamespaceType::Net).is_ok());
    /// let error = NamespaceFd::open_as(&reference, NamespaceType::Uts).unwrap_err();
    /// assert!(matches!(error, Error::WrongType { .. }));
    /// ```
    pub fn open_as(reference: &Reference, expected: NamespaceType) -> Result<NamespaceFd, Error> {
        must_be(reference, expected, NamespaceFd::open(reference)?)
    }
}

fn failed(reference: &Reference, source: Errno) -> Error {
    let reference = reference.clone();
    match source {
        Errno::TIMEDOUT => Error::NoAnswer { reference },
        source => Error::Open { reference, source },
    }
}

fn must_be(
    reference: &Reference,
    expected: NamespaceType,
    namespace: NamespaceFd,
) -> Result<NamespaceFd, Error> {
    if namespace.id().namespace_type() == expected {
        return Ok(namespace);
    }
    Err(Error::WrongType { reference: reference.clone(), found: namespace.id(), expected })
}

/// Opens a bind mount in another mount namespace from outside.
fn open_in_other(
    reference: &Reference,
    mount_namespace: &Reference,
    path: &Path,
) -> Result<NamespaceFd, Error> {
    let failed = |source| failed(reference, source);
    let mount_namespace = NamespaceFd::open_as(mount_namespace, NamespaceType::Mnt)?;
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = openat(CWD, c"/proc", directory, Mode::empty()).map_err(failed)?;
    let root = root_of(&mount_namespace)?;
    let path = c_path(path).map_err(failed)?;
    let opened = open_in(&root, &path, TIMEOUT);
    let place = opened.map_err(|error| failed(error.errno().unwrap_or(Errno::IO)))?;
    if !NamespaceFd::is_nsfs(&place) {
        return Err(Error::NotNamespace { reference: reference.clone() });
    }
    let again = format!("thread-self/fd/{}", place.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let fd = openat(&proc, again, flags, Mode::empty()).map_err(failed)?;
    NamespaceFd::checked(fd, || reference.clone())
}
