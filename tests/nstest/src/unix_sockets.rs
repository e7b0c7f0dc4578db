//! Unix sockets whose owner makes it hard to look into their queues.
#![expect(unsafe_code, reason = "system calls that rustix lacks")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};

use crate::syscall::{Errno, Result, call};

/// Sets the offset in its receive queue at which a Unix socket peeks, and which a peek moves.
///
/// # Errors
///
/// As setsockopt(2).
#[doc(alias = "SO_PEEK_OFF")]
pub fn set_peek_offset(socket: impl AsFd, offset: i32) -> io::Result<()> {
    let (level, option) = (libc::SOL_SOCKET, libc::SO_PEEK_OFF);
    let fd = socket.as_fd().as_raw_fd();
    call!(libc::SYS_setsockopt, fd, level, option, &raw const offset, size_of::<i32>())
        .map(drop)
        .map_err(|Errno(number)| io::Error::from_raw_os_error(number))
}

/// A thread that has begun to receive from a Unix socket and does not get on: the memory that it
/// receives into is not there. Whoever else receives from the socket, or peeks, waits for it.
#[derive(Debug)]
pub struct StuckReceiver {
    /// Once it is closed, the memory is there.
    fault: Option<OwnedFd>,
    thread: Option<JoinHandle<Result<usize>>>,
}

const PAGE: usize = 4096;

impl StuckReceiver {
    /// Starts to receive, and returns when that is stuck. There must be a message. Needs root.
    ///
    /// # Errors
    ///
    /// As userfaultfd(2).
    #[doc(alias = "userfaultfd")]
    pub fn start(socket: OwnedFd) -> io::Result<StuckReceiver> {
        let failed = |Errno(number)| io::Error::from_raw_os_error(number);
        let (fault, page) = missing_page().map_err(failed)?;
        let thread = std::thread::spawn(move || {
            let fd = socket.as_raw_fd();
            let received = call!(libc::SYS_recvfrom, fd, page, PAGE, 0, 0, 0);
            let unmapped = call!(libc::SYS_munmap, page, PAGE);
            unmapped.and(received).map(|length| length as usize)
        });
        poll(&mut [PollFd::new(&fault, PollFlags::IN)], None)?;
        Ok(StuckReceiver { fault: Some(fault), thread: Some(thread) })
    }

    /// Lets it get on, and tells how many bytes it received; `None` if it failed.
    pub fn release(mut self) -> Option<usize> {
        self.end()
    }

    fn end(&mut self) -> Option<usize> {
        drop(self.fault.take());
        self.thread.take()?.join().ok()?.ok()
    }
}

impl Drop for StuckReceiver {
    fn drop(&mut self) {
        self.end();
    }
}

/// Memory that is not there until the file is closed; whoever touches it waits.
fn missing_page() -> Result<(OwnedFd, usize)> {
    // linux/userfaultfd.h
    const UFFDIO_API: u32 = 0xc018_aa3f;
    const UFFDIO_REGISTER: u32 = 0xc020_aa00;
    const REGISTER_MODE_MISSING: u64 = 1;
    let fd = call!(libc::SYS_userfaultfd, libc::O_CLOEXEC)? as RawFd;
    // SAFETY: the call has succeeded, so this is a new file descriptor that nobody else knows.
    let fault = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut api: [u64; 3] = [0xaa, 0, 0];
    call!(libc::SYS_ioctl, fd, UFFDIO_API, api.as_mut_ptr())?;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let page = call!(libc::SYS_mmap, 0, PAGE, protection, flags, -1, 0)? as usize;
    let mut register: [u64; 4] = [page as u64, PAGE as u64, REGISTER_MODE_MISSING, 0];
    call!(libc::SYS_ioctl, fd, UFFDIO_REGISTER, register.as_mut_ptr())?;
    Ok((fault, page))
}
