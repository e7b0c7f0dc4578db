//! Foreign files: what another user may have put at a path.
//!
//! Such a file can be a FIFO that waits for a writer, a device whose opening has effects, or a file
//! of a server that does not answer. A thread that waits for such a server cannot even be killed,
//! so a child process goes there, and is left behind at its deadline (see [`crate::visit::open_in`]
//! for paths in another mount namespace). Files of `/proc` itself are the kernel's, which answers:
//! the caller opens them.
//!
//! A caller whose children would begin in a new PID namespace cannot have a child go there: that
//! would become its first process, and end it. Such a caller opens the file and waits.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use lxkns_species::Uid;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags, fstatfs, makedev,
    openat, openat2, statx,
};
use rustix::io::{Errno, fcntl_dupfd_cloexec, retry_on_intr};

use crate::sys::foreign::{Limit, open_in_child, open_owned, open_regular, read_in_child};

/// Timeout for a path that the user has named.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// Opens a path of the caller's with `O_PATH`, whatever is there.
///
/// # Errors
///
/// Those of open(2); [`io::ErrorKind::TimedOut`] if there is no answer within `limit`.
///
/// ```
/// use lxkns_ops::foreign::{TIMEOUT, file_type, find};
/// use rustix::fs::FileType;
///
/// let file = find("/dev/null", TIMEOUT)?;
/// assert_eq!(file_type(&file)?, FileType::CharacterDevice);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn find(path: impl AsRef<Path>, limit: Duration) -> io::Result<OwnedFd> {
    let path = c_path(path.as_ref()).map_err(told)?;
    find_at(&path, limit).map_err(told)
}

/// Opens a directory of the caller's for listing.
///
/// # Errors
///
/// As for [`find`].
///
/// ```
/// use lxkns_ops::foreign::{TIMEOUT, directory};
///
/// assert!(directory("/proc", TIMEOUT).is_ok());
/// assert!(directory("/dev/null", TIMEOUT).is_err());
/// ```
pub fn directory(path: impl AsRef<Path>, limit: Duration) -> io::Result<OwnedFd> {
    let path = c_path(path.as_ref()).map_err(told)?;
    // Here, not in a child: `/proc/self` would be the child.
    let found = find_at(&path, limit).map_err(told)?;
    let open = || {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(&found, c".", flags, Mode::empty())?;
        // The kernel may open it without the server, but cannot do this.
        fstatfs(&directory)?;
        Ok(directory)
    };
    if *path == *c"/proc" {
        return open().map_err(told);
    }
    here_if_no_child(open_in_child(Some(found.as_fd()), limit, open), open).map_err(told)
}

/// Reads a regular file, at most `most` bytes of it.
///
/// # Errors
///
/// Those of open(2) and read(2); [`io::ErrorKind::InvalidInput`] if it is not a regular file;
/// [`io::ErrorKind::TimedOut`] if there is nothing new for `limit`.
///
/// ```
/// use std::io::ErrorKind;
///
/// use lxkns_ops::foreign::{TIMEOUT, read};
///
/// let name = read("/proc/sys/kernel/hostname", 64, TIMEOUT)?;
/// assert!(name.ends_with(b"\n"));
/// let error = read("/dev/zero", 64, TIMEOUT).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read(path: impl AsRef<Path>, most: usize, limit: Duration) -> io::Result<Vec<u8>> {
    let path = c_path(path.as_ref()).map_err(told)?;
    read_below(None, &path, most, limit).map_err(told)
}

/// Reads a regular file below an open directory of the caller's.
///
/// # Errors
///
/// As for [`read`], but plain: ENXIO if it is not a regular file, ETIMEDOUT.
///
/// ```
/// use std::fs::File;
///
/// use lxkns_ops::foreign::{TIMEOUT, read_in};
///
/// let settings = File::open("/proc/sys/kernel").unwrap();
/// assert!(read_in(&settings, c"hostname", 64, TIMEOUT)?.ends_with(b"\n"));
/// # Ok::<(), rustix::io::Errno>(())
/// ```
pub fn read_in(
    directory: impl AsFd,
    path: &CStr,
    most: usize,
    limit: Duration,
) -> Result<Vec<u8>, Errno> {
    read_below(Some(directory.as_fd()), path, most, limit)
}

fn read_below(
    directory: Option<BorrowedFd<'_>>,
    path: &CStr,
    most: usize,
    limit: Duration,
) -> Result<Vec<u8>, Errno> {
    let open = || open_regular(directory, path);
    let content = read_in_child(directory, open, most, Limit::EachPiece(limit));
    here_if_no_child(content, || read_here(&open()?, most))
}

/// Reads a regular file, at most `most` bytes of it, if only root and `owner` can have written it
/// or put it there: the file and all directories on the way belong to one of them, others may not
/// write to them, and none is a symbolic link. What groups may do is the owner's business.
///
/// `None` if the file does not meet this.
///
/// # Errors
///
/// Those of open(2) and read(2); ENXIO if it is not a regular file, ETIMEDOUT after `limit`;
/// EINVAL if the path is relative or has `..` in it.
///
/// ```
/// use lxkns_ops::foreign::{TIMEOUT, read_owned};
/// use lxkns_species::Uid;
///
/// let name = read_owned("/proc/sys/kernel/hostname", Uid(0), 64, TIMEOUT)?;
/// assert!(name.is_none_or(|name| name.ends_with(b"\n")));
/// # Ok::<(), rustix::io::Errno>(())
/// ```
pub fn read_owned(
    path: impl AsRef<Path>,
    owner: Uid,
    most: usize,
    limit: Duration,
) -> Result<Option<Vec<u8>>, Errno> {
    let mut parts = path.as_ref().components();
    if parts.next() != Some(Component::RootDir) {
        return Err(Errno::INVAL);
    }
    let plain = |part: Component<'_>| match part {
        Component::Normal(name) => c_path(name.as_ref()),
        _ => Err(Errno::INVAL),
    };
    let components: Vec<CString> = parts.map(plain).collect::<Result<_, _>>()?;
    let open = || open_owned(&components, owner.0);
    let read = || read_here(&open()?, most);
    let content = match is_on_disk(&c_path(path.as_ref())?) {
        Ok(true) => read(),
        Ok(false) => here_if_no_child(read_in_child(None, open, most, Limit::InAll(limit)), read),
        Err(errno) => Err(errno),
    };
    match content {
        Err(Errno::XDEV | Errno::LOOP) => Ok(None),
        content => content.map(Some),
    }
}

/// Whether the file at a path is on a block device of the kernel's, as far as its caches tell: no
/// file server is asked for that, nor for reading the file.
fn is_on_disk(path: &CStr) -> Result<bool, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::CACHED | ResolveFlags::NO_SYMLINKS;
    match openat2(CWD, path, flags, Mode::empty(), resolve) {
        // File systems without a device have the major number 0.
        Ok(file) => Ok(ask(file, StatxFlags::empty())?.stx_dev_major != 0),
        Err(Errno::AGAIN | Errno::INVAL | Errno::NOSYS | Errno::PERM) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The type of an open file, without a question to its file server.
///
/// # Errors
///
/// Those of statx(2).
///
/// ```
/// use lxkns_ops::foreign::file_type;
/// use rustix::fs::FileType;
///
/// let file = std::fs::File::open("/proc/version")?;
/// assert_eq!(file_type(&file)?, FileType::RegularFile);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn file_type(file: impl AsFd) -> Result<FileType, Errno> {
    Ok(FileType::from_raw_mode(ask(file, StatxFlags::TYPE)?.stx_mode.into()))
}

/// Whether a file is one that a writer fills: a FIFO, or a terminal.
///
/// # Errors
///
/// Those of statx(2).
///
/// ```
/// use lxkns_ops::foreign::is_stream;
///
/// assert!(is_stream(std::io::pipe()?.0)?);
/// assert!(!is_stream(std::fs::File::open("/proc/version")?)?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn is_stream(file: impl AsFd) -> Result<bool, Errno> {
    Ok(matches!(file_type(file)?, FileType::Fifo | FileType::CharacterDevice))
}

/// The device number that a device node stands for, without a question to its file server.
///
/// # Errors
///
/// Those of statx(2).
///
/// ```
/// use lxkns_ops::foreign::device_behind;
/// use rustix::fs::makedev;
///
/// let null = std::fs::File::open("/dev/null")?;
/// assert_eq!(device_behind(&null)?, makedev(1, 3));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn device_behind(file: impl AsFd) -> Result<u64, Errno> {
    let stat = ask(file, StatxFlags::TYPE)?;
    Ok(makedev(stat.stx_rdev_major, stat.stx_rdev_minor))
}

/// Device and inode of an open file, without a question to its file server.
///
/// # Errors
///
/// Those of statx(2).
///
/// ```
/// use lxkns_ops::foreign::identity;
///
/// let proc = std::fs::File::open("/proc")?;
/// assert_eq!(identity(&proc)?, identity(&proc)?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn identity(file: impl AsFd) -> Result<(u64, u64), Errno> {
    let stat = ask(file, StatxFlags::empty())?;
    Ok((makedev(stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino))
}

/// The number of the mount that an open file is in. Minimum kernel: 5.8.
///
/// ```
/// let proc = std::fs::File::open("/proc")?;
/// println!("{:?}", lxkns_ops::foreign::mount_id(&proc));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn mount_id(file: impl AsFd) -> Option<u64> {
    let stat = ask(file, StatxFlags::MNT_ID).ok()?;
    (stat.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(stat.stx_mnt_id)
}

fn ask(file: impl AsFd, what: StatxFlags) -> Result<Statx, Errno> {
    statx(file, c"", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, what)
}

/// As [`find`].
pub(crate) fn find_at(path: &CStr, limit: Duration) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    // What the kernel has in its caches needs no file server.
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED) {
        Err(Errno::AGAIN | Errno::INVAL | Errno::NOSYS | Errno::PERM) => {}
        done => return done,
    }
    if let Some(found) = find_in_proc(path) {
        return found;
    }
    let open = || openat(CWD, path, flags, Mode::empty());
    here_if_no_child(open_in_child(None, limit, open), open)
}

/// Opens a path below `/proc`, if only its last link leads out of there, and only to an open file.
///
/// A child would not do: `/proc/self` would be the child.
fn find_in_proc(path: &CStr) -> Option<Result<OwnedFd, Errno>> {
    let below = path.to_bytes().strip_prefix(b"/proc/")?;
    let split = below.iter().rposition(|byte| *byte == b'/');
    let (parent, name) = split.map_or((&b"."[..], below), |split| below.split_at(split));
    let name = name.strip_prefix(b"/").unwrap_or(name);
    if matches!(name, b"" | b"." | b"..") {
        return None;
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = match openat2(CWD, c"/proc", flags, Mode::empty(), ResolveFlags::CACHED) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => {
            openat(CWD, c"/proc", flags, Mode::empty())
        }
        done => done,
    };
    let inside = ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS | ResolveFlags::BENEATH;
    let parent = match openat2(proc.ok()?, parent, flags, Mode::empty(), inside) {
        Ok(parent) => parent,
        Err(Errno::NOENT) => return Some(Err(Errno::NOENT)),
        Err(_) => return None,
    };
    Some(openat(parent, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()))
}

/// Asks a question about an open file that its file server may have to answer.
pub(crate) fn answer_about(
    file: BorrowedFd<'_>,
    limit: Duration,
    ask: impl Fn(BorrowedFd<'_>) -> Result<bool, Errno>,
) -> Result<bool, Errno> {
    // Only files come back from a child: this one, if the answer is yes.
    let dup = || if ask(file)? { fcntl_dupfd_cloexec(file, 0) } else { Err(Errno::NODATA) };
    match here_if_no_child(open_in_child(Some(file), limit, dup), dup) {
        Ok(_) => Ok(true),
        Err(Errno::NODATA) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Opens a file anew that is open with `O_PATH`. It must be certain that this does not wait.
pub(crate) fn reopen(place: &OwnedFd) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/thread-self/fd/{}", place.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    openat(CWD, path, flags, Mode::empty())
}

/// The path of an open file, as seen from the caller's root directory. Nothing is asked for it.
///
/// # Errors
///
/// Those of readlink(2), without a procfs at `/proc`.
///
/// ```
/// use lxkns_ops::foreign::path_of;
///
/// assert_eq!(path_of(&std::fs::File::open("/proc/self/..")?)?.to_str(), Some("/proc"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn path_of(file: impl AsFd) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/thread-self/fd/{}", file.as_fd().as_raw_fd()))
}

fn read_here(file: &OwnedFd, most: usize) -> Result<Vec<u8>, Errno> {
    let mut content = Vec::new();
    let mut piece = vec![0; 32 * 1024];
    while content.len() < most {
        match retry_on_intr(|| rustix::io::read(file, &mut *piece))? {
            0 => break,
            length => content.extend_from_slice(piece.get(..length).unwrap_or_default()),
        }
    }
    content.truncate(most);
    Ok(content)
}

/// Where no child can go, the caller does.
fn here_if_no_child<T>(
    done: Result<T, Errno>,
    here: impl FnOnce() -> Result<T, Errno>,
) -> Result<T, Errno> {
    match done {
        Err(Errno::BUSY) => here(),
        done => done,
    }
}

pub(crate) fn c_path(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)
}

fn told(errno: Errno) -> io::Error {
    match errno {
        Errno::TIMEDOUT => {
            io::Error::new(io::ErrorKind::TimedOut, "its file server does not answer")
        }
        Errno::NXIO => io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"),
        errno => errno.into(),
    }
}
