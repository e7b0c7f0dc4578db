//! The sockets of a network namespace, listed by the kernel without any copy of them: sock_diag(7).
//!
//! A list tells inode numbers, and these belong to the network namespace of the calling thread: see
//! [`enter::run`](crate::enter::run). The kernel may load a module (`unix_diag`, `tcp_diag`) for
//! the first request of a kind; a caller that must not cause that checks before.

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recvfrom, send,
    socket_with,
};

use crate::Error;

/// A Unix socket on the kernel's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnixSocket {
    /// Its inode number.
    pub inode: u64,
    /// Whether no message or connection waits in its queue. Only of a stream socket is it known,
    /// since messages may be empty.
    pub is_idle: bool,
}

/// All Unix sockets in the calling thread's network namespace.
///
/// Minimum kernel: 3.3. Needs no privilege.
///
/// # Errors
///
/// [`Error::Call`]; ENOENT if the kernel lacks `unix_diag`.
///
/// ```no_run
/// println!("{} Unix sockets", lxkns_ops::sock_diag::unix_sockets()?.len());
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "unix_diag")]
pub fn unix_sockets() -> Result<Vec<UnixSocket>, Error> {
    const SHOW_QUEUE_LENGTH: u32 = 1 << 4;
    // struct unix_diag_req of linux/unix_diag.h: family, protocol, padding, states, inode, what to
    // show.
    let mut request = [0; 24];
    put(&mut request, 0, &[libc::AF_UNIX as u8]);
    put(&mut request, 4, &ALL_STATES.to_ne_bytes());
    put(&mut request, 12, &SHOW_QUEUE_LENGTH.to_ne_bytes());
    let mut all = Vec::new();
    dump(&request, |body| {
        all.push(unix_socket(body)?);
        Some(())
    })
    .map_err(failed)?;
    Ok(all)
}

/// struct unix_diag_msg: family, type, state, padding, inode, cookie; then attributes.
fn unix_socket(body: &[u8]) -> Option<UnixSocket> {
    const SOCK_STREAM: u8 = 1;
    /// `UNIX_DIAG_RQLEN`: the length of the receive queue, and another one.
    const QUEUE_LENGTH: u16 = 4;
    let inode = word(body, 4)?.into();
    let mut attributes = body.get(16..)?;
    let mut length = None;
    while let Some(size) = attributes.first_chunk().map(|size| u16::from_ne_bytes(*size)) {
        let attribute = attributes.get(..size.into()).filter(|it| it.len() >= 4)?;
        let kind = attribute.get(2..)?.first_chunk().map(|kind| u16::from_ne_bytes(*kind));
        if kind == Some(QUEUE_LENGTH) {
            length = word(attribute, 4);
        }
        attributes = attributes.get(usize::from(size).next_multiple_of(4)..).unwrap_or_default();
    }
    let is_stream = body.get(1) == Some(&SOCK_STREAM);
    Some(UnixSocket { inode, is_idle: is_stream && length == Some(0) })
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|word| u32::from_ne_bytes(*word))
}

/// The inode numbers of all listening TCP sockets in the calling thread's network namespace.
///
/// Minimum kernel: 3.3. Needs no privilege.
///
/// # Errors
///
/// [`Error::Call`]; ENOENT if the kernel lacks `tcp_diag`.
///
/// ```no_run
/// println!("{} TCP listeners", lxkns_ops::sock_diag::tcp_listeners()?.len());
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "inet_diag")]
pub fn tcp_listeners() -> Result<Vec<u64>, Error> {
    tcp_sockets(LISTENING)
}

/// The inode numbers of all other TCP sockets with an address in the calling thread's network
/// namespace.
///
/// The kernel goes through its table of connections, which has hundreds of thousands of places and
/// those of all network namespaces: this pays only in place of many other calls.
///
/// Minimum kernel: 3.3. Needs no privilege.
///
/// # Errors
///
/// [`Error::Call`]; ENOENT if the kernel lacks `tcp_diag`.
///
/// ```no_run
/// println!("{} TCP connections", lxkns_ops::sock_diag::tcp_connections()?.len());
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "inet_diag")]
pub fn tcp_connections() -> Result<Vec<u64>, Error> {
    tcp_sockets(ALL_STATES & !LISTENING)
}

/// `TCPF_LISTEN` of the kernel's net/tcp_states.h.
const LISTENING: u32 = 1 << 10;

/// `TCPF_ALL`.
const ALL_STATES: u32 = 0xfff;

/// The inode numbers of the TCP sockets in these states.
fn tcp_sockets(states: u32) -> Result<Vec<u64>, Error> {
    let mut all = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        // struct inet_diag_req_v2 of linux/inet_diag.h: family, protocol, two more, states,
        // addresses.
        let mut request = [0; 56];
        put(&mut request, 0, &[family as u8, libc::IPPROTO_TCP as u8]);
        put(&mut request, 4, &states.to_ne_bytes());
        // struct inet_diag_msg: the inode is its last member.
        dump(&request, |body| {
            all.push(word(body, 68)?.into());
            Some(())
        })
        .map_err(failed)?;
    }
    Ok(all)
}

fn failed(source: Errno) -> Error {
    Error::Call { what: "list the sockets of a network namespace", source }
}

fn put(to: &mut [u8], offset: usize, bytes: &[u8]) {
    let places = to.iter_mut().skip(offset);
    places.zip(bytes).for_each(|(place, byte)| *place = *byte);
}

/// Size of struct nlmsghdr of linux/netlink.h.
const HEADER: usize = 16;

/// Sends a request of sock_diag, and hands over each answer; `None` if that makes no sense.
fn dump(request: &[u8], mut each: impl FnMut(&[u8]) -> Option<()>) -> Result<(), Errno> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLM_F_REQUEST_DUMP: u16 = 0x301;
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    let mut message = vec![0; HEADER];
    put(&mut message, 0, &((HEADER + request.len()) as u32).to_ne_bytes());
    put(&mut message, 4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(&mut message, 6, &NLM_F_REQUEST_DUMP.to_ne_bytes());
    message.extend_from_slice(request);
    retry_on_intr(|| send(&socket, &message, SendFlags::empty()))?;
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let (_, length, sender) =
            retry_on_intr(|| recvfrom(&socket, &mut *buffer, RecvFlags::empty()))?;
        let sender = sender.and_then(|it| netlink::SocketAddrNetlink::try_from(it).ok());
        if sender.is_none_or(|sender| sender.pid() != 0) {
            // Not from the kernel. An administrator of the network namespace can send here, too.
            continue;
        }
        if length == 0 {
            return Err(Errno::BADMSG);
        }
        if read(buffer.get(..length).unwrap_or_default(), &mut each)? {
            return Ok(());
        }
    }
}

/// Reads the messages of one datagram. Says whether the list is at its end.
fn read(mut datagram: &[u8], each: &mut impl FnMut(&[u8]) -> Option<()>) -> Result<bool, Errno> {
    const NLMSG_ERROR: u16 = 2;
    const NLMSG_DONE: u16 = 3;
    while let Some((length, rest)) = datagram.split_first_chunk() {
        let length = u32::from_ne_bytes(*length) as usize;
        let kind = rest.first_chunk().map(|kind| u16::from_ne_bytes(*kind));
        let body = datagram.get(HEADER..length).ok_or(Errno::BADMSG)?;
        match kind {
            Some(NLMSG_DONE) => return Ok(true),
            Some(NLMSG_ERROR) => {
                let errno = word(body, 0).unwrap_or_default().cast_signed();
                return Err(Errno::from_raw_os_error(errno.saturating_neg()));
            }
            _ => each(body).ok_or(Errno::BADMSG)?,
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut message = vec![0; HEADER];
        put(&mut message, 0, &((HEADER + body.len()) as u32).to_ne_bytes());
        put(&mut message, 4, &kind.to_ne_bytes());
        message.extend_from_slice(body);
        message
    }

    /// What is read of a datagram of Unix sockets.
    fn read_all(datagram: &[u8]) -> Result<(Vec<UnixSocket>, bool), Errno> {
        let mut all = Vec::new();
        let is_end = read(datagram, &mut |body: &[u8]| {
            all.push(unix_socket(body)?);
            Some(())
        })?;
        Ok((all, is_end))
    }

    fn socket(kind: u8, inode: u32, queued: u32) -> Vec<u8> {
        let mut body = vec![1, kind, 1, 0];
        body.extend(inode.to_ne_bytes());
        body.extend([0; 8]);
        body.extend([12u16, 4].into_iter().flat_map(u16::to_ne_bytes));
        body.extend([queued, 0].into_iter().flat_map(u32::to_ne_bytes));
        message(20, &body)
    }

    #[test]
    fn sockets_are_read_until_the_list_ends() {
        let datagram = [socket(1, 7, 0), socket(1, 8, 5), socket(2, u32::MAX, 0)].concat();
        let expected = [(7, true), (8, false), (u32::MAX.into(), false)];
        let expected = expected.map(|(inode, is_idle)| UnixSocket { inode, is_idle });
        assert_eq!(read_all(&datagram), Ok((expected.into(), false)));
        assert_eq!(read_all(&message(3, &[0; 4])), Ok((Vec::new(), true)));
        let error = message(2, &(-2i32).to_ne_bytes());
        assert_eq!(read_all(&error), Err(Errno::NOENT));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(read_all(&message(20, &[1; 6])), Err(Errno::BADMSG));
        let whole = socket(1, 7, 0);
        assert_eq!(read_all(whole.get(..20).unwrap()), Err(Errno::BADMSG));
        assert_eq!(read_all(&[0; HEADER]), Err(Errno::BADMSG));
        // An attribute without a length would never end.
        let endless = [[1; 16], [0; 16]].concat();
        assert_eq!(read_all(&message(20, &endless)), Err(Errno::BADMSG));
    }
}
