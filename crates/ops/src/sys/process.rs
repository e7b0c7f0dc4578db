//! Looking into other processes: pidfds of threads, and kcmp(2).
#![expect(unsafe_code, reason = "system calls that rustix lacks")]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io::{Errno, Result};

/// Turns the result of `libc::syscall` into an error or a number.
pub(crate) fn checked(result: i64) -> Result<i64> {
    if result < 0 {
        let errno = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&errno).unwrap_or(Errno::INVAL));
    }
    Ok(result)
}

/// pidfd_open(2) of a single thread, `PIDFD_THREAD` (6.9).
pub(crate) fn pidfd_open_thread(tid: u32) -> Result<OwnedFd> {
    // SAFETY: takes two numbers, touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, tid, libc::PIDFD_THREAD) };
    let raw = RawFd::try_from(checked(result)?).map_err(|_| Errno::BADF)?;
    // SAFETY: on success it returns a new file descriptor (close-on-exec) that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// kcmp(2) with `KCMP_FILES`: whether two tasks share their file table.
pub(crate) fn share_files(one: u32, other: u32) -> Result<bool> {
    const KCMP_FILES: i32 = 2;
    // SAFETY: takes numbers, touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, 0usize, 0usize) };
    checked(result).map(|order| order == 0)
}
