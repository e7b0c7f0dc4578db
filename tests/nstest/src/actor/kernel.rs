//! The system calls that make, name, change and end the processes and threads of a child.
//!
//! Everything here and in [`files`](super::files) is async-signal-safe: no allocation, no lock, no
//! libc function that keeps state. The calls go through syscall(2), because several libc wrappers
//! do more than the call: setuid(2) signals all threads, and fork(2) runs handlers. Made for 64-bit
//! Linux.

#![expect(
    unsafe_code,
    reason = "system calls that rustix does not offer after a fork"
)]

use std::ffi::{CStr, c_int, c_long, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use linux_raw_sys::general::{F_GETOWN_EX, F_OWNER_TID, F_SETOWN_EX, f_owner_ex};
use lxkns_species::Pid;
use rustix::process::Resource;

pub(super) use crate::syscall::{Errno, Result};
use crate::syscall::{call, last_error};

pub(super) fn number(returned: c_long) -> i32 {
    returned as i32
}

/// Forks. 0 is the child's answer; everybody else gets its PID.
pub(super) fn fork() -> Result<i32> {
    call!(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0).map(number)
}

/// Forks a process with the same fd table, not a copy of it.
pub(super) fn fork_sharing_fds() -> Result<i32> {
    let flags = libc::CLONE_FILES | libc::SIGCHLD;
    call!(libc::SYS_clone, flags, 0, 0, 0, 0).map(number)
}

/// Starts a thread on a stack of its own, sharing everything with this one.
///
/// # Safety
///
/// The stack must be unused, and it and whatever `argument` points to must live as long as the
/// thread. Thread-local memory is shared with the caller, so both must not use it at the same time.
pub(super) unsafe fn start_thread(
    stack_top: *mut c_void,
    body: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> Result {
    let flags = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM;
    // SAFETY: the caller promises a stack and an argument that outlive the thread.
    let started = unsafe { libc::clone(body, stack_top, flags, argument) };
    if started == -1 {
        Err(last_error())
    } else {
        Ok(())
    }
}

pub(super) fn exit_process(status: i32) -> ! {
    loop {
        _ = call!(libc::SYS_exit_group, status);
    }
}

pub(super) fn exit_thread() -> ! {
    loop {
        _ = call!(libc::SYS_exit, 0);
    }
}

/// Marks the open file behind `fd` as owned by the calling thread. Whoever shares that open file can
/// ask for the owner, and gets the TID as of its own PID namespace.
pub(super) fn own(fd: RawFd) -> Result {
    let tid = call!(libc::SYS_gettid).map(number)?;
    let owner = f_owner_ex {
        type_: F_OWNER_TID.cast_signed(),
        pid: tid,
    };
    call!(libc::SYS_fcntl, fd, F_SETOWN_EX, &raw const owner).map(drop)
}

/// Who has last made itself the owner of this open file, as of the caller's PID namespace.
pub(crate) fn owner(fd: BorrowedFd<'_>) -> io::Result<Pid> {
    let mut owner = f_owner_ex { type_: 0, pid: 0 };
    match call!(libc::SYS_fcntl, fd.as_raw_fd(), F_GETOWN_EX, &raw mut owner) {
        Ok(_) => Ok(Pid(owner.pid.cast_unsigned())),
        Err(Errno(errno)) => Err(io::Error::from_raw_os_error(errno)),
    }
}

pub(super) fn effective_uid() -> u32 {
    call!(libc::SYS_geteuid).map_or(0, |uid| uid as u32)
}

pub(super) fn effective_gid() -> u32 {
    call!(libc::SYS_getegid).map_or(0, |gid| gid as u32)
}

pub(super) fn set_no_groups() -> Result {
    call!(libc::SYS_setgroups, 0, 0).map(drop)
}

pub(super) fn set_gid(gid: u32) -> Result {
    call!(libc::SYS_setresgid, gid, gid, gid).map(drop)
}

pub(super) fn set_uid(uid: u32) -> Result {
    call!(libc::SYS_setresuid, uid, uid, uid).map(drop)
}

pub(super) fn set_dumpable() -> Result {
    call!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0).map(drop)
}

pub(super) fn set_name(name: &CStr) -> Result {
    call!(libc::SYS_prctl, libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0).map(drop)
}

/// Asks to be killed when the calling thread's parent thread ends.
pub(super) fn die_with_parent() -> Result {
    call!(
        libc::SYS_prctl,
        libc::PR_SET_PDEATHSIG,
        libc::SIGKILL,
        0,
        0,
        0
    )
    .map(drop)
}

/// Sets a soft limit, as far as the hard one allows.
pub(super) fn limit(resource: Resource, most: u64) -> Result {
    let mut limit = rustix::process::getrlimit(resource);
    let most = limit.maximum.map_or(most, |hard| hard.min(most));
    limit.current = Some(most);
    rustix::process::setrlimit(resource, limit).map_err(|error| Errno(error.raw_os_error()))
}

pub(super) fn unshare(flags: u32) -> Result {
    call!(libc::SYS_unshare, flags).map(drop)
}

pub(super) fn setns(fd: RawFd, flags: u32) -> Result {
    call!(libc::SYS_setns, fd, flags).map(drop)
}

/// Blocks until the number is not 0 any more.
pub(super) fn wait_until_set(flag: &AtomicU32) {
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    while flag.load(Ordering::Acquire) == 0 {
        _ = call!(libc::SYS_futex, flag.as_ptr(), operation, 0, 0, 0, 0);
    }
}

pub(super) fn set(flag: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    flag.store(1, Ordering::Release);
    _ = call!(libc::SYS_futex, flag.as_ptr(), operation, 1, 0, 0, 0);
}

/// Reaps a child, or any (-1), and tells how it ended.
pub(super) fn reap(pid: i32) -> Result<i32> {
    let mut status = 0i32;
    loop {
        match call!(libc::SYS_wait4, pid, &raw mut status, libc::__WALL, 0) {
            Err(Errno(libc::EINTR)) => {}
            reaped => return reaped.map(|_| status),
        }
    }
}

/// Executes a program; returns only if that fails. The lists are addresses of strings that outlive
/// the call, closed by 0.
pub(super) fn execute(path: &CStr, arguments: &[usize], environment: &[usize]) -> Errno {
    match call!(
        libc::SYS_execve,
        path.as_ptr(),
        arguments.as_ptr(),
        environment.as_ptr()
    ) {
        Ok(_) => Errno(libc::EIO),
        Err(error) => error,
    }
}
