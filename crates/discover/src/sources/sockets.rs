//! Sockets and tun/tap device files: each keeps the network namespace alive it was made in.
//!
//! The kernel tells that namespace only to who has the socket: so the file is duplicated from the
//! other process (pidfd_getfd(2)), asked, and closed, by a child that may get stuck
//! ([`Asker`]). One socket is asked once, however many processes share it; and where sockets
//! have a namespace cookie, one namespace is opened once, however many sockets it has.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lxkns_model::{Holder, Missing, Part, Reason};
use lxkns_ops::socket::{Asker, Told};
use lxkns_ops::{Error, pidfd};
use lxkns_species::{NamespaceId, NamespaceType};
use rustix::io::Errno;

use super::fds::Table;
use super::processes::Found;
use crate::file::{PATIENCE, TOTAL_PATIENCE};
use crate::gaps::reason;
use crate::scan::Scan;

/// Major and minor number of `/dev/net/tun`.
pub(crate) const TUN_DEVICE: (u32, u32) = (10, 200);

/// So many files are asked together, and may each bring an open namespace with them.
const AT_A_TIME: usize = 64;

/// Which network namespace goes with which socket.
#[derive(Debug)]
pub(crate) struct SocketTable {
    by_inode: HashMap<u64, NamespaceId>,
    by_cookie: HashMap<u64, NamespaceId>,
    /// Children that ask, one for each worker at most.
    askers: Vec<Asker>,
    /// The time left for waiting for file servers: they have files that have come in the place of
    /// sockets meanwhile.
    patience: Duration,
}

impl SocketTable {
    /// Ends the children that ask, which nobody needs any more.
    pub(crate) fn close(&mut self) {
        self.askers.clear();
    }
}

impl Default for SocketTable {
    fn default() -> SocketTable {
        SocketTable {
            by_inode: HashMap::new(),
            by_cookie: HashMap::new(),
            askers: Vec::new(),
            patience: TOTAL_PATIENCE,
        }
    }
}

/// What a file is, and the network namespace that it belongs to.
struct Answer {
    /// The inode of a socket; None for a tun/tap device file.
    socket: Option<u64>,
    id: NamespaceId,
}

type Asked = Result<Answer, Reason>;

/// The sockets and tun/tap device files of one file table. They are asked together, see
/// [`Of::ask`].
pub(crate) struct Of<'s> {
    scan: &'s Scan<'s>,
    table: Table<'s>,
    wanted: bool,
    /// Those to be asked: the fd, and the inode of a socket.
    open: Vec<(u32, Option<u64>)>,
}

impl<'s> Of<'s> {
    pub(crate) fn new(scan: &'s Scan<'_>, table: Table<'s>) -> Of<'s> {
        let wanted =
            scan.wants(Part::Sockets) && scan.seeks_type(NamespaceType::Net) && scan.proc.is_ours();
        Of { scan, table, wanted, open: Vec::new() }
    }

    /// Takes note of a socket.
    pub(crate) fn socket(&mut self, fd: u32, inode: u64, found: &mut Found) {
        if !self.wanted {
            return;
        }
        let known = self.sockets().by_inode.get(&inode).copied();
        match known {
            Some(id) => self.is_held(id, fd, true, found),
            None => self.open.push((fd, Some(inode))),
        }
    }

    /// Takes note of a tun/tap device file.
    pub(crate) fn tun(&mut self, fd: u32) {
        if self.wanted {
            self.open.push((fd, None));
        }
    }

    /// Asks all of them. What is there by now may be another one than was listed: it is what counts.
    pub(crate) fn ask(&self, found: &mut Found) {
        // Each with a time of its own, so that a large table may take its time.
        for open in self.open.chunks(AT_A_TIME) {
            let fds: Vec<u32> = open.iter().map(|(fd, _)| *fd).collect();
            let told = self.told_of(&fds).unwrap_or_else(|why| {
                let all = fds.iter().map(|_| Err(why.clone()));
                all.collect()
            });
            for ((fd, inode), told) in open.iter().zip(told) {
                match told {
                    Ok(Answer { socket, id }) => {
                        if let Some(inode) = socket {
                            self.sockets().by_inode.insert(inode, id);
                        }
                        self.is_held(id, *fd, socket.is_some(), found);
                    }
                    Err(why) => self.gap(*fd, *inode, why),
                }
            }
        }
    }

    /// Takes note of the network namespace of a socket; which one is it?
    pub(crate) fn meet(&self, fd: u32) -> Result<NamespaceId, Reason> {
        let answer = self.told_of(&[fd])?.pop().ok_or(Reason::Failed)??;
        Ok(answer.id)
    }

    fn told_of(&self, fds: &[u32]) -> Result<Vec<Asked>, Reason> {
        let limit = self.sockets().patience.min(PATIENCE);
        if limit.is_zero() {
            return Err(Reason::TimedOut);
        }
        let pidfd = self.pidfd()?;
        let idle = self.sockets().askers.pop();
        let mut asker =
            idle.map_or_else(|| Asker::start().map_err(|error| self.why(&error)), Ok)?;
        let start = Instant::now();
        let all = asker.ask(&pidfd, fds, limit);
        let took = start.elapsed();
        // Whoever asks next may be told no more than a cookie, so all is noted down before.
        let told: Vec<Asked> = all
            .into_iter()
            .map(|told| self.id_of(told.map_err(|error| self.why(&error))?))
            .collect();
        let mut sockets = self.sockets();
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
        let known = known.and_then(|cookie| self.sockets().by_cookie.get(&cookie).copied());
        let id = match (known, told.namespace) {
            (Some(id), _) => id,
            (None, Some(namespace)) => {
                self.scan.resolver.meet_open(&namespace);
                namespace.id()
            }
            (None, None) => return Err(Reason::Failed),
        };
        if let Some(cookie) = told.cookie {
            self.sockets().by_cookie.insert(cookie, id);
        }
        Ok(Answer { socket: told.is_socket.then_some(told.inode), id })
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
        let holder = match by_socket {
            true => Holder::Socket { pid, tid, fd },
            false => Holder::Tun { pid, tid, fd },
        };
        found.holders.push((id, holder));
    }

    fn sockets(&self) -> MutexGuard<'s, SocketTable> {
        self.scan.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gap(&self, fd: u32, inode: Option<u64>, why: Reason) {
        if why == Reason::Gone {
            return;
        }
        let what = match inode {
            Some(_) => Missing::Sockets,
            None => Missing::TunDevices,
        };
        self.scan.gaps.add(what, why, format!("fd {fd} of {}", self.table.name()));
    }
}
