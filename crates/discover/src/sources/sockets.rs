//! Sockets and tun/tap device files: each keeps the network namespace alive it was made in.
//!
//! The kernel tells that namespace only to who has the socket: so the file is duplicated from the
//! other process (pidfd_getfd(2)), asked, and closed. One socket is asked once, however many
//! processes share it; and where sockets have a namespace cookie, one namespace is opened once,
//! however many sockets it has.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{MutexGuard, PoisonError};

use lxkns_model::{Holder, Missing, Part, Reason};
use lxkns_ops::{Error, Namespace, pidfd, socket};
use lxkns_species::{NamespaceId, NamespaceType};
use rustix::io::Errno;

use super::fds::Table;
use super::processes::Found;
use crate::gaps::reason;
use crate::scan::Scan;

/// Major and minor number of `/dev/net/tun`.
pub(crate) const TUN_DEVICE: (u32, u32) = (10, 200);

/// Which network namespace goes with which socket.
#[derive(Debug, Default)]
pub(crate) struct SocketTable {
    by_inode: HashMap<u64, NamespaceId>,
    by_cookie: HashMap<u64, NamespaceId>,
}

/// The sockets of one file table.
pub(crate) struct Of<'s> {
    scan: &'s Scan<'s>,
    table: Table<'s>,
    wanted: bool,
    /// Opened when first needed.
    pidfd: Option<Result<OwnedFd, Reason>>,
}

impl<'s> Of<'s> {
    pub(crate) fn new(scan: &'s Scan<'_>, table: Table<'s>) -> Of<'s> {
        let wanted =
            scan.wants(Part::Sockets) && scan.seeks_type(NamespaceType::Net) && scan.proc.is_ours();
        Of {
            scan,
            table,
            wanted,
            pidfd: None,
        }
    }

    /// Looks at a socket.
    pub(crate) fn socket(&mut self, fd: u32, inode: u64, found: &mut Found) {
        if !self.wanted {
            return;
        }
        let known = self.sockets().by_inode.get(&inode).copied();
        let asked = match known {
            Some(id) => Ok(id),
            None => self.ask_socket(fd, inode),
        };
        match asked {
            Ok(id) => {
                let Table { pid, tid, .. } = self.table;
                found.holders.push((id, Holder::Socket { pid, tid, fd }));
            }
            Err(Reason::Gone) => {}
            Err(why) => self.gap(Missing::Sockets, why, fd),
        }
    }

    /// Looks at a tun/tap device file.
    pub(crate) fn tun(&mut self, fd: u32, found: &mut Found) {
        if !self.wanted {
            return;
        }
        let namespace = self
            .duplicate(fd)
            .and_then(|tun| socket::network_namespace(&tun).map_err(why));
        match namespace {
            Ok(namespace) => {
                self.scan.resolver.meet_open(&namespace);
                let Table { pid, tid, .. } = self.table;
                found
                    .holders
                    .push((namespace.id(), Holder::Tun { pid, tid, fd }));
            }
            Err(Reason::Gone) => {}
            Err(why) => self.gap(Missing::TunDevices, why, fd),
        }
    }

    /// Opens the network namespace of a socket.
    pub(crate) fn open_namespace(&mut self, fd: u32) -> Result<Namespace, Reason> {
        let file = self.duplicate(fd)?;
        socket::network_namespace(&file).map_err(why)
    }

    fn ask_socket(&mut self, fd: u32, inode: u64) -> Result<NamespaceId, Reason> {
        let file = self.duplicate(fd)?;
        // It is the same socket, unless the process has put another one there meanwhile.
        let is_same = rustix::fs::fstat(&file).is_ok_and(|stat| stat.st_ino == inode);
        if !is_same {
            return Err(Reason::Gone);
        }
        let cookie = socket::cookie(&file).ok();
        let known = cookie.and_then(|cookie| self.sockets().by_cookie.get(&cookie).copied());
        let id = match known {
            Some(id) => id,
            None => {
                let namespace: Namespace = socket::network_namespace(&file).map_err(why)?;
                self.scan.resolver.meet_open(&namespace);
                namespace.id()
            }
        };
        let mut sockets = self.sockets();
        sockets.by_inode.insert(inode, id);
        if let Some(cookie) = cookie {
            sockets.by_cookie.insert(cookie, id);
        }
        Ok(id)
    }

    /// A copy of the other process's file.
    fn duplicate(&mut self, fd: u32) -> Result<OwnedFd, Reason> {
        let table = self.table;
        let pidfd = self.pidfd.get_or_insert_with(|| {
            let pidfd = match table.tid {
                Some(tid) => pidfd::of_thread(tid),
                None => pidfd::of_process(table.pid),
            };
            let pidfd = pidfd.map_err(|error| match error.errno() {
                // Before Linux 6.9 only whole processes have pidfds.
                Some(Errno::INVAL) => Reason::Unsupported,
                _ => why(error),
            })?;
            // The number was still that of our process when the pidfd was opened.
            if table.task.is_alive() {
                Ok(pidfd)
            } else {
                Err(Reason::Gone)
            }
        });
        let pidfd = pidfd.as_ref().map_err(Clone::clone)?;
        pidfd::get_fd(pidfd, fd).map_err(|error| match error.errno() {
            Some(Errno::BADF) => Reason::Gone,
            _ => why(error),
        })
    }

    fn sockets(&self) -> MutexGuard<'s, SocketTable> {
        self.scan
            .sockets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn gap(&self, what: Missing, why: Reason, fd: u32) {
        self.scan
            .gaps
            .add(what, why, format!("fd {fd} of {}", self.table.name()));
    }
}

fn why(error: Error) -> Reason {
    error.errno().map_or(Reason::Failed, reason)
}
