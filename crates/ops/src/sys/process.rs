//! Looking into processes: pidfds, kcmp(2), CPU time, and how the own one was started.
#![expect(unsafe_code, reason = "system calls and ioctls that rustix lacks")]

use std::ffi::{CString, c_void};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use lxkns_species::NamespaceType;
use rustix::fs::fstatfs;
use rustix::io::{Errno, Result};
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// `NSFS_MAGIC` of linux/magic.h.
pub(crate) const NSFS_MAGIC: u64 = 0x6e73_6673;

/// The error of a call that has succeeded, but has left no answer. No kernel does that; a sandbox
/// may say 0 for a call that it has not let through.
pub(crate) const UNANSWERED: Errno = Errno::NODATA;

/// Turns the result of `libc::syscall` into an error or a number.
pub(crate) fn checked(result: i64) -> Result<i64> {
    if result < 0 {
        let errno = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&errno).unwrap_or(Errno::INVAL));
    }
    Ok(result)
}

/// Takes over a file descriptor that a call has returned, of a file on the file system with this
/// magic number.
///
/// # Errors
///
/// [`UNANSWERED`] if it is 0, and such a file is not there: then it is the standard input, and
/// remains open.
///
/// # Safety
///
/// The call has just made this descriptor, if it was carried out at all, and nothing else owns it.
pub(super) unsafe fn opened(raw: RawFd, magic: u64) -> Result<OwnedFd> {
    if raw < 0 {
        return Err(Errno::BADF);
    }
    if raw == 0 {
        // SAFETY: borrowed for one call, which fails if it is not open.
        let file = unsafe { BorrowedFd::borrow_raw(raw) };
        if fstatfs(file).map(|it| it.f_type as u64) != Ok(magic) {
            return Err(UNANSWERED);
        }
    }
    // SAFETY: the caller vouches that nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// pidfd_open(2) of a single thread, `PIDFD_THREAD` (6.9).
pub(crate) fn pidfd_open_thread(tid: u32) -> Result<OwnedFd> {
    let tid = i32::try_from(tid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    pidfd_open(tid, PidfdFlags::from_bits_retain(libc::PIDFD_THREAD))
}

/// One of the ioctls of pidfds that open a namespace.
struct GetNamespace(Opcode);

// SAFETY: they take no argument.
unsafe impl Ioctl for GetNamespace {
    type Output = IoctlOutput;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        self.0
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> Result<IoctlOutput> {
        Ok(output)
    }
}

/// `PIDFD_GET_NET_NAMESPACE` and its like (6.11), include/uapi/linux/pidfd.h.
pub(crate) fn namespace(pidfd: impl AsFd, namespace_type: NamespaceType) -> Result<OwnedFd> {
    const PIDFS: u8 = 0xff;
    // In the order of `NamespaceType::ALL`.
    const NUMBERS: [u8; 8] = [1, 2, 3, 4, 5, 7, 9, 10];
    let number = NUMBERS.get(namespace_type.index()).ok_or(Errno::INVAL)?;
    let request = GetNamespace(opcode::none(PIDFS, *number));
    // SAFETY: it takes no argument.
    let raw = unsafe { ioctl(pidfd, request) }?;
    // SAFETY: on success it returns a new file descriptor (close-on-exec), a namespace.
    unsafe { opened(raw, NSFS_MAGIC) }
}

/// kcmp(2) with `KCMP_FILES`: whether two tasks share their file table.
pub(crate) fn share_files(one: u32, other: u32) -> Result<bool> {
    const KCMP_FILES: i32 = 2;
    // SAFETY: takes numbers, touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, 0usize, 0usize) };
    checked(result).map(|order| order == 0)
}

/// execveat(2) of an open file; returns only if that fails.
pub(crate) fn execute(program: impl AsFd, arguments: &[CString], environment: &[CString]) -> Errno {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        let ended = strings.iter().map(|it| it.as_ptr());
        ended.chain([std::ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: an empty path, and two arrays of strings that end with null, all of which live on.
    let result = unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_fd().as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    checked(result).err().unwrap_or(UNANSWERED)
}

/// `AT_SECURE`.
pub(crate) fn is_secure_execution() -> bool {
    // SAFETY: reads a number out of what the kernel has given to this process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// setfsuid(2), of the calling thread.
pub(crate) fn set_fs_uid(uid: u32) -> Result<()> {
    set_fs(libc::SYS_setfsuid, uid)
}

/// setfsgid(2), of the calling thread.
pub(crate) fn set_fs_gid(gid: u32) -> Result<()> {
    set_fs(libc::SYS_setfsgid, gid)
}

/// Both return what was set before, whether they have changed it or not: so -1, which nobody can
/// be, finds out.
fn set_fs(call: i64, id: u32) -> Result<()> {
    // SAFETY: takes a number, touches no memory of ours.
    unsafe { libc::syscall(call, id) };
    // SAFETY: as before.
    let now = unsafe { libc::syscall(call, u32::MAX) };
    if now == i64::from(id) { Ok(()) } else { Err(Errno::PERM) }
}

/// The time for which the threads of a process have been on a CPU: clock_gettime(2), with the clock
/// of clock_getcpuclockid(3).
pub(crate) fn cpu_time(pid: Pid) -> Result<Duration> {
    /// `CPUCLOCK_SCHED` of the kernel's linux/posix-timers_types.h.
    const SCHED: libc::clockid_t = 2;
    let clock = (!pid.as_raw_nonzero().get() << 3) | SCHED;
    let mut time = libc::timespec { tv_sec: -1, tv_nsec: 0 };
    // SAFETY: fills a local of its type.
    checked(unsafe { libc::syscall(libc::SYS_clock_gettime, clock, &raw mut time) })?;
    match (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec)) {
        (Ok(seconds), Ok(nanoseconds @ ..1_000_000_000)) => Ok(Duration::new(seconds, nanoseconds)),
        _ => Err(UNANSWERED),
    }
}
