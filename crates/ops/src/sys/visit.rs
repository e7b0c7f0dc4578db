//! Helper children: those that look into a mount namespace, and one that opens a path there.
//!
//! Most looks take a child that shares memory and file table with the caller, which is cheap. It
//! makes raw system calls only: no allocation, no name service, no unwinding. With exit signal 0 it
//! does not disturb the host program's handling of SIGCHLD. It stays in the caller's user
//! namespace. In another, its root could trace the child, or stop it; so a
//! [`Helper`](super::helper::Helper), with a copy of the memory and a deadline, goes there.
#![expect(unsafe_code, reason = "clone(2), the stack of its child, and what that does")]

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, Result};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::foreign::{open_in_child, receive_opened, send_opened};
use super::helper::{
    BlockedSignals, Helper, become_untraceable, clone_is_carried_out, reap, receive,
};
use super::nsfs;
use super::process::checked;

/// The request to the child that looks into a mount namespace, and its answer.
struct Look<'a> {
    mount_namespace: BorrowedFd<'a>,
    proc: Option<BorrowedFd<'a>>,
    answer: Result<Answer>,
}

/// The root directory (`O_PATH`) and, if requested, the table of mounts.
type Answer = (OwnedFd, Option<OwnedFd>);

/// Enters a mount namespace in a child that shares memory and file table with the caller, which
/// stands still meanwhile, and opens there the root directory and, below `proc` if there is one,
/// `self/mountinfo`.
pub(crate) fn look_into(
    mount_namespace: BorrowedFd<'_>,
    proc: Option<BorrowedFd<'_>>,
) -> Result<Answer> {
    const FLAGS: c_int = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_VFORK;
    let stack = SPARE.take().map_or_else(Stack::new, Ok)?;
    let mut look = Look { mount_namespace, proc, answer: Err(Errno::CHILD) };
    // A signal handler must not run in the child: it would think that it is the parent.
    let signals = BlockedSignals::all()?;
    clone_is_carried_out()?;
    // SAFETY: the child runs `look_in_child` on a stack of its own, and because of CLONE_VFORK this
    // thread does not go on before it has exited: `stack` and `look` outlive it and are not
    // touched meanwhile. Without CLONE_FS it has a root and working directory of its own.
    let pid =
        unsafe { libc::clone(look_in_child, stack.top(), FLAGS, (&raw mut look).cast::<c_void>()) };
    let pid = checked(pid.into());
    drop(signals);
    if let Ok(pid) = pid {
        reap(pid as libc::pid_t);
    }
    SPARE.set(Some(stack));
    pid.and(look.answer)
}

extern "C" fn look_in_child(argument: *mut c_void) -> c_int {
    // SAFETY: the argument is the `Look` of `look_into`, whose thread stands still.
    let look = unsafe { &mut *argument.cast::<Look<'_>>() };
    look.answer = look_around(look.mount_namespace, look.proc);
    0
}

fn look_around(mount_namespace: BorrowedFd<'_>, proc: Option<BorrowedFd<'_>>) -> Result<Answer> {
    move_into_link_name_space(mount_namespace, Some(LinkNameSpaceType::Mount))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, c"/", flags, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let open = |proc| openat(proc, c"self/mountinfo", flags, Mode::empty());
    Ok((root, proc.map(open).transpose()?))
}

thread_local! {
    /// The stack of the last child, for the next one.
    static SPARE: Cell<Option<Stack>> = const { Cell::new(None) };
}

/// The stack of a child, above memory that may not be touched.
struct Stack(NonNull<c_void>);

impl Stack {
    /// The size of the stack, and of the guard below it: no page of any architecture is larger.
    const SIZE: usize = 64 * 1024;

    fn new() -> Result<Stack> {
        // SAFETY: a new mapping at an address of the kernel's choice, so nothing is replaced.
        let start = unsafe {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            mmap_anonymous(std::ptr::null_mut(), 2 * Stack::SIZE, access, MapFlags::PRIVATE)
        }?;
        let stack = Stack(NonNull::new(start).ok_or(Errno::FAULT)?);
        // SAFETY: the lower half of the mapping just made, which nothing uses.
        unsafe { mprotect(stack.0.as_ptr(), Stack::SIZE, MprotectFlags::empty()) }?;
        Ok(stack)
    }

    /// Its upper end: a stack grows down.
    fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of the mapping.
        unsafe { self.0.as_ptr().byte_add(2 * Stack::SIZE) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped; the child that used it has exited.
        let unmapped = unsafe { munmap(self.0.as_ptr(), 2 * Stack::SIZE) };
        debug_assert!(unmapped.is_ok());
    }
}

/// As [`look_into`], in a child that first enters the user namespace that owns the mount namespace.
///
/// # Errors
///
/// ETIMEDOUT after `limit`: in there, others may stop the child.
pub(crate) fn look_into_as_owner(
    mount_namespace: BorrowedFd<'_>,
    proc: Option<BorrowedFd<'_>>,
    limit: Duration,
) -> Result<Answer> {
    let deadline = Instant::now() + limit;
    let wants_mounts = proc.is_some();
    let helper = Helper::start(Some(mount_namespace), |socket| {
        let proc = wants_mounts.then(|| receive(socket, &mut [0]).ok().flatten()?.1).flatten();
        let (root, mountinfo) = match look_around_as_owner(mount_namespace, proc.as_ref()) {
            Ok((root, mountinfo)) => (Ok(root), mountinfo),
            Err(errno) => (Err(errno), None),
        };
        send_opened(socket, &root);
        if let Some(mountinfo) = mountinfo {
            send_opened(socket, &Ok(mountinfo));
        }
    })?;
    let look = || {
        proc.map(|proc| helper.tell(&[0], proc)).transpose()?;
        let root = receive_opened(&helper, deadline)?;
        Ok((root, proc.map(|_| receive_opened(&helper, deadline)).transpose()?))
    };
    let answer = look();
    helper.end();
    answer
}

fn look_around_as_owner(mount_namespace: BorrowedFd<'_>, proc: Option<&OwnedFd>) -> Result<Answer> {
    become_untraceable()?;
    let owner = nsfs::owner(mount_namespace)?;
    move_into_link_name_space(owner.as_fd(), Some(LinkNameSpaceType::User))?;
    look_around(mount_namespace, proc.map(OwnedFd::as_fd))
}

/// Opens `path` with `O_PATH` below `root`, in a child process, see [`open_in_child`].
pub(crate) fn open_within(root: BorrowedFd<'_>, path: &CStr, limit: Duration) -> Result<OwnedFd> {
    open_in_child(Some(root), limit, || {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        match openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
            Err(Errno::NOSYS | Errno::PERM) => open_step_by_step(root, path),
            done => done,
        }
    })
}

/// Opens `path` with `O_PATH` below `root`, following no link and no `..`.
pub(super) fn open_step_by_step(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_the_stack_is_a_guard() {
        let stack = Stack::new().unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let start = stack.0.as_ptr().addr();
        let access_of = |address: usize| {
            let line = maps.lines().find(|line| {
                let range = line.split_whitespace().next().and_then(|it| it.split_once('-'));
                range.is_some_and(|(from, to)| {
                    let number = |text| usize::from_str_radix(text, 16).unwrap();
                    (number(from)..number(to)).contains(&address)
                })
            });
            line.and_then(|line| line.split_whitespace().nth(1))
        };
        assert_eq!(access_of(start), Some("---p"));
        assert_eq!(access_of(start + Stack::SIZE - 1), Some("---p"));
        assert_eq!(access_of(start + Stack::SIZE), Some("rw-p"));
        assert_eq!(access_of(stack.top().addr() - 1), Some("rw-p"));
    }
}
