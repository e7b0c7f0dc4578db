//! The open files of this process, all at once: also where close_range(2) is refused.
#![expect(unsafe_code, reason = "close_range(2), close(2) by number, and getrlimit(2)")]

use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
use rustix::io::Result;

use super::process::checked;

/// The lowest file descriptor that is no standard file.
const FIRST: RawFd = 3;

/// Bound of the numbers that are tried one by one without a list: the kernel's own default limit.
const MOST: RawFd = 1 << 20;

/// What there is to close.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenFiles {
    /// `None` where close_range(2) does all of it.
    highest: Option<RawFd>,
}

impl OpenFiles {
    /// Takes note of the highest file descriptor, if it matters: in `/proc`, which has to be the
    /// caller's own, so before any mount namespace is entered. Does not allocate.
    pub(crate) fn note() -> OpenFiles {
        let beyond_all = libc::c_uint::MAX;
        let all = close_range(beyond_all, beyond_all, libc::CLOSE_RANGE_CLOEXEC);
        OpenFiles { highest: all.is_err().then(|| highest().unwrap_or_else(|_| limit())) }
    }

    /// Has all but the standard files closed at exec.
    pub(crate) fn close_at_exec(self) {
        let Some(highest) = self.highest else {
            let first = FIRST.cast_unsigned();
            let _ = close_range(first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
            return;
        };
        for fd in FIRST..=highest {
            // SAFETY: sets a flag of a file descriptor only.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }

    /// Closes all files but these, in ascending order. Only for a process that never gets back to
    /// who has opened them.
    pub(crate) fn close_all_but(self, kept: &[RawFd]) {
        let mut first = 0;
        for fd in kept {
            self.close_between(first, fd - 1);
            first = fd + 1;
        }
        self.close_between(first, RawFd::MAX);
    }

    fn close_between(self, first: RawFd, last: RawFd) {
        if first > last {
            return;
        }
        let Some(highest) = self.highest else {
            let _ = close_range(first.cast_unsigned(), last.cast_unsigned(), 0);
            return;
        };
        for fd in first..=last.min(highest) {
            // SAFETY: as the caller has promised, nothing in this process uses it any more.
            unsafe { libc::close(fd) };
        }
    }
}

fn close_range(first: libc::c_uint, last: libc::c_uint, flags: libc::c_uint) -> Result<()> {
    // SAFETY: takes numbers; callers answer for the files that it closes.
    checked(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) }).map(drop)
}

/// The highest file descriptor that is open, this listing's own included.
fn highest() -> Result<RawFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, c"/proc/self/fd", flags, Mode::empty())?;
    let mut buffer = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(folder, &mut buffer);
    let mut highest = FIRST;
    while let Some(entry) = entries.next() {
        let name = entry?;
        let number = name.file_name().to_str().ok().and_then(|name| name.parse().ok());
        highest = highest.max(number.unwrap_or(FIRST));
    }
    Ok(highest)
}

/// The highest that there may be, where there is no `/proc`.
fn limit() -> RawFd {
    let limit = most_open_files();
    limit.and_then(|limit| RawFd::try_from(limit).ok()).unwrap_or(MOST).min(MOST)
}

/// The number of files that this process may have open; `None` if there is no limit, or no answer.
pub(crate) fn most_open_files() -> Option<u64> {
    // A sandbox may say that it has answered, and write nothing.
    let unlimited = libc::RLIM64_INFINITY;
    let mut limit = libc::rlimit64 { rlim_cur: unlimited, rlim_max: unlimited };
    // SAFETY: fills a local, as far as it does anything.
    unsafe { libc::getrlimit64(libc::RLIMIT_NOFILE, &raw mut limit) };
    (limit.rlim_cur != unlimited).then_some(limit.rlim_cur)
}
