//! The sockets of a network namespace, listed by the kernel without any copy of them: sock_diag(7).
//!
//! A list tells inode numbers, and these belong to the network namespace of the calling thread: see
//! [`enter::run`](crate::enter::run). The kernel may load a module (`unix_diag`, `tcp_diag`) for the
//! first request of a kind; a caller that must not cause that checks before.

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recvfrom, send,
    socket_with,
};

use crate::Error;

/// The inode numbers of all Unix sockets in the calling thread's network namespace.
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
pub fn unix_sockets() -> Result<Vec<u64>, Error> {
    /// `TCPF_ALL` of the kernel's net/tcp_states.h.
    const ALL_STATES: u32 = 0xfff;
    // struct unix_diag_req of linux/unix_diag.h: family, protocol, padding, states, and nothing to show.
    let mut request = [0; 24];
    put(&mut request, 0, &[libc::AF_UNIX as u8]);
    put(&mut request, 4, &ALL_STATES.to_ne_bytes());
    // struct unix_diag_msg: the inode follows family, type, state and padding.
    dump(&request, 4).map_err(failed)
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
    /// `TCPF_LISTEN`. With any other state the kernel goes through its table of connections, which
    /// has hundreds of thousands of places.
    const LISTENING: u32 = 1 << 10;
    let mut all = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        // struct inet_diag_req_v2 of linux/inet_diag.h: family, protocol, two more, states, addresses.
        let mut request = [0; 56];
        put(&mut request, 0, &[family as u8, libc::IPPROTO_TCP as u8]);
        put(&mut request, 4, &LISTENING.to_ne_bytes());
        // struct inet_diag_msg: the inode is its last member.
        all.extend(dump(&request, 68).map_err(failed)?);
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

/// Sends a request of sock_diag, and reads a 32-bit inode number at `offset` of each answer.
fn dump(request: &[u8], offset: usize) -> Result<Vec<u64>, Errno> {
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
    let mut inodes = Vec::new();
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
        if read(buffer.get(..length).unwrap_or_default(), offset, &mut inodes)? {
            return Ok(inodes);
        }
    }
}

/// Reads the messages of one datagram. Says whether the list is at its end.
fn read(mut datagram: &[u8], offset: usize, inodes: &mut Vec<u64>) -> Result<bool, Errno> {
    const NLMSG_ERROR: u16 = 2;
    const NLMSG_DONE: u16 = 3;
    while let Some((length, rest)) = datagram.split_first_chunk() {
        let length = u32::from_ne_bytes(*length) as usize;
        let kind = rest.first_chunk().map(|kind| u16::from_ne_bytes(*kind));
        let body = datagram.get(HEADER..length).ok_or(Errno::BADMSG)?;
        let word = |offset| body.get(offset..).and_then(<[u8]>::first_chunk);
        match kind {
            Some(NLMSG_DONE) => return Ok(true),
            Some(NLMSG_ERROR) => {
                let errno = word(0).map_or(0, |word| i32::from_ne_bytes(*word));
                return Err(Errno::from_raw_os_error(errno.saturating_neg()));
            }
            _ => {
                let inode = word(offset).ok_or(Errno::BADMSG)?;
                inodes.push(u32::from_ne_bytes(*inode).into());
            }
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

    #[test]
    fn inodes_are_read_until_the_list_ends() {
        let body = |inode: u32| [[1; 4], inode.to_ne_bytes()].concat();
        let (one, two) = (message(20, &body(7)), message(20, &body(u32::MAX)));
        let mut inodes = Vec::new();
        assert_eq!(read(&[one, two].concat(), 4, &mut inodes), Ok(false));
        assert_eq!(inodes, [7, u32::MAX.into()]);
        assert_eq!(read(&message(3, &[0; 4]), 4, &mut inodes), Ok(true));
        let error = message(2, &(-2i32).to_ne_bytes());
        assert_eq!(read(&error, 4, &mut inodes), Err(Errno::NOENT));
    }

    #[test]
    fn nonsense_is_refused() {
        let short = message(20, &[1; 6]);
        assert_eq!(read(&short, 4, &mut Vec::new()), Err(Errno::BADMSG));
        let cut = message(20, &[1; 8]);
        let cut = cut.get(..20).unwrap();
        assert_eq!(read(cut, 4, &mut Vec::new()), Err(Errno::BADMSG));
        let no_length = [0; HEADER];
        assert_eq!(read(&no_length, 4, &mut Vec::new()), Err(Errno::BADMSG));
    }
}
