//! Sockets and tun/tap device files: each keeps the network namespace alive it was made in.
//!
//! While the processes are read, sockets are only noted. Then come the lists that the kernel has of
//! the sockets in a network namespace ([`listed`]). The namespace of any other socket is revealed
//! only through the socket itself: so the file is duplicated from the other process
//! (pidfd_getfd(2)), asked, and closed, by a child that may get stuck ([`Asker`]).
//!
//! A copy disturbs: as long as it is there, the owner cannot close the socket for good, and its
//! address stays in use. So only a socket that has been there for as long as the scan has taken is
//! copied, for microseconds. One socket is asked once, however many processes share it; and where
//! sockets have a namespace cookie, one namespace is opened once, however many sockets it has.

mod listed;

use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use lxkns_model::{FileKind, Holder, Missing, Part, Reason};
use lxkns_ops::socket::{Asker, Told};
use lxkns_ops::{Error, pidfd};
use lxkns_species::{NamespaceId, NamespaceType, Pid};
use rustix::fs::{AtFlags, StatxFlags, statx};
use rustix::io::Errno;
use rustix::path::DecInt;

use super::in_flight;
use super::process::{Found, Table};
use crate::context::Context;
use crate::gaps::reason;
use crate::sightings::{OpenSocket, Sightings};
use crate::socket_table::{Listed, SocketTable};
use crate::timeouts::PATIENCE;
use crate::workers::share_out;

/// Major and minor number of `/dev/net/tun`.
pub(crate) const TUN_DEVICE: (u32, u32) = (10, 200);

/// Files per query; each may bring an open namespace with it.
const AT_A_TIME: usize = 64;

/// Finds the network namespaces of all sockets that were noted, and looks into those that files are
/// queued in.
pub(crate) fn scan(context: &Context<'_>, seen: &mut Sightings) {
    let sockets = std::mem::take(&mut seen.sockets);
    let listed = listed::namespaces_of(context, &seen.processes, &sockets);
    if is_wanted(context) {
        find(context, &sockets, &listed, seen);
    }
    if context.wanted.has(Part::Fds) {
        let asked = std::mem::take(&mut lock(context).by_inode);
        let is_unix = |inode: u64| {
            let known = listed.get(&inode).or_else(|| asked.get(&inode));
            known.map(|known| known.is_unix)
        };
        let is_idle = |inode: u64| listed.get(&inode).is_some_and(|it| it.is_idle);
        let may_queue = sockets
            .into_iter()
            .filter(|socket| is_unix(socket.inode) != Some(false) && !is_idle(socket.inode));
        let may_queue = may_queue.chain(std::mem::take(&mut seen.queues)).collect();
        in_flight::look(context, may_queue, |inode| is_unix(inode) == Some(true), seen);
    }
}

fn lock<'s>(context: &'s Context<'_>) -> MutexGuard<'s, SocketTable> {
    context.sockets.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the helpers that ask sockets.
pub(crate) fn end_helpers(context: &Context<'_>) {
    lock(context).askers.clear();
}

/// Whether the network namespaces of sockets are looked for.
pub(crate) fn is_wanted(context: &Context<'_>) -> bool {
    context.wanted.has(Part::Sockets)
        && context.wanted.seeks(NamespaceType::Net)
        && context.proc.is_ours()
}

fn find(
    context: &Context<'_>,
    sockets: &[OpenSocket],
    listed: &HashMap<u64, Listed>,
    seen: &mut Sightings,
) {
    let mut left: BTreeMap<(Pid, Option<Pid>), Vec<OpenSocket>> = BTreeMap::new();
    for socket in sockets {
        let OpenSocket { pid, tid, fd, inode, .. } = *socket;
        match listed.get(&inode) {
            Some(Listed { id, .. }) => {
                seen.holders.push((*id, Holder::File { kind: FileKind::Socket, pid, tid, fd }))
            }
            None => left.entry((pid, tid)).or_default().push(*socket),
        }
    }
    let left: Vec<_> = left.into_iter().collect();
    let ask = |((pid, tid), sockets): &((Pid, Option<Pid>), Vec<OpenSocket>), found: &mut Found| {
        let Ok(task) = context.proc.task(*pid, *tid) else { return };
        let table = Table { pid: *pid, tid: *tid, task: &task };
        let mut of = Of::new(context, table);
        of.sockets(sockets, found);
        of.ask(found);
    };
    for mut found in share_out(&left, context.options.worker_count(), ask) {
        seen.holders.append(&mut found.holders);
    }
}

/// The inode of a file in a table.
#[cfg(feature = "bpf")]
pub(crate) fn inode_of(table: Table<'_>, fd: u32) -> Result<u64, Errno> {
    match table.tid {
        Some(tid) => table.task.thread(tid)?.inode_at(fd),
        None => table.task.inode_at(fd),
    }
}

/// What a file is, and the network namespace that it belongs to.
struct Answer {
    /// The inode of a socket; None for a tun/tap device file.
    socket: Option<u64>,
    is_unix: bool,
    id: NamespaceId,
}

type Asked = Result<Answer, Reason>;

/// The sockets and tun/tap device files of one file table. They are asked together, see
/// [`Of::ask`].
pub(crate) struct Of<'s> {
    context: &'s Context<'s>,
    table: Table<'s>,
    wanted: bool,
    /// Those to be asked: the fd, and the inode of a socket.
    open: Vec<(u32, Option<u64>)>,
}

impl<'s> Of<'s> {
    pub(crate) fn new(context: &'s Context<'_>, table: Table<'s>) -> Of<'s> {
        Of { context, table, wanted: is_wanted(context), open: Vec::new() }
    }

    /// Takes note of sockets that are on no list, as far as they are still there: what has been
    /// closed holds nothing, and what takes its place may be a server that starts again.
    fn sockets(&mut self, sockets: &[OpenSocket], found: &mut Found) {
        let Ok(directory) = self.table.task.directory(c"fd") else { return };
        let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        let inode_now = |fd: u32| {
            let stat = statx(&directory, DecInt::new(fd), flags, StatxFlags::empty());
            stat.map(|stat| stat.stx_ino)
        };
        for socket in sockets {
            let known = self.asked().by_inode.get(&socket.inode).copied();
            match known {
                Some(known) => self.is_held(known.id, socket.fd, true, found),
                None if inode_now(socket.fd) == Ok(socket.inode) => {
                    self.open.push((socket.fd, Some(socket.inode)));
                }
                None => {}
            }
        }
    }

    /// Takes note of a tun/tap device file.
    pub(crate) fn tun(&mut self, fd: u32) {
        if self.wanted {
            self.open.push((fd, None));
        }
    }

    /// Asks all of them. What is there by now may be another one than was listed: it is what
    /// counts.
    pub(crate) fn ask(&self, found: &mut Found) {
        // Each with a time of its own, so that a large table may take its time.
        for open in self.open.chunks(AT_A_TIME) {
            let mut unknown = Vec::with_capacity(open.len());
            for (fd, inode) in open {
                // One socket may have many file descriptors.
                let known = inode.and_then(|inode| self.asked().by_inode.get(&inode).copied());
                match known {
                    Some(known) => self.is_held(known.id, *fd, true, found),
                    None => unknown.push((*fd, *inode)),
                }
            }
            let open = unknown;
            if open.is_empty() {
                continue;
            }
            let fds: Vec<u32> = open.iter().map(|(fd, _)| *fd).collect();
            let told = self.told_of(&fds).unwrap_or_else(|why| {
                let all = fds.iter().map(|_| Err(why.clone()));
                all.collect()
            });
            for ((fd, inode), told) in open.iter().zip(told) {
                match told {
                    Ok(Answer { socket, is_unix, id }) => {
                        if let Some(inode) = socket {
                            self.asked()
                                .by_inode
                                .insert(inode, Listed { id, is_unix, is_idle: false });
                        }
                        self.is_held(id, *fd, socket.is_some(), found);
                    }
                    Err(why) => self.gap(*fd, *inode, why),
                }
            }
        }
    }

    /// Takes note of the network namespace of a socket; which one is it?
    #[cfg(feature = "bpf")]
    pub(crate) fn meet(&self, fd: u32) -> Result<NamespaceId, Reason> {
        let answer = self.told_of(&[fd])?.pop().ok_or(Reason::Failed)??;
        Ok(answer.id)
    }

    fn told_of(&self, fds: &[u32]) -> Result<Vec<Asked>, Reason> {
        let limit = self.asked().patience.min(PATIENCE);
        if limit.is_zero() {
            return Err(Reason::TimedOut);
        }
        let pidfd = self.pidfd()?;
        let idle = self.asked().askers.pop();
        let mut asker =
            idle.map_or_else(|| Asker::start().map_err(|error| self.why(&error)), Ok)?;
        let start = Instant::now();
        let all = asker.ask(&pidfd, fds, limit);
        let took = start.elapsed();
        // The next query may return nothing but a cookie, so every answer is recorded before.
        let told: Vec<Asked> = all
            .into_iter()
            .map(|told| self.id_of(told.map_err(|error| self.why(&error))?))
            .collect();
        let mut sockets = self.asked();
        if asker.is_well() {
            sockets.askers.push(asker);
        } else {
            // It has got stuck, be it after the last answer.
            sockets.patience = sockets.patience.saturating_sub(took);
        }
        Ok(told)
    }

    fn id_of(&self, told: Told) -> Asked {
        let known = told.cookie;
        let known = known.and_then(|cookie| self.asked().by_cookie.get(&cookie).copied());
        let id = match (known, told.namespace) {
            (Some(id), _) => id,
            (None, Some(namespace)) => {
                self.context.resolver.meet_inactive(&namespace);
                namespace.id()
            }
            (None, None) => return Err(Reason::Failed),
        };
        if let Some(cookie) = told.cookie {
            self.asked().by_cookie.insert(cookie, id);
        }
        let socket = told.is_socket.then_some(told.inode);
        Ok(Answer { socket, is_unix: told.is_unix, id })
    }

    fn pidfd(&self) -> Result<OwnedFd, Reason> {
        let pidfd = match self.table.tid {
            Some(tid) => pidfd::of_thread(tid),
            None => pidfd::of_process(self.table.pid),
        };
        let pidfd = pidfd.map_err(|error| match error.errno() {
            // Before Linux 6.9 only whole processes have pidfds.
            Some(Errno::INVAL) => Reason::Unsupported,
            _ => self.why(&error),
        })?;
        // The number was still that of our process when the pidfd was opened.
        match self.table.task.is_alive() {
            Ok(true) => Ok(pidfd),
            Ok(false) => Err(Reason::Gone),
            Err(errno) => Err(reason(errno)),
        }
    }

    fn why(&self, error: &Error) -> Reason {
        match error.errno() {
            // Closed meanwhile, or only a name of it is open (O_PATH).
            Some(Errno::BADF) => Reason::Gone,
            errno => errno.map_or(Reason::Failed, |errno| self.table.task.reason(errno)),
        }
    }

    fn is_held(&self, id: NamespaceId, fd: u32, by_socket: bool, found: &mut Found) {
        let Table { pid, tid, .. } = self.table;
        let kind = if by_socket { FileKind::Socket } else { FileKind::Tun };
        found.holders.push((id, Holder::File { kind, pid, tid, fd }));
    }

    fn asked(&self) -> MutexGuard<'s, SocketTable> {
        lock(self.context)
    }

    fn gap(&self, fd: u32, inode: Option<u64>, why: Reason) {
        if why == Reason::Gone {
            return;
        }
        let what = match inode {
            Some(_) => Missing::Sockets,
            None => Missing::TunDevices,
        };
        self.context.gaps.add(what, why, format!("fd {fd} of {}", self.table.name()));
    }
}
