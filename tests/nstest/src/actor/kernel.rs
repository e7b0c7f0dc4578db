//! The system calls that a child makes, each as a safe function over plain fd numbers and borrowed
//! texts.
//!
//! Everything here is async-signal-safe: no allocation, no lock, no libc function that keeps state.
//! The calls go through `syscall(2)`, because several libc wrappers do more than the call: setuid(2)
//! signals all threads, and fork(2) runs handlers. Made for 64-bit Linux.

#![expect(
    unsafe_code,
    reason = "system calls that rustix does not offer after a fork"
)]

use std::ffi::{CStr, c_int, c_long, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use linux_raw_sys::general::{F_GETOWN_EX, F_OWNER_TID, F_SETOWN_EX, f_owner_ex};
use lxkns_species::Pid;

pub(super) use crate::syscall::{Errno, Result};
use crate::syscall::{call, last_error};

fn number(returned: c_long) -> i32 {
    returned as i32
}

/// Forks. 0 is the child's answer; everybody else gets its PID.
pub(super) fn fork() -> Result<i32> {
    call!(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0).map(number)
}

/// Forks a process with the same fd table, not a copy of it.
pub(super) fn fork_sharing_fds() -> Result<i32> {
    let flags = libc::CLONE_FILES | libc::SIGCHLD;
    call!(libc::SYS_clone, flags, 0, 0, 0, 0).map(number)
}

/// Starts a thread on a stack of its own, sharing everything with this one.
///
/// # Safety
///
/// The stack must be unused, and it and whatever `argument` points to must live as long as the
/// thread. Thread-local memory is shared with the caller, so both must not use it at the same time.
pub(super) unsafe fn start_thread(
    stack_top: *mut c_void,
    body: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> Result {
    let flags = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM;
    // SAFETY: the caller promises a stack and an argument that outlive the thread.
    let started = unsafe { libc::clone(body, stack_top, flags, argument) };
    if started == -1 {
        Err(last_error())
    } else {
        Ok(())
    }
}

pub(super) fn exit_process(status: i32) -> ! {
    loop {
        _ = call!(libc::SYS_exit_group, status);
    }
}

pub(super) fn exit_thread() -> ! {
    loop {
        _ = call!(libc::SYS_exit, 0);
    }
}

/// Marks the open file behind `fd` as owned by the calling thread. Whoever shares that open file can
/// ask for the owner, and gets the TID as of its own PID namespace.
pub(super) fn own(fd: RawFd) -> Result {
    let tid = call!(libc::SYS_gettid).map(number)?;
    let owner = f_owner_ex {
        type_: F_OWNER_TID.cast_signed(),
        pid: tid,
    };
    call!(libc::SYS_fcntl, fd, F_SETOWN_EX, &raw const owner).map(drop)
}

/// Who has last made itself the owner of this open file, as of the caller's PID namespace.
pub(crate) fn owner(fd: BorrowedFd<'_>) -> io::Result<Pid> {
    let mut owner = f_owner_ex { type_: 0, pid: 0 };
    match call!(libc::SYS_fcntl, fd.as_raw_fd(), F_GETOWN_EX, &raw mut owner) {
        Ok(_) => Ok(Pid(owner.pid.cast_unsigned())),
        Err(Errno(errno)) => Err(io::Error::from_raw_os_error(errno)),
    }
}

pub(super) fn effective_uid() -> u32 {
    call!(libc::SYS_geteuid).map_or(0, |uid| uid as u32)
}

pub(super) fn effective_gid() -> u32 {
    call!(libc::SYS_getegid).map_or(0, |gid| gid as u32)
}

pub(super) fn set_no_groups() -> Result {
    call!(libc::SYS_setgroups, 0, 0).map(drop)
}

pub(super) fn set_gid(gid: u32) -> Result {
    call!(libc::SYS_setresgid, gid, gid, gid).map(drop)
}

pub(super) fn set_uid(uid: u32) -> Result {
    call!(libc::SYS_setresuid, uid, uid, uid).map(drop)
}

pub(super) fn set_dumpable() -> Result {
    call!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0).map(drop)
}

pub(super) fn set_name(name: &CStr) -> Result {
    call!(libc::SYS_prctl, libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0).map(drop)
}

/// Asks to be killed when the calling thread's parent thread ends.
pub(super) fn die_with_parent() -> Result {
    call!(
        libc::SYS_prctl,
        libc::PR_SET_PDEATHSIG,
        libc::SIGKILL,
        0,
        0,
        0
    )
    .map(drop)
}

pub(super) fn unshare(flags: u32) -> Result {
    call!(libc::SYS_unshare, flags).map(drop)
}

pub(super) fn setns(fd: RawFd, flags: u32) -> Result {
    call!(libc::SYS_setns, fd, flags).map(drop)
}

/// Opens a path relative to a directory; what is opened does not survive exec.
pub(super) fn open_at(directory: RawFd, path: &CStr, flags: i32) -> Result<RawFd> {
    let flags = flags | libc::O_CLOEXEC;
    call!(libc::SYS_openat, directory, path.as_ptr(), flags, 0).map(number)
}

pub(super) fn open_tree(path: &CStr) -> Result<RawFd> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    call!(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags).map(number)
}

pub(super) fn close(fd: RawFd) -> Result {
    call!(libc::SYS_close, fd).map(drop)
}

/// Closes all fds from `first` to `last`; since Linux 5.9.
pub(super) fn close_range(first: RawFd, last: RawFd) -> Result {
    call!(libc::SYS_close_range, first, last, 0).map(drop)
}

/// Makes `fd` available as `wanted`, which does not survive exec.
pub(super) fn duplicate_to(fd: RawFd, wanted: RawFd) -> Result {
    call!(libc::SYS_dup3, fd, wanted, libc::O_CLOEXEC).map(drop)
}

/// Makes `fd` available as `wanted`, which survives exec.
pub(super) fn duplicate_for_exec(fd: RawFd, wanted: RawFd) -> Result {
    call!(libc::SYS_dup3, fd, wanted, 0).map(drop)
}

/// Renumbers `fd` to the first free number from `lowest` on.
pub(super) fn lift(fd: RawFd, lowest: RawFd) -> Result<RawFd> {
    let lifted = call!(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, lowest).map(number);
    close(fd)?;
    lifted
}

pub(super) fn pipe() -> Result<(RawFd, RawFd)> {
    let mut ends: [RawFd; 2] = [0; 2];
    call!(libc::SYS_pipe2, &raw mut ends, libc::O_CLOEXEC)?;
    Ok(ends.into())
}

/// Reads one byte; `false` at end of file.
pub(super) fn read_byte(fd: RawFd) -> Result<bool> {
    let mut byte = 0u8;
    loop {
        match call!(libc::SYS_read, fd, &raw mut byte, 1) {
            Err(Errno(libc::EINTR)) => {}
            read => return read.map(|length| length == 1),
        }
    }
}

pub(super) fn write(fd: RawFd, bytes: &[u8]) -> Result {
    match call!(libc::SYS_write, fd, bytes.as_ptr(), bytes.len())? {
        written if written as usize == bytes.len() => Ok(()),
        _ => Err(Errno(libc::EIO)),
    }
}

/// Blocks until all write ends of a pipe are closed; reads nothing from it.
pub(super) fn wait_for_hang_up(fd: RawFd) {
    while !hung_up_within(fd, std::ptr::null()) {}
}

/// Whether all write ends of a pipe are closed.
pub(super) fn has_hung_up(fd: RawFd) -> bool {
    let no_time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    hung_up_within(fd, &raw const no_time)
}

/// An error, other than being interrupted, counts as the end too.
fn hung_up_within(fd: RawFd, time: *const libc::timespec) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    match call!(libc::SYS_ppoll, &raw mut poll, 1, time, 0, 0) {
        Ok(_) => poll.revents != 0,
        Err(Errno(errno)) => errno != libc::EINTR,
    }
}

/// Blocks until the number is not 0 any more.
pub(super) fn wait_until_set(flag: &AtomicU32) {
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    while flag.load(Ordering::Acquire) == 0 {
        _ = call!(libc::SYS_futex, flag.as_ptr(), operation, 0, 0, 0, 0);
    }
}

pub(super) fn set(flag: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    flag.store(1, Ordering::Release);
    _ = call!(libc::SYS_futex, flag.as_ptr(), operation, 1, 0, 0, 0);
}

pub(super) fn mkdir(path: &CStr) -> Result {
    call!(libc::SYS_mkdirat, libc::AT_FDCWD, path.as_ptr(), 0o755).map(drop)
}

pub(super) fn mknod(path: &CStr, file_type: u32) -> Result {
    call!(
        libc::SYS_mknodat,
        libc::AT_FDCWD,
        path.as_ptr(),
        file_type | 0o644,
        0
    )
    .map(drop)
}

pub(super) fn symlink(target: &CStr, path: &CStr) -> Result {
    call!(
        libc::SYS_symlinkat,
        target.as_ptr(),
        libc::AT_FDCWD,
        path.as_ptr()
    )
    .map(drop)
}

pub(super) fn remove(path: &CStr) -> Result {
    call!(libc::SYS_unlinkat, libc::AT_FDCWD, path.as_ptr(), 0).map(drop)
}

/// Reads a link into a buffer, and tells the link's length.
pub(super) fn read_link(path: &CStr, buffer: &mut [u8]) -> Result<usize> {
    let (start, length) = (buffer.as_mut_ptr(), buffer.len());
    call!(
        libc::SYS_readlinkat,
        libc::AT_FDCWD,
        path.as_ptr(),
        start,
        length
    )
    .map(|length| length as usize)
}

pub(super) fn mount(
    source: Option<&CStr>,
    target: &CStr,
    fs_type: Option<&CStr>,
    flags: u64,
    options: Option<&CStr>,
) -> Result {
    let address = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    let (source, fs_type, options) = (address(source), address(fs_type), address(options));
    call!(
        libc::SYS_mount,
        source,
        target.as_ptr(),
        fs_type,
        flags,
        options
    )
    .map(drop)
}

pub(super) fn unmount(path: &CStr) -> Result {
    let flags = libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW;
    call!(libc::SYS_umount2, path.as_ptr(), flags).map(drop)
}

pub(super) fn chroot(path: &CStr) -> Result {
    call!(libc::SYS_chroot, path.as_ptr())?;
    call!(libc::SYS_chdir, c"/".as_ptr()).map(drop)
}

pub(super) fn tcp_socket() -> Result<RawFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    call!(libc::SYS_socket, libc::AF_INET, kind, 0).map(number)
}

pub(super) fn socket_pair() -> Result<(RawFd, RawFd)> {
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
pub(super) fn send_fd(socket: RawFd, fd: RawFd) -> Result {
    let mut byte = 0u8;
    let mut content = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
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
pub(super) fn name_tun(fd: RawFd, name: &CStr) -> Result {
    let mut request = [0u8; size_of::<libc::ifreq>()];
    let named = name.to_bytes().len().min(libc::IFNAMSIZ - 1);
    for (place, byte) in request.iter_mut().zip(name.to_bytes().iter().take(named)) {
        *place = *byte;
    }
    let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as u16;
    for (place, byte) in request
        .iter_mut()
        .skip(libc::IFNAMSIZ)
        .zip(flags.to_ne_bytes())
    {
        *place = byte;
    }
    call!(libc::SYS_ioctl, fd, libc::TUNSETIFF, request.as_mut_ptr()).map(drop)
}

/// Reaps a child, or any (-1), and tells how it ended.
pub(super) fn reap(pid: i32) -> Result<i32> {
    let mut status = 0i32;
    loop {
        match call!(libc::SYS_wait4, pid, &raw mut status, libc::__WALL, 0) {
            Err(Errno(libc::EINTR)) => {}
            reaped => return reaped.map(|_| status),
        }
    }
}

/// Executes a program; returns only if that fails. The lists are addresses of strings that outlive
/// the call, closed by 0.
pub(super) fn execute(path: &CStr, arguments: &[usize], environment: &[usize]) -> Errno {
    match call!(
        libc::SYS_execve,
        path.as_ptr(),
        arguments.as_ptr(),
        environment.as_ptr()
    ) {
        Ok(_) => Errno(libc::EIO),
        Err(error) => error,
    }
}
