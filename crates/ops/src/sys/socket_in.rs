//! A helper child that creates a socket in other namespaces.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, socket_with};
use rustix::thread::move_into_link_name_space;

use super::foreign::{receive_opened, send_opened};
use super::helper::{Helper, become_untraceable, receive};

/// Why there is no socket.
pub(crate) enum Failed {
    /// This namespace, by its place in the list, cannot be entered.
    Entering(usize, Errno),
    /// Any other call.
    Call(Errno),
}

/// Has a child enter namespaces, in this order, create a socket, and hand it over.
pub(crate) fn socket_in(
    namespaces: &[BorrowedFd<'_>],
    (family, kind, protocol): (AddressFamily, SocketType, Option<Protocol>),
    deadline: Instant,
) -> std::result::Result<OwnedFd, Failed> {
    let create = || socket_with(family, kind, SocketFlags::CLOEXEC, protocol);
    let count = namespaces.len();
    let helper = Helper::start(None, |parent| in_child(parent, count, create));
    let helper = helper.map_err(Failed::Call)?;
    let ask = || {
        for (at, namespace) in namespaces.iter().enumerate() {
            helper.tell(&[0], *namespace).map_err(Failed::Call)?;
            // The child has returned the same file if it has entered.
            receive_opened(&helper, deadline).map_err(|errno| match errno {
                Errno::TIMEDOUT | Errno::CHILD => Failed::Call(errno),
                errno => Failed::Entering(at, errno),
            })?;
        }
        receive_opened(&helper, deadline).map_err(Failed::Call)
    };
    let socket = ask();
    helper.end();
    socket
}

fn in_child(parent: BorrowedFd<'_>, count: usize, create: impl Fn() -> Result<OwnedFd>) {
    for _ in 0..count {
        let Ok(Some((_, Some(namespace)))) = receive(parent, &mut [0]) else { return };
        let entered = become_untraceable()
            .and_then(|()| move_into_link_name_space(namespace.as_fd(), None))
            .map(|()| namespace);
        send_opened(parent, &entered);
        if entered.is_err() {
            return;
        }
    }
    send_opened(parent, &create());
}
