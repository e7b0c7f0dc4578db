//! Files in flight: sent through a Unix socket (`SCM_RIGHTS`, unix(7)), and not received yet.
//!
//! Such a file keeps its namespace alive, and belongs to no process. The owner of the socket can
//! receive it, so a copy of the socket can peek at it and leave it there: see [`Peeker`].

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::sys::in_flight;
use crate::{Error, NamespaceFd};

/// How many files wait in a Unix socket: `scm_fds` in the text of its `/proc/PID/fdinfo/FD`. A
/// listening socket counts those in connections that are not accepted yet. `None` before Linux 5.6,
/// and for other files.
///
/// ```
/// use lxkns_ops::in_flight::waiting;
///
/// assert_eq!(waiting(b"pos:\t0\nflags:\t02000002\nscm_fds: 3\n"), Some(3));
/// assert_eq!(waiting(b"pos:\t0\n"), None);
/// ```
pub fn waiting(fdinfo: &[u8]) -> Option<u32> {
    in_flight::waiting(fdinfo)
}

/// How many files in flight could not be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// Behind another message, in a connection that is not accepted yet, or beyond a limit.
    pub queued: u32,
    /// The owner of the socket peeks itself (`SO_PEEK_OFF`): a look would move its offset.
    pub disturbing: u32,
    /// The kernel refuses to tell the caller about them.
    pub denied: u32,
}

/// Looks into the queues of other processes' Unix sockets, and leaves everything there.
///
/// The receive queue stays as it is: messages, credentials, errors, and their order. A look sees
/// the first message with files, as a receiver would. It may have to wait for a receiver that does
/// not get on, and closing what it has seen may wait for a file server. So a child of the caller's
/// looks. It ends with the `Peeker`, or is left behind, see
/// [`reap_abandoned`](crate::visit::reap_abandoned).
///
/// ```
/// use std::os::fd::AsRawFd;
/// use std::os::unix::net::UnixDatagram;
/// use std::time::Duration;
///
/// use lxkns_ops::in_flight::Peeker;
/// use lxkns_ops::pidfd;
/// use lxkns_species::Pid;
///
/// let (_one, other) = UnixDatagram::pair().unwrap();
/// let myself = pidfd::of_process(Pid(std::process::id()))?;
/// let proc = std::fs::File::open("/proc").unwrap();
/// let mut peeker = Peeker::start(&proc)?;
/// let fd = other.as_raw_fd() as u32;
/// let limit = Duration::from_secs(9);
/// let missed = peeker.look(&myself, fd, limit, |found| println!("{}", found.id()));
/// assert_eq!(missed?.queued, 0);
/// assert!(peeker.is_well());
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "MSG_PEEK")]
#[doc(alias = "SCM_RIGHTS")]
pub struct Peeker(in_flight::Peeker);

impl Peeker {
    /// Starts the child. `proc` is a procfs of the caller's PID namespace.
    ///
    /// # Errors
    ///
    /// [`Error::Call`], as fork(2); EBUSY if the caller has moved its children to a new PID
    /// namespace; ENOENT if the caller cannot tell what nsfs is.
    ///
    /// ```
    /// let proc = std::fs::File::open("/proc").unwrap();
    /// assert!(lxkns_ops::in_flight::Peeker::start(proc)?.is_well());
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn start(proc: impl AsFd) -> Result<Peeker, Error> {
        let nsfs = NamespaceFd::nsfs_device().ok_or_else(|| failed(Errno::NOENT))?;
        in_flight::Peeker::start(proc.as_fd(), nsfs).map(Peeker).map_err(failed)
    }

    /// Looks into the queue of a Unix socket of the process (or thread) behind a pidfd, within
    /// `limit`, and into those of the sockets in there. Calls `found` with each namespace that a
    /// file in flight holds: what is open there, or the network namespace of a socket or tun/tap
    /// device file.
    ///
    /// Minimum kernel: 5.6. Needs `PTRACE_MODE_ATTACH_REALCREDS` over the process, see ptrace(2),
    /// and `CAP_NET_ADMIN` over network namespaces that only sockets there lead to.
    ///
    /// # Errors
    ///
    /// [`Error::Call`]: EBADF if it is no Unix socket, ETIMEDOUT if there was no answer, denied
    /// without the privileges, ECHILD if the child got stuck earlier, or has died.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use lxkns_ops::in_flight::Peeker;
    /// use lxkns_ops::pidfd;
    /// use lxkns_species::Pid;
    ///
    /// let myself = pidfd::of_process(Pid(std::process::id()))?;
    /// let proc = std::fs::File::open("/proc").unwrap();
    /// let missed = Peeker::start(proc)?.look(&myself, 999_999, Duration::from_secs(9), |_| {});
    /// assert!(missed.is_err(), "there is no such file");
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn look(
        &mut self,
        pidfd: impl AsFd,
        fd: u32,
        limit: Duration,
        mut found: impl FnMut(NamespaceFd),
    ) -> Result<Missed, Error> {
        let mut unknown = 0;
        let deadline = Instant::now() + limit;
        let missed =
            self.0.look(pidfd.as_fd(), fd, deadline, |file| match NamespaceFd::from_fd(file) {
                Ok(namespace) => found(namespace),
                Err(_) => unknown += 1,
            });
        let missed = missed.map_err(failed)?;
        Ok(Missed {
            queued: missed.queued,
            disturbing: missed.disturbing,
            denied: missed.denied.saturating_add(unknown),
        })
    }

    /// Whether it has not got stuck, and so can be asked again.
    ///
    /// ```
    /// let proc = std::fs::File::open("/proc").unwrap();
    /// assert!(lxkns_ops::in_flight::Peeker::start(proc)?.is_well());
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn is_well(&self) -> bool {
        self.0.is_well()
    }
}

fn failed(source: Errno) -> Error {
    Error::Call { what: "look for files in flight", source }
}
