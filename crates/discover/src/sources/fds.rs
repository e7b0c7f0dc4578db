//! Open files: namespaces themselves, and sockets and tun/tap devices that keep one alive.
//!
//! What a file descriptor is, its link text does not tell: a namespace opened through a bind mount
//! reads as that path. So every file is asked by statx(2), in the form that does not wait for a
//! file server (no fields wanted, no synchronisation): an inode on nsfs is a namespace.
//!
//! Threads may have a file table of their own (`unshare(CLONE_FILES)`), which only their own
//! `/proc/PID/task/TID/fd` shows.

use std::ffi::CStr;
use std::os::fd::{AsFd as _, OwnedFd};

use lxkns_model::{FileKind, Holder, Missing, Part, Reason};
use lxkns_ops::{NamespaceFd, pidfd, socket};
use lxkns_species::NamespaceId;
use rustix::fs::{AtFlags, FileType, StatxFlags, makedev, readlinkat_raw, statx};
use rustix::io::Errno;

use super::process::{Found, OpenProcess, OpenThread, Table};
use super::sockets;
use crate::context::Context;
use crate::gaps::reason;
use crate::procfs::{Kind, numbers_in};
use crate::resolve;
use crate::sightings::OpenSocket;

fn is_wanted(context: &Context<'_>) -> bool {
    context.wanted.has(Part::Fds) || context.wanted.has(Part::Sockets)
}

pub(crate) fn of_process(context: &Context<'_>, process: &OpenProcess<'_>, found: &mut Found) {
    if is_wanted(context) && !process.stat.is_zombie() && !process.stat.kernel_thread {
        look_at(context, Table { pid: process.pid, tid: None, task: process.dir }, found);
    }
}

pub(crate) fn of_thread(
    context: &Context<'_>,
    process: &OpenProcess<'_>,
    thread: &OpenThread,
    found: &mut Found,
) {
    // Where the process's own table may not be read, nor may those of its threads.
    let readable = process.stat.is_zombie() || !found.file_tables.is_empty();
    if !is_wanted(context) || !context.proc.is_ours() || !readable {
        return;
    }
    let (pid, tid) = (process.pid, thread.tid);
    let shared = found.file_tables.iter().try_fold(false, |shared, other| {
        Ok::<_, lxkns_ops::Error>(shared || pidfd::share_files(*other, tid)?)
    });
    let looked = match shared {
        // Compared by number: both must still be who they were.
        Ok(false) => {
            let alive =
                thread.dir.is_alive().and_then(|alive| Ok(alive && process.dir.is_alive()?));
            match alive {
                Ok(true) => {
                    look_at(context, Table { pid, tid: Some(tid), task: &thread.dir }, found);
                    Ok(())
                }
                Ok(false) => Ok(()),
                Err(errno) => Err(reason(errno)),
            }
        }
        Ok(true) => Ok(()),
        Err(error) => Err(error.errno().map_or(Reason::Failed, |errno| thread.dir.reason(errno))),
    };
    match looked {
        Ok(()) | Err(Reason::Gone) => {}
        Err(why) => context.gaps.add(Missing::Fds, why, format!("thread {tid} of pid {pid}")),
    }
}

fn look_at(context: &Context<'_>, table: Table<'_>, found: &mut Found) {
    let mut sockets = sockets::Of::new(context, table);
    let mut unreadable = None;
    let looked = table.task.directory(c"fd").and_then(|directory| {
        numbers_in(&directory, |fd, name| {
            if Some(table.pid) == context.own_pid && resolve::is_held(fd) {
                return;
            }
            let time = context.resolver.now();
            match file_at(context, &directory, name) {
                File::NamespaceFd(id) if context.wanted.has(Part::Fds) => {
                    let open = || context.proc.open_if_namespace(directory.as_fd(), name);
                    if !context.resolver.meet_file(id, time, open) {
                        // Closed meanwhile, and the number may have meant another namespace.
                        return;
                    }
                    let holder = Holder::File {
                        kind: FileKind::Namespace,
                        pid: table.pid,
                        tid: table.tid,
                        fd,
                    };
                    found.holders.push((id, holder));
                }
                File::Unopenable(errno) if context.wanted.has(Part::Fds) => {
                    let example = format!("fd {fd} of {}", table.name());
                    context.gaps.add(Missing::Fds, reason(errno), example);
                }
                File::Socket { inode } if context.proc.is_ours() => {
                    let Table { pid, tid, .. } = table;
                    found.sockets.push(OpenSocket { pid, tid, fd, inode });
                }
                File::Tun => sockets.tun(fd),
                // A directory may be listed that must not be followed into: then it is all of it.
                File::Unreadable(errno) => unreadable = Some(errno),
                File::NamespaceFd(_) | File::Unopenable(_) | File::Socket { .. } | File::Other => {}
            }
        })
    });
    sockets.ask(found);
    match unreadable.map_or(looked, Err).map_err(|errno| table.task.reason(errno)) {
        Ok(()) => found.file_tables.push(table.tid.unwrap_or(table.pid)),
        Err(Reason::Gone) => {}
        Err(why) => context.gaps.add(Missing::Fds, why, table.name()),
    }
}

enum File {
    NamespaceFd(NamespaceId),
    /// A namespace that could not be opened to see which.
    Unopenable(Errno),
    /// Something that must not be looked at.
    Unreadable(Errno),
    Socket {
        inode: u64,
    },
    Tun,
    Other,
}

fn file_at(context: &Context<'_>, directory: &OwnedFd, name: &CStr) -> File {
    if context.proc.kind() == Kind::Tree {
        return linked_namespace(directory, name).map_or(File::Other, File::NamespaceFd);
    }
    let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    let stat = match statx(directory, name, flags, StatxFlags::empty()) {
        Ok(stat) => stat,
        // Closed meanwhile; what is closed holds nothing.
        Err(Errno::NOENT | Errno::SRCH) => return File::Other,
        Err(errno) => return File::Unreadable(errno),
    };
    let device = makedev(stat.stx_dev_major, stat.stx_dev_minor);
    if Some(device) == context.proc.nsfs_device() {
        return match linked_namespace(directory, name) {
            Some(id) if id.inode() == stat.stx_ino => File::NamespaceFd(id),
            _ => match opened_namespace(context, directory, name) {
                Ok(id) => File::NamespaceFd(id),
                Err(Errno::NOENT | Errno::SRCH) => File::Other,
                Err(errno) => File::Unopenable(errno),
            },
        };
    }
    match FileType::from_raw_mode(stat.stx_mode.into()) {
        // What is open by name only (O_PATH) is no socket.
        FileType::Socket if socket::device().is_none_or(|sockets| sockets == device) => {
            File::Socket { inode: stat.stx_ino }
        }
        FileType::CharacterDevice
            if (stat.stx_rdev_major, stat.stx_rdev_minor) == sockets::TUN_DEVICE =>
        {
            File::Tun
        }
        _ => File::Other,
    }
}

/// The namespace in the link's text: there only if the file was opened through a procfs.
fn linked_namespace(directory: &OwnedFd, name: &CStr) -> Option<NamespaceId> {
    let mut buffer = [0; 64];
    let length = readlinkat_raw(directory, name, &mut buffer).ok()?;
    NamespaceId::from_link(buffer.get(..length)?)
}

fn opened_namespace(
    context: &Context<'_>,
    directory: &OwnedFd,
    name: &CStr,
) -> Result<NamespaceId, Errno> {
    let fd = context.proc.open_if_namespace(directory.as_fd(), name)?;
    NamespaceFd::from_fd(fd)
        .map(|namespace| namespace.id())
        .map_err(|error| error.errno().unwrap_or(Errno::NOENT))
}
