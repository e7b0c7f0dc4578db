//! File handles of nsfs: open_by_handle_at(2).
#![expect(unsafe_code, reason = "a system call that rustix lacks")]

use std::os::fd::{OwnedFd, RawFd};

use rustix::io::{Errno, Result};

use super::process::{NSFS_MAGIC, checked, opened};

/// Stands for the root of nsfs, include/uapi/linux/fcntl.h.
const FD_NSFS_ROOT: libc::c_int = -10003;

/// `FILEID_NSFS`.
const NSFS_HANDLE: libc::c_int = 0xf1;

/// `struct file_handle` with a `struct nsfs_file_handle` in it.
#[repr(C)]
struct Handle {
    bytes: libc::c_uint,
    handle_type: libc::c_int,
    // Only 4 bytes aligned in there.
    id: [u32; 2],
    namespace_type: u32,
    inode: u32,
}

/// Opens the namespace with this 64-bit id, type (a `CLONE_NEW…` flag) and inode. Only from Linux
/// 6.19 on the latter two may be 0.
pub(crate) fn open(id: u64, namespace_type: u32, inode: u32) -> Result<OwnedFd> {
    let halves = id.to_ne_bytes();
    let [a, b, c, d, e, f, g, h] = halves;
    let mut handle = Handle {
        bytes: 16,
        handle_type: NSFS_HANDLE,
        id: [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])],
        namespace_type,
        inode,
    };
    // SAFETY: the handle has as many bytes as it says; the kernel only reads it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            FD_NSFS_ROOT,
            &raw mut handle,
            libc::O_RDONLY | libc::O_CLOEXEC,
        )
    };
    let raw = RawFd::try_from(checked(result)?).map_err(|_| Errno::BADF)?;
    // SAFETY: on success it returns a new file descriptor, a namespace.
    unsafe { opened(raw, NSFS_MAGIC) }
}
