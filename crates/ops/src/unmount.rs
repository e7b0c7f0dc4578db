//! Unmounting in other mount namespaces, with nothing of theirs.
//!
//! A mount namespace is a place where others choose the programs, the libraries and the links. So
//! umount(8) is not run in there. [`unmount`] sends a short-lived child instead, which makes a
//! handful of system calls: it enters the mount namespace, opens the directory of the mount point,
//! compares the mount with the one that was meant, and unmounts it. It follows no symbolic link on
//! the way, and it needs no file that would have to be there.
//!
//! Between the comparison and the unmount lies one moment, in which a process that may mount there
//! can put another mount into the same place of the same directory. Such a process could have
//! unmounted either of them anyway.
//!
//! Left out: `MNT_FORCE`, `MNT_EXPIRE`, and the root of a mount namespace, which ends with it.

use std::ffi::CString;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use lxkns_species::{NamespaceId, Pid};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use crate::NamespaceFd;
use crate::sys::unmount::{Outcome, Task, unmount_in};

/// A path at which something is mounted, from the root of its mount namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    parent: CString,
    name: CString,
}

impl MountPoint {
    /// Takes a path apart; `None` unless it is absolute, names something below the root, and has
    /// neither `.` nor `..` nor a NUL in it. A slash at its end does not matter.
    ///
    /// ```
    /// use lxkns_ops::unmount::MountPoint;
    ///
    /// assert!(MountPoint::new("/run/netns/blue").is_some());
    /// assert!(MountPoint::new("/").is_none());
    /// assert!(MountPoint::new("/run/../etc").is_none());
    /// assert!(MountPoint::new("netns/blue").is_none());
    /// ```
    pub fn new(path: impl AsRef<Path>) -> Option<MountPoint> {
        let path = path.as_ref().as_os_str().as_bytes();
        let mut names: Vec<&[u8]> = path.strip_prefix(b"/")?.split(|byte| *byte == b'/').collect();
        names.retain(|name| !name.is_empty());
        if names.iter().any(|name| matches!(*name, b"." | b"..")) {
            return None;
        }
        let name = names.pop()?;
        let parent = [b"/", names.join(&b'/').as_slice()].concat();
        Some(MountPoint { parent: CString::new(parent).ok()?, name: CString::new(name).ok()? })
    }
}

/// How to unmount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// The ID that the mount must have: from 2³¹ on a unique one, as in
    /// [`MountId`](crate::mounts::MountId) (Linux 6.8); below that the one in mountinfo, which the
    /// kernel uses again (Linux 5.8).
    pub mount_id: Option<u64>,
    /// Detaches the mount and all below it at once, even if they are in use (`MNT_DETACH`).
    pub lazy: bool,
}

/// Why nothing was unmounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The mount namespace could not be entered.
    #[error("cannot enter {id}")]
    Enter {
        /// Which one.
        id: NamespaceId,
        /// The kernel's error.
        source: Errno,
    },
    /// The mount point could not be looked up: it does not exist, or the lack of a permission is in
    /// the way.
    #[error("cannot look up the mount point")]
    LookUp {
        /// The kernel's error.
        source: Errno,
    },
    /// A symbolic link is in the path.
    #[error("a symbolic link is in the path")]
    Link,
    /// The path exists, and is no mount point.
    #[error("nothing is mounted there")]
    NotMounted,
    /// Another mount is at the top of this mount point.
    #[error("mount {found} is there")]
    OtherMount {
        /// Its ID, of the same kind as the one that was expected.
        found: u64,
    },
    /// The kernel does not tell mount IDs of the kind that was given.
    #[error("this kernel does not tell such mount IDs")]
    NoMountIds,
    /// The mount came into the mount namespace from one of a more privileged user, and is locked,
    /// see mount_namespaces(7). Until Linux 5.8, the path may not be a mount point at all.
    #[error("the mount is locked")]
    Locked,
    /// Files of the mount are open, or another mount is below it.
    #[error("the mount is in use")]
    Busy,
    /// The kernel refused to unmount for another reason.
    #[error("cannot unmount it")]
    Unmount {
        /// The kernel's error.
        source: Errno,
    },
    /// There was no answer in time, or the child was killed.
    #[error("no answer")]
    NoAnswer {
        /// Whether the child had begun to unmount. Then it may have succeeded, or may still.
        may_have_unmounted: bool,
        /// The PID of the child, if it is stuck in the kernel and has been left behind.
        left_behind: Option<Pid>,
    },
    /// No child could be started.
    #[error("cannot start a helper process")]
    Helper {
        /// The kernel's error.
        source: Errno,
    },
}

impl Failure {
    /// Whether the caller lacks a permission.
    ///
    /// ```
    /// use lxkns_ops::unmount::Failure;
    ///
    /// assert!(!Failure::Busy.is_denied());
    /// ```
    pub fn is_denied(&self) -> bool {
        matches!(
            self,
            Failure::Enter { source: Errno::PERM | Errno::ACCESS, .. }
                | Failure::LookUp { source: Errno::PERM | Errno::ACCESS }
                | Failure::Unmount { source: Errno::PERM | Errno::ACCESS }
        )
    }

    fn of(outcome: Outcome, id: NamespaceId) -> Result<(), Failure> {
        Err(match outcome {
            Outcome::Unmounted => return Ok(()),
            Outcome::CannotEnter(source) => Failure::Enter { id, source },
            Outcome::CannotFind(Errno::LOOP) => Failure::Link,
            Outcome::CannotFind(source) => Failure::LookUp { source },
            Outcome::NotMounted => Failure::NotMounted,
            Outcome::OtherMount(found) => Failure::OtherMount { found },
            Outcome::NoMountIds => Failure::NoMountIds,
            Outcome::CannotUnmount(Errno::BUSY) => Failure::Busy,
            Outcome::CannotUnmount(Errno::INVAL) => Failure::Locked,
            Outcome::CannotUnmount(source) => Failure::Unmount { source },
            Outcome::NotTried { left_behind } => {
                Failure::NoAnswer { may_have_unmounted: false, left_behind: left_behind.map(Pid) }
            }
            Outcome::Unknown { left_behind } => {
                Failure::NoAnswer { may_have_unmounted: true, left_behind: left_behind.map(Pid) }
            }
        })
    }
}

/// Unmounts what is at the top of a mount point in a mount namespace.
///
/// The look-up and the unmount get `limit` each. They may take for ever where a file server does
/// not answer; the child is killed then, and left alone if it does not end.
///
/// An unprivileged owner of the mount namespace is denied at first, and enters it again by way of
/// the user namespace that owns it.
///
/// Minimum kernel: 3.8; to compare mount IDs 5.8, unique ones 6.8.
///
/// # Errors
///
/// A [`Failure`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use lxkns_ops::NamespaceFd;
/// use lxkns_ops::unmount::{How, MountPoint, unmount};
/// use lxkns_species::NamespaceType;
///
/// let own = NamespaceFd::of_self(NamespaceType::Mnt)?;
/// let nothing = MountPoint::new("/there/is/none").unwrap();
/// let failure = unmount(&own, &nothing, How::default(), Duration::from_secs(1)).unwrap_err();
/// println!("{failure}");
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "umount2")]
pub fn unmount(
    mount_namespace: &NamespaceFd,
    mount_point: &MountPoint,
    how: How,
    limit: Duration,
) -> Result<(), Failure> {
    let flags = if how.lazy { UnmountFlags::DETACH } else { UnmountFlags::empty() };
    let MountPoint { parent, name } = mount_point;
    let task = Task { parent, name, mount_id: how.mount_id, flags };
    let outcome = unmount_in(mount_namespace.as_fd(), task, limit);
    Failure::of(outcome.map_err(|source| Failure::Helper { source })?, mount_namespace.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let check = |path: &str, expected: Option<(&str, &str)>| {
            let point = MountPoint::new(path);
            let point = point.as_ref().map(|point| {
                (point.parent.to_str().unwrap_or_default(), point.name.to_str().unwrap_or_default())
            });
            assert_eq!(point, expected, "{path}");
        };
        check("/mnt", Some(("/", "mnt")));
        check("/run/netns/blue", Some(("/run/netns", "blue")));
        check("//run///netns/blue//", Some(("/run/netns", "blue")));
        check("/a b/…", Some(("/a b", "…")));
        for none in ["", "/", "//", "a", "./a", "/.", "/..", "/a/..", "/../a", "/a/./b", "/a\0b"] {
            check(none, None);
        }
    }
}
