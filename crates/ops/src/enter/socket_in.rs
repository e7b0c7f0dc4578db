//! A socket of another network namespace.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
#[doc(no_inline)]
pub use rustix::net::{AddressFamily, Protocol, SocketType};

use crate::sys::socket_in::{self as sys, Failed};
use crate::{Error, NamespaceFd};

/// Timeout for the child: root of the user namespace that it enters may stop it.
const STAY: Duration = Duration::from_millis(500);

/// Creates a socket inside of other namespaces, without going there.
///
/// A socket belongs to the network namespace in which it was created, wherever it is used. So a
/// child process enters the namespaces, in the order given, creates the socket and hands it over.
/// Unlike the thread of [`run`](super::run) it can enter user namespaces: the owner of a user
/// namespace puts that one first, and needs no privilege. The socket has the close-on-exec flag.
///
/// Minimum kernel: 5.3 (pidfds).
///
/// # Errors
///
/// [`Error::Enter`]: denied without the capabilities, see [the module](super). [`Error::Call`], as
/// socket(2) and fork(2); ETIMEDOUT if there was no socket within half a second; EBUSY if the
/// caller has moved its children to a new PID namespace that has no process yet.
///
/// ```
/// use lxkns_ops::enter::{self, AddressFamily, SocketType};
/// use lxkns_ops::{Error, NamespaceFd};
/// use lxkns_species::NamespaceType;
///
/// let net = NamespaceFd::of_self(NamespaceType::Net)?;
/// match enter::socket_in(&[&net], AddressFamily::INET, SocketType::DGRAM, None) {
///     Ok(socket) => println!("{:?}", std::net::UdpSocket::from(socket).local_addr()),
///     Err(error) => assert!(error.is_denied()),
/// }
/// # Ok::<(), Error>(())
/// ```
#[doc(alias = "setns")]
pub fn socket_in(
    namespaces: &[&NamespaceFd],
    family: AddressFamily,
    kind: SocketType,
    protocol: Option<Protocol>,
) -> Result<OwnedFd, Error> {
    let fds: Vec<BorrowedFd<'_>> = namespaces.iter().map(|namespace| namespace.as_fd()).collect();
    let deadline = Instant::now() + STAY;
    sys::socket_in(&fds, (family, kind, protocol), deadline).map_err(|failed| match failed {
        Failed::Entering(at, source) => match namespaces.get(at) {
            Some(namespace) => Error::Enter { id: namespace.id(), source },
            None => no_socket(source),
        },
        Failed::Call(source) => no_socket(source),
    })
}

fn no_socket(source: Errno) -> Error {
    Error::Call { what: "create a socket in other namespaces", source }
}
