//! The ioctls of nsfs, see ioctl_nsfs(2) and include/uapi/linux/nsfs.h.
#![expect(unsafe_code, reason = "ioctls have no safe form")]

use std::ffi::c_void;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::io::{Errno, Result};
use rustix::ioctl::{Getter, Ioctl, IoctlOutput, Opcode, ioctl, opcode};

const NSIO: u8 = 0xb7;

/// An ioctl without argument, whose result is a number, or a new file descriptor.
struct Returning<const OPCODE: Opcode>;

// SAFETY: the opcodes used with it take no argument, so there is nothing to read or write.
unsafe impl<const OPCODE: Opcode> Ioctl for Returning<OPCODE> {
    type Output = IoctlOutput;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        OPCODE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> Result<IoctlOutput> {
        Ok(output)
    }
}

fn returning_fd<const OPCODE: Opcode>(fd: impl AsFd) -> Result<OwnedFd> {
    // SAFETY: both opcodes that come here, NS_GET_USERNS and NS_GET_PARENT, take no argument.
    let raw = unsafe { ioctl(fd, Returning::<OPCODE>) }?;
    // SAFETY: on success they return a new file descriptor (close-on-exec) that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// `NS_GET_USERNS`.
pub(crate) fn owner(fd: impl AsFd) -> Result<OwnedFd> {
    returning_fd::<{ opcode::none(NSIO, 1) }>(fd)
}

/// `NS_GET_PARENT`.
pub(crate) fn parent(fd: impl AsFd) -> Result<OwnedFd> {
    returning_fd::<{ opcode::none(NSIO, 2) }>(fd)
}

/// `NS_GET_NSTYPE`: a `CLONE_NEW…` flag.
pub(crate) fn namespace_type(fd: impl AsFd) -> Result<u32> {
    // SAFETY: NS_GET_NSTYPE takes no argument.
    let flag = unsafe { ioctl(fd, Returning::<{ opcode::none(NSIO, 3) }>) }?;
    u32::try_from(flag).map_err(|_| Errno::INVAL)
}

/// An ioctl that writes a plain number to its argument.
fn written<const OPCODE: Opcode, Number>(fd: impl AsFd) -> Result<Number> {
    // SAFETY: each opcode below writes one number of just the type that goes with it.
    let getter = unsafe { Getter::<OPCODE, Number>::new() };
    // SAFETY: as above.
    unsafe { ioctl(fd, getter) }
}

/// `NS_GET_OWNER_UID`, which is an `_IO` in spite of its argument, a uid_t.
pub(crate) fn owner_uid(fd: impl AsFd) -> Result<u32> {
    written::<{ opcode::none(NSIO, 4) }, u32>(fd)
}

/// `NS_GET_MNTNS_ID` (6.11).
pub(crate) fn mount_namespace_id(fd: impl AsFd) -> Result<u64> {
    written::<{ opcode::read::<u64>(NSIO, 5) }, u64>(fd)
}

/// `NS_GET_ID` (6.18).
pub(crate) fn unique_id(fd: impl AsFd) -> Result<u64> {
    written::<{ opcode::read::<u64>(NSIO, 13) }, u64>(fd)
}
