//! The network namespace of a socket.
#![expect(unsafe_code, reason = "an ioctl and a socket option that rustix lacks")]

use std::ffi::c_void;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::fs::{AtFlags, FileType, StatxFlags, statx};
use rustix::io::{Errno, Result};
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};
use rustix::net::AddressFamily;
use rustix::net::sockopt::socket_domain;
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};

use super::helper::{Helper, receive, send};
use super::process::{NSFS_MAGIC, UNANSWERED, checked, opened};

/// include/uapi/linux/sockios.h; also understood by tun/tap device files.
const SIOCGSKNS: Opcode = 0x894c;

/// Major and minor number of `/dev/net/tun`.
pub(super) const TUN: (u32, u32) = (10, 200);

struct GetNamespace;

// SAFETY: SIOCGSKNS takes no argument.
unsafe impl Ioctl for GetNamespace {
    type Output = IoctlOutput;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        SIOCGSKNS
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> Result<IoctlOutput> {
        Ok(output)
    }
}

/// What a file of another process has told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) inode: u64,
    pub(crate) is_socket: bool,
    pub(crate) is_unix: bool,
    pub(crate) cookie: Option<u64>,
    /// Absent if the cookie is known already.
    pub(crate) namespace: Option<OwnedFd>,
}

/// A child that asks files of other processes.
///
/// To ask a file one needs a copy of it, and by then it may be any other file, which the copy
/// cannot be told in advance. Closing it may take as long as a file server likes.
#[derive(Debug)]
pub(crate) struct Asker {
    /// None once it is stuck.
    helper: Option<Helper>,
}

/// So many files are asked at a time.
const FILES: usize = 64;

/// So many namespaces does the child know again.
const MET: usize = 256;

/// An errno or zero, flags, the inode, the cookie.
const RECORD: usize = 24;

/// There is a cookie.
const HAS_COOKIE: u32 = 1;
/// A namespace comes along.
const HAS_NAMESPACE: u32 = 2;
/// It is a socket.
const IS_SOCKET: u32 = 4;
/// It is a Unix socket.
const IS_UNIX: u32 = 8;

/// What follows the last record, when all copies are gone.
const DONE: &[u8] = &[0];

impl Asker {
    pub(crate) fn start() -> Result<Asker> {
        let helper = Helper::start(None, answer_all)?;
        Ok(Asker { helper: Some(helper) })
    }

    /// Asks sockets and tun/tap device files of the process behind a pidfd, in the order of `fds`:
    /// EBADF where there is neither, ETIMEDOUT where there was no answer until the deadline.
    pub(crate) fn ask(
        &mut self,
        pidfd: BorrowedFd<'_>,
        fds: &[u32],
        deadline: Instant,
    ) -> Vec<Result<Told>> {
        let mut told = Vec::with_capacity(fds.len());
        let mut why = Errno::CHILD;
        for fds in fds.chunks(FILES) {
            if let Err(errno) = self.ask_some(pidfd, fds, deadline, &mut told) {
                why = errno;
                break;
            }
        }
        told.resize_with(fds.len(), || Err(why));
        told
    }

    fn ask_some(
        &mut self,
        pidfd: BorrowedFd<'_>,
        fds: &[u32],
        deadline: Instant,
        told: &mut Vec<Result<Told>>,
    ) -> Result<()> {
        let helper = self.helper.take().ok_or(Errno::CHILD)?;
        let all = told.len() + fds.len();
        let mut question = [0; FILES * size_of::<u32>()];
        let length = write(&mut question, fds.iter().map(|fd| fd.to_ne_bytes()));
        let question = question.get(..length).unwrap_or_default();
        let mut outcome = helper.tell(question, pidfd);
        let mut buffer = [0; FILES * RECORD];
        let mut is_done = false;
        while outcome.is_ok() && !is_done {
            outcome = match helper.receive(deadline, &mut buffer) {
                Ok(Some((message, mut namespace))) => {
                    let (records, rest) = message.as_chunks::<RECORD>();
                    is_done = rest == DONE;
                    let last = records.len().saturating_sub(1);
                    for (index, record) in records.iter().enumerate() {
                        // A namespace goes with the last of them.
                        let namespace = namespace.take_if(|_| index == last);
                        told.push(read(*record, namespace));
                    }
                    Ok(())
                }
                Ok(None) => Err(Errno::CHILD),
                Err(errno) => Err(errno),
            };
        }
        // What it has told, it does not tell again.
        let lost = told.iter().any(|told| matches!(told, Err(Errno::MFILE)));
        if outcome.is_ok() && told.len() == all && !lost {
            self.helper = Some(helper);
        } else {
            helper.end();
        }
        // It may have got stuck when all had been said.
        if told.len() == all { Ok(()) } else { outcome.and(Err(Errno::CHILD)) }
    }

    /// Whether it can be asked again.
    pub(crate) fn is_well(&self) -> bool {
        self.helper.is_some()
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        if let Some(helper) = self.helper.take() {
            helper.end();
        }
    }
}

/// Writes pieces one after the other; returns the length.
fn write<const N: usize>(to: &mut [u8], pieces: impl Iterator<Item = [u8; N]>) -> usize {
    let mut length = 0;
    for (place, byte) in to.iter_mut().zip(pieces.flatten()) {
        *place = byte;
        length += 1;
    }
    length
}

fn read(record: [u8; RECORD], namespace: Option<OwnedFd>) -> Result<Told> {
    let [a, b, c, d, e, f, g, h, numbers @ ..] = record;
    let errno = i32::from_ne_bytes([a, b, c, d]);
    if errno != 0 {
        return Err(Errno::from_raw_os_error(errno));
    }
    let flags = u32::from_ne_bytes([e, f, g, h]);
    if flags & HAS_NAMESPACE != 0 && namespace.is_none() {
        // The kernel drops what does not fit into the file table.
        return Err(Errno::MFILE);
    }
    let (mut inode, mut cookie) = ([0; 8], [0; 8]);
    for (to, from) in inode.iter_mut().chain(&mut cookie).zip(numbers) {
        *to = from;
    }
    Ok(Told {
        inode: u64::from_ne_bytes(inode),
        is_socket: flags & IS_SOCKET != 0,
        is_unix: flags & IS_UNIX != 0,
        cookie: (flags & HAS_COOKIE != 0).then_some(u64::from_ne_bytes(cookie)),
        namespace,
    })
}

fn record(told: &Result<Told>) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let words = match told {
        Err(errno) => [errno.raw_os_error().cast_unsigned(), 0, 0, 0, 0, 0],
        Ok(told) => {
            let halves = |number: u64| {
                let [a, b, c, d, e, f, g, h] = number.to_ne_bytes();
                (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]))
            };
            let (inode, cookie) = (halves(told.inode), halves(told.cookie.unwrap_or_default()));
            let has = |flag, it: bool| if it { flag } else { 0 };
            let flags = has(IS_SOCKET, told.is_socket)
                | has(IS_UNIX, told.is_unix)
                | has(HAS_COOKIE, told.cookie.is_some())
                | has(HAS_NAMESPACE, told.namespace.is_some());
            [0, flags, inode.0, inode.1, cookie.0, cookie.1]
        }
    };
    write(&mut record, words.into_iter().map(u32::to_ne_bytes));
    record
}

/// The work of the child until the parent is gone. It does not allocate.
fn answer_all(socket: BorrowedFd<'_>) {
    // The cookies of namespaces that have been handed over. Should there be more, those that have
    // not been noted for longest are handed over once more.
    let mut met = [0; MET];
    let mut count = 0;
    let mut question = [0; FILES * size_of::<u32>()];
    while let Ok(Some((fds, Some(pidfd)))) = receive(socket, &mut question) {
        let mut answer = [0; FILES * RECORD];
        let mut length = 0;
        let (fds, _) = fds.as_chunks();
        let last = fds.len().saturating_sub(1);
        for (index, fd) in fds.iter().enumerate() {
            let fd = i32::from_ne_bytes(*fd);
            let file = pidfd_getfd(&pidfd, fd, PidfdGetfdFlags::empty());
            let met_so_far = met.get(..count).unwrap_or(&met);
            let told = file.as_ref().map_err(|errno| *errno);
            let told = told.and_then(|file| tell_of(file, |cookie| met_so_far.contains(&cookie)));
            // As long as there is a copy, closing the socket does not set its address free.
            let _not_let_go_of = file.ok().filter(|_| !told.as_ref().is_ok_and(|it| it.is_socket));
            let space = answer.get_mut(length..).unwrap_or_default();
            length += write(space, [record(&told)].into_iter());
            let namespace = told.as_ref().ok().and_then(|told| told.namespace.as_ref());
            if let (Ok(Told { cookie: Some(cookie), .. }), Some(_)) = (&told, namespace)
                && let Some(place) = met.get_mut(count % MET)
            {
                *place = *cookie;
                count += 1;
            }
            // Dropping a file may take for ever, most of all one that is neither socket nor tun.
            if index == last || namespace.is_some() || told.is_err() {
                let sent = answer.get(..length).unwrap_or_default();
                if send(socket, sent, namespace.map(OwnedFd::as_fd)).is_err() {
                    return;
                }
                length = 0;
            }
        }
        if send(socket, DONE, None).is_err() {
            return;
        }
    }
}

fn tell_of(file: &OwnedFd, is_met: impl Fn(u64) -> bool) -> Result<Told> {
    let (is_socket, inode) = identified(file)?;
    let cookie = if is_socket { cookie(file).ok() } else { None };
    let namespace = match cookie {
        Some(cookie) if is_met(cookie) => None,
        _ => Some(network_namespace(file)?),
    };
    let is_unix = is_socket && socket_domain(file) == Ok(AddressFamily::UNIX);
    Ok(Told { inode, is_socket, is_unix, cookie, namespace })
}

/// Whether a file is a socket, and its inode.
///
/// # Errors
///
/// EBADF if it is neither a socket nor a tun/tap device file.
fn identified(file: impl AsFd) -> Result<(bool, u64)> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let stat = statx(file, c"", flags, StatxFlags::empty())?;
    match FileType::from_raw_mode(stat.stx_mode.into()) {
        FileType::Socket => Ok((true, stat.stx_ino)),
        FileType::CharacterDevice if (stat.stx_rdev_major, stat.stx_rdev_minor) == TUN => {
            Ok((false, stat.stx_ino))
        }
        _ => Err(Errno::BADF),
    }
}

/// `SIOCGSKNS`: opens the network namespace of a socket or tun/tap device file.
pub(crate) fn network_namespace(socket: impl AsFd) -> Result<OwnedFd> {
    identified(&socket)?;
    // SAFETY: SIOCGSKNS takes no argument. The file is a socket or a tun/tap device, so that no
    // other driver gets to interpret the number.
    let raw = unsafe { ioctl(socket, GetNamespace) }?;
    // SAFETY: on success it returns a new file descriptor (close-on-exec), a namespace.
    unsafe { opened(raw, NSFS_MAGIC) }
}

/// `SO_NETNS_COOKIE` (5.14).
pub(crate) fn cookie(socket: impl AsFd) -> Result<u64> {
    const SO_NETNS_COOKIE: i32 = 71;
    let mut cookie = 0u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: option value and length point at locals of the sizes that the kernel is told.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    checked(result.into())?;
    if cookie == 0 { Err(UNANSWERED) } else { Ok(cookie) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(cookie: Option<u64>, namespace: Option<OwnedFd>) -> Result<Told> {
        let (inode, is_socket) = (0x0102_0304_0506_0708, cookie.is_some());
        Ok(Told { inode, is_socket, is_unix: false, cookie, namespace })
    }

    #[test]
    fn records_are_read_as_written() {
        for cookie in [None, Some(0), Some(u64::MAX)] {
            let again = read(record(&told(cookie, None)), None).unwrap();
            assert_eq!((again.inode, again.cookie), (0x0102_0304_0506_0708, cookie));
            assert_eq!(again.is_socket, cookie.is_some());
        }
        let error = read(record(&Err(Errno::BADF)), None).unwrap_err();
        assert_eq!(error, Errno::BADF);
    }

    #[test]
    fn a_namespace_that_got_lost_is_missed() {
        let file = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let record = record(&told(Some(7), Some(file())));
        assert!(read(record, Some(file())).unwrap().namespace.is_some());
        assert_eq!(read(record, None).unwrap_err(), Errno::MFILE);
    }
}
