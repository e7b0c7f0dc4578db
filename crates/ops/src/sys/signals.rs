//! Signals that are read like a file, and stopping as a terminal has a process stop.
#![expect(unsafe_code, reason = "signalfd(2), sigaction(2), sets of signals, getpgrp(2)")]

use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::io::{Result, read};
use rustix::process::{Pid, Signal, kill_current_process_group};

use super::process::checked;

/// All signals of this process, which must be blocked, see signalfd(2). Does not block.
pub(crate) fn open() -> Result<OwnedFd> {
    // SAFETY: a set of signals is made of integers, for which zeros will do.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: fills the set.
    unsafe { libc::sigfillset(&raw mut all) };
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: reads the set.
    let raw = checked(unsafe { libc::signalfd(-1, &raw const all, flags) }.into())?;
    // SAFETY: on success it is a new file descriptor that no other code knows.
    Ok(unsafe { OwnedFd::from_raw_fd(raw as libc::c_int) })
}

/// The next signal, if there is one.
pub(crate) fn next(signals: impl AsFd) -> Option<Signal> {
    // A `signalfd_siginfo`, which begins with the number.
    let mut info = [0; 128];
    let length = read(signals, &mut info).unwrap_or(0);
    let number = info.get(..length)?.first_chunk().map(|number| u32::from_ne_bytes(*number))?;
    Some(delivered(number.cast_signed()))
}

/// A signal by the number that the kernel has just delivered, or said a child has ended by.
pub(super) fn delivered(number: libc::c_int) -> Signal {
    // SAFETY: it is passed on as what it was, a real-time signal too.
    unsafe { Signal::from_raw_unchecked(number) }
}

/// The process group of this process; `None` if its leader is in a PID namespace above, where
/// rustix's `getpgrp` would have a PID 0.
pub(crate) fn own_group() -> Option<Pid> {
    // SAFETY: always succeeds.
    Pid::from_raw(unsafe { libc::getpgrp() })
}

/// Stops the process group of this process, as Ctrl-Z does; its parent may have it go on.
/// Returns then, or at once without such a parent.
pub(crate) fn stop_with_group() {
    let stop = only(libc::SIGTSTP);
    // SAFETY: the default is what it has had, or what a terminal asks for.
    unsafe { libc::signal(libc::SIGTSTP, libc::SIG_DFL) };
    let _ = kill_current_process_group(Signal::TSTP);
    // SAFETY: lets the signal take effect, which stops this process.
    unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &raw const stop, std::ptr::null_mut()) };
    // SAFETY: from here on, it is read again.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const stop, std::ptr::null_mut()) };
}

fn only(signal: libc::c_int) -> libc::sigset_t {
    // SAFETY: a set of signals is made of integers, for which zeros, an empty set, will do.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: adds a signal to the set.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    set
}
