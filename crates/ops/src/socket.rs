//! The network namespace of a socket or tun/tap device file.
//!
//! A socket keeps the network namespace alive that it was created in, wherever its process has
//! gone since (packet(7), socket(7)); the same goes for an open `/dev/net/tun`. The file may well
//! be another process's: see [`of_files`].

use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::fs::fstat;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::sys::socket;
use crate::{Error, Namespace};

/// Opens the network namespace of a socket or tun/tap device file.
///
/// Minimum kernel: 4.10 for sockets, 4.10 for tun. Needs `CAP_NET_ADMIN` over that namespace.
///
/// # Errors
///
/// [`Error::Call`]; denied without the capability.
///
/// ```no_run
/// let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// println!("{}", lxkns_ops::socket::network_namespace(&socket)?.id());
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "SIOCGSKNS")]
pub fn network_namespace(file: impl AsFd) -> Result<Namespace, Error> {
    let what = "get the network namespace of a socket";
    let fd = socket::network_namespace(file).map_err(|source| Error::Call { what, source })?;
    Namespace::from_fd(fd)
}

/// The cookie of a socket's network namespace: never reused until reboot, and from Linux 6.18 on
/// the same number as [`Namespace::unique_id`].
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
    /// Its inode: that of a socket is nobody else's.
    pub inode: u64,
    /// As [`cookie`] of a socket; absent before Linux 5.14, and for tun/tap device files.
    pub cookie: Option<u64>,
    /// The network namespace; absent if its cookie is among those known, or was told before.
    pub namespace: Option<Namespace>,
}

/// Asks sockets and tun/tap device files of another process (or thread) for their network namespaces,
/// all of them within `limit`. Returns an answer for each file, in the same order.
///
/// The process may put other files in their place at any time, such as one on a file server that does
/// not answer; that is why a child does it: see [`reap_abandoned`](crate::visit::reap_abandoned).
///
/// Minimum kernel: 5.6. Needs `PTRACE_MODE_ATTACH_REALCREDS` over the process, see ptrace(2), and
/// `CAP_NET_ADMIN` over the namespaces.
///
/// # Errors
///
/// [`Error::Call`] if nothing could be asked. Of a single file: EBADF if it is none of these, ETIMEDOUT
/// if there was no answer, denied without the privileges.
///
/// ```
/// use std::os::fd::AsRawFd;
/// use std::time::Duration;
///
/// use lxkns_ops::{pidfd, socket};
/// use lxkns_species::Pid;
///
/// let bound = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
/// let myself = pidfd::of_process(Pid(std::process::id()))?;
/// let fds = [bound.as_raw_fd() as u32, 999_999];
/// let told = socket::of_files(&myself, &fds, &[], Duration::from_secs(9))?;
/// assert_eq!(told.len(), 2);
/// println!("{:?}", told[0]);
/// assert!(told[1].is_err());
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "pidfd_getfd")]
pub fn of_files(
    pidfd: impl AsFd,
    fds: &[u32],
    known: &[u64],
    limit: Duration,
) -> Result<Vec<Result<Told, Error>>, Error> {
    let failed = |source| Error::Call {
        what: "ask files of another process",
        source,
    };
    let all = socket::ask(pidfd.as_fd(), fds, known, limit).map_err(failed)?;
    let told = all.into_iter().map(|told| {
        let told = told.map_err(failed)?;
        Ok(Told {
            inode: told.inode,
            cookie: told.cookie,
            namespace: told.namespace.map(Namespace::from_fd).transpose()?,
        })
    });
    Ok(told.collect())
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
