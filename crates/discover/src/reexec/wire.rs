//! The conversation of caller and copy. The caller sends open files through a socket: one with the
//! name of the action, a newline, and the request as JSON; an empty one for the reply as JSON; and
//! the namespaces.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use lxkns_ops::NamespaceFd;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use super::Error;

/// Limit on the file descriptors that are sent at once, see unix(7).
const MOST: usize = 253;

/// What a copy answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply<A> {
    Answer(A),
    /// The namespace with this index could not be entered.
    NotEntered {
        index: usize,
        errno: i32,
    },
    Refused(String),
}

/// The action and its request, as bytes.
pub(crate) fn request<Q: Serialize>(action: &str, request: &Q) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::from(action);
    bytes.push(b'\n');
    serde_json::to_writer(&mut bytes, request).map_err(Error::Request)?;
    Ok(bytes)
}

/// The action and its request, out of bytes.
pub(crate) fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (action, request) = bytes.split_at_checked(end)?;
    Some((str::from_utf8(action).ok()?, request.get(1..)?))
}

/// Sends the files for request and reply, and the namespaces.
pub(crate) fn send(
    socket: impl AsFd,
    request: BorrowedFd<'_>,
    reply: BorrowedFd<'_>,
    namespaces: &[&NamespaceFd],
) -> Result<(), Error> {
    let namespaces = namespaces.iter().map(|namespace| namespace.as_fd());
    let fds: Vec<BorrowedFd<'_>> = [request, reply].into_iter().chain(namespaces).collect();
    if fds.len() > MOST {
        return Err(Error::TooMany { count: fds.len() - 2 });
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    let byte = [IoSlice::new(b"\n")];
    retry_on_intr(|| sendmsg(&socket, &byte, &mut ancillary, SendFlags::NOSIGNAL))
        .map(drop)
        .map_err(|source| Error::Connection {
            what: "send namespaces to a copy of this program",
            source,
        })
}

/// Receives the files for request and reply, and the namespaces.
pub(crate) fn receive(socket: impl AsFd) -> Result<(OwnedFd, OwnedFd, Vec<OwnedFd>), Errno> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let mut byte = [IoSliceMut::new(&mut byte)];
        recvmsg(&socket, &mut byte, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    if received.bytes != 1 {
        return Err(Errno::CONNRESET);
    }
    let fds = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let mut fds = fds.flatten();
    let (Some(request), Some(reply)) = (fds.next(), fds.next()) else {
        return Err(Errno::CONNRESET);
    };
    Ok((request, reply, fds.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_arrive_as_sent() {
        let bytes = request("name", &("a\nb", 1)).unwrap();
        assert_eq!(split(&bytes), Some(("name", &br#"["a\nb",1]"#[..])));
        assert_eq!(split(b"name"), None);
        assert_eq!(split(b"\xff\n1"), None);
        assert_eq!(split(b"\n"), Some(("", &b""[..])));
    }

    #[test]
    fn namespaces_arrive_as_sent() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let own = [lxkns_species::NamespaceType::Net, lxkns_species::NamespaceType::User]
            .map(|ns_type| NamespaceFd::of_self(ns_type).unwrap());
        let file = std::fs::File::open("/dev/null").unwrap();
        send(&one, file.as_fd(), file.as_fd(), &[&own[0], &own[1]]).unwrap();
        let (_, _, arrived) = receive(&other).unwrap();
        let ids: Vec<_> =
            arrived.into_iter().map(|fd| NamespaceFd::from_fd(fd).unwrap().id()).collect();
        assert_eq!(ids, own.map(|namespace| namespace.id()));
        send(&one, file.as_fd(), file.as_fd(), &[]).unwrap();
        assert!(receive(&other).unwrap().2.is_empty());
        drop(one);
        assert!(receive(&other).is_err());
    }
}
