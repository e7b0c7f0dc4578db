//! A helper child: a process of its own for what may never come back.
//!
//! A thread that is stuck in the kernel keeps its whole process from ending. A child can be left
//! behind. It has nothing but copies of the few files that it needs, makes raw system calls only
//! (no allocation, no name service, no unwinding), and has no exit signal, so that it does not
//! disturb the host program's handling of SIGCHLD.
#![expect(unsafe_code, reason = "clone(2), and what its children do before they exit")]

use std::ffi::CStr;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::{Errno, Result, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::{DumpableBehavior, Signal, dumpable_behavior, set_dumpable_behavior};

use super::process::checked;

/// A child that is at work.
#[derive(Debug)]
pub(super) struct Helper {
    answers: OwnedFd,
    pidfd: OwnedFd,
    pid: libc::pid_t,
}

impl Helper {
    /// Starts a child that does `work`, which is handed its end of a socket, and ends. Besides that
    /// it has at most this file.
    pub(super) fn start(
        file: Option<BorrowedFd<'_>>,
        work: impl FnOnce(BorrowedFd<'_>),
    ) -> Result<Helper> {
        if has_unborn_pid_namespace() {
            // The child would be its first process, and end it.
            return Err(Errno::BUSY);
        }
        let (answers, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(of_helper)?;
        let signals = BlockedSignals::all()?;
        clone_is_carried_out()?;
        let mut pidfd: RawFd = -1;
        let flags = libc::CLONE_PIDFD as libc::c_long;
        // As fork(2), but without exit signal and with a pidfd, which the kernel stores in `pidfd`.
        // SAFETY: the child goes on with a copy of this very stack.
        let pid = unsafe { clone_on_same_stack(flags, &raw mut pidfd) };
        if pid == 0 {
            // A copy of a process that may have had other threads: raw system calls only from here
            // on.
            let _even_after_a_panic = Exit;
            drop(answers);
            keep_only(file.unwrap_or(theirs.as_fd()), theirs.as_fd());
            work(theirs.as_fd());
            exit();
        }
        drop(signals);
        checked(pid).map_err(of_helper)?;
        // SAFETY: clone has succeeded, so this is a new file descriptor that no other code knows.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        Ok(Helper { answers, pidfd, pid: pid as libc::pid_t })
    }

    /// Tells the child something.
    pub(super) fn tell(&self, message: &[u8], fd: BorrowedFd<'_>) -> Result<()> {
        send(self.answers.as_fd(), message, Some(fd)).map_err(of_helper)
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
                Err(errno) => return Err(of_helper(errno)),
            }
        }
        receive(self.answers.as_fd(), buffer).map_err(of_helper)
    }

    /// Is done with the child. If it does not end, because it is stuck, it is left behind, see
    /// [`reap_abandoned`], and its PID is returned.
    pub(super) fn end(self) -> Option<u32> {
        /// So long an end may take that is on its way.
        const PARTING: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        // Harmless if it has exited.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let is_over = retry_on_intr(|| poll(&mut ended, Some(&PARTING)));
        abandoned().push(self.pid);
        reap_abandoned();
        is_over.is_ok_and(|ended| ended == 0).then_some(self.pid.unsigned_abs())
    }
}

/// An error of a call that is about the helper. It must not pass for the answer that what the
/// helper is to look at is not there.
fn of_helper(errno: Errno) -> Errno {
    match errno {
        Errno::NOENT | Errno::SRCH | Errno::STALE | Errno::BADF => Errno::IO,
        errno => errno,
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

/// clone(2) with these flags, of which none may need more arguments than the address for a pidfd.
/// As after fork(2), the child goes on with a copy of the caller's stack.
///
/// # Safety
///
/// The flags do not contain `CLONE_VM`, and the address is null or of memory that the kernel may
/// write to. Until it executes a program, the child makes system calls only: other threads may have
/// held locks.
pub(super) unsafe fn clone_on_same_stack(flags: libc::c_long, pidfd: *mut RawFd) -> libc::c_long {
    const NO_STACK: libc::c_long = 0;
    // Only here the stack comes first, see clone(2).
    let (first, second) =
        if cfg!(target_arch = "s390x") { (NO_STACK, flags) } else { (flags, NO_STACK) };
    // SAFETY: the caller vouches for flags and address; the last two arguments are not looked at.
    unsafe { libc::syscall(libc::SYS_clone, first, second, pidfd, 0usize, 0usize) }
}

/// Fails where clone(2) is not answered by the kernel: a sandbox that says 0,
/// without doing anything, would have the caller take itself for the child.
pub(super) fn clone_is_carried_out() -> Result<()> {
    // No kernel makes a thread of the caller's that does not share its memory: this gives EINVAL.
    let impossible = libc::c_long::from(libc::CLONE_THREAD);
    // SAFETY: no CLONE_VM, no address; and there is no child.
    match unsafe { clone_on_same_stack(impossible, std::ptr::null_mut()) } {
        0 => Err(Errno::NOSYS),
        _ => Ok(()),
    }
}

/// Whether the children of this thread begin in a PID namespace that has had no process yet.
fn has_unborn_pid_namespace() -> bool {
    let link = |name: &CStr| readlinkat_raw(CWD, name, &mut [0; 64]).map(drop);
    link(c"/proc/thread-self/ns/pid_for_children") == Err(Errno::NOENT)
        && link(c"/proc/thread-self/ns/pid").is_ok()
}

/// For a child that enters a user namespace of others: root in there must not read its copy of the
/// caller's memory.
pub(super) fn become_untraceable() -> Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // A sandbox may only say that it has done so.
    match dumpable_behavior()? {
        DumpableBehavior::Dumpable => Err(Errno::PERM),
        _ => Ok(()),
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
        recvmsg(socket, &mut message, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    let fd = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    let message = buffer.get(..read.bytes).unwrap_or_default();
    Ok((!message.is_empty()).then_some((message, fd)))
}

/// Closes all files of this child but two. In place of the standard files there is the socket, so
/// that no other file gets their numbers.
fn keep_only(file: BorrowedFd<'_>, socket: BorrowedFd<'_>) {
    let (file, socket) = (file.as_raw_fd(), socket.as_raw_fd());
    let (low, high) = (file.min(socket), file.max(socket));
    let mut gaps = [(0, low), (low + 1, high), (high + 1, RawFd::MAX)].into_iter();
    if !gaps.all(|(first, end)| first >= end || close_range(first, end - 1)) {
        // Before Linux 5.9, or in a sandbox.
        close_listed(|fd| fd != file && fd != socket);
    }
    for standard in (0..3).filter(|standard| ![file, socket].contains(standard)) {
        // SAFETY: takes numbers; nothing in this child uses what may be open there.
        unsafe { libc::dup2(socket, standard) };
    }
}

/// Closes the files of this child from `first` to `last`; false if the kernel does not.
fn close_range(first: RawFd, last: RawFd) -> bool {
    // SAFETY: closes files of this child only, which nothing in it uses.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) == 0 }
}

/// Closes those files of this child that `/proc` lists; without a `/proc` they stay open until it
/// ends. Does not allocate.
fn close_listed(is_unwanted: impl Fn(RawFd) -> bool) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = openat(CWD, c"/proc/self/fd", flags, Mode::empty()) else { return };
    let mut buffer = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(&folder, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = str::from_utf8(entry.file_name().to_bytes()).ok();
        if let Some(fd) = name.and_then(|name| name.parse().ok())
            && fd != folder.as_raw_fd()
            && is_unwanted(fd)
        {
            // SAFETY: closes a file of this child only, which nothing in it uses.
            unsafe { libc::close(fd) };
        }
    }
}

/// Waits for a child that has exited.
pub(super) fn reap(pid: libc::pid_t) {
    // SAFETY: waits for a child of ours, without asking for its status. __WALL, since it has no
    // exit signal.
    let wait = || unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
    while checked(wait().into()) == Err(Errno::INTR) {}
}

/// All signals of this thread blocked, until dropped.
pub(crate) struct BlockedSignals(libc::sigset_t);

impl BlockedSignals {
    /// Leaves them blocked.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }

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
        // SAFETY: waits for a child of ours, without asking for its status, and does not block.
        // Until then its PID is nobody else's; and if somebody else has let go of it, there is none
        // with that PID and no exit signal.
        let reaped = unsafe { libc::waitpid(*pid, std::ptr::null_mut(), flags) };
        reaped == 0
    });
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::IntoRawFd;
    use std::time::Duration;

    use super::*;

    /// The number of files that this process has open, not counting the folder that tells.
    fn open_files() -> u8 {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, c"/proc/self/fd", flags, Mode::empty()).unwrap();
        let mut buffer = [MaybeUninit::uninit(); 2048];
        let mut entries = RawDir::new(&folder, &mut buffer);
        let mut count = 0;
        while let Some(Ok(entry)) = entries.next() {
            count += u8::from(entry.file_name().to_bytes().first().is_some_and(u8::is_ascii_digit));
        }
        count - 1
    }

    /// What a helper child says after this.
    fn said(work: impl FnOnce(BorrowedFd<'_>) -> [u8; 2]) -> [u8; 2] {
        let helper = Helper::start(None, |socket| _ = send(socket, &work(socket), None)).unwrap();
        let mut said = [0; 2];
        let deadline = Instant::now() + Duration::from_secs(60);
        let length = helper.receive(deadline, &mut said).unwrap().map(|(said, _)| said.len());
        assert_eq!(length, Some(2));
        helper.end();
        said
    }

    #[test]
    fn a_helper_has_no_files_but_its_socket() {
        let others: Vec<File> = (0..50).map(|_| File::open("/dev/null").unwrap()).collect();
        // And three copies of it, in place of the standard files.
        assert_eq!(said(|_| [open_files(), 0]), [4, 0]);
        drop(others);
    }

    #[test]
    fn files_are_closed_one_by_one_where_there_is_no_other_way() {
        let said = said(|socket| {
            for _ in 0..50 {
                _ = rustix::io::dup(socket).map(IntoRawFd::into_raw_fd);
            }
            let before = open_files();
            close_listed(|fd| fd > 2 && fd != socket.as_raw_fd());
            [before, open_files()]
        });
        assert_eq!(said, [54, 4]);
    }
}
