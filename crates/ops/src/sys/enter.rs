//! What entering namespaces needs besides setns(2): a root directory of one's own, and steps
//! between fork and exec.
#![expect(unsafe_code, reason = "unshare(2), clone(2), and steps between fork and exec")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::{Errno, Result, fcntl_dupfd_cloexec};
use rustix::process::Pid;
use rustix::thread::{
    Gid, Uid, capabilities, configure_capability_in_ambient_set, move_into_link_name_space,
    set_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::files::OpenFiles;
use super::fork::{OnChildsEnd, die_with_parent};
use super::helper::BlockedSignals;
use super::process::checked;
use super::stand_in::act_for;

/// Gives the calling thread a root and working directory of its own, as it needs for entering a
/// mount namespace.
pub(crate) fn own_directories() -> Result<()> {
    // SAFETY: no memory is concerned; other threads keep the directories that they have.
    let result = unsafe { libc::unshare(libc::CLONE_FS) };
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
    // SAFETY: the closure makes system calls only, without allocating or locking, as behoves a
    // copy of a process with possibly many threads.
    unsafe { command.pre_exec(move || prepare(&entry).map_err(io::Error::from)) };
}

fn prepare(entry: &Entry) -> Result<()> {
    // While the files below /proc are still the caller's.
    let files = OpenFiles::note();
    files.close_at_exec();
    for (index, namespace) in (0u8..).zip(&entry.namespaces) {
        move_into_link_name_space(namespace.as_fd(), None).inspect_err(|_| {
            let _ = rustix::io::write(&entry.report, &[index]);
        })?;
    }
    if entry.becomes_root {
        become_root()?;
    }
    if entry.forks {
        // A signal that comes before it can be passed on has to wait.
        let signals = BlockedSignals::all()?;
        let before = OnChildsEnd::heed();
        // SAFETY: as fork(2); the child goes on with a copy of this stack. It will execute a
        // program, so it does not matter that the C library does not know its thread id.
        let result = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        let forked = checked(result).inspect_err(|_| before.restore())?;
        match Pid::from_raw(forked as libc::pid_t) {
            None => {
                before.restore();
                drop(signals);
                die_with_parent()?;
            }
            Some(child) => act_for(child, files, None),
        }
    }
    Ok(())
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

/// Has the program executed next keep all capabilities, whatever its user.
pub(crate) fn keep_capabilities() -> Result<()> {
    let mut sets = capabilities(None)?;
    sets.inheritable = sets.permitted;
    set_capabilities(None, sets)?;
    let mut each = sets.permitted.iter();
    each.try_for_each(|capability| configure_capability_in_ambient_set(capability, true))
}
