//! The ioctls of nsfs, see ioctl_nsfs(2) and include/uapi/linux/nsfs.h.
#![expect(unsafe_code, reason = "ioctls have no safe form")]

use std::ffi::c_void;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{Errno, Result};
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

use super::process::{NSFS_MAGIC, UNANSWERED, opened};

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

/// An ioctl that opens a namespace.
///
/// # Safety
///
/// The opcode is that of an ioctl without argument, which returns a new file descriptor.
unsafe fn returning_fd<const OPCODE: Opcode>(fd: impl AsFd) -> Result<OwnedFd> {
    // SAFETY: the caller vouches that there is no argument.
    let raw = unsafe { ioctl(fd, Returning::<OPCODE>) }?;
    // SAFETY: the caller vouches that it is a new file descriptor; it is close-on-exec.
    unsafe { opened(raw, NSFS_MAGIC) }
}

/// `NS_GET_USERNS`.
pub(crate) fn owner(fd: impl AsFd) -> Result<OwnedFd> {
    // SAFETY: it takes no argument, and opens a namespace.
    unsafe { returning_fd::<{ opcode::none(NSIO, 1) }>(fd) }
}

/// `NS_GET_PARENT`.
pub(crate) fn parent(fd: impl AsFd) -> Result<OwnedFd> {
    // SAFETY: it takes no argument, and opens a namespace.
    unsafe { returning_fd::<{ opcode::none(NSIO, 2) }>(fd) }
}

/// `NS_GET_NSTYPE`: a `CLONE_NEW…` flag.
pub(crate) fn namespace_type(fd: impl AsFd) -> Result<u32> {
    // SAFETY: NS_GET_NSTYPE takes no argument.
    let flag = unsafe { ioctl(fd, Returning::<{ opcode::none(NSIO, 3) }>) }?;
    u32::try_from(flag).map_err(|_| Errno::INVAL)
}

/// An ioctl that writes a plain number to its argument. The argument begins with a number that is
/// no answer.
struct Writing<const OPCODE: Opcode, Number>(Number);

// SAFETY: the opcodes used with it write one such number, see `written`.
unsafe impl<const OPCODE: Opcode, Number: Copy> Ioctl for Writing<OPCODE, Number> {
    type Output = Number;

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        OPCODE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        (&raw mut self.0).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, number: *mut c_void) -> Result<Number> {
        // SAFETY: it is the pointer that `as_ptr` gave, to an initialised number.
        Ok(unsafe { number.cast::<Number>().read() })
    }
}

/// The number that an ioctl writes to its argument.
///
/// # Errors
///
/// Those of the ioctl; [`UNANSWERED`] if it has left `impossible` there.
///
/// # Safety
///
/// The opcode is that of an ioctl that writes one `Number`, an integer, to its argument.
unsafe fn written<const OPCODE: Opcode, Number: Copy + PartialEq>(
    fd: impl AsFd,
    impossible: Number,
) -> Result<Number> {
    // SAFETY: the caller vouches for what it writes.
    let number = unsafe { ioctl(fd, Writing::<OPCODE, Number>(impossible)) }?;
    if number == impossible { Err(UNANSWERED) } else { Ok(number) }
}

/// `NS_GET_OWNER_UID`, which is an `_IO` in spite of its argument, a uid_t.
pub(crate) fn owner_uid(fd: impl AsFd) -> Result<u32> {
    // -1 is no UID.
    // SAFETY: it writes a uid_t.
    unsafe { written::<{ opcode::none(NSIO, 4) }, u32>(fd, u32::MAX) }
}

/// `NS_GET_MNTNS_ID` (6.12; Linux 6.11 has it with another number).
pub(crate) fn mount_namespace_id(fd: impl AsFd) -> Result<u64> {
    // SAFETY: it writes a u64.
    unsafe { written::<{ opcode::read::<u64>(NSIO, 5) }, u64>(fd, 0) }
}

/// `NS_GET_ID` (6.18).
pub(crate) fn unique_id(fd: impl AsFd) -> Result<u64> {
    // SAFETY: it writes a u64.
    unsafe { written::<{ opcode::read::<u64>(NSIO, 13) }, u64>(fd, 0) }
}

/// `struct mnt_ns_info`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct MountNamespaceInfo {
    size: u32,
    pub(crate) mounts: u32,
    pub(crate) id: u64,
}

/// The ioctls that fill a `struct mnt_ns_info`, and return a new file descriptor or 0.
struct InfoGetter<const OPCODE: Opcode>(MountNamespaceInfo);

impl<const OPCODE: Opcode> InfoGetter<OPCODE> {
    fn new() -> Self {
        InfoGetter(MountNamespaceInfo {
            size: size_of::<MountNamespaceInfo>() as u32,
            mounts: 0,
            id: 0,
        })
    }
}

// SAFETY: the opcodes used with it write a `struct mnt_ns_info` of the size that is part of them.
unsafe impl<const OPCODE: Opcode> Ioctl for InfoGetter<OPCODE> {
    type Output = (IoctlOutput, MountNamespaceInfo);

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        OPCODE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        (&raw mut self.0).cast()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, info: *mut c_void) -> Result<Self::Output> {
        // SAFETY: it is the pointer that `as_ptr` gave, to integers that are initialised.
        let info = unsafe { info.cast::<MountNamespaceInfo>().read() };
        // No namespace has this id: `new` has put it there.
        if info.id == 0 { Err(UNANSWERED) } else { Ok((output, info)) }
    }
}

const fn info_opcode(number: u8) -> Opcode {
    opcode::read::<MountNamespaceInfo>(NSIO, number)
}

/// `NS_MNT_GET_INFO` (6.12).
pub(crate) fn mount_namespace_info(fd: impl AsFd) -> Result<MountNamespaceInfo> {
    // SAFETY: NS_MNT_GET_INFO writes a `struct mnt_ns_info`.
    let (_, info) = unsafe { ioctl(fd, InfoGetter::<{ info_opcode(10) }>::new()) }?;
    Ok(info)
}

/// The mount namespace before or after another one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Neighbour {
    Next,
    Previous,
}

/// `NS_MNT_GET_NEXT` and `NS_MNT_GET_PREV` (6.12). ENOENT: that was the last one.
pub(crate) fn neighbour(fd: impl AsFd, which: Neighbour) -> Result<(OwnedFd, MountNamespaceInfo)> {
    let (raw, info) = match which {
        // SAFETY: NS_MNT_GET_NEXT writes a `struct mnt_ns_info`.
        Neighbour::Next => unsafe { ioctl(fd, InfoGetter::<{ info_opcode(11) }>::new()) },
        // SAFETY: NS_MNT_GET_PREV writes a `struct mnt_ns_info`.
        Neighbour::Previous => unsafe { ioctl(fd, InfoGetter::<{ info_opcode(12) }>::new()) },
    }?;
    // SAFETY: on success they return a new file descriptor (close-on-exec), a namespace.
    let neighbour = unsafe { opened(raw, NSFS_MAGIC) }?;
    Ok((neighbour, info))
}

/// An ioctl whose argument and result are PIDs.
struct Translator<const OPCODE: Opcode>(u32);

// SAFETY: the opcodes used with it take their argument as a number, there is no pointer.
unsafe impl<const OPCODE: Opcode> Ioctl for Translator<OPCODE> {
    type Output = IoctlOutput;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        OPCODE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::without_provenance_mut(self.0 as usize)
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> Result<IoctlOutput> {
        Ok(output)
    }
}

fn translated<const OPCODE: Opcode>(fd: impl AsFd, pid: u32) -> Result<u32> {
    // SAFETY: the four opcodes below take a number.
    let pid = unsafe { ioctl(fd, Translator::<OPCODE>(pid)) }?;
    match u32::try_from(pid) {
        // Where there is no such PID, the kernel says ESRCH.
        Ok(0) => Err(UNANSWERED),
        pid => pid.map_err(|_| Errno::SRCH),
    }
}

/// `NS_GET_PID_FROM_PIDNS` (6.11).
pub(crate) fn pid_from(fd: impl AsFd, pid: u32) -> Result<u32> {
    translated::<{ opcode::read::<i32>(NSIO, 6) }>(fd, pid)
}

/// `NS_GET_TGID_FROM_PIDNS` (6.11).
pub(crate) fn tgid_from(fd: impl AsFd, pid: u32) -> Result<u32> {
    translated::<{ opcode::read::<i32>(NSIO, 7) }>(fd, pid)
}

/// `NS_GET_PID_IN_PIDNS` (6.11).
pub(crate) fn pid_in(fd: impl AsFd, pid: u32) -> Result<u32> {
    translated::<{ opcode::read::<i32>(NSIO, 8) }>(fd, pid)
}

/// `NS_GET_TGID_IN_PIDNS` (6.11).
pub(crate) fn tgid_in(fd: impl AsFd, pid: u32) -> Result<u32> {
    translated::<{ opcode::read::<i32>(NSIO, 9) }>(fd, pid)
}
