//! The system calls of a child on files, mounts and sockets, over plain fd numbers and borrowed
//! texts; see [`kernel`](super::kernel) for the rules.

#![expect(unsafe_code, reason = "system calls after a fork, on fds that nobody owns")]

use std::ffi::{CStr, c_int};
use std::os::fd::RawFd;

use super::kernel::{Errno, Result, number};
use crate::syscall::call;

/// Opens a path relative to a directory; what is opened does not survive exec.
pub(crate) fn open_at(directory: RawFd, path: &CStr, flags: i32) -> Result<RawFd> {
    let flags = flags | libc::O_CLOEXEC;
    call!(libc::SYS_openat, directory, path.as_ptr(), flags, 0).map(number)
}

pub(crate) fn open_tree(path: &CStr) -> Result<RawFd> {
    let recursive = libc::AT_RECURSIVE as u32;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | recursive;
    call!(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags).map(number)
}

/// The unique ID of an open namespace: `NS_GET_ID`, since Linux 6.18.
pub(crate) fn unique_id(fd: RawFd) -> Result<u64> {
    const NS_GET_ID: rustix::ioctl::Opcode = rustix::ioctl::opcode::read::<u64>(0xb7, 13);
    let mut id = 0u64;
    call!(libc::SYS_ioctl, fd, NS_GET_ID, &raw mut id)?;
    Ok(id)
}

/// Opens the user namespace that owns an open namespace: `NS_GET_USERNS`.
pub(crate) fn owner(fd: RawFd) -> Result<RawFd> {
    const NS_GET_USERNS: rustix::ioctl::Opcode = rustix::ioctl::opcode::none(0xb7, 1);
    call!(libc::SYS_ioctl, fd, NS_GET_USERNS).map(number)
}

pub(crate) fn close(fd: RawFd) -> Result {
    call!(libc::SYS_close, fd).map(drop)
}

/// Closes all fds from `first` to `last`; since Linux 5.9.
pub(crate) fn close_range(first: RawFd, last: RawFd) -> Result {
    call!(libc::SYS_close_range, first, last, 0).map(drop)
}

/// Makes `fd` available as `wanted`, which does not survive exec.
pub(crate) fn duplicate_to(fd: RawFd, wanted: RawFd) -> Result {
    call!(libc::SYS_dup3, fd, wanted, libc::O_CLOEXEC).map(drop)
}

/// Makes `fd` available as `wanted`, which survives exec.
pub(crate) fn duplicate_for_exec(fd: RawFd, wanted: RawFd) -> Result {
    call!(libc::SYS_dup3, fd, wanted, 0).map(drop)
}

/// Renumbers `fd` to the first free number from `lowest` on.
pub(crate) fn lift(fd: RawFd, lowest: RawFd) -> Result<RawFd> {
    let lifted = call!(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, lowest).map(number);
    close(fd)?;
    lifted
}

pub(crate) fn pipe() -> Result<(RawFd, RawFd)> {
    let mut ends: [RawFd; 2] = [0; 2];
    call!(libc::SYS_pipe2, &raw mut ends, libc::O_CLOEXEC)?;
    Ok(ends.into())
}

/// Reads one byte; `false` at end of file.
pub(crate) fn read_byte(fd: RawFd) -> Result<bool> {
    let mut byte = 0u8;
    loop {
        match call!(libc::SYS_read, fd, &raw mut byte, 1) {
            Err(Errno(libc::EINTR)) => {}
            read => return read.map(|length| length == 1),
        }
    }
}

pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> Result {
    match call!(libc::SYS_write, fd, bytes.as_ptr(), bytes.len())? {
        written if written as usize == bytes.len() => Ok(()),
        _ => Err(Errno(libc::EIO)),
    }
}

/// Blocks until all write ends of a pipe are closed; reads nothing from it.
pub(crate) fn wait_for_hang_up(fd: RawFd) {
    while !hung_up_within(fd, std::ptr::null()) {}
}

/// Whether all write ends of a pipe are closed.
pub(crate) fn has_hung_up(fd: RawFd) -> bool {
    let no_time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    hung_up_within(fd, &raw const no_time)
}

/// An error, other than being interrupted, counts as the end too.
fn hung_up_within(fd: RawFd, time: *const libc::timespec) -> bool {
    let mut poll = libc::pollfd { fd, events: 0, revents: 0 };
    match call!(libc::SYS_ppoll, &raw mut poll, 1, time, 0, 0) {
        Ok(_) => poll.revents != 0,
        Err(Errno(errno)) => errno != libc::EINTR,
    }
}

pub(crate) fn mkdir(path: &CStr) -> Result {
    call!(libc::SYS_mkdirat, libc::AT_FDCWD, path.as_ptr(), 0o755).map(drop)
}

pub(crate) fn mknod(path: &CStr, file_type: u32, device: u64) -> Result {
    call!(libc::SYS_mknodat, libc::AT_FDCWD, path.as_ptr(), file_type | 0o644, device).map(drop)
}

pub(crate) fn symlink(target: &CStr, path: &CStr) -> Result {
    call!(libc::SYS_symlinkat, target.as_ptr(), libc::AT_FDCWD, path.as_ptr()).map(drop)
}

pub(crate) fn remove(path: &CStr) -> Result {
    call!(libc::SYS_unlinkat, libc::AT_FDCWD, path.as_ptr(), 0).map(drop)
}

/// Reads a link into a buffer, and tells the link's length.
pub(crate) fn read_link(path: &CStr, buffer: &mut [u8]) -> Result<usize> {
    let (start, length) = (buffer.as_mut_ptr(), buffer.len());
    call!(libc::SYS_readlinkat, libc::AT_FDCWD, path.as_ptr(), start, length)
        .map(|length| length as usize)
}

pub(crate) fn mount(
    source: Option<&CStr>,
    target: &CStr,
    fs_type: Option<&CStr>,
    flags: u64,
    options: Option<&CStr>,
) -> Result {
    let address = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    let (source, fs_type, options) = (address(source), address(fs_type), address(options));
    call!(libc::SYS_mount, source, target.as_ptr(), fs_type, flags, options).map(drop)
}

pub(crate) fn unmount(path: &CStr) -> Result {
    let flags = libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW;
    call!(libc::SYS_umount2, path.as_ptr(), flags).map(drop)
}

pub(crate) fn chroot(path: &CStr) -> Result {
    call!(libc::SYS_chroot, path.as_ptr())?;
    call!(libc::SYS_chdir, c"/".as_ptr()).map(drop)
}

pub(super) fn duplicate_until_full(fd: RawFd) -> Result {
    loop {
        match call!(libc::SYS_dup, fd) {
            Ok(_) => {}
            Err(Errno(libc::EMFILE)) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn chdir(path: &CStr) -> Result {
    call!(libc::SYS_chdir, path.as_ptr()).map(drop)
}

pub(crate) fn tcp_socket() -> Result<RawFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    call!(libc::SYS_socket, libc::AF_INET, kind, 0).map(number)
}

pub(crate) fn socket_pair() -> Result<(RawFd, RawFd)> {
    let mut ends: [RawFd; 2] = [0; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    call!(libc::SYS_socketpair, libc::AF_UNIX, kind, 0, &raw mut ends)?;
    Ok(ends.into())
}

/// A control message with one fd, laid out as cmsg(3) says for 64 bits.
#[repr(C)]
struct OneFd {
    length: usize,
    level: c_int,
    kind: c_int,
    fd: RawFd,
    padding: u32,
}

/// Sends an fd, together with one byte, to whoever receives from the other end.
pub(crate) fn send_fd(socket: RawFd, fd: RawFd) -> Result {
    let mut byte = 0u8;
    let mut content = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut control = OneFd {
        length: std::mem::offset_of!(OneFd, padding),
        level: libc::SOL_SOCKET,
        kind: libc::SCM_RIGHTS,
        fd,
        padding: 0,
    };
    // The kernel's own layout: musl's msghdr has paddings, but of the same size.
    let message: [usize; 7] = [
        0,
        0,
        (&raw mut content).expose_provenance(),
        1,
        (&raw mut control).expose_provenance(),
        size_of::<OneFd>(),
        0,
    ];
    call!(libc::SYS_sendmsg, socket, message.as_ptr(), 0).map(drop)
}

/// Makes a tun device of this name on an fd of /dev/net/tun.
pub(crate) fn name_tun(fd: RawFd, name: &CStr) -> Result {
    let mut request = [0u8; size_of::<libc::ifreq>()];
    let named = name.to_bytes().len().min(libc::IFNAMSIZ - 1);
    for (place, byte) in request.iter_mut().zip(name.to_bytes().iter().take(named)) {
        *place = *byte;
    }
    let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as u16;
    for (place, byte) in request.iter_mut().skip(libc::IFNAMSIZ).zip(flags.to_ne_bytes()) {
        *place = byte;
    }
    call!(libc::SYS_ioctl, fd, libc::TUNSETIFF, request.as_mut_ptr()).map(drop)
}

/// Reads what is there, and tells how much.
pub(crate) fn read(fd: RawFd, buffer: &mut [u8]) -> Result<usize> {
    let (start, length) = (buffer.as_mut_ptr(), buffer.len());
    call!(libc::SYS_read, fd, start, length).map(|length| length as usize)
}

pub(crate) fn exists(path: &CStr) -> bool {
    call!(libc::SYS_faccessat, libc::AT_FDCWD, path.as_ptr(), libc::F_OK).is_ok()
}

/// Makes another fd for the same file.
pub(crate) fn duplicate(fd: RawFd) -> Result<RawFd> {
    call!(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, 0).map(number)
}

/// Receives what [`send_fd`] has sent.
pub(crate) fn receive_fd(socket: RawFd) -> Result<RawFd> {
    let mut byte = 0u8;
    let mut content = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut control = OneFd { length: 0, level: 0, kind: 0, fd: -1, padding: 0 };
    let mut message: [usize; 7] = [
        0,
        0,
        (&raw mut content).expose_provenance(),
        1,
        (&raw mut control).expose_provenance(),
        size_of::<OneFd>(),
        0,
    ];
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    call!(libc::SYS_recvmsg, socket, message.as_mut_ptr(), flags)?;
    match control.fd {
        -1 => Err(Errno(libc::EBADF)),
        fd => Ok(fd),
    }
}
