//! The network namespace of a socket or tun/tap device file.
//!
//! A socket keeps the network namespace alive that it was created in, wherever its process has
//! gone since (packet(7), socket(7)); the same goes for an open `/dev/net/tun`. The file may well
//! be another process's: see [`Asker`].

use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::sys::socket;
use crate::{Error, NamespaceFd};

/// Opens the network namespace of a socket or tun/tap device file.
///
/// Minimum kernel: 4.10 for sockets, 4.10 for tun. Needs `CAP_NET_ADMIN` over that namespace.
///
/// # Errors
///
/// [`Error::Call`]; denied without the capability, EBADF if the file is neither.
///
/// ```no_run
/// let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// println!("{}", lxkns_ops::socket::network_namespace(&socket)?.id());
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "SIOCGSKNS")]
pub fn network_namespace(file: impl AsFd) -> Result<NamespaceFd, Error> {
    let what = "get the network namespace of a socket";
    let fd = socket::network_namespace(file).map_err(|source| Error::Call { what, source })?;
    NamespaceFd::from_fd(fd)
}

/// The cookie of a socket's network namespace: never reused until reboot, and from Linux 6.18 on
/// the same number as [`NamespaceFd::unique_id`].
///
/// Minimum kernel: 5.14. Needs no privilege.
///
/// # Errors
///
/// [`Error::Call`].
///
/// ```
/// let one = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
/// let two = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
/// assert_eq!(lxkns_ops::socket::cookie(&one).ok(), lxkns_ops::socket::cookie(&two).ok());
/// ```
#[doc(alias = "SO_NETNS_COOKIE")]
pub fn cookie(socket: impl AsFd) -> Result<u64, Error> {
    let what = "get the network namespace cookie of a socket";
    socket::cookie(socket).map_err(|source| Error::Call { what, source })
}

/// What a socket or tun/tap device file of another process tells.
#[derive(Debug)]
#[non_exhaustive]
pub struct Told {
    /// Its inode: no two sockets have the same.
    pub inode: u64,
    /// Whether it is a socket, and not a tun/tap device file.
    pub is_socket: bool,
    /// Whether it is a Unix socket.
    pub is_unix: bool,
    /// As [`cookie`] of a socket; absent before Linux 5.14, and for tun/tap device files.
    pub cookie: Option<u64>,
    /// The network namespace; absent if the same [`Asker`] has handed over the one with this cookie
    /// before (and still remembers that).
    pub namespace: Option<NamespaceFd>,
}

/// Asks sockets and tun/tap device files of other processes (or threads) for their network
/// namespaces.
///
/// A process may put another file in the place of a socket at any time, such as one on a file
/// server that does not answer, and merely to let go of a copy of that may take for ever. So a
/// child of the caller's does it. It ends with the `Asker`, or is left behind, see
/// [`reap_abandoned`](crate::visit::reap_abandoned).
///
/// ```
/// use std::os::fd::AsRawFd;
/// use std::time::Duration;
///
/// use lxkns_ops::pidfd;
/// use lxkns_ops::socket::Asker;
/// use lxkns_species::Pid;
///
/// let bound = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
/// let myself = pidfd::of_process(Pid(std::process::id()))?;
/// let fds = [bound.as_raw_fd() as u32, 999_999];
/// let told = Asker::start()?.ask(&myself, &fds, Duration::from_secs(9));
/// assert_eq!(told.len(), 2);
/// println!("{:?}", told[0]);
/// assert!(told[1].is_err());
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "pidfd_getfd")]
pub struct Asker(socket::Asker);

impl Asker {
    /// Starts the child.
    ///
    /// # Errors
    ///
    /// [`Error::Call`], as fork(2); EBUSY if the caller has moved its children to a new PID
    /// namespace: the child would become, and soon end, its first process.
    ///
    /// ```
    /// assert!(lxkns_ops::socket::Asker::start()?.is_well());
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn start() -> Result<Asker, Error> {
        socket::Asker::start().map(Asker).map_err(failed)
    }

    /// Asks files of the process behind a pidfd, all of them within `limit`. Returns an answer for
    /// each, in the same order.
    ///
    /// Minimum kernel: 5.6. Needs `PTRACE_MODE_ATTACH_REALCREDS` over the process, see ptrace(2),
    /// and `CAP_NET_ADMIN` over the namespaces.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] for each file: EBADF if it is neither socket nor tun/tap device, ETIMEDOUT
    /// if there was no answer, EMFILE if the caller has too many open files for a namespace, denied
    /// without the privileges. ECHILD if the child got stuck earlier, or has died.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use lxkns_ops::{pidfd, socket::Asker};
    /// use lxkns_species::Pid;
    ///
    /// let myself = pidfd::of_process(Pid(std::process::id()))?;
    /// assert!(Asker::start()?.ask(&myself, &[], Duration::from_secs(9)).is_empty());
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn ask(
        &mut self,
        pidfd: impl AsFd,
        fds: &[u32],
        limit: Duration,
    ) -> Vec<Result<Told, Error>> {
        let all = self.0.ask(pidfd.as_fd(), fds, Instant::now() + limit);
        let told = all.into_iter().map(|told| {
            let told = told.map_err(failed)?;
            Ok(Told {
                inode: told.inode,
                is_socket: told.is_socket,
                is_unix: told.is_unix,
                cookie: told.cookie,
                namespace: told.namespace.map(NamespaceFd::from_fd).transpose()?,
            })
        });
        told.collect()
    }

    /// Whether it has not got stuck, and so can be asked again.
    ///
    /// ```
    /// assert!(lxkns_ops::socket::Asker::start()?.is_well());
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn is_well(&self) -> bool {
        self.0.is_well()
    }
}

fn failed(source: Errno) -> Error {
    Error::Call { what: "ask files of another process", source }
}

/// The device number of all sockets, as in `st_dev`: what else looks like one is a name in some
/// directory. `None` if the caller cannot make a socket to find out.
///
/// ```
/// use std::os::linux::fs::MetadataExt;
///
/// let folder = std::env::temp_dir().join(format!("socket-{}", std::process::id()));
/// std::fs::create_dir(&folder).unwrap();
/// let _bound = std::os::unix::net::UnixListener::bind(folder.join("name")).unwrap();
/// let name = std::fs::metadata(folder.join("name")).unwrap();
/// assert_ne!(lxkns_ops::socket::device(), Some(name.st_dev()));
/// std::fs::remove_dir_all(folder).unwrap();
/// ```
pub fn device() -> Option<u64> {
    static DEVICE: OnceLock<u64> = OnceLock::new();
    DEVICE.get().copied().or_else(|| {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None).ok()?;
        let device = fstat(&socket).ok()?.st_dev;
        Some(*DEVICE.get_or_init(|| device))
    })
}
