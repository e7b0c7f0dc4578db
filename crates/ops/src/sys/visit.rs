//! Helper children: one that looks into a mount namespace, one that opens a path that may hang.
//!
//! Only a single-threaded process may enter a user namespace (setns(2)); so the first is a process of
//! its own, though it shares memory and file table with the caller. It makes raw system calls only: no
//! allocation, no name service, no unwinding. With exit signal 0 it does not disturb the host
//! program's handling of SIGCHLD. The second is a [`Helper`].
#![expect(unsafe_code, reason = "clone(2), and what its child does before it exits")]

use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::helper::{BlockedSignals, Helper, reap, send};
use super::process::checked;

/// What the child that looks into a mount namespace is told, and what it answers.
struct Look<'a> {
    user_namespace: Option<BorrowedFd<'a>>,
    mount_namespace: BorrowedFd<'a>,
    proc: Option<BorrowedFd<'a>>,
    answer: Result<Answer>,
}

/// The root directory (`O_PATH`) and, if it was wanted, the table of mounts.
type Answer = (OwnedFd, Option<OwnedFd>);

/// Enters the namespaces in a child that shares memory and file table with the caller, which
/// stands still meanwhile, and opens there the root directory and, below `proc` if there is one,
/// `self/mountinfo`.
pub(crate) fn look_into(
    user_namespace: Option<BorrowedFd<'_>>,
    mount_namespace: BorrowedFd<'_>,
    proc: Option<BorrowedFd<'_>>,
) -> Result<Answer> {
    const STACK: usize = 64 * 1024;
    const FLAGS: c_int = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_VFORK;
    // u128: aligned as the ABI wants a stack to be.
    let mut stack = vec![MaybeUninit::<u128>::uninit(); STACK / size_of::<u128>()];
    let mut look = Look { user_namespace, mount_namespace, proc, answer: Err(Errno::CHILD) };

    // A signal handler must not run in the child: it would think that it is the parent.
    let signals = BlockedSignals::all()?;
    let dumpable = dumpable();
    // SAFETY: one past the last element of the stack, which grows down.
    let top = unsafe { stack.as_mut_ptr().add(stack.len()) };
    // SAFETY: the child runs `look_in_child` on a stack of its own, and because of CLONE_VFORK this
    // thread does not go on before it has exited: `stack` and `look` outlive it and are not
    // touched meanwhile. Without CLONE_FS it has a root and working directory of its own.
    let pid =
        unsafe { libc::clone(look_in_child, top.cast(), FLAGS, (&raw mut look).cast::<c_void>()) };
    let pid = checked(pid.into());
    // Entering a user namespace of another owner makes our shared memory undumpable.
    restore_dumpable(dumpable);
    drop(signals);
    reap(pid? as libc::pid_t);
    look.answer
}

extern "C" fn look_in_child(argument: *mut c_void) -> c_int {
    // SAFETY: the argument is the `Look` of `look_into`, whose thread stands still.
    let look = unsafe { &mut *argument.cast::<Look<'_>>() };
    look.answer = look_around(look);
    0
}

fn look_around(look: &Look<'_>) -> Result<Answer> {
    if let Some(user_namespace) = look.user_namespace {
        move_into_link_name_space(user_namespace, Some(LinkNameSpaceType::User))?;
    }
    move_into_link_name_space(look.mount_namespace, Some(LinkNameSpaceType::Mount))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, c"/", flags, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let open = |proc| openat(proc, c"self/mountinfo", flags, Mode::empty());
    Ok((root, look.proc.map(open).transpose()?))
}

fn dumpable() -> c_int {
    // SAFETY: takes and returns numbers.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) }
}

fn restore_dumpable(before: c_int) {
    if before == 1 && dumpable() != 1 {
        // SAFETY: takes numbers.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
    }
}

/// Opens `path` with `O_PATH` below `root`, in a child process.
///
/// After `limit` the child is left behind, and the answer is ETIMEDOUT: it may be stuck for as long as
/// somebody's file server is. See [`reap_abandoned`](super::helper::reap_abandoned).
pub(crate) fn open_within(root: BorrowedFd<'_>, path: &CStr, limit: Duration) -> Result<OwnedFd> {
    let deadline = Instant::now() + limit;
    let helper = Helper::start(Some(root), |answer| {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let opened = match openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
            Err(Errno::NOSYS | Errno::PERM) => open_step_by_step(root, path),
            done => done,
        };
        let errno = opened.as_ref().map_or_else(|errno| errno.raw_os_error(), |_| 0);
        let fd = opened.as_ref().ok().map(OwnedFd::as_fd);
        let _ = send(answer, &errno.to_ne_bytes(), fd);
    })?;
    let mut errno = [0; 4];
    let answer = helper.receive(deadline, &mut errno);
    let answer = answer.map(|message| message.and_then(|(_, fd)| fd));
    helper.end();
    match (answer?, i32::from_ne_bytes(errno)) {
        (Some(fd), _) => Ok(fd),
        (None, errno) if errno != 0 => Err(Errno::from_raw_os_error(errno)),
        // It has died without an answer.
        _ => Err(Errno::CHILD),
    }
}

/// Opens `path` with `O_PATH` below `root`, following no link and no `..`.
fn open_step_by_step(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd> {
    /// `NAME_MAX` of linux/limits.h, and a NUL.
    const LONGEST: usize = 256;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut reached = openat(root, c".", flags, Mode::empty())?;
    let names = path.to_bytes().split(|byte| *byte == b'/');
    for name in names.filter(|name| !matches!(*name, b"" | b".")) {
        if name == b".." {
            return Err(Errno::LOOP);
        }
        let mut buffer = [0; LONGEST];
        let space = buffer.get_mut(..name.len()).ok_or(Errno::NAMETOOLONG)?;
        space.copy_from_slice(name);
        let name = CStr::from_bytes_until_nul(&buffer).map_err(|_| Errno::NAMETOOLONG)?;
        reached = openat(&reached, name, flags, Mode::empty())?;
    }
    Ok(reached)
}
