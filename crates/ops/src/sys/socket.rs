//! The network namespace of a socket.
#![expect(unsafe_code, reason = "an ioctl and a socket option that rustix lacks")]

use std::ffi::c_void;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::io::Result;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};

use super::process::checked;

/// include/uapi/linux/sockios.h; also understood by tun/tap device files.
const SIOCGSKNS: Opcode = 0x894c;

struct GetNamespace;

// SAFETY: SIOCGSKNS takes no argument.
unsafe impl Ioctl for GetNamespace {
    type Output = IoctlOutput;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        SIOCGSKNS
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> Result<IoctlOutput> {
        Ok(output)
    }
}

/// `SIOCGSKNS`: opens the network namespace of a socket or tun/tap device file.
pub(crate) fn network_namespace(socket: impl AsFd) -> Result<OwnedFd> {
    // SAFETY: SIOCGSKNS takes no argument. Callers hand in sockets and tun/tap files only, so that
    // no other driver gets to interpret the number.
    let raw = unsafe { ioctl(socket, GetNamespace) }?;
    // SAFETY: on success it returns a new file descriptor (close-on-exec) that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// `SO_NETNS_COOKIE` (5.14).
pub(crate) fn cookie(socket: impl AsFd) -> Result<u64> {
    const SO_NETNS_COOKIE: i32 = 71;
    let mut cookie = 0u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: option value and length point at locals of the sizes that the kernel is told.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    checked(result.into())?;
    Ok(cookie)
}
