//! The network namespace of a socket or tun/tap device file.
//!
//! A socket keeps the network namespace alive that it was created in, wherever its process has
//! gone since (packet(7), socket(7)); the same goes for an open `/dev/net/tun`. The file may well
//! be another process's: see [`crate::pidfd`] for how to get hold of it.

use std::os::fd::AsFd;

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
