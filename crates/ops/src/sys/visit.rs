//! Helper children: one that looks into a mount namespace, one that opens a path that may hang.
//!
//! Only a single-threaded process may enter a user namespace (setns(2)), and a thread that is stuck
//! in the kernel keeps its whole process from ending. So both jobs are done by a child that is a
//! process of its own, and that makes raw system calls only: no allocation, no name service, no
//! unwinding. With exit signal 0 it does not disturb the host program's handling of SIGCHLD.
#![expect(
    unsafe_code,
    reason = "clone(2), and what its children do before they exit"
)]

use std::ffi::{CStr, c_int, c_void};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, Result, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::Signal;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::process::checked;

/// What the child that looks into a mount namespace is told, and what it answers.
struct Look<'a> {
    user_namespace: Option<BorrowedFd<'a>>,
    mount_namespace: BorrowedFd<'a>,
    proc: Option<BorrowedFd<'a>>,
    answer: Result<Answer>,
}

/// The root directory (`O_PATH`) and, if it was wanted, the table of mounts.
type Answer = (OwnedFd, Option<OwnedFd>);

/// Enters the namespaces in a child that shares memory and file table with the caller, which
/// stands still meanwhile, and opens there the root directory and, below `proc` if there is one,
/// `self/mountinfo`.
pub(crate) fn look_into(
    user_namespace: Option<BorrowedFd<'_>>,
    mount_namespace: BorrowedFd<'_>,
    proc: Option<BorrowedFd<'_>>,
) -> Result<Answer> {
    const STACK: usize = 64 * 1024;
    const FLAGS: c_int = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_VFORK;
    // u128: aligned as the ABI wants a stack to be.
    let mut stack = vec![MaybeUninit::<u128>::uninit(); STACK / size_of::<u128>()];
    let mut look = Look {
        user_namespace,
        mount_namespace,
        proc,
        answer: Err(Errno::CHILD),
    };

    // A signal handler must not run in the child: it would think that it is the parent.
    let signals = BlockedSignals::all()?;
    let dumpable = dumpable();
    // SAFETY: one past the last element of the stack, which grows down.
    let top = unsafe { stack.as_mut_ptr().add(stack.len()) };
    // SAFETY: the child runs `look_in_child` on a stack of its own, and because of CLONE_VFORK this
    // thread does not go on before it has exited: `stack` and `look` outlive it and are not
    // touched meanwhile. Without CLONE_FS it has a root and working directory of its own.
    let pid = unsafe {
        libc::clone(
            look_in_child,
            top.cast(),
            FLAGS,
            (&raw mut look).cast::<c_void>(),
        )
    };
    let pid = checked(pid.into());
    // Entering a user namespace of another owner makes our shared memory undumpable.
    restore_dumpable(dumpable);
    drop(signals);
    reap(pid? as libc::pid_t);
    look.answer
}

extern "C" fn look_in_child(argument: *mut c_void) -> c_int {
    // SAFETY: the argument is the `Look` of `look_into`, whose thread stands still.
    let look = unsafe { &mut *argument.cast::<Look<'_>>() };
    look.answer = look_around(look);
    0
}

fn look_around(look: &Look<'_>) -> Result<Answer> {
    if let Some(user_namespace) = look.user_namespace {
        move_into_link_name_space(user_namespace, Some(LinkNameSpaceType::User))?;
    }
    move_into_link_name_space(look.mount_namespace, Some(LinkNameSpaceType::Mount))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, c"/", flags, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let open = |proc| openat(proc, c"self/mountinfo", flags, Mode::empty());
    Ok((root, look.proc.map(open).transpose()?))
}

fn reap(pid: libc::pid_t) {
    // SAFETY: waits for a child of ours, without asking for its status. __WALL, since it has no
    // exit signal; it has exited already, so this does not block.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
}

fn dumpable() -> c_int {
    // SAFETY: takes and returns numbers.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) }
}

fn restore_dumpable(before: c_int) {
    if before == 1 && dumpable() != 1 {
        // SAFETY: takes numbers.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
    }
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

/// Opens `path` with `O_PATH` below `root`, in a child process with nothing but copies of the two
/// file descriptors that it needs.
///
/// After `limit` the child is killed and abandoned, and the answer is ETIMEDOUT: it may be stuck
/// for as long as somebody's file server is. See [`reap_abandoned`].
pub(crate) fn open_within(root: BorrowedFd<'_>, path: &CStr, limit: Duration) -> Result<OwnedFd> {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let signals = BlockedSignals::all()?;
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_PIDFD as libc::c_long;
    // SAFETY: as fork(2), but without exit signal and with a pidfd, which it stores in `pidfd`. The
    // child goes on with a copy of this very stack.
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
        open_in_child(theirs.as_fd(), root, path);
        // SAFETY: ends the child without running destructors, which are the parent's business.
        unsafe { libc::_exit(0) };
    }
    drop(signals);
    checked(pid)?;
    // SAFETY: clone has succeeded, so this is a new file descriptor that nobody else knows.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    drop(theirs);
    let answer = receive(ours.as_fd(), limit);
    // Harmless if it has exited.
    let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
    let stuck = matches!(answer, Err(Errno::TIMEDOUT));
    if stuck {
        // Mostly it was just slow, and gone as soon as it gets to run.
        abandoned().push(pid as libc::pid_t);
        reap_abandoned();
    } else {
        reap(pid as libc::pid_t);
    }
    answer
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

fn open_in_child(answer: BorrowedFd<'_>, root: BorrowedFd<'_>, path: &CStr) {
    close_all_but(answer, root);
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let opened = openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT);
    let mut space = [MaybeUninit::uninit(); 64];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let (fds, errno) = match &opened {
        Ok(fd) => (Some([fd.as_fd()]), 0),
        Err(errno) => (None, errno.raw_os_error()),
    };
    if let Some(fds) = &fds {
        ancillary.push(SendAncillaryMessage::ScmRights(fds));
    }
    let _ = sendmsg(
        answer,
        &[IoSlice::new(&errno.to_ne_bytes())],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    );
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

fn receive(socket: BorrowedFd<'_>, limit: Duration) -> Result<OwnedFd> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(&socket, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return Err(Errno::TIMEDOUT),
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    let mut errno = [0u8; 4];
    let mut space = [MaybeUninit::uninit(); 64];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let read = retry_on_intr(|| {
        recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut errno)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let fd = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    match (fd, read.bytes, i32::from_ne_bytes(errno)) {
        (Some(fd), ..) => Ok(fd),
        (None, 4, errno) if errno != 0 => Err(Errno::from_raw_os_error(errno)),
        // It has died without an answer.
        _ => Err(Errno::CHILD),
    }
}
