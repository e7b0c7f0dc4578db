//! Forking a process that has no other thread, so that the child may do anything.
#![expect(unsafe_code, reason = "fork(2), unshare(2) and sigaction(2)")]

use rustix::io::Result;
use rustix::process::{Pid, Signal, set_parent_process_death_signal};

use super::files::OpenFiles;
use super::helper::BlockedSignals;
use super::process::checked;
use super::stand_in::act_for;

/// Where a fork goes on.
pub(crate) enum Forked {
    /// In the child. Signals are blocked until this is dropped.
    Child(BlockedSignals),
    /// In the parent, whose signals stay blocked: those that come before it can pass them on wait.
    Parent(Pid),
}

/// Forks a process that has no other thread.
pub(crate) fn fork() -> Result<Forked> {
    is_only_thread()?;
    let signals = BlockedSignals::all()?;
    let before = OnChildsEnd::heed();
    // SAFETY: there is no other thread whose work, or lock, could be cut off in the middle.
    let forked = checked(unsafe { libc::fork() }.into());
    match Pid::from_raw(forked.inspect_err(|_| before.restore())? as libc::pid_t) {
        None => {
            before.restore();
            Ok(Forked::Child(signals))
        }
        Some(child) => {
            signals.keep();
            Ok(Forked::Parent(child))
        }
    }
}

/// Forks a process that has no other thread. Returns in the child only: the parent waits for it,
/// and then ends in the same way.
pub(crate) fn go_on_in_child(files: OpenFiles) -> Result<()> {
    match fork()? {
        Forked::Child(_) => die_with_parent(),
        Forked::Parent(child) => act_for(child, files, None),
    }
}

/// Fails with EINVAL in a process that has more than one thread.
pub(crate) fn is_only_thread() -> Result<()> {
    // SAFETY: this does nothing but fail, or not.
    let result = unsafe { libc::unshare(libc::CLONE_THREAD) };
    checked(result.into()).map(drop)
}

pub(crate) fn die_with_parent() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))
}

/// What this process has done so far when a child ended.
pub(super) struct OnChildsEnd(libc::sigaction);

impl OnChildsEnd {
    /// Has this process be told how its children end: whoever has started it may have had it ignore
    /// them (SIGCHLD), and then nobody can wait for them.
    pub(super) fn heed() -> OnChildsEnd {
        // SAFETY: a plain struct of integers, for which zeros will do: SIG_DFL, no flags, no
        // signals.
        let default: libc::sigaction = unsafe { std::mem::zeroed() };
        let mut before = default;
        // SAFETY: reads one local and fills the other.
        unsafe { libc::sigaction(libc::SIGCHLD, &raw const default, &raw mut before) };
        OnChildsEnd(before)
    }

    /// Back to that, for a program that is to find everything as if nothing had come in between.
    pub(super) fn restore(&self) {
        // SAFETY: what was in force before, in the same program.
        unsafe { libc::sigaction(libc::SIGCHLD, &raw const self.0, std::ptr::null_mut()) };
    }
}
