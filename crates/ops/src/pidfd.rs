//! Getting hold of other processes, and of what they have open.
//!
//! A pidfd stays with its process; but it is opened by PID, and so is all else here. A PID may be
//! reused between two looks; the caller must make sure *after* the call that the PID still
//! belongs to the process it means, for instance by reading through a `/proc/PID` directory that
//! was opened before.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use lxkns_species::{NamespaceType, Pid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags};

use crate::sys::process;
use crate::{Error, NamespaceFd};

/// Opens a pidfd for a process.
///
/// Minimum kernel: 5.3.
///
/// # Errors
///
/// [`Error::Call`]; [`Error::is_gone`] if there is no such process.
///
/// ```
/// use lxkns_species::Pid;
///
/// assert!(lxkns_ops::pidfd::of_process(Pid(std::process::id())).is_ok());
/// assert!(lxkns_ops::pidfd::of_process(Pid(u32::MAX)).unwrap_err().is_gone());
/// ```
#[doc(alias = "pidfd_open")]
pub fn of_process(pid: Pid) -> Result<OwnedFd, Error> {
    let failed = |source| Error::Call { what: "open a pidfd", source };
    let raw = i32::try_from(pid.0).ok().and_then(rustix::process::Pid::from_raw);
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
///
/// ```
/// use lxkns_ops::pidfd;
/// use lxkns_species::Pid;
///
/// let main_thread = Pid(std::process::id());
/// match pidfd::of_thread(main_thread) {
///     Ok(_) => {}
///     Err(error) => println!("{error}"), // before Linux 6.9
/// }
/// ```
#[doc(alias = "PIDFD_THREAD")]
pub fn of_thread(tid: Pid) -> Result<OwnedFd, Error> {
    process::pidfd_open_thread(tid.0)
        .map_err(|source| Error::Call { what: "open a pidfd of a thread", source })
}

/// Opens the namespace of this type that the process (or thread) behind a pidfd is joined to.
///
/// Minimum kernel: 5.3. The kernel does this itself from 6.11 on; before, it goes by PID through
/// `/proc`, and verifies that the PID still belongs to that process.
///
/// # Errors
///
/// [`Error::Call`]; [`Error::is_gone`] if the process has ended, or if it has no PID here; denied
/// without `PTRACE_MODE_READ_FSCREDS` over it, see ptrace(2).
///
/// ```
/// use lxkns_ops::{NamespaceFd, pidfd};
/// use lxkns_species::{NamespaceType, Pid};
///
/// let myself = pidfd::of_process(Pid(std::process::id()))?;
/// let net = pidfd::namespace(&myself, NamespaceType::Net)?;
/// assert_eq!(net.id(), NamespaceFd::of_self(NamespaceType::Net)?.id());
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "PIDFD_GET_NET_NAMESPACE")]
pub fn namespace(pidfd: impl AsFd, namespace_type: NamespaceType) -> Result<NamespaceFd, Error> {
    let failed =
        |source| Error::Call { what: "open a namespace of the process behind a pidfd", source };
    match process::namespace(&pidfd, namespace_type) {
        Ok(fd) => NamespaceFd::from_fd(fd),
        Err(Errno::NOTTY) => {
            let pid = pid_of(pidfd.as_fd()).map_err(failed)?;
            let namespace = NamespaceFd::of_process(pid, namespace_type)?;
            still_lives(pidfd.as_fd()).map_err(failed)?;
            Ok(namespace)
        }
        Err(source) => Err(failed(source)),
    }
}

/// The PID of the process behind a pidfd, see pidfd_open(2).
fn pid_of(pidfd: BorrowedFd<'_>) -> Result<Pid, Errno> {
    let path = format!("/proc/thread-self/fdinfo/{}", pidfd.as_raw_fd());
    let text = std::fs::read_to_string(path)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::BADF))?;
    let pid = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    let pid: i64 = pid.and_then(|pid| pid.trim().parse().ok()).ok_or(Errno::BADF)?;
    // 0: in another PID namespace; -1: gone.
    match u32::try_from(pid) {
        Ok(0) | Err(_) => Err(Errno::SRCH),
        Ok(pid) => Ok(Pid(pid)),
    }
}

/// Whether the process behind a pidfd has not ended, so that its PID is still its own.
fn still_lives(pidfd: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
    match poll(&mut ended, Some(&Timespec::default()))? {
        0 => Ok(()),
        _ => Err(Errno::SRCH),
    }
}

/// Duplicates a file descriptor of another process.
///
/// It may be any file by the time it is duplicated, and merely dropping a copy may take for ever,
/// where a file server does not answer. [`crate::socket::Asker`] asks sockets without that risk.
///
/// Minimum kernel: 5.6. Needs `PTRACE_MODE_ATTACH_REALCREDS` over the process, see ptrace(2).
///
/// # Errors
///
/// [`Error::Call`]: EBADF if the process has no such descriptor, denied without the permission.
///
/// ```
/// use lxkns_ops::pidfd;
/// use lxkns_species::Pid;
///
/// let myself = pidfd::of_process(Pid(std::process::id()))?;
/// let error = pidfd::get_fd(&myself, 999_999).unwrap_err();
/// println!("{error}: {:?}", error.errno());
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "pidfd_getfd")]
pub fn get_fd(pidfd: impl AsFd, fd: u32) -> Result<OwnedFd, Error> {
    let failed = |source| Error::Call { what: "get a file descriptor of a process", source };
    let fd = i32::try_from(fd).map_err(|_| failed(Errno::BADF))?;
    rustix::process::pidfd_getfd(pidfd, fd, PidfdGetfdFlags::empty()).map_err(failed)
}

/// The time for which all threads of a process have been on a CPU, see clock_getcpuclockid(3).
///
/// It is brought up to date when a thread leaves its CPU, and at every tick of the clock. So if it
/// is the same twice, and no thread was on a CPU either time, none has run in between.
///
/// Minimum kernel: 2.6.12. No privilege is needed.
///
/// # Errors
///
/// [`Error::Call`]; EINVAL if there is no such process.
///
/// ```
/// use lxkns_ops::pidfd::cpu_time;
/// use lxkns_species::Pid;
///
/// assert!(!cpu_time(Pid(std::process::id()))?.is_zero());
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "clock_gettime")]
pub fn cpu_time(pid: Pid) -> Result<Duration, Error> {
    let failed = |source| Error::Call { what: "ask for the CPU time of a process", source };
    let raw = i32::try_from(pid.0).ok().and_then(rustix::process::Pid::from_raw);
    process::cpu_time(raw.ok_or_else(|| failed(Errno::INVAL))?).map_err(failed)
}

/// Whether two tasks, threads or processes, share their file table.
///
/// Minimum kernel: 3.5 with `CONFIG_KCMP`. Needs `PTRACE_MODE_READ_REALCREDS` over both.
///
/// # Errors
///
/// [`Error::Call`].
///
/// ```
/// use lxkns_species::Pid;
///
/// let own = Pid(std::process::id());
/// match lxkns_ops::pidfd::share_files(own, own) {
///     Ok(shared) => assert!(shared),
///     Err(error) => assert!(error.is_denied() || error.is_unsupported()),
/// }
/// ```
#[doc(alias = "kcmp")]
pub fn share_files(one: Pid, other: Pid) -> Result<bool, Error> {
    process::share_files(one.0, other.0)
        .map_err(|source| Error::Call { what: "compare file tables", source })
}
