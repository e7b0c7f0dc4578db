//! Files in flight: sent through a Unix socket, and not received yet.
//!
//! A namespace in there is alive without any process that has it open; systemd keeps those of
//! `PrivateNetwork=` units so. `/proc/PID/fdinfo/FD` tells how many files wait in a socket
//! (`scm_fds`), and a copy of the socket lets a child peek at the first message with files
//! ([`Peeker`]). What the child must not or cannot see is a gap.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lxkns_model::{FileKind, Holder, Missing, Reason};
use lxkns_ops::in_flight::{Missed, Peeker, waiting};
use lxkns_ops::{Error, pidfd};
use lxkns_species::NamespaceId;
use rustix::io::Errno;

use crate::context::Context;
use crate::gaps::reason;
use crate::procfs::read_into;
use crate::sightings::{OpenSocket, Sightings};
use crate::timeouts::{PATIENCE, TOTAL_PATIENCE};
use crate::workers::share_out;

/// Looks into the sockets that may have files in their queues. Not all of them are known to be Unix
/// sockets.
pub(crate) fn look(
    context: &Context<'_>,
    sockets: Vec<OpenSocket>,
    is_unix: impl Fn(u64) -> bool + Sync,
    seen: &mut Sightings,
) {
    let mut shared: BTreeMap<u64, Vec<OpenSocket>> = BTreeMap::new();
    for socket in sockets {
        shared.entry(socket.inode).or_default().push(socket);
    }
    let shared: Vec<Vec<OpenSocket>> = shared.into_values().collect();
    let queues =
        share_out(&shared, context.options.worker_count(), |sharers, found: &mut Queues| {
            let mut counts = sharers.iter().map(|socket| files_in(context, socket));
            match counts.find(|count| !matches!(count, Err(Errno::NOENT | Errno::SRCH))) {
                Some(Ok(Some(0))) | None => {}
                Some(Ok(Some(count))) => found.push((count, sharers.clone())),
                Some(Ok(None)) => {
                    if sharers.first().is_some_and(|socket| is_unix(socket.inode)) {
                        context.gaps.add_uncounted(Missing::InFlight, Reason::Unsupported, "");
                    }
                }
                Some(Err(errno)) => {
                    let example = sharers.first().map(name).unwrap_or_default();
                    context.gaps.add(Missing::InFlight, reason(errno), example);
                }
            }
        });
    let mut queues = queues.concat();
    queues.sort_by_key(|(_, sharers)| sharers.first().map(|socket| socket.inode));
    let mut looks = Looks { context, peeker: None, stuck: Duration::ZERO };
    for (count, sharers) in &queues {
        let mut ids = looks.queue(*count, sharers);
        ids.sort_unstable();
        ids.dedup();
        for OpenSocket { pid, tid, fd, inode } in sharers.iter().copied() {
            let holder = Holder::File { kind: FileKind::InFlight { inode }, pid, tid, fd };
            seen.holders.extend(ids.iter().map(|id| (*id, holder.clone())));
        }
    }
}

/// Sockets with files in their queues: how many, and the descriptors of the socket.
type Queues = Vec<(u32, Vec<OpenSocket>)>;

/// How many files wait in a socket; `None` if it is no Unix socket, or the kernel does not tell.
fn files_in(context: &Context<'_>, socket: &OpenSocket) -> Result<Option<u32>, Errno> {
    let OpenSocket { pid, tid, fd, .. } = *socket;
    let path = match tid {
        Some(tid) => format!("{pid}/task/{tid}/fdinfo/{fd}"),
        None => format!("{pid}/fdinfo/{fd}"),
    };
    let mut buffer = [0; 512];
    Ok(waiting(read_into(context.proc.folder(), path, &mut buffer)?))
}

fn name(socket: &OpenSocket) -> String {
    match socket.tid {
        Some(tid) => format!("fd {} of thread {tid} of pid {}", socket.fd, socket.pid),
        None => format!("fd {} of pid {}", socket.fd, socket.pid),
    }
}

/// All looks of a scan, one after the other.
struct Looks<'s> {
    context: &'s Context<'s>,
    peeker: Option<Peeker>,
    /// How long the scan has waited in vain.
    stuck: Duration,
}

impl Looks<'_> {
    /// The namespaces that files in a queue hold.
    fn queue(&mut self, count: u32, sharers: &[OpenSocket]) -> Vec<NamespaceId> {
        let mut ids = Vec::new();
        let Some(socket) = sharers.iter().find(|socket| self.is_there(socket)) else {
            // Closed meanwhile by all.
            return ids;
        };
        let example = || name(socket);
        let gap = |why: Reason, count: u32| {
            if count > 0 && why != Reason::Gone {
                self.context.gaps.add_many(Missing::InFlight, why, count.into(), example());
            }
        };
        match look_at(self.context, &mut self.peeker, &mut self.stuck, socket, &mut ids) {
            Ok(Missed { queued, disturbing, denied, .. }) => {
                gap(Reason::Queued, queued);
                gap(Reason::Disturbing, disturbing);
                gap(Reason::Denied, denied);
            }
            Err(why) => gap(why, count),
        }
        ids
    }

    fn is_there(&self, socket: &OpenSocket) -> bool {
        let task = self.context.proc.task(socket.pid, socket.tid);
        task.and_then(|task| task.inode_at(socket.fd)) == Ok(socket.inode)
    }
}

fn look_at(
    context: &Context<'_>,
    idle: &mut Option<Peeker>,
    stuck: &mut Duration,
    socket: &OpenSocket,
    ids: &mut Vec<NamespaceId>,
) -> Result<Missed, Reason> {
    let limit = PATIENCE.min(TOTAL_PATIENCE.saturating_sub(*stuck));
    if limit.is_zero() {
        return Err(Reason::TimedOut);
    }
    let pidfd = match socket.tid {
        Some(tid) => pidfd::of_thread(tid),
        None => pidfd::of_process(socket.pid),
    };
    let pidfd = pidfd.map_err(why)?;
    let mut peeker = match idle.take() {
        Some(peeker) => peeker,
        None => Peeker::start(&context.proc).map_err(why)?,
    };
    let start = Instant::now();
    let missed = peeker.look(&pidfd, socket.fd, limit, |namespace| {
        context.resolver.meet_open(&namespace);
        ids.push(namespace.id());
    });
    if peeker.is_well() {
        *idle = Some(peeker);
    } else {
        *stuck += start.elapsed();
    }
    missed.map_err(why)
}

fn why(error: Error) -> Reason {
    match error.errno() {
        // Closed meanwhile, or another file by now.
        Some(Errno::BADF) => Reason::Gone,
        // Before Linux 6.9 only whole processes have pidfds.
        Some(Errno::INVAL) => Reason::Unsupported,
        errno => errno.map_or(Reason::Failed, reason),
    }
}
