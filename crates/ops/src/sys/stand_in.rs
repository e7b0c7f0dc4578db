//! A process that stands in for its child: who waits for it, or sends it signals, means the child.
#![expect(unsafe_code, reason = "waitpid(2), sigwaitinfo(2), sigaction(2) and _exit(2)")]

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, kill_process, kill_process_group, setrlimit,
};

use super::files::OpenFiles;
use super::signals::delivered;

/// Stands in for a child: waits for it, and ends as it does.
///
/// A child in a session of its own, which this process leads, with `terminal` as its terminal, gets
/// all signals from here; else those of its terminal reach it without.
pub(crate) fn act_for(child: Pid, files: OpenFiles, session: Option<Session>) -> ! {
    // A reader of a pipe waits until its other end is closed everywhere.
    let terminal = session.as_ref().and_then(|session| session.terminal.as_ref());
    let kept = terminal.map(|terminal| terminal.as_raw_fd());
    files.close_all_but(kept.as_slice());
    let status = pass_signals_on(child, session.is_some());
    if let Some(terminal) = kept {
        // Or the end of the session would throw away what has not been read yet.
        // SAFETY: takes no argument.
        unsafe { libc::ioctl(terminal, libc::TIOCNOTTY) };
    }
    end_as(status)
}

/// A session that this process leads, and its terminal.
pub(crate) struct Session {
    pub(crate) terminal: Option<OwnedFd>,
}

/// Ends this process as a child has ended, whose status this is.
pub(crate) fn end_as(status: libc::c_int) -> ! {
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
/// and going on are left to each of them. A child that leads a process group of its own gets all of
/// it from here, and so does its group.
fn pass_signals_on(child: Pid, leads_group: bool) -> libc::c_int {
    // SAFETY: a set of signals is made of integers, for which zeros will do.
    let mut signals: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: fills the set.
    unsafe { libc::sigfillset(&raw mut signals) };
    let job_control = [libc::SIGCONT, libc::SIGTTIN, libc::SIGTTOU, libc::SIGTSTP];
    for left_alone in job_control.iter().take(if leads_group { 3 } else { 4 }) {
        // SAFETY: takes a signal out of the set.
        unsafe { libc::sigdelset(&raw mut signals, *left_alone) };
    }
    // Our child has not been waited for, so its number is still its own.
    let to_everyone = if leads_group { kill_process_group } else { kill_process };
    // SAFETY: blocks just these signals for this process, which has one thread; they wait to be
    // taken. They have been blocked, with all others, since before the child was there.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const signals, std::ptr::null_mut()) };
    let mut status = 0;
    loop {
        // SAFETY: asks for our child; `status` is a local.
        let ended = unsafe {
            let flags = libc::__WALL | libc::WNOHANG | libc::WUNTRACED;
            libc::waitpid(child.as_raw_pid(), &raw mut status, flags)
        };
        let is_child = ended == child.as_raw_pid();
        if is_child && libc::WIFSTOPPED(status) {
            // The parent of this process is to notice, and may have it go on.
            let _ = kill_process(getpid(), Signal::STOP);
            let _ = to_everyone(child, Signal::CONT);
            continue;
        }
        if ended != 0 {
            // Nobody else waits for our child.
            return if is_child { status } else { 255 << 8 };
        }
        // SAFETY: a plain struct of integers, for which zeros will do.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: waits for a signal of the set; `info` is a local.
        let signal = unsafe { libc::sigwaitinfo(&raw const signals, &raw mut info) };
        let is_from_somebody = info.si_code <= 0;
        if signal > 0 && signal != libc::SIGCHLD && is_from_somebody {
            // What keys send, they send to all of a group.
            let by_key = matches!(signal, libc::SIGINT | libc::SIGQUIT | libc::SIGTSTP);
            let send = if by_key { to_everyone } else { kill_process };
            let _ = send(child, delivered(signal));
        }
    }
}

/// Ends this process by a signal, but without a core dump of its own.
fn end_by(signal: libc::c_int) {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    // SAFETY: from here on, this process does nothing but end.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: a set of signals is made of integers, for which zeros, an empty set, will do.
    let none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: blocks nothing any more.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
    let _ = kill_process(getpid(), delivered(signal));
}
