//! The helper child that unmounts something in another mount namespace.
//!
//! It makes raw system calls only, and neither executes nor loads a file of the namespace that it
//! enters. Its memory is a copy, and not dumpable: a process with all capabilities in the user
//! namespace that it enters can kill it, but cannot trace it.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags, openat2, statx,
};
use rustix::io::{Errno, Result};
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{DumpableBehavior, fchdir, set_dumpable_behavior};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::helper::{Helper, send};
use super::nsfs;
use super::visit::open_step_by_step;

/// A mount, and how to unmount it.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    /// The directory of the mount point, as an absolute path in the mount namespace.
    pub(crate) parent: &'a CStr,
    /// The mount point in it.
    pub(crate) name: &'a CStr,
    /// The ID that the mount must have.
    pub(crate) mount_id: Option<u64>,
    pub(crate) flags: UnmountFlags,
}

/// How far the child got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Unmounted,
    CannotEnter(Errno),
    /// The mount point cannot be looked up.
    CannotFind(Errno),
    /// Something is there, but it is not the root of a mount.
    NotMounted,
    /// A mount with another ID is there.
    OtherMount(u64),
    /// The kernel does not tell IDs of this kind.
    NoMountIds,
    CannotUnmount(Errno),
    /// The child ended, or the deadline passed, before it had unmounted anything.
    NotTried {
        left_behind: Option<u32>,
    },
    /// The same, after it had begun to unmount.
    Unknown {
        left_behind: Option<u32>,
    },
}

/// The first ID of statx(2)'s `STATX_MNT_ID_UNIQUE` (6.8); those in mountinfo are below it.
pub(crate) const FIRST_UNIQUE_ID: u64 = 1 << 31;

/// Unmounts in a child process. Each of its two stages, the look-up and the unmount itself, must
/// end within `limit`; a child that does not end then is left behind.
pub(crate) fn unmount_in(
    mount_namespace: BorrowedFd<'_>,
    task: Task<'_>,
    limit: Duration,
) -> Result<Outcome> {
    let helper = Helper::start(Some(mount_namespace), |answer| {
        let outcome = match find(mount_namespace, task) {
            Ok(()) => {
                let _ = send(answer, &BEGINS, None);
                finish(task)
            }
            Err(outcome) => outcome,
        };
        let _ = send(answer, &outcome.to_bytes(), None);
    })?;
    let mut buffer = [0; MESSAGE];
    let mut receive = || {
        let answer = helper.receive(Instant::now() + limit, &mut buffer);
        answer.ok().flatten().and_then(|(message, _)| Message::try_from(message).ok())
    };
    let mut begun = false;
    let mut answer = receive();
    if answer == Some(BEGINS) {
        begun = true;
        answer = receive();
    }
    let left_behind = helper.end();
    Ok(answer.and_then(Outcome::from_bytes).unwrap_or(match begun {
        true => Outcome::Unknown { left_behind },
        false => Outcome::NotTried { left_behind },
    }))
}

/// Enters the mount namespace, makes the directory of the mount point the working directory, and
/// compares the mount.
///
/// No file of the mount stays open, for that would make it busy.
fn find(mount_namespace: BorrowedFd<'_>, task: Task<'_>) -> std::result::Result<(), Outcome> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(Outcome::CannotEnter)?;
    enter(mount_namespace).map_err(Outcome::CannotEnter)?;
    let parent = {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(CWD, task.parent, flags, Mode::empty(), resolve) {
            // A sandbox may refuse the call, and a mount point may lie deeper than a path is long.
            Err(Errno::NOSYS | Errno::PERM | Errno::NAMETOOLONG) => {
                open_step_by_step(CWD, task.parent)
            }
            done => done,
        }
    };
    fchdir(parent.map_err(Outcome::CannotFind)?).map_err(Outcome::CannotFind)?;
    compare(task)
}

/// An unprivileged owner is denied the mount namespace, unless they enter the user namespace that
/// owns it first.
fn enter(mount_namespace: BorrowedFd<'_>) -> Result<()> {
    let mount = || move_into_link_name_space(mount_namespace, Some(LinkNameSpaceType::Mount));
    match mount() {
        Err(Errno::PERM) => {}
        done => return done,
    }
    let as_owner = || {
        let owner = nsfs::owner(mount_namespace)?;
        move_into_link_name_space(owner.as_fd(), Some(LinkNameSpaceType::User))?;
        mount()
    };
    as_owner().map_err(|_: Errno| Errno::PERM)
}

fn compare(task: Task<'_>) -> std::result::Result<(), Outcome> {
    const MNT_ID_UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);
    let kind = match task.mount_id {
        Some(id) if id >= FIRST_UNIQUE_ID => MNT_ID_UNIQUE,
        _ => StatxFlags::MNT_ID,
    };
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let found = statx(CWD, task.name, flags, kind).map_err(Outcome::CannotFind)?;
    let knows_roots = found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT);
    if knows_roots && !found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        return Err(Outcome::NotMounted);
    }
    match task.mount_id {
        None => Ok(()),
        Some(_) if found.stx_mask & kind.bits() == 0 => Err(Outcome::NoMountIds),
        Some(id) if found.stx_mnt_id == id => Ok(()),
        Some(_) => Err(Outcome::OtherMount(found.stx_mnt_id)),
    }
}

fn finish(task: Task<'_>) -> Outcome {
    match unmount(task.name, task.flags | UnmountFlags::NOFOLLOW) {
        Ok(()) => Outcome::Unmounted,
        Err(errno) => Outcome::CannotUnmount(errno),
    }
}

/// What the child sends: a byte that says what it is, and a number.
type Message = [u8; MESSAGE];

const MESSAGE: usize = 9;

/// The mount has been found, and is being unmounted.
const BEGINS: Message = [0xff; MESSAGE];

impl Outcome {
    fn to_bytes(self) -> Message {
        let errno = |errno: Errno| u64::from(errno.raw_os_error().unsigned_abs());
        let (kind, number) = match self {
            Outcome::Unmounted => (0, 0),
            Outcome::CannotEnter(source) => (1, errno(source)),
            Outcome::CannotFind(source) => (2, errno(source)),
            Outcome::NotMounted => (3, 0),
            Outcome::OtherMount(id) => (4, id),
            Outcome::NoMountIds => (5, 0),
            Outcome::CannotUnmount(source) => (6, errno(source)),
            Outcome::NotTried { .. } | Outcome::Unknown { .. } => (7, 0),
        };
        let mut message = [kind; MESSAGE];
        if let Some(rest) = message.get_mut(1..) {
            rest.copy_from_slice(&number.to_ne_bytes());
        }
        message
    }

    fn from_bytes(message: Message) -> Option<Outcome> {
        let (kind, number) = message.split_first()?;
        let number = u64::from_ne_bytes(number.try_into().ok()?);
        let errno = || {
            let number = i32::try_from(number).ok().filter(|number| (1..4096).contains(number));
            number.map(Errno::from_raw_os_error)
        };
        Some(match kind {
            0 => Outcome::Unmounted,
            1 => Outcome::CannotEnter(errno()?),
            2 => Outcome::CannotFind(errno()?),
            3 => Outcome::NotMounted,
            4 => Outcome::OtherMount(number),
            5 => Outcome::NoMountIds,
            6 => Outcome::CannotUnmount(errno()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_child_sends_is_read_as_what_it_is() {
        for outcome in [
            Outcome::Unmounted,
            Outcome::CannotEnter(Errno::PERM),
            Outcome::CannotFind(Errno::NOENT),
            Outcome::NotMounted,
            Outcome::OtherMount(u64::MAX),
            Outcome::NoMountIds,
            Outcome::CannotUnmount(Errno::BUSY),
        ] {
            assert_eq!(Outcome::from_bytes(outcome.to_bytes()), Some(outcome));
            assert_ne!(outcome.to_bytes(), BEGINS);
        }
        assert_eq!(Outcome::from_bytes(BEGINS), None);
    }
}
