//! Looking into other mount namespaces without going there.
//!
//! A mount namespace can be explored from outside once one has a file descriptor of its root
//! directory: paths resolve below it, in that namespace. Where a process lives there,
//! `/proc/PID/root` is one. For the others, [`MountView::of`] sends a short-lived child.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::sys::{helper, visit};
use crate::{Error, NamespaceFd};

/// A mount namespace, seen from its own root directory.
#[derive(Debug)]
pub struct MountView {
    /// The root directory, opened with `O_PATH`.
    pub root: OwnedFd,
    /// Its mounts, in the format of proc_pid_mountinfo(5), not read yet.
    pub mountinfo: OwnedFd,
}

impl MountView {
    /// Looks into a mount namespace, which needs no process in it.
    ///
    /// A child of the calling process does so, on behalf of all its threads and without disturbing
    /// any: it shares the caller's memory and file table, stops the calling thread until it is done
    /// (20 to 240 µs), and makes three or four system calls. `proc` is the root directory of a
    /// procfs that shows the caller.
    ///
    /// If that is denied, it tries again as the owner: a child with a copy of the caller's memory
    /// first enters the user namespace that owns the mount namespace. An unprivileged user needs
    /// that to get at the mount namespaces of their own user namespaces. Root of that user
    /// namespace cannot trace that child, but stop it: after half a second it is killed.
    ///
    /// # Errors
    ///
    /// [`Error::Call`]; denied without `CAP_SYS_ADMIN` over the mount namespace and
    /// `CAP_SYS_CHROOT`, see setns(2). ETIMEDOUT if a child did not come back.
    ///
    /// ```
    /// use std::fs::File;
    ///
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_ops::visit::MountView;
    /// use lxkns_species::NamespaceType;
    ///
    /// let own = NamespaceFd::of_self(NamespaceType::Mnt)?;
    /// let proc = File::open("/proc").unwrap();
    /// match MountView::of(&own, &proc) {
    ///     Ok(view) => {
    ///         let table = std::io::read_to_string(File::from(view.mountinfo)).unwrap();
    ///         println!("{table}");
    ///     }
    ///     Err(error) => assert!(error.is_denied()),
    /// }
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    #[doc(alias = "setns")]
    pub fn of(mount_namespace: &NamespaceFd, proc: impl AsFd) -> Result<MountView, Error> {
        match look_into(mount_namespace, Some(proc.as_fd()))? {
            (root, Some(mountinfo)) => Ok(MountView { root, mountinfo }),
            (_, None) => Err(failed(Errno::CHILD)),
        }
    }
}

/// Opens the root directory of a mount namespace with `O_PATH`, for callers that do not need the
/// table of mounts.
///
/// It looks into the mount namespace in the same way as [`MountView::of`].
///
/// # Errors
///
/// [`Error::Call`], as [`MountView::of`].
///
/// ```
/// use lxkns_ops::{NamespaceFd, visit};
/// use lxkns_species::NamespaceType;
///
/// let own = NamespaceFd::of_self(NamespaceType::Mnt)?;
/// match visit::root_of(&own) {
///     Ok(root) => assert!(rustix::fs::fstat(root).is_ok()),
///     Err(error) => assert!(error.is_denied()),
/// }
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
pub fn root_of(mount_namespace: &NamespaceFd) -> Result<OwnedFd, Error> {
    look_into(mount_namespace, None).map(|(root, _)| root)
}

/// The root directory of a mount namespace and, with a `proc`, its mounts; as the owner only if the
/// caller is denied.
fn look_into(
    mount_namespace: &NamespaceFd,
    proc: Option<BorrowedFd<'_>>,
) -> Result<(OwnedFd, Option<OwnedFd>), Error> {
    let mount_namespace = mount_namespace.as_fd();
    match visit::look_into(mount_namespace, proc).map_err(failed) {
        Err(denied) if denied.is_denied() => {
            let looked = visit::look_into_as_owner(mount_namespace, proc, STAY);
            looked.map_err(|errno| if errno == Errno::TIMEDOUT { failed(errno) } else { denied })
        }
        done => done,
    }
}

/// Timeout for a child in another user namespace.
const STAY: Duration = Duration::from_millis(500);

fn failed(source: Errno) -> Error {
    Error::Call { what: "look into a mount namespace", source }
}

/// Opens `path` with `O_PATH`, as it is in the file tree below `root`, and never outside of it:
/// not through `..`, not through symbolic links.
///
/// A path may lead over a file server that does not answer. What the kernel has in its caches is
/// opened at once (`RESOLVE_CACHED`, Linux 5.12), and mount points mostly are. Only else a child
/// process does it, which gets `limit` to come back.
///
/// Minimum kernel: 5.6. A sandbox may refuse openat2(2); then symbolic links and `..` do not lead
/// on at all.
///
/// # Errors
///
/// [`Error::Call`]; ETIMEDOUT if there was no answer within `limit`. The child is left alone then,
/// see [`reap_abandoned`].
///
/// ```
/// use std::time::Duration;
///
/// use lxkns_ops::visit::open_in;
///
/// let root = std::fs::File::open("/proc").unwrap();
/// // `..` leads nowhere, and an absolute path begins at that root.
/// let status = open_in(&root, c"/../self/../version", Duration::from_secs(1));
/// assert!(status.is_ok());
/// ```
#[doc(alias = "openat2")]
pub fn open_in(root: impl AsFd, path: &CStr, limit: Duration) -> Result<OwnedFd, Error> {
    let failed = |source| Error::Call { what: "open a path in another mount namespace", source };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::CACHED;
    match openat2(&root, path, flags, Mode::empty(), resolve) {
        Err(Errno::AGAIN | Errno::INVAL | Errno::NOSYS | Errno::PERM) if limit.is_zero() => {
            Err(failed(Errno::TIMEDOUT))
        }
        Err(Errno::AGAIN | Errno::INVAL | Errno::NOSYS | Errno::PERM) => {
            visit::open_within(root.as_fd(), path, limit).map_err(failed)
        }
        done => done.map_err(failed),
    }
}

/// Lets go of those children that [`open_in`] had to leave behind, as far as they have ended by
/// now.
///
/// A child that is stuck ends when its file server answers, or is gone; until somebody asks, it is
/// a zombie then.
///
/// ```
/// lxkns_ops::visit::reap_abandoned();
/// ```
pub fn reap_abandoned() {
    helper::reap_abandoned();
}
