//! What entering namespaces needs besides setns(2): a root directory of one's own, and steps
//! between fork and exec.
#![expect(unsafe_code, reason = "unshare(2), fork(2), and steps between fork and exec")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::{Errno, Result, fcntl_dupfd_cloexec};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{
    Gid, Uid, capabilities, configure_capability_in_ambient_set, move_into_link_name_space,
    set_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::helper::BlockedSignals;
use super::process::checked;

/// Gives the calling thread a root and working directory of its own, as it needs for entering a
/// mount namespace.
pub(crate) fn own_directories() -> Result<()> {
    // SAFETY: no memory is concerned; other threads keep the directories that they have.
    let result = unsafe { libc::unshare(libc::CLONE_FS) };
    checked(result.into()).map(drop)
}

/// Fails with EINVAL in a process that has more than one thread.
pub(crate) fn is_only_thread() -> Result<()> {
    // SAFETY: this does nothing but fail, or not.
    let result = unsafe { libc::unshare(libc::CLONE_THREAD) };
    checked(result.into()).map(drop)
}

/// Duplicates a file descriptor to where a [`Command`] does not put standard files.
pub(crate) fn above_standard_files(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    fcntl_dupfd_cloexec(fd, 3)
}

/// What a child is to do between fork and exec.
pub(crate) struct Entry {
    /// To be entered, in this order.
    pub(crate) namespaces: Vec<OwnedFd>,
    /// Whether there is a user namespace among them, of which to become root.
    pub(crate) becomes_root: bool,
    /// Whether a PID namespace is among them: then only a further child is in it.
    pub(crate) forks: bool,
    /// Where the index of a namespace is told that could not be entered.
    pub(crate) report: OwnedFd,
}

/// Has the child of `command` do all this, after what else it has been told to do. It inherits no
/// file but the standard ones.
pub(crate) fn before_exec(command: &mut Command, entry: Entry) {
    let files = highest_file();
    // SAFETY: the closure makes system calls only, without allocating or locking, as behoves a
    // copy of a process with possibly many threads.
    unsafe { command.pre_exec(move || prepare(&entry, files).map_err(io::Error::from)) };
}

fn prepare(entry: &Entry, files: RawFd) -> Result<()> {
    for (index, namespace) in (0u8..).zip(&entry.namespaces) {
        move_into_link_name_space(namespace.as_fd(), None).inspect_err(|_| {
            let _ = rustix::io::write(&entry.report, &[index]);
        })?;
    }
    if entry.becomes_root {
        become_root()?;
    }
    close_at_exec(files);
    if entry.forks {
        // One that comes before anybody can pass it on has to wait.
        let signals = BlockedSignals::all()?;
        let before = OnChildsEnd::heed();
        // SAFETY: as fork(2); the child goes on with a copy of this stack. It will execute a
        // program, so it does not matter that the C library does not know its thread id.
        let result = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        match checked(result).inspect_err(|_| before.restore())? {
            0 => {
                before.restore();
                drop(signals);
                die_with_parent()?;
            }
            child => act_for(child as libc::pid_t, files),
        }
    }
    Ok(())
}

/// Forks a process that has no other thread. Returns in the child only: the parent waits for it,
/// and then ends in the same way.
pub(crate) fn go_on_in_child() -> Result<()> {
    is_only_thread()?;
    // One that comes before anybody can pass it on has to wait.
    let signals = BlockedSignals::all()?;
    let before = OnChildsEnd::heed();
    // SAFETY: there is no other thread whose work, or lock, could be cut off in the middle.
    let forked = checked(unsafe { libc::fork() }.into());
    match forked.inspect_err(|_| before.restore())? {
        0 => {
            before.restore();
            drop(signals);
            die_with_parent()
        }
        child => act_for(child as libc::pid_t, highest_file()),
    }
}

/// What this process has done so far when a child ended.
struct OnChildsEnd(libc::sigaction);

impl OnChildsEnd {
    /// Has this process be told how its children end: whoever has started it may have had it ignore them
    /// (SIGCHLD), and then nobody can wait for them.
    fn heed() -> OnChildsEnd {
        // SAFETY: a plain struct of integers, for which zeros will do: SIG_DFL, no flags, no signals.
        let default: libc::sigaction = unsafe { std::mem::zeroed() };
        let mut before = default;
        // SAFETY: reads one local and fills the other.
        unsafe { libc::sigaction(libc::SIGCHLD, &raw const default, &raw mut before) };
        OnChildsEnd(before)
    }

    /// Back to that, for a program that is to find everything as if nothing had come in between.
    fn restore(&self) {
        // SAFETY: what was in force before, in the same program.
        unsafe { libc::sigaction(libc::SIGCHLD, &raw const self.0, std::ptr::null_mut()) };
    }
}

fn die_with_parent() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))
}

/// Becomes root of the user namespace just entered, as far as it has one. If it has none, the
/// program executed next keeps all capabilities.
pub(crate) fn become_root() -> Result<()> {
    // Denied where the user namespace was made without privileges.
    let _ = set_thread_groups(&[]);
    match set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT) {
        Ok(()) | Err(Errno::INVAL) => {}
        Err(errno) => return Err(errno),
    }
    match set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT) {
        // Not mapped.
        Err(Errno::INVAL) => keep_capabilities(),
        other => other,
    }
}

fn keep_capabilities() -> Result<()> {
    let mut sets = capabilities(None)?;
    sets.inheritable = sets.permitted;
    set_capabilities(None, sets)?;
    let mut each = sets.permitted.iter();
    each.try_for_each(|capability| configure_capability_in_ambient_set(capability, true))
}

/// The highest file descriptor that there may be.
fn highest_file() -> RawFd {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.and_then(|limit| RawFd::try_from(limit).ok());
    // What the kernel takes for the limit, if it has not been raised.
    limit.unwrap_or(1 << 20)
}

/// Has all but the standard files closed at exec.
fn close_at_exec(highest: RawFd) {
    let first: libc::c_uint = 3;
    // SAFETY: sets flags of file descriptors only.
    let result = unsafe {
        libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    if result != 0 {
        // Before Linux 5.11.
        for fd in 3..=highest {
            // SAFETY: as above.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}

/// Stands in for a child: waits for it, and ends as it does.
fn act_for(child: libc::pid_t, highest: RawFd) -> ! {
    // Whoever reads from a pipe waits until nobody has its other end any more.
    // SAFETY: closes files of this process, which from here on uses none.
    if unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) } != 0 {
        for fd in 0..=highest {
            // SAFETY: as above. Before Linux 5.9.
            unsafe { libc::close(fd) };
        }
    }
    let status = pass_signals_on(child);
    let status = if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        end_by(signal);
        // Should it be blocked: as shells have it.
        128 + signal
    } else {
        libc::WEXITSTATUS(status)
    };
    // SAFETY: ends this process without running anything else.
    unsafe { libc::_exit(status) }
}

/// Waits for a child to end, and has it get the signals that others send to this process meanwhile.
/// Returns its status.
///
/// What a terminal sends, it sends to the child as well, as both are in the foreground. Stopping
/// and going on are left to each of them.
fn pass_signals_on(child: libc::pid_t) -> libc::c_int {
    // SAFETY: a set of signals is made of integers, for which zeros will do.
    let mut signals: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: fills the set.
    unsafe { libc::sigfillset(&raw mut signals) };
    for job_control in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU, libc::SIGCONT] {
        // SAFETY: takes a signal out of the set.
        unsafe { libc::sigdelset(&raw mut signals, job_control) };
    }
    // SAFETY: blocks just these signals for this process, which has one thread; they wait to be
    // taken. They have been blocked, with all others, since before the child was there.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const signals, std::ptr::null_mut()) };
    let mut status = 0;
    loop {
        // SAFETY: asks for our child; `status` is a local.
        let ended = unsafe {
            let flags = libc::__WALL | libc::WNOHANG | libc::WUNTRACED;
            libc::waitpid(child, &raw mut status, flags)
        };
        if ended == child && libc::WIFSTOPPED(status) {
            // Whoever waits for this process is to notice, and may have it go on.
            let own = rustix::process::getpid().as_raw_pid();
            // SAFETY: stops this process, which has nothing else to do.
            unsafe { libc::kill(own, libc::SIGSTOP) };
            // SAFETY: sends a signal to our child, which has not been waited for.
            unsafe { libc::kill(child, libc::SIGCONT) };
            continue;
        }
        if ended != 0 {
            // Nobody else waits for our child.
            return if ended == child { status } else { 255 << 8 };
        }
        // SAFETY: a plain struct of integers, for which zeros will do.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: waits for a signal of the set; `info` is a local.
        let signal = unsafe { libc::sigwaitinfo(&raw const signals, &raw mut info) };
        let is_from_somebody = info.si_code <= 0;
        if signal > 0 && signal != libc::SIGCHLD && is_from_somebody {
            // SAFETY: sends a signal to our child, which has not been waited for.
            unsafe { libc::kill(child, signal) };
        }
    }
}

/// Ends this process by a signal, but without a core dump of its own.
fn end_by(signal: libc::c_int) {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    // SAFETY: from here on, this process does nothing but end.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: a set of signals is made of integers, for which zeros, an empty set, will do.
    let none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: blocks nothing any more.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
    let own = rustix::process::getpid().as_raw_pid();
    // SAFETY: sends a signal to this process.
    unsafe { libc::kill(own, signal) };
}
