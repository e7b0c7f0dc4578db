//! The directory of one process or thread.
//!
//! Once open it belongs to that task for good: after the task has ended everything below it is
//! ESRCH or ENOENT, even if its number is in use again. So all that is read through one
//! [`TaskDir`] is about one and the same task.

use std::borrow::Cow;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use lxkns_model::Reason;
use lxkns_species::{NamespaceId, NamespaceType, NamespaceTypes, Pid, Uid};
use rustix::fs::{
    AtFlags, Mode, OFlags, StatxFlags, openat, readlinkat, readlinkat_raw, statat, statx,
};
use rustix::io::Errno;
use rustix::path::DecInt;

use crate::gaps::reason;

use super::{Folder, numbers_in, open_to_read, open_uncovered, read_into, read_whole, stat};

/// `/proc/PID` or `/proc/PID/task/TID`, open.
#[derive(Debug)]
pub(crate) struct TaskDir {
    directory: OwnedFd,
    is_tree: bool,
}

/// A namespace link: its name below a [`TaskDir`].
fn link_name(namespace_type: NamespaceType) -> &'static CStr {
    match namespace_type {
        NamespaceType::Cgroup => c"ns/cgroup",
        NamespaceType::Ipc => c"ns/ipc",
        NamespaceType::Mnt => c"ns/mnt",
        NamespaceType::Net => c"ns/net",
        NamespaceType::Pid => c"ns/pid",
        NamespaceType::Time => c"ns/time",
        NamespaceType::User => c"ns/user",
        NamespaceType::Uts => c"ns/uts",
    }
}

fn link_name_for_children(namespace_type: NamespaceType) -> &'static CStr {
    match namespace_type {
        NamespaceType::Time => c"ns/time_for_children",
        _ => c"ns/pid_for_children",
    }
}

/// What the namespace links of a task said.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// The namespaces.
    pub(crate) joined: lxkns_model::Joined,
    /// Those links that could not be read for lack of permission.
    pub(crate) denied: NamespaceTypes,
    /// Those that were not there: the task has let go of that namespace, or is gone altogether.
    pub(crate) absent: NamespaceTypes,
}

impl TaskDir {
    pub(crate) fn open(parent: Folder<'_>, name: &CStr) -> Result<TaskDir, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open_uncovered(parent.directory, name, flags)?;
        Ok(TaskDir { directory, is_tree: parent.is_tree })
    }

    pub(crate) fn folder(&self) -> Folder<'_> {
        Folder { directory: self.directory.as_fd(), is_tree: self.is_tree }
    }

    /// Opens the directory of a thread of this process.
    pub(crate) fn thread(&self, tid: Pid) -> Result<TaskDir, Errno> {
        let tasks = self.directory(c"task")?;
        self.thread_in(&tasks, DecInt::new(tid.0).as_c_str())
    }

    /// Opens the directory of a thread in its directory `task`.
    pub(crate) fn thread_in(&self, tasks: &OwnedFd, name: &CStr) -> Result<TaskDir, Errno> {
        TaskDir::open(Folder { directory: tasks.as_fd(), is_tree: self.is_tree }, name)
    }

    /// Opens a directory below it for listing.
    pub(crate) fn directory(&self, name: &CStr) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open_uncovered(self.directory.as_fd(), name, flags)
    }

    /// Opens a file for reading.
    pub(crate) fn open_to_read(&self, name: &CStr) -> Result<OwnedFd, Errno> {
        open_to_read(self.folder(), name)
    }

    /// Reads a small file.
    pub(crate) fn read<'b>(&self, name: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
        read_into(self.folder(), name, buffer)
    }

    /// Reads a file that is small as a rule.
    pub(crate) fn read_whole<'b>(
        &self,
        name: &CStr,
        buffer: &'b mut [u8],
    ) -> Result<Cow<'b, [u8]>, Errno> {
        read_whole(self.folder(), name, buffer)
    }

    /// The namespace of this type that the task is joined to.
    pub(crate) fn namespace(&self, namespace_type: NamespaceType) -> Result<NamespaceId, Errno> {
        self.link(link_name(namespace_type))
    }

    /// The namespace of this type that the children of the task will be in (PID and time).
    pub(crate) fn namespace_for_children(
        &self,
        namespace_type: NamespaceType,
    ) -> Result<NamespaceId, Errno> {
        self.link(link_name_for_children(namespace_type))
    }

    /// The namespaces of these types that the task is joined to.
    pub(crate) fn namespaces(&self, types: NamespaceTypes) -> Links {
        let mut links = Links::default();
        for namespace_type in types.iter() {
            match self.namespace(namespace_type) {
                Ok(id) => links.joined.set(id),
                Err(Errno::ACCESS | Errno::PERM) => links.denied.insert(namespace_type),
                Err(_) => links.absent.insert(namespace_type),
            }
        }
        links
    }

    /// Opens the namespace of this type that the task is joined to.
    pub(crate) fn open_namespace(&self, namespace_type: NamespaceType) -> Result<OwnedFd, Errno> {
        self.open_file(link_name(namespace_type))
    }

    /// Opens the namespace of this type that the children of the task will be in.
    pub(crate) fn open_namespace_for_children(
        &self,
        namespace_type: NamespaceType,
    ) -> Result<OwnedFd, Errno> {
        self.open_file(link_name_for_children(namespace_type))
    }

    /// Opens a file below it.
    pub(crate) fn open_file(&self, name: &CStr) -> Result<OwnedFd, Errno> {
        openat(&self.directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    }

    /// The inode of a file that the task has open, without waiting for a file server.
    pub(crate) fn inode_at(&self, fd: u32) -> Result<u64, Errno> {
        let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        Ok(statx(&self.directory, format!("fd/{fd}"), flags, StatxFlags::empty())?.stx_ino)
    }

    /// The path of the file that it runs, as the kernel knows it.
    pub(crate) fn program(&self) -> Result<Vec<u8>, Errno> {
        let path = readlinkat(&self.directory, c"exe", Vec::new())?;
        Ok(path.into_bytes())
    }

    /// Opens its root directory, in its mount namespace.
    pub(crate) fn root(&self) -> Result<OwnedFd, Errno> {
        openat(
            &self.directory,
            c"root",
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
    }

    /// The effective UID of a process, as seen from the scanner's user namespace.
    ///
    /// It owns those directories of the process that everybody may look into, whether or not the
    /// process is dumpable, see proc_pid(5).
    pub(crate) fn effective_uid(&self) -> Result<Uid, Errno> {
        let stat = statat(&self.directory, c"task", AtFlags::empty())?;
        Ok(Uid(stat.st_uid))
    }

    /// A thread of this process that has not ended. Of a dead main thread hardly anything is left,
    /// while others may go on.
    pub(crate) fn living_thread(&self) -> Option<TaskDir> {
        let tasks = self.directory(c"task").ok()?;
        let mut living = None;
        let listed = numbers_in(&tasks, |_, name| {
            if living.is_none() {
                living = self.thread_in(&tasks, name).ok().filter(|thread| {
                    let mut buffer = [0; 1024];
                    let stat = thread.read(c"stat", &mut buffer).ok().and_then(stat::parse);
                    stat.is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
                });
            }
        });
        listed.ok().and(living)
    }

    /// Whether the task is still there, possibly as a zombie.
    pub(crate) fn is_alive(&self) -> Result<bool, Errno> {
        match statat(&self.directory, c"stat", AtFlags::empty()) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT | Errno::SRCH) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Why a call about the task failed, in the terms of a gap. Only a task that is ending is gone.
    pub(crate) fn reason(&self, errno: Errno) -> Reason {
        match reason(errno) {
            Reason::Gone if !self.is_ending() => Reason::Failed,
            why => why,
        }
    }

    /// Whether the task has ended, or lets go of what it has.
    fn is_ending(&self) -> bool {
        let mut buffer = [0; 1024];
        match self.read(c"stat", &mut buffer) {
            Ok(text) => stat::parse(text).is_some_and(|stat| stat.ending),
            Err(_) => self.is_alive() == Ok(false),
        }
    }

    fn link(&self, name: &CStr) -> Result<NamespaceId, Errno> {
        let mut buffer = [0u8; 64];
        let length = readlinkat_raw(&self.directory, name, &mut buffer)?;
        NamespaceId::from_link(buffer.get(..length).unwrap_or_default()).ok_or(Errno::INVAL)
    }
}

impl AsFd for TaskDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}
