//! What the sources report.

use std::collections::HashSet;

use lxkns_model::{Counts, Holder, MountFacts, ProcessFacts};
use lxkns_species::{NamespaceId, Pid};

use crate::resolve::Resolver;

/// What the sources have seen so far. Each worker fills its own; they are appended in the end.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    pub(crate) processes: Vec<ProcessFacts>,
    /// "This namespace is held by that", besides what the processes' own facts say.
    pub(crate) holders: Vec<(NamespaceId, Holder)>,
    /// The mounts that hold namespaces, and those that matter for unmounting them.
    pub(crate) mounts: Vec<MountFacts>,
    /// Sockets whose network namespaces are still to be found.
    pub(crate) sockets: Vec<OpenSocket>,
    /// Unix sockets that BPF says have files queued in them, or cannot tell.
    pub(crate) queues: Vec<OpenSocket>,
    pub(crate) counts: Counts,
}

impl Sightings {
    pub(crate) fn append(&mut self, mut other: Sightings) {
        self.processes.append(&mut other.processes);
        self.holders.append(&mut other.holders);
        self.sockets.append(&mut other.sockets);
        self.queues.append(&mut other.queues);
        self.counts.listed += other.counts.listed;
        self.counts.read += other.counts.read;
        self.counts.unreadable += other.counts.unreadable;
        self.counts.vanished += other.counts.vanished;
    }
}

impl Sightings {
    /// The namespaces of which it is known why they are alive.
    pub(crate) fn explained(&self, resolver: &Resolver) -> HashSet<NamespaceId> {
        let mut sighted: HashSet<NamespaceId> = self.holders.iter().map(|(id, _)| *id).collect();
        let mut last = None;
        for process in &self.processes {
            // Neighbours mostly are in the same ones.
            if last.replace(process.namespaces) != Some(process.namespaces) {
                sighted.extend(process.namespaces.iter());
            }
            for thread in &process.threads {
                sighted.extend(thread.namespaces.iter());
            }
        }
        resolver.with_relations(sighted)
    }
}

/// A socket that a process has, whose network namespace is not known yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenSocket {
    pub(crate) pid: Pid,
    /// The thread, if the file table is not the process's.
    pub(crate) tid: Option<Pid>,
    pub(crate) fd: u32,
    pub(crate) inode: u64,
}
