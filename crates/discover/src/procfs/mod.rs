//! Everything that is read from a procfs.
//!
//! One [`Procfs`] handle is the way to all of it, so that another procfs, or a tree of plain files,
//! can stand in for `/proc`. The parsers next to it are pure functions over bytes that borrow from
//! their input, take nothing for granted and never panic.

pub(crate) mod cgroup;
pub(crate) mod id_map;
pub(crate) mod mountinfo;
pub(crate) mod stat;
pub(crate) mod status;
pub(crate) mod task;

use std::borrow::Cow;
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use lxkns_ops::NamespaceFd;
use lxkns_ops::foreign::{TIMEOUT, directory, file_type, read_in};
use lxkns_species::Pid;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, fstat, fstatfs, openat, openat2, statat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::path::{Arg, DecInt};

use task::TaskDir;

use crate::timeouts::PATIENCE;
use lxkns_ops::foreign::{identity, mount_id};

/// `PROC_SUPER_MAGIC` of linux/magic.h.
const PROC_SUPER_MAGIC: u64 = 0x9fa0;

/// The inode of the root directory of every procfs, `PROC_ROOT_INO` of linux/proc_ns.h.
pub(crate) const ROOT_INODE: u64 = 1;

/// An open procfs, or what stands in for one.
#[derive(Debug)]
pub(crate) struct Procfs {
    root: OwnedFd,
    kind: Kind,
}

/// What a [`Procfs`] is, and thus what may be believed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A procfs that shows the scanner's own PID namespace: PIDs are valid in system calls.
    Ours,
    /// A procfs of another PID namespace.
    Foreign,
    /// No procfs at all, but a tree of files that looks like one.
    Tree,
}

/// A directory in a [`Procfs`].
#[derive(Clone, Copy)]
pub(crate) struct Folder<'f> {
    pub(crate) directory: BorrowedFd<'f>,
    /// In a tree of files, any file may stand for that of a procfs.
    pub(crate) is_tree: bool,
}

impl Procfs {
    /// Opens the procfs mounted at `path`.
    pub(crate) fn open(path: &Path) -> io::Result<Procfs> {
        let root = directory(path, TIMEOUT)?;
        let mut proc = Procfs { root, kind: Kind::Tree };
        if is_procfs(&proc.root) {
            let ours = shows_own_pid_namespace(proc.as_fd());
            proc.kind = if ours { Kind::Ours } else { Kind::Foreign };
        }
        Ok(proc)
    }

    pub(crate) fn folder(&self) -> Folder<'_> {
        Folder { directory: self.root.as_fd(), is_tree: self.kind == Kind::Tree }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether PIDs in it are valid in system calls.
    pub(crate) fn is_ours(&self) -> bool {
        self.kind == Kind::Ours
    }

    /// The PIDs that it lists, ascending.
    pub(crate) fn pids(&self) -> Result<Vec<Pid>, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // A directory of its own: the offset of `root` is shared by all who hold it.
        let listing = openat(&self.root, c".", flags, Mode::empty())?;
        let mut pids = Vec::new();
        numbers_in(&listing, |number, _| pids.push(Pid(number)))?;
        pids.sort_unstable();
        Ok(pids)
    }

    /// Opens the directory of a process.
    pub(crate) fn process(&self, pid: Pid) -> Result<TaskDir, Errno> {
        TaskDir::open(self.folder(), DecInt::new(pid.0).as_c_str())
    }

    /// Opens the directory of a process, or of a thread of it.
    pub(crate) fn task(&self, pid: Pid, tid: Option<Pid>) -> Result<TaskDir, Errno> {
        let process = self.process(pid)?;
        match tid {
            Some(tid) => process.thread(tid),
            None => Ok(process),
        }
    }

    /// Opens the directory of the scanner's own process.
    pub(crate) fn own_process(&self) -> Result<TaskDir, Errno> {
        TaskDir::open(self.folder(), c"self")
    }

    /// Reads a small file; what does not fit is cut off.
    pub(crate) fn read_into<'b>(
        &self,
        path: &CStr,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], Errno> {
        // Containers mount a copy of what is not about a process over itself, for reading only.
        match open_to_read(self.folder(), path) {
            Err(Errno::XDEV) if self.kind != Kind::Tree => self.read_covered(path, buffer),
            file => read_once(&file?, buffer),
        }
    }

    fn read_covered<'b>(&self, path: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
        if let Some(rest) = path.to_bytes_with_nul().strip_prefix(b"sys/")
            && let Ok(rest) = CStr::from_bytes_with_nul(rest)
        {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let sys = openat(&self.root, c"sys", flags, Mode::empty())?;
            if identity(&sys)?.0 == identity(&self.root)?.0
                && let Ok(file) =
                    open_to_read(Folder { directory: sys.as_fd(), is_tree: true }, rest)
            {
                return read_once(&file, buffer);
            }
        }
        // Whatever else lies there, such as a boot ID of the container's own.
        let content = read_in(&self.root, path, buffer.len(), PATIENCE)?;
        let space = buffer.get_mut(..content.len()).unwrap_or_default();
        space.copy_from_slice(&content);
        Ok(space)
    }

    /// Opens a file.
    pub(crate) fn open_file(&self, path: &str) -> Result<OwnedFd, Errno> {
        openat(&self.root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    }

    /// Opens a file anew that is open with `O_PATH`, this time for asking it questions.
    ///
    /// # Errors
    ///
    /// EREMOTE if this procfs does not show the scanner.
    pub(crate) fn reopen(&self, file: &OwnedFd) -> Result<OwnedFd, Errno> {
        let opened = self.open_file(&format!("thread-self/fd/{}", file.as_raw_fd()));
        opened.map_err(|errno| match errno {
            Errno::NOENT if !self.is_ours() => Errno::REMOTE,
            // The file is open, so it is not that.
            Errno::NOENT | Errno::SRCH => Errno::IO,
            errno => errno,
        })
    }

    /// Opens a namespace by a process's file descriptor, which may be any other file by now. Such a
    /// file must not be opened, not even for a look: a FIFO waits for who writes to it, a device
    /// may do something, a file server may not answer.
    ///
    /// # Errors
    ///
    /// ENOENT if it is no namespace; as for [`Procfs::reopen`].
    pub(crate) fn open_if_namespace(
        &self,
        directory: BorrowedFd<'_>,
        path: impl Arg,
    ) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let file = openat(directory, path, flags, Mode::empty())?;
        let (device, _) = identity(&file)?;
        if Some(device) != self.nsfs_device() {
            return Err(Errno::NOENT);
        }
        self.reopen(&file)
    }

    /// The device number of nsfs: every file with it is a namespace.
    pub(crate) fn nsfs_device(&self) -> Option<u64> {
        NamespaceFd::nsfs_device().or_else(|| {
            // Where nothing is mounted at `/proc`.
            let own = statat(&self.root, c"thread-self/ns/user", AtFlags::empty()).ok();
            own.filter(|_| self.kind != Kind::Tree).map(|own| own.st_dev)
        })
    }

    /// Why this cannot be the procfs that the user means, if it cannot.
    pub(crate) fn is_nonsense(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Tree if self.pids().is_ok_and(|pids| pids.is_empty()) => {
                Some("no procfs is mounted there")
            }
            Kind::Tree => None,
            Kind::Ours | Kind::Foreign => {
                let is_root = fstat(&self.root).is_ok_and(|stat| stat.st_ino == ROOT_INODE);
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let above = openat(&self.root, c"..", flags, Mode::empty());
                let is_inside = !is_root && above.is_ok_and(is_procfs);
                is_inside.then_some("it is inside of a procfs, not its root directory")
            }
        }
    }
}

impl AsFd for Procfs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

/// Opens a file or directory of the procfs itself, and nothing that was mounted over it: that may
/// be another process's.
///
/// # Errors
///
/// EXDEV if something is mounted there.
pub(crate) fn open_uncovered(
    directory: BorrowedFd<'_>,
    path: impl Arg,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    path.into_with_c_str(|path| {
        // In a tree of files, a link may lead to any file of this machine.
        let resolve = ResolveFlags::NO_XDEV | ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match openat2(directory, path, flags, Mode::empty(), resolve) {
            // Sandboxes refuse this call, whose arguments their filters cannot see.
            Err(Errno::NOSYS | Errno::PERM) => open_and_compare(directory, path, flags),
            done => done,
        }
    })
}

/// Opens a regular file as [`open_uncovered`] does. In a tree of files, it may be a FIFO.
fn open_to_read(folder: Folder<'_>, path: impl Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = open_uncovered(folder.directory, path, flags | OFlags::CLOEXEC)?;
    if folder.is_tree && file_type(&file)? != FileType::RegularFile {
        return Err(Errno::NXIO);
    }
    Ok(file)
}

fn open_and_compare(
    directory: BorrowedFd<'_>,
    path: &CStr,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    // What is mounted there may be a FIFO, too.
    let file = openat(directory, path, flags | OFlags::NONBLOCK, Mode::empty())?;
    if mount_id(&file) == mount_id(directory) { Ok(file) } else { Err(Errno::XDEV) }
}

fn is_procfs(file: impl AsFd) -> bool {
    fstatfs(file).is_ok_and(|fs| fs.f_type as u64 == PROC_SUPER_MAGIC)
}

/// Whether a procfs shows the PID namespace that the scanner is in: in its own PID namespace's
/// procfs a process has one PID; in an ancestor's it has several; in a stranger's there is no
/// `self`.
pub(crate) fn shows_own_pid_namespace(proc: BorrowedFd<'_>) -> bool {
    let mut buffer = [0; 4096];
    let folder = Folder { directory: proc, is_tree: false };
    let read = read_whole(folder, c"self/status", &mut buffer);
    read.is_ok_and(|text| status::parse(&text).pids.count() == 1)
}

/// Calls `found` with all entries of a directory whose names are decimal numbers.
pub(crate) fn numbers_in(
    directory: &OwnedFd,
    mut found: impl FnMut(u32, &CStr),
) -> Result<(), Errno> {
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(number) = number(name.to_bytes()) {
            found(number, name);
        }
    }
    Ok(())
}

/// Reads a small file in a folder with one read; what does not fit is cut off.
pub(crate) fn read_into<'b>(
    folder: Folder<'_>,
    path: impl Arg,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], Errno> {
    read_once(&open_to_read(folder, path)?, buffer)
}

fn read_once<'b>(file: &OwnedFd, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    let length = retry_on_intr(|| rustix::io::read(file, &mut *buffer))?;
    Ok(buffer.get(..length).unwrap_or_default())
}

/// Reads a small file from its start, however often it was read before.
pub(crate) fn read_from_start<'b>(file: &OwnedFd, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    let length = retry_on_intr(|| rustix::io::pread(file, &mut *buffer, 0))?;
    Ok(buffer.get(..length).unwrap_or_default())
}

/// Reads a file in a folder that the kernel writes down in one piece, and that is small as a
/// rule: then one read of the buffer will do.
pub(crate) fn read_whole<'b>(
    folder: Folder<'_>,
    path: impl Arg + Copy,
    buffer: &'b mut [u8],
) -> Result<Cow<'b, [u8]>, Errno> {
    /// A task may have 65,536 supplementary groups.
    const LIMIT: usize = 4 * 1024 * 1024;
    let length = read_into(folder, path, buffer)?.len();
    if length < buffer.len() {
        return Ok(Cow::Borrowed(buffer.get(..length).unwrap_or_default()));
    }
    match read_all(folder, path, LIMIT)? {
        (text, false) => Ok(Cow::Owned(text)),
        (_, true) => Err(Errno::NOMEM),
    }
}

/// Reads a file in a folder to its end, but not more than `limit` bytes. Says whether there
/// is more.
pub(crate) fn read_all(
    folder: Folder<'_>,
    path: impl Arg,
    limit: usize,
) -> Result<(Vec<u8>, bool), Errno> {
    read_open(&open_to_read(folder, path)?, limit)
}

/// As [`read_all`], from an open file.
pub(crate) fn read_open(file: &OwnedFd, limit: usize) -> Result<(Vec<u8>, bool), Errno> {
    let mut content = vec![0; 4096.min(limit)];
    let more = |content: &mut Vec<u8>, length: usize| {
        content.try_reserve_exact(length - content.len()).map_err(|_| Errno::NOMEM)?;
        content.resize(length, 0);
        Ok(())
    };
    let mut length = 0;
    loop {
        let space = content.get_mut(length..).unwrap_or_default();
        if space.is_empty() {
            if content.len() == limit {
                let more = retry_on_intr(|| rustix::io::read(file, &mut [0; 1]))?;
                return Ok((content, more > 0));
            }
            let length = (content.len() * 4).min(limit);
            more(&mut content, length)?;
            continue;
        }
        match retry_on_intr(|| rustix::io::read(file, &mut *space))? {
            0 => break,
            read => length += read,
        }
    }
    content.truncate(length);
    Ok((content, false))
}

/// A decimal number, as the kernel writes PIDs and the like.
pub(crate) fn number<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    // FromStr accepts a plus sign; the kernel writes none.
    if !text.first()?.is_ascii_digit() {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    #[test]
    fn nothing_but_namespaces_is_opened() {
        let proc = Procfs::open(Path::new("/proc")).unwrap();
        let open = |path: &str| proc.open_if_namespace(proc.as_fd(), path);
        assert!(open("self/ns/net").is_ok());
        // Nobody writes to it: who opens it waits for ever.
        let fifo = std::env::temp_dir().join(format!("lxkns-fifo-{}", std::process::id()));
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let file = openat(CWD, &fifo, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        std::fs::remove_file(&fifo).unwrap();
        let fd = format!("self/fd/{}", file.as_raw_fd());
        assert_eq!(open(&fd).unwrap_err(), Errno::NOENT);
    }
}
