//! Opening and reading files in a helper child, because a file server may not answer.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::{Errno, Result, retry_on_intr};

use super::helper::{Helper, send};

/// Bytes of one message with content.
const PIECE: usize = 32 * 1024;

/// Runs `open` in a child process, which has no file of the caller's but `file`, and takes over the
/// result.
///
/// `open` makes raw system calls only. After `limit` the child is left behind, and the answer is
/// ETIMEDOUT: it may be stuck for as long as a file server is, see
/// [`reap_abandoned`](super::helper::reap_abandoned).
pub(crate) fn open_in_child(
    file: Option<BorrowedFd<'_>>,
    limit: Duration,
    open: impl Fn() -> Result<OwnedFd>,
) -> Result<OwnedFd> {
    let deadline = Instant::now() + limit;
    let helper = Helper::start(file, |answer| send_opened(answer, &open()))?;
    let opened = receive_opened(&helper, deadline);
    helper.end();
    opened
}

/// Sends a file that a child has opened, or why it has not, to its parent.
pub(super) fn send_opened(answer: BorrowedFd<'_>, opened: &Result<OwnedFd>) {
    let fd = opened.as_ref().ok().map(OwnedFd::as_fd);
    let _ = send(answer, &errno_of(opened).to_ne_bytes(), fd);
}

/// What a child has sent by [`send_opened`].
pub(super) fn receive_opened(helper: &Helper, deadline: Instant) -> Result<OwnedFd> {
    let mut errno = [0; 4];
    let fd = helper.receive(deadline, &mut errno)?.and_then(|(_, fd)| fd);
    match (fd, i32::from_ne_bytes(errno)) {
        (Some(fd), _) => Ok(fd),
        (None, errno) if errno != 0 => Err(Errno::from_raw_os_error(errno)),
        // It has died without an answer.
        _ => Err(Errno::CHILD),
    }
}

/// The bound on the time that a file takes.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// From one piece to the next.
    EachPiece(Duration),
    /// For all of it.
    InAll(Duration),
}

/// Reads a file that `open` opens in a child process, at most `most` bytes of it. The child has no
/// file of the caller's but `directory`; `open` makes raw system calls only.
///
/// # Errors
///
/// ETIMEDOUT after `limit`; those of `open`.
pub(crate) fn read_in_child(
    directory: Option<BorrowedFd<'_>>,
    open: impl Fn() -> Result<OwnedFd>,
    most: usize,
    limit: Limit,
) -> Result<Vec<u8>> {
    let helper = Helper::start(directory, |answer| {
        let mut message = [0; 4 + PIECE];
        let file = open();
        loop {
            let read = file.as_ref().map_err(|errno| *errno).and_then(|file| {
                let (_, space) = message.split_at_mut(4);
                retry_on_intr(|| rustix::io::read(file, &mut *space))
            });
            let (head, _) = message.split_at_mut(4);
            head.copy_from_slice(&errno_of(&read).to_ne_bytes());
            let length = read.unwrap_or(0);
            let sent = send(answer, message.get(..4 + length).unwrap_or_default(), None);
            if length == 0 || sent.is_err() {
                break;
            }
        }
    })?;
    let content = receive_content(&helper, most, limit);
    helper.end();
    content
}

fn receive_content(helper: &Helper, most: usize, limit: Limit) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let start = Instant::now();
    let mut message = vec![0; 4 + PIECE];
    while content.len() < most {
        let deadline = match limit {
            Limit::EachPiece(limit) => Instant::now() + limit,
            Limit::InAll(limit) => start + limit,
        };
        let received = helper.receive(deadline, &mut message)?;
        let (message, _) = received.ok_or(Errno::CHILD)?;
        let (errno, piece) = message.split_first_chunk().ok_or(Errno::CHILD)?;
        match i32::from_ne_bytes(*errno) {
            0 if piece.is_empty() => break,
            0 => content.extend_from_slice(piece),
            errno => return Err(Errno::from_raw_os_error(errno)),
        }
    }
    content.truncate(most);
    Ok(content)
}

/// Opens a regular file for reading.
///
/// # Errors
///
/// EISDIR if it is a directory, ENXIO if it is of another kind.
pub(crate) fn open_regular(directory: Option<BorrowedFd<'_>>, path: &CStr) -> Result<OwnedFd> {
    let directory = directory.unwrap_or(CWD);
    // Look before opening: a device's open may have effects.
    let place = openat(directory, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    must_be_regular(&place)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = openat(directory, path, flags, Mode::empty())?;
    must_be_regular(&file)?;
    Ok(file)
}

/// Opens a regular file by the components of its path from the root directory. The file and all
/// directories on the way belong to root or to this user, others may not write to them, and none is
/// a symbolic link.
///
/// # Errors
///
/// EXDEV if one of them is otherwise; those of [`open_regular`].
pub(crate) fn open_owned(components: &[CString], owner: u32) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut place = openat(CWD, c"/", flags, Mode::empty())?;
    must_be_owned(&place, owner)?;
    let Some((last, above)) = components.split_last() else { return Err(Errno::ISDIR) };
    for component in above {
        place = openat(&place, component.as_c_str(), flags, Mode::empty())?;
        must_be_owned(&place, owner)?;
    }
    let found = openat(&place, last.as_c_str(), flags, Mode::empty())?;
    must_be_owned(&found, owner)?;
    must_be_regular(&found)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let flags = flags | OFlags::NOCTTY;
    let file = openat(&place, last.as_c_str(), flags, Mode::empty())?;
    // Another file may have come there meanwhile.
    must_be_owned(&file, owner)?;
    must_be_regular(&file)?;
    Ok(file)
}

fn must_be_owned(file: &OwnedFd, owner: u32) -> Result<()> {
    let stat = fstat(file)?;
    let file_type = FileType::from_raw_mode(stat.st_mode);
    let is_link = file_type == FileType::Symlink;
    let is_owned = stat.st_uid == 0 || stat.st_uid == owner;
    // In a sticky directory others can make files, but not replace these.
    let is_sticky = file_type == FileType::Directory && stat.st_mode & 0o1000 != 0;
    let is_for_others = stat.st_mode & 0o002 != 0 && !is_sticky;
    if is_owned && !is_link && !is_for_others { Ok(()) } else { Err(Errno::XDEV) }
}

fn must_be_regular(file: &OwnedFd) -> Result<()> {
    match FileType::from_raw_mode(fstat(file)?.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(Errno::ISDIR),
        _ => Err(Errno::NXIO),
    }
}

fn errno_of<T>(result: &Result<T>) -> i32 {
    result.as_ref().map_or_else(|errno| errno.raw_os_error(), |_| 0)
}
