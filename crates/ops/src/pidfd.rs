//! Getting hold of what other processes have open.
//!
//! All calls here go by PID. A PID may be reused between two looks; whoever calls must make sure
//! *after* the call that the PID still belongs to the process it means, for instance by reading
//! through a `/proc/PID` directory that was opened before.

use std::os::fd::{AsFd, OwnedFd};

use lxkns_species::Pid;
use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags};

use crate::Error;
use crate::sys::process;

/// Opens a pidfd for a process.
///
/// Minimum kernel: 5.3.
///
/// # Errors
///
/// [`Error::Call`]; [`Error::is_gone`] if there is no such process.
#[doc(alias = "pidfd_open")]
pub fn of_process(pid: Pid) -> Result<OwnedFd, Error> {
    let failed = |source| Error::Call {
        what: "open a pidfd",
        source,
    };
    let raw = i32::try_from(pid.0)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let pid = raw.ok_or_else(|| failed(Errno::SRCH))?;
    rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(failed)
}

/// Opens a pidfd for a single thread: the one to use for a thread with its own file table.
///
/// Minimum kernel: 6.9 (EINVAL before).
///
/// # Errors
///
/// [`Error::Call`]; [`Error::is_gone`] if there is no such thread.
#[doc(alias = "PIDFD_THREAD")]
pub fn of_thread(tid: Pid) -> Result<OwnedFd, Error> {
    process::pidfd_open_thread(tid.0).map_err(|source| Error::Call {
        what: "open a pidfd of a thread",
        source,
    })
}

/// Duplicates a file descriptor of another process.
///
/// Minimum kernel: 5.6. Needs `PTRACE_MODE_ATTACH_REALCREDS` over the process, see ptrace(2).
///
/// # Errors
///
/// [`Error::Call`]: EBADF if the process has no such descriptor, denied without the permission.
#[doc(alias = "pidfd_getfd")]
pub fn get_fd(pidfd: impl AsFd, fd: u32) -> Result<OwnedFd, Error> {
    let failed = |source| Error::Call {
        what: "get a file descriptor of a process",
        source,
    };
    let fd = i32::try_from(fd).map_err(|_| failed(Errno::BADF))?;
    rustix::process::pidfd_getfd(pidfd, fd, PidfdGetfdFlags::empty()).map_err(failed)
}

/// Whether two tasks, threads or processes, share their file table.
///
/// Minimum kernel: 3.5 with `CONFIG_KCMP`. Needs `PTRACE_MODE_READ_REALCREDS` over both.
///
/// # Errors
///
/// [`Error::Call`].
#[doc(alias = "kcmp")]
pub fn share_files(one: Pid, other: Pid) -> Result<bool, Error> {
    process::share_files(one.0, other.0).map_err(|source| Error::Call {
        what: "compare file tables",
        source,
    })
}
