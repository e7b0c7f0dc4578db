//! A helper child: a process of its own for what may never come back.
//!
//! A thread that is stuck in the kernel keeps its whole process from ending. A child can be left
//! behind. It has nothing but copies of the few files that it needs, makes raw system calls only (no
//! allocation, no name service, no unwinding), and has no exit signal, so that it does not disturb the
//! host program's handling of SIGCHLD.
#![expect(
    unsafe_code,
    reason = "clone(2), and what its children do before they exit"
)]

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
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
        let (answers, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let signals = BlockedSignals::all()?;
        let mut pidfd: RawFd = -1;
        let flags = libc::CLONE_PIDFD as libc::c_long;
        // SAFETY: as fork(2), but without exit signal and with a pidfd, which it stores in `pidfd`.
        // The child goes on with a copy of this very stack.
        let pid = unsafe {
            libc::syscall(
                libc::SYS_clone,
                flags,
                0usize,
                &raw mut pidfd,
                0usize,
                0usize,
            )
        };
        if pid == 0 {
            // A copy of a process that may have had other threads: raw system calls only from here on.
            close_all_but(file.unwrap_or(theirs.as_fd()), theirs.as_fd());
            work(theirs.as_fd());
            // SAFETY: ends the child without running destructors, which are the parent's business.
            unsafe { libc::_exit(0) };
        }
        drop(signals);
        checked(pid)?;
        // SAFETY: clone has succeeded, so this is a new file descriptor that nobody else knows.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        Ok(Helper {
            answers,
            pidfd,
            pid: pid as libc::pid_t,
        })
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
            let timeout = Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: left.subsec_nanos().into(),
            };
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

    /// Is done with the child. If it is stuck it is killed and left behind, see [`reap_abandoned`].
    pub(super) fn end(self, stuck: bool) {
        // Harmless if it has exited.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        if stuck {
            // Mostly it was just slow, and gone as soon as it gets to run.
            abandoned().push(self.pid);
            reap_abandoned();
        } else {
            reap(self.pid);
        }
    }
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
        recvmsg(
            socket,
            &mut message,
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let fd = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    let message = buffer.get(..read.bytes).unwrap_or_default();
    Ok((!message.is_empty()).then_some((message, fd)))
}

/// Closes all files of this child but two.
fn close_all_but(one: BorrowedFd<'_>, other: BorrowedFd<'_>) {
    let (one, other) = (one.as_raw_fd() as u32, other.as_raw_fd() as u32);
    let (low, high) = (one.min(other), one.max(other));
    let close_between = |first: u32, end: u32| {
        if first < end {
            // SAFETY: closes files of this child only, which nothing in it uses. Before Linux 5.9
            // it fails, and they stay open until the child ends.
            unsafe { libc::syscall(libc::SYS_close_range, first, end - 1, 0) };
        }
    };
    close_between(0, low);
    close_between(low + 1, high);
    close_between(high + 1, i32::MAX as u32);
}

pub(super) fn reap(pid: libc::pid_t) {
    // SAFETY: waits for a child of ours, without asking for its status. __WALL, since it has no
    // exit signal; it has exited already, so this does not block.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
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
