//! What a program gets from whoever starts it: a terminal, and keys.
#![expect(unsafe_code, reason = "an ioctl and a system call that rustix lacks")]

use std::io;

/// Has a byte read from the terminal that is standard input as if it had been typed there, by
/// whoever reads next: `TIOCSTI`, see ioctl_tty(2).
///
/// # Errors
///
/// Denied to programs without `CAP_SYS_ADMIN` in most kernels from 6.2 on; and without a terminal.
#[doc(alias = "TIOCSTI")]
pub fn type_into_terminal(byte: u8) -> io::Result<()> {
    // SAFETY: reads a byte of a local.
    let result = unsafe { libc::ioctl(0, libc::TIOCSTI, &raw const byte) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The number of the session keyring of this process, see keyctl_get_keyring_ID(3).
///
/// # Errors
///
/// ENOSYS if the kernel has no keyrings.
pub fn session_keyring() -> io::Result<i64> {
    let create = 0;
    // SAFETY: takes numbers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::KEYCTL_GET_KEYRING_ID,
            libc::KEY_SPEC_SESSION_KEYRING,
            create,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
