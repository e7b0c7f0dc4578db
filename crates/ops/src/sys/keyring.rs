//! keyctl(2).
#![expect(unsafe_code, reason = "a system call that rustix lacks")]

use rustix::io::{Errno, Result};

use super::process::checked;

/// Gives this process a new and empty session keyring, `KEYCTL_JOIN_SESSION_KEYRING`.
///
/// A kernel without keyrings has nothing to leave behind; nor has a sandbox that refuses the call
/// (EPERM), since it refuses it to all programs that this process executes.
pub(crate) fn join_new_session() -> Result<()> {
    let name: *const libc::c_char = std::ptr::null();
    // SAFETY: takes no name, and touches no memory of ours.
    let result =
        unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name) };
    match checked(result) {
        Ok(_) | Err(Errno::NOSYS | Errno::PERM) => Ok(()),
        Err(errno) => Err(errno),
    }
}
