//! The network namespace of a socket.
#![expect(unsafe_code, reason = "an ioctl and a socket option that rustix lacks")]

use std::ffi::c_void;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, StatxFlags, statx};
use rustix::io::{Errno, Result};
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};

use super::helper::{Helper, send};
use super::process::checked;

/// include/uapi/linux/sockios.h; also understood by tun/tap device files.
const SIOCGSKNS: Opcode = 0x894c;

/// Major and minor number of `/dev/net/tun`.
const TUN: (u32, u32) = (10, 200);

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
    pub(crate) cookie: Option<u64>,
    /// Absent if the cookie is known already.
    pub(crate) namespace: Option<OwnedFd>,
}

/// Asks sockets and tun/tap device files of the process behind a pidfd, in the order of `fds`. EBADF
/// where there is neither, ETIMEDOUT where there was no answer within `limit`.
///
/// To ask a file one needs a copy of it, and by then it may be any other file, which the copy cannot be
/// told in advance. Closing it may take as long as somebody's file server likes. So that is done by a
/// child, which can be left behind.
pub(crate) fn ask(
    pidfd: BorrowedFd<'_>,
    fds: &[u32],
    known: &[u64],
    limit: Duration,
) -> Result<Vec<Result<Told>>> {
    let deadline = Instant::now() + limit;
    let helper = Helper::start(pidfd, |answer| tell_of_all(pidfd, fds, known, answer))?;
    let mut told: Vec<Result<Told>> = Vec::with_capacity(fds.len());
    let stuck = loop {
        match helper.receive::<MESSAGE>(deadline) {
            Ok(Some((message, namespace))) => told.push(read(message, namespace)),
            Ok(None) => break false,
            Err(errno) => {
                told.resize_with(fds.len(), || Err(errno));
                break errno == Errno::TIMEDOUT;
            }
        }
    };
    helper.end(stuck);
    // It has died in between.
    told.resize_with(fds.len(), || Err(Errno::CHILD));
    Ok(told)
}

/// An errno or zero, the inode, whether there is a cookie, the cookie.
const MESSAGE: usize = 24;

fn read(message: [u8; MESSAGE], namespace: Option<OwnedFd>) -> Result<Told> {
    let [a, b, c, d, has_cookie, _, _, _, numbers @ ..] = message;
    let errno = i32::from_ne_bytes([a, b, c, d]);
    if errno != 0 {
        return Err(Errno::from_raw_os_error(errno));
    }
    let (mut inode, mut cookie) = ([0; 8], [0; 8]);
    for (to, from) in inode.iter_mut().chain(&mut cookie).zip(numbers) {
        *to = from;
    }
    Ok(Told {
        inode: u64::from_ne_bytes(inode),
        cookie: (has_cookie != 0).then_some(u64::from_ne_bytes(cookie)),
        namespace,
    })
}

/// What the child does.
fn tell_of_all(pidfd: BorrowedFd<'_>, fds: &[u32], known: &[u64], answer: BorrowedFd<'_>) {
    // Those that have been told of. Should there be more, they are told of once more.
    let mut met = [0; 64];
    let mut count = 0;
    for fd in fds {
        let file = i32::try_from(*fd)
            .map_err(|_| Errno::BADF)
            .and_then(|fd| pidfd_getfd(pidfd, fd, PidfdGetfdFlags::empty()));
        let is_met = |cookie: u64| {
            let met = met.iter().take(count);
            known.iter().chain(met).any(|other| *other == cookie)
        };
        let told = file.as_ref().map_err(|errno| *errno);
        let told = told.and_then(|file| tell_of(file, is_met));
        let mut message = [0; MESSAGE];
        let errno = told
            .as_ref()
            .map_or_else(|errno| errno.raw_os_error(), |_| 0);
        let mut fields = message.iter_mut();
        let mut write = |bytes: &[u8]| {
            for byte in bytes {
                if let Some(field) = fields.next() {
                    *field = *byte;
                }
            }
        };
        write(&errno.to_ne_bytes());
        if let Ok(told) = &told {
            write(&u32::from(told.cookie.is_some()).to_le_bytes());
            write(&told.inode.to_ne_bytes());
            write(&told.cookie.unwrap_or_default().to_ne_bytes());
            if let (Some(cookie), Some(place)) = (told.cookie, met.get_mut(count)) {
                *place = cookie;
                count += 1;
            }
        }
        let namespace = told.as_ref().ok().and_then(|told| told.namespace.as_ref());
        send(answer, &message, namespace.map(OwnedFd::as_fd));
        // Here it may get stuck: the file goes.
    }
}

fn tell_of(file: &OwnedFd, is_met: impl Fn(u64) -> bool) -> Result<Told> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let stat = statx(file, c"", flags, StatxFlags::empty())?;
    let cookie = match FileType::from_raw_mode(stat.stx_mode.into()) {
        FileType::Socket => cookie(file).ok(),
        FileType::CharacterDevice if (stat.stx_rdev_major, stat.stx_rdev_minor) == TUN => None,
        _ => return Err(Errno::BADF),
    };
    let namespace = match cookie {
        Some(cookie) if is_met(cookie) => None,
        _ => Some(network_namespace(file)?),
    };
    Ok(Told {
        inode: stat.stx_ino,
        cookie,
        namespace,
    })
}

/// `SIOCGSKNS`: opens the network namespace of a socket or tun/tap device file.
pub(crate) fn network_namespace(socket: impl AsFd) -> Result<OwnedFd> {
    // SAFETY: SIOCGSKNS takes no argument. Callers hand in sockets and tun/tap files only, so that
    // no other driver gets to interpret the number.
    let raw = unsafe { ioctl(socket, GetNamespace) }?;
    // SAFETY: on success it returns a new file descriptor (close-on-exec) that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
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
    Ok(cookie)
}
