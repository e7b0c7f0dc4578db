//! A helper child: a process of its own for what may never come back.
//!
//! A thread that is stuck in the kernel keeps its whole process from ending. A child can be left
//! behind. It has nothing but copies of the few files that it needs, makes raw system calls only (no
//! allocation, no name service, no unwinding), and has no exit signal, so that it does not disturb the
//! host program's handling of SIGCHLD.
#![expect(unsafe_code, reason = "clone(2), and what its children do before they exit")]

use std::ffi::CStr;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, readlinkat_raw};
use rustix::io::{Errno, Result, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::Signal;

use super::process::checked;

/// A child that is at work.
#[derive(Debug)]
pub(super) struct Helper {
    answers: OwnedFd,
    pidfd: OwnedFd,
    pid: libc::pid_t,
}

impl Helper {
    /// Starts a child that does `work`, which is handed its end of a socket, and ends. Besides that it
    /// has at most this file.
    pub(super) fn start(
        file: Option<BorrowedFd<'_>>,
        work: impl FnOnce(BorrowedFd<'_>),
    ) -> Result<Helper> {
        if has_unborn_pid_namespace() {
            // The child would be its first process, and end it.
            return Err(Errno::BUSY);
        }
        let (answers, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let signals = BlockedSignals::all()?;
        let mut pidfd: RawFd = -1;
        let flags = libc::CLONE_PIDFD as libc::c_long;
        // SAFETY: as fork(2), but without exit signal and with a pidfd, which it stores in `pidfd`.
        // The child goes on with a copy of this very stack.
        let pid = unsafe {
            libc::syscall(libc::SYS_clone, flags, 0usize, &raw mut pidfd, 0usize, 0usize)
        };
        if pid == 0 {
            // A copy of a process that may have had other threads: raw system calls only from here on.
            let _even_after_a_panic = Exit;
            drop(answers);
            keep_only(file.unwrap_or(theirs.as_fd()), theirs.as_fd());
            work(theirs.as_fd());
            exit();
        }
        drop(signals);
        checked(pid)?;
        // SAFETY: clone has succeeded, so this is a new file descriptor that nobody else knows.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        Ok(Helper { answers, pidfd, pid: pid as libc::pid_t })
    }

    /// Tells the child something.
    pub(super) fn tell(&self, message: &[u8], fd: BorrowedFd<'_>) -> Result<()> {
        send(self.answers.as_fd(), message, Some(fd))
    }

    /// The next answer; `None` if the child has nothing more to say.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT after the deadline.
    pub(super) fn receive<'b>(
        &self,
        deadline: Instant,
        buffer: &'b mut [u8],
    ) -> Result<Option<Message<'b>>> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout =
                Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            let mut fds = [PollFd::new(&self.answers, PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) => return Err(Errno::TIMEDOUT),
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        receive(self.answers.as_fd(), buffer)
    }

    /// Is done with the child. If it does not end, because it is stuck, it is left behind, see
    /// [`reap_abandoned`].
    pub(super) fn end(self) {
        /// So long an end may take that is on its way.
        const PARTING: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        // Harmless if it has exited.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let _ = retry_on_intr(|| poll(&mut ended, Some(&PARTING)));
        abandoned().push(self.pid);
        reap_abandoned();
    }
}

/// Ends the child, whatever happens, without running the destructors of the parent's things.
struct Exit;

impl Drop for Exit {
    fn drop(&mut self) {
        exit();
    }
}

fn exit() -> ! {
    // SAFETY: ends this process.
    unsafe { libc::_exit(0) }
}

/// Whether the children of this thread begin in a PID namespace that has had no process yet.
fn has_unborn_pid_namespace() -> bool {
    let link = |name: &CStr| readlinkat_raw(CWD, name, &mut [0; 64]).map(drop);
    link(c"/proc/thread-self/ns/pid_for_children") == Err(Errno::NOENT)
        && link(c"/proc/thread-self/ns/pid").is_ok()
}

/// What one end of the socket has told the other.
pub(super) type Message<'b> = (&'b [u8], Option<OwnedFd>);

/// Tells the other end something.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: &[u8],
    fd: Option<BorrowedFd<'_>>,
) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); 64];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = fd.map(|fd| [fd]);
    if let Some(fds) = &fds {
        ancillary.push(SendAncillaryMessage::ScmRights(fds));
    }
    let message = [IoSlice::new(message)];
    sendmsg(socket, &message, &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}

/// Waits for what the other end has to tell; `None` if that is no more.
pub(super) fn receive<'b>(
    socket: BorrowedFd<'_>,
    buffer: &'b mut [u8],
) -> Result<Option<Message<'b>>> {
    let mut space = [MaybeUninit::uninit(); 64];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let read = retry_on_intr(|| {
        let mut message = [IoSliceMut::new(buffer)];
        recvmsg(socket, &mut message, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    let fd = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    let message = buffer.get(..read.bytes).unwrap_or_default();
    Ok((!message.is_empty()).then_some((message, fd)))
}

/// Closes all files of this child but two. In place of the standard files there is the socket, so that
/// nobody else's file gets their numbers.
fn keep_only(file: BorrowedFd<'_>, socket: BorrowedFd<'_>) {
    let (file, socket) = (file.as_raw_fd(), socket.as_raw_fd());
    let (low, high) = (file.min(socket), file.max(socket));
    let close_between = |first: i32, end: i32| {
        if first < end {
            // SAFETY: closes files of this child only, which nothing in it uses. Before Linux 5.9
            // it fails, and they stay open until the child ends.
            unsafe { libc::syscall(libc::SYS_close_range, first, end - 1, 0) };
        }
    };
    close_between(0, low);
    close_between(low + 1, high);
    close_between(high + 1, i32::MAX);
    for standard in (0..3).filter(|standard| ![file, socket].contains(standard)) {
        // SAFETY: takes numbers; nothing in this child uses what may be open there.
        unsafe { libc::dup2(socket, standard) };
    }
}

/// Waits for a child that has exited.
pub(super) fn reap(pid: libc::pid_t) {
    // SAFETY: waits for a child of ours, without asking for its status. __WALL, since it has no exit
    // signal.
    let wait = || unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
    while checked(wait().into()) == Err(Errno::INTR) {}
}

/// All signals of this thread blocked, until dropped.
pub(super) struct BlockedSignals(libc::sigset_t);

impl BlockedSignals {
    pub(super) fn all() -> Result<BlockedSignals> {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: fills the whole set.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: reads the set just filled, and fills `before`.
        let result =
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
        if result != 0 {
            return Err(Errno::from_raw_os_error(result));
        }
        // SAFETY: pthread_sigmask has succeeded, so it has filled it.
        Ok(BlockedSignals(unsafe { before.assume_init() }))
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: reads the set that was in force before.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut())
        };
    }
}

/// The children that were killed, and not seen to end.
static ABANDONED: Mutex<Vec<libc::pid_t>> = Mutex::new(Vec::new());

fn abandoned() -> MutexGuard<'static, Vec<libc::pid_t>> {
    ABANDONED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets go of the abandoned children that have ended.
pub(crate) fn reap_abandoned() {
    abandoned().retain(|pid| {
        let flags = libc::WNOHANG | libc::__WCLONE;
        // SAFETY: waits for a child of ours, without asking for its status, and does not block. Until
        // then its PID is nobody else's; and if somebody else has let go of it, there is none with
        // that PID and no exit signal.
        let reaped = unsafe { libc::waitpid(*pid, std::ptr::null_mut(), flags) };
        reaped == 0
    });
}
