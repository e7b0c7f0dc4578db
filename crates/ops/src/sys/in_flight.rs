//! Files in flight: sent through a Unix socket, and not received yet.
#![expect(unsafe_code, reason = "a socket option that rustix lacks")]

use std::ffi::CStr;
use std::io::Write as _;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatxFlags, makedev, openat, statx};
use rustix::io::{Errno, Result, read, retry_on_intr};
use rustix::net::sockopt::socket_domain;
use rustix::net::{AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};

use super::helper::{Helper, receive, send};
use super::process::checked;
use super::socket::{TUN, network_namespace};

/// Limit of files that are looked at for one question.
const FILES: usize = 512;

/// Limit of sockets that are looked into for one question.
const SOCKETS: usize = 64;

/// How deep sockets in flight nest at most: the kernel's `MAX_RECURSION_LEVEL`.
const DEPTH: usize = 4;

/// A namespace comes along with this message.
const FOUND: &[u8] = &[1];

/// All copies are gone.
const DONE: &[u8] = &[0];

/// An errno or zero, and the counts of [`Missed`].
const VERDICT: usize = 4 * size_of::<u32>();

/// How many files in flight could not be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missed {
    /// Behind another message, in a connection that is not accepted yet, or beyond a limit.
    pub(crate) queued: u32,
    /// The owner of the socket peeks itself: a look would move its offset.
    pub(crate) disturbing: u32,
    /// Sockets and tun/tap device files whose network namespace the kernel does not tell this
    /// caller.
    pub(crate) denied: u32,
}

/// A child that looks into the queues of other processes' Unix sockets.
///
/// A look may wait for a receiver, and closing a file that was seen for its file server.
#[derive(Debug)]
pub(crate) struct Peeker {
    /// None once it is stuck.
    helper: Option<Helper>,
}

impl Peeker {
    /// Starts the child; `proc` is a procfs that shows it, `nsfs` the device number of nsfs.
    pub(crate) fn start(proc: BorrowedFd<'_>, nsfs: u64) -> Result<Peeker> {
        let helper = Helper::start(Some(proc), |socket| answer_all(socket, proc, nsfs))?;
        Ok(Peeker { helper: Some(helper) })
    }

    /// Looks into the queue of a Unix socket of the process behind a pidfd, and hands over what
    /// holds the namespaces there: EBADF if it is no such socket, ETIMEDOUT after the deadline, and
    /// `found` may have been called by then.
    pub(crate) fn look(
        &mut self,
        pidfd: BorrowedFd<'_>,
        fd: u32,
        deadline: Instant,
        mut found: impl FnMut(OwnedFd),
    ) -> Result<Missed> {
        let helper = self.helper.take().ok_or(Errno::CHILD)?;
        let mut verdict = Err(Errno::CHILD);
        let mut outcome = helper.tell(&fd.to_ne_bytes(), pidfd);
        let mut is_done = false;
        let mut lost = 0;
        let mut buffer = [0; VERDICT];
        while outcome.is_ok() && !is_done {
            outcome = match helper.receive(deadline, &mut buffer) {
                Ok(Some((FOUND, Some(namespace)))) => {
                    found(namespace);
                    Ok(())
                }
                Ok(Some((FOUND, None))) => {
                    // The caller has too many open files.
                    lost += 1;
                    Ok(())
                }
                Ok(Some((DONE, _))) => {
                    is_done = true;
                    Ok(())
                }
                Ok(Some((words, _))) => {
                    verdict = read_verdict(words);
                    Ok(())
                }
                Ok(None) => Err(Errno::CHILD),
                Err(errno) => Err(errno),
            };
        }
        match outcome {
            Ok(()) => self.helper = Some(helper),
            Err(errno) => {
                helper.end();
                if verdict == Err(Errno::CHILD) {
                    return Err(errno);
                }
            }
        }
        verdict.map(|missed| Missed { denied: missed.denied.saturating_add(lost), ..missed })
    }

    /// Whether it can be asked again.
    pub(crate) fn is_well(&self) -> bool {
        self.helper.is_some()
    }
}

impl Drop for Peeker {
    fn drop(&mut self) {
        if let Some(helper) = self.helper.take() {
            helper.end();
        }
    }
}

fn write_verdict(verdict: Result<Missed>) -> [u8; VERDICT] {
    let words = match verdict {
        Ok(missed) => [0, missed.queued, missed.disturbing, missed.denied],
        Err(errno) => [errno.raw_os_error() as u32, 0, 0, 0],
    };
    let mut bytes = [0; VERDICT];
    for (place, byte) in bytes.iter_mut().zip(words.into_iter().flat_map(u32::to_ne_bytes)) {
        *place = byte;
    }
    bytes
}

fn read_verdict(bytes: &[u8]) -> Result<Missed> {
    let (words, _) = bytes.as_chunks();
    let mut words = words.iter().map(|word| u32::from_ne_bytes(*word));
    let mut next = || words.next().ok_or(Errno::BADMSG);
    let (errno, queued, disturbing, denied) = (next()?, next()?, next()?, next()?);
    match errno {
        0 => Ok(Missed { queued, disturbing, denied }),
        errno => Err(Errno::from_raw_os_error(errno as i32)),
    }
}

/// What the child does until the parent is gone. It does not allocate.
fn answer_all(socket: BorrowedFd<'_>, proc: BorrowedFd<'_>, nsfs: u64) {
    let mut question = [0; size_of::<u32>()];
    while let Ok(Some((fd, Some(pidfd)))) = receive(socket, &mut question) {
        let Some(fd) = fd.first_chunk() else { return };
        let fd = i32::from_ne_bytes(*fd);
        let mut look = Look {
            answers: socket,
            proc,
            nsfs,
            files: [const { None }; FILES],
            count: 0,
            sockets: [0; SOCKETS],
            socket_count: 0,
            missed: Missed::default(),
        };
        let file = pidfd_getfd(&pidfd, fd, PidfdGetfdFlags::empty());
        let verdict = file.as_ref().map_err(|errno| *errno);
        let verdict = verdict.and_then(|file| look.begin(file)).map(|()| look.missed);
        if send(socket, &write_verdict(verdict), None).is_err() {
            return;
        }
        // Closing them may take for ever.
        drop(file);
        drop(look);
        if send(socket, DONE, None).is_err() {
            return;
        }
    }
}

/// One look into a queue, and those of the sockets in it.
struct Look<'a> {
    answers: BorrowedFd<'a>,
    proc: BorrowedFd<'a>,
    nsfs: u64,
    /// The files that were seen, to be closed in the end.
    files: [Option<OwnedFd>; FILES],
    count: usize,
    /// The sockets that were looked into.
    sockets: [u64; SOCKETS],
    socket_count: usize,
    missed: Missed,
}

impl Look<'_> {
    /// Begins with the copy of a file of another process.
    fn begin(&mut self, file: &OwnedFd) -> Result<()> {
        let stat = statx(file, c"", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, none())?;
        let is_socket = FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Socket;
        if !is_socket || socket_domain(file)? != AddressFamily::UNIX {
            return Err(Errno::BADF);
        }
        self.queue(file, stat.stx_ino, 0)
    }

    /// The queue of a Unix socket.
    fn queue(&mut self, socket: &OwnedFd, inode: u64, depth: usize) -> Result<()> {
        let met = self.sockets.get(..self.socket_count).unwrap_or(&self.sockets);
        if met.contains(&inode) {
            return Ok(());
        }
        let waiting = files_in_flight(self.proc, socket)?;
        if waiting == 0 {
            // A peek into an empty queue would take a pending error away.
            return Ok(());
        }
        let Some(place) = self.sockets.get_mut(self.socket_count).filter(|_| depth <= DEPTH) else {
            self.missed.queued = self.missed.queued.saturating_add(waiting);
            return Ok(());
        };
        *place = inode;
        self.socket_count += 1;
        if peek_offset(socket)? >= 0 {
            self.missed.disturbing = self.missed.disturbing.saturating_add(waiting);
            return Ok(());
        }
        let mut seen = 0;
        // Credentials and a security context may stand before the files.
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253)) + 1024];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        // No content is wanted: what it says is none of our business.
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        if retry_on_intr(|| recvmsg(socket, &mut [], &mut control, flags)).is_ok() {
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(files) = message {
                    for file in files {
                        seen += 1;
                        self.file(file, depth);
                    }
                }
            }
        }
        let unseen = waiting.saturating_sub(seen);
        self.missed.queued = self.missed.queued.saturating_add(unseen);
        Ok(())
    }

    /// A file in flight, which is kept until the end: closing it may take for ever.
    fn file(&mut self, file: OwnedFd, depth: usize) {
        if self.count == FILES {
            self.missed.queued += 1;
        } else if self.look_at(&file, depth).is_err() {
            self.missed.denied += 1;
        }
        match self.files.get_mut(self.count) {
            Some(place) => {
                *place = Some(file);
                self.count += 1;
            }
            None => std::mem::forget(file),
        }
    }

    fn look_at(&mut self, file: &OwnedFd, depth: usize) -> Result<()> {
        let stat = statx(file, c"", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, none())?;
        if makedev(stat.stx_dev_major, stat.stx_dev_minor) == self.nsfs {
            return send(self.answers, FOUND, Some(file.as_fd()));
        }
        match FileType::from_raw_mode(stat.stx_mode.into()) {
            FileType::Socket => {
                if socket_domain(file)? == AddressFamily::UNIX {
                    self.queue(file, stat.stx_ino, depth + 1)?;
                }
            }
            FileType::CharacterDevice if (stat.stx_rdev_major, stat.stx_rdev_minor) == TUN => {}
            _ => return Ok(()),
        }
        let namespace = network_namespace(file)?;
        send(self.answers, FOUND, Some(namespace.as_fd()))
    }
}

fn none() -> StatxFlags {
    StatxFlags::empty()
}

/// See the function of this name in front.
pub(crate) fn waiting(fdinfo: &[u8]) -> Option<u32> {
    let mut lines = fdinfo.split(|byte| *byte == b'\n');
    let count = lines.find_map(|line| line.strip_prefix(b"scm_fds:"))?;
    str::from_utf8(count.trim_ascii()).ok()?.parse().ok()
}

/// How many files wait in the queue of a Unix socket, or in connections to it that are not accepted
/// yet: `scm_fds` (Linux 5.6).
fn files_in_flight(proc: BorrowedFd<'_>, socket: &OwnedFd) -> Result<u32> {
    let mut path = [0; 40];
    let mut rest: &mut [u8] = &mut path;
    write!(rest, "self/fdinfo/{}\0", socket.as_raw_fd()).map_err(|_| Errno::NAMETOOLONG)?;
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::INVAL)?;
    let file = openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = [0; 512];
    let length = retry_on_intr(|| read(&file, &mut text))?;
    waiting(text.get(..length).unwrap_or_default()).ok_or(Errno::OPNOTSUPP)
}

/// `SO_PEEK_OFF`: negative unless the owner has set it.
fn peek_offset(socket: &OwnedFd) -> Result<i32> {
    let mut offset = -1i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    let fd = socket.as_raw_fd();
    // SAFETY: option value and length point at locals of the sizes that the kernel is told.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_PEEK_OFF,
            (&raw mut offset).cast(),
            &raw mut length,
        )
    };
    checked(result.into())?;
    Ok(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_as_written() {
        let missed = Missed { queued: 1, disturbing: 0x0203_0405, denied: u32::MAX };
        for verdict in [Ok(missed), Ok(Missed::default()), Err(Errno::BADF)] {
            assert_eq!(read_verdict(&write_verdict(verdict)), verdict);
        }
        assert_eq!(read_verdict(&[0; 5]), Err(Errno::BADMSG));
    }
}
