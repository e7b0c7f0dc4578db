//! Helper children: one that looks into a mount namespace, one that opens a path there.
//!
//! Only a single-threaded process may enter a user namespace (setns(2)); so the first is a process of
//! its own, though it shares memory and file table with the caller. It makes raw system calls only: no
//! allocation, no name service, no unwinding. With exit signal 0 it does not disturb the host
//! program's handling of SIGCHLD. The second is a [`Helper`](super::helper::Helper).
#![expect(unsafe_code, reason = "clone(2), the stack of its child, and what that does")]

use std::ffi::{CStr, c_int, c_void};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, Result};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::foreign::open_in_child;
use super::helper::{BlockedSignals, clone_is_carried_out, reap};
use super::process::checked;

/// The request to the child that looks into a mount namespace, and its answer.
struct Look<'a> {
    user_namespace: Option<BorrowedFd<'a>>,
    mount_namespace: BorrowedFd<'a>,
    proc: Option<BorrowedFd<'a>>,
    answer: Result<Answer>,
}

/// The root directory (`O_PATH`) and, if requested, the table of mounts.
type Answer = (OwnedFd, Option<OwnedFd>);

/// Enters the namespaces in a child that shares memory and file table with the caller, which
/// stands still meanwhile, and opens there the root directory and, below `proc` if there is one,
/// `self/mountinfo`.
pub(crate) fn look_into(
    user_namespace: Option<BorrowedFd<'_>>,
    mount_namespace: BorrowedFd<'_>,
    proc: Option<BorrowedFd<'_>>,
) -> Result<Answer> {
    const FLAGS: c_int = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_VFORK;
    let stack = Stack::new()?;
    let mut look = Look { user_namespace, mount_namespace, proc, answer: Err(Errno::CHILD) };
    // Inside a user namespace, its root could trace the child, and write to our memory.
    let undumpable = user_namespace.map(|_| Undumpable::begin()).transpose()?;
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
    reap(pid? as libc::pid_t);
    // Only now: until it is a zombie, the child has our memory, and its number leads there.
    drop(undumpable);
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

/// As long as one of these lives, this process is not dumpable: only who has privileges in the
/// user namespace where its program was started can get at its memory.
struct Undumpable;

/// The number of [`Undumpable`]s, and whether the last one makes the process dumpable again.
struct Users {
    count: usize,
    was_dumpable: bool,
}

static USERS: Mutex<Users> = Mutex::new(Users { count: 0, was_dumpable: false });

fn users() -> MutexGuard<'static, Users> {
    USERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Undumpable {
    fn begin() -> Result<Undumpable> {
        let mut users = users();
        if users.count == 0 {
            users.was_dumpable = dumpable_behavior()? == DumpableBehavior::Dumpable;
            if users.was_dumpable {
                set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
                // A sandbox may only say that it has done so.
                if dumpable_behavior()? == DumpableBehavior::Dumpable {
                    return Err(Errno::PERM);
                }
            }
        }
        users.count += 1;
        Ok(Undumpable)
    }
}

impl Drop for Undumpable {
    fn drop(&mut self) {
        let mut users = users();
        users.count -= 1;
        if users.count == 0 && users.was_dumpable {
            // If that fails, the process stays as it is: safe, and slightly less convenient.
            let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
        }
    }
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
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn the_last_user_makes_the_process_dumpable_again() {
        const WORKERS: usize = 4;
        let dumpable = || dumpable_behavior().unwrap() == DumpableBehavior::Dumpable;
        assert!(dumpable());
        let (start, held) = (Barrier::new(WORKERS), Barrier::new(WORKERS));
        thread::scope(|scope| {
            for worker in 0..WORKERS {
                let (start, held) = (&start, &held);
                scope.spawn(move || {
                    for _ in 0..1000 {
                        let user = Undumpable::begin().unwrap();
                        assert!(!dumpable());
                        drop(user);
                    }
                    start.wait();
                    let user = Undumpable::begin().unwrap();
                    held.wait();
                    // All but one end, in whatever order.
                    if worker > 0 {
                        drop(user);
                        start.wait();
                    } else {
                        start.wait();
                        assert!(!dumpable());
                    }
                });
            }
        });
        assert!(dumpable());
    }

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
