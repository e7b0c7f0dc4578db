//! The system calls that make, name, change and end the processes and threads of a child.
//!
//! Everything here and in [`files`](super::files) is async-signal-safe: no allocation, no lock, no
//! libc function that keeps state. The calls go through syscall(2), because several libc wrappers
//! do more than the call: setuid(2) signals all threads, and fork(2) runs handlers. Made for 64-bit
//! Linux.

#![expect(unsafe_code, reason = "system calls that rustix does not offer after a fork")]

use std::ffi::{CStr, c_int, c_long, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use linux_raw_sys::general::{F_GETOWN_EX, F_OWNER_TID, F_SETOWN_EX, f_owner_ex};
use lxkns_species::Pid;
use rustix::process::Resource;

pub(crate) use crate::syscall::{Errno, Result};
use crate::syscall::{call, last_error};

pub(crate) fn number(returned: c_long) -> i32 {
    returned as i32
}

/// Forks. 0 is the child's answer; everybody else gets its PID.
pub(crate) fn fork() -> Result<i32> {
    call!(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0).map(number)
}

/// Forks a process with the same fd table, not a copy of it.
pub(crate) fn fork_sharing_fds() -> Result<i32> {
    let flags = libc::CLONE_FILES | libc::SIGCHLD;
    call!(libc::SYS_clone, flags, 0, 0, 0, 0).map(number)
}

/// Starts a thread on a stack of its own, sharing everything with this one.
///
/// # Safety
///
/// The stack must be unused, and it and whatever `argument` points to must live as long as the
/// thread. Thread-local memory is shared with the caller, so both must not use it at the same time.
pub(crate) unsafe fn start_thread(
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
    if started == -1 { Err(last_error()) } else { Ok(()) }
}

pub(crate) fn exit_process(status: i32) -> ! {
    loop {
        _ = call!(libc::SYS_exit_group, status);
    }
}

pub(crate) fn exit_thread() -> ! {
    loop {
        _ = call!(libc::SYS_exit, 0);
    }
}

/// Marks the open file behind `fd` as owned by the calling thread. Whoever shares that open file
/// can ask for the owner, and gets the TID as of its own PID namespace.
pub(crate) fn own(fd: RawFd) -> Result {
    let tid = call!(libc::SYS_gettid).map(number)?;
    let owner = f_owner_ex { type_: F_OWNER_TID.cast_signed(), pid: tid };
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

pub(crate) fn effective_uid() -> u32 {
    call!(libc::SYS_geteuid).map_or(0, |uid| uid as u32)
}

pub(crate) fn effective_gid() -> u32 {
    call!(libc::SYS_getegid).map_or(0, |gid| gid as u32)
}

pub(crate) fn set_no_groups() -> Result {
    call!(libc::SYS_setgroups, 0, 0).map(drop)
}

pub(crate) fn set_gid(gid: u32) -> Result {
    call!(libc::SYS_setresgid, gid, gid, gid).map(drop)
}

pub(crate) fn set_uid(uid: u32) -> Result {
    call!(libc::SYS_setresuid, uid, uid, uid).map(drop)
}

pub(crate) fn set_dumpable() -> Result {
    call!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0).map(drop)
}

pub(crate) fn set_name(name: &CStr) -> Result {
    call!(libc::SYS_prctl, libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0).map(drop)
}

/// Asks to be killed when the calling thread's parent thread ends.
pub(crate) fn die_with_parent() -> Result {
    call!(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0).map(drop)
}

/// Sets a soft limit, as far as the hard one allows.
pub(super) fn limit(resource: Resource, most: u64) -> Result {
    let mut limit = rustix::process::getrlimit(resource);
    let most = limit.maximum.map_or(most, |hard| hard.min(most));
    limit.current = Some(most);
    rustix::process::setrlimit(resource, limit).map_err(|error| Errno(error.raw_os_error()))
}

/// Has a system call of this number fail with this error from here on, or with 0 succeed without
/// doing anything, see seccomp(2).
pub(crate) fn answer(number: c_long, errno: i32) -> Result {
    // Offset 0 of struct seccomp_data is the number.
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let if_equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let verdict = (libc::BPF_RET | libc::BPF_K) as u16;
    let line = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let mut filter = [
        line(load, 0, 0),
        line(if_equal, 1, number as u32),
        line(verdict, 0, libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()),
        line(verdict, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    call!(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)?;
    call!(libc::SYS_seccomp, mode, 0, &raw const program).map(drop)
}

pub(crate) fn unshare(flags: u32) -> Result {
    call!(libc::SYS_unshare, flags).map(drop)
}

pub(crate) fn setns(fd: RawFd, flags: u32) -> Result {
    call!(libc::SYS_setns, fd, flags).map(drop)
}

/// Blocks until the number is not 0 any more.
pub(crate) fn wait_until_set(flag: &AtomicU32) {
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    while flag.load(Ordering::Acquire) == 0 {
        _ = call!(libc::SYS_futex, flag.as_ptr(), operation, 0, 0, 0, 0);
    }
}

pub(crate) fn set(flag: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    flag.store(1, Ordering::Release);
    _ = call!(libc::SYS_futex, flag.as_ptr(), operation, 1, 0, 0, 0);
}

/// Reaps a child, or any (-1), and tells how it ended.
pub(crate) fn reap(pid: i32) -> Result<i32> {
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
pub(crate) fn execute(path: &CStr, arguments: &[usize], environment: &[usize]) -> Errno {
    match call!(libc::SYS_execve, path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) {
        Ok(_) => Errno(libc::EIO),
        Err(error) => error,
    }
}

/// Forks a process that is to have this PID, see clone3(2) on `set_tid`.
pub(crate) fn fork_as(pid: i32) -> Result<i32> {
    let wanted = [pid];
    // struct clone_args, of which the fifth is the exit signal, and the last used here are set_tid
    // and its size.
    let mut arguments = [0u64; 10];
    let values = [
        (4, u64::from(libc::SIGCHLD.cast_unsigned())),
        (8, wanted.as_ptr().expose_provenance() as u64),
        (9, 1),
    ];
    for (index, value) in values {
        if let Some(place) = arguments.get_mut(index) {
            *place = value;
        }
    }
    call!(libc::SYS_clone3, arguments.as_mut_ptr(), size_of_val(&arguments)).map(number)
}

pub(crate) fn kill(pid: i32) {
    _ = call!(libc::SYS_kill, pid, libc::SIGKILL);
}

/// Waits for the end of a child as waitid(2) does with these flags, and tells whether there is one.
pub(crate) fn wait_for_end(pid: i32, flags: i32) -> Result<bool> {
    // SIGCHLD is the first number in there if there was an end, and 0 if not.
    let mut information = [0i32; 32];
    loop {
        match call!(
            libc::SYS_waitid,
            libc::P_PID,
            pid,
            information.as_mut_ptr(),
            flags | libc::__WALL,
            0
        ) {
            Err(Errno(libc::EINTR)) => {}
            waited => {
                let first = information.first().copied();
                return waited.map(|_| first == Some(libc::SIGCHLD));
            }
        }
    }
}

/// Sleeps for so many nanoseconds, less than a second.
pub(crate) fn sleep(nanoseconds: i64) {
    let time = libc::timespec { tv_sec: 0, tv_nsec: nanoseconds };
    _ = call!(libc::SYS_nanosleep, &raw const time, 0);
}
