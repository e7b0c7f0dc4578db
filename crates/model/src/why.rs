//! Why a namespace is alive, and what has to happen for it to go away.
//!
//! Everything here follows from one snapshot; the system is not asked. A namespace knows its own
//! holders already ([`Namespace::holders`], [`Namespace::children`], [`Namespace::owned`]). This
//! module adds the leaders of its processes, the way to its end, and everything that might make the
//! answer incomplete: an answer that leaves out half of the holders in silence sends people after
//! the wrong process.
//!
//! It says what has to happen, not how: no commands, and no judgement on whether it should.

mod doubt;
mod plan;
#[cfg(test)]
mod tests;
mod unmount;

pub(crate) use doubt::{gaps as gaps_that_hide, may_hide_holders};

use std::collections::HashMap;

use lxkns_species::{NamespaceId, NamespaceTypes, Pid};

use crate::{Gap, Namespace, Parts, Process, Snapshot, Text};

/// Why one namespace is alive; see [`Snapshot::why`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Why<'s> {
    /// The namespace. What it is held by besides its processes: [`Namespace::holders`],
    /// [`Namespace::children`], [`Namespace::owned`].
    pub namespace: Namespace<'s>,
    /// The processes joined to it, by their leaders, in the order of [`Namespace::leaders`].
    pub members: Vec<Members<'s>>,
    /// What it takes for the namespace to go away.
    pub release: Release,
    /// What the scan could not see, as far as holders of this namespace may be among it.
    pub gaps: Vec<&'s Gap>,
    /// What the scan did not look for, as far as it would have shown holders of this namespace.
    pub skipped: Parts,
    /// Namespaces of these types may hold it, and the scan did not look for them.
    pub skipped_types: NamespaceTypes,
    /// The types of the namespaces that have to go for it to go away, as far as known: what may
    /// keep those alive unseen ([`crate::blind_spots`]) may keep it alive, too.
    pub types: NamespaceTypes,
    /// Whether nothing but the scanner held it, see [`Snapshot::without_scanner`].
    pub released: bool,
}

/// A leader, and how many processes it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Members<'s> {
    /// The topmost process.
    pub leader: Process<'s>,
    /// It, and its descendants that are joined to the namespace like everybody between; at least 1.
    pub count: usize,
}

/// What it takes for a namespace to go away.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Release {
    /// It lives as long as the kernel runs.
    Never(Never),
    /// It goes once all this has happened.
    After(Plan),
}

/// Why a namespace never goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Never {
    /// The kernel booted with it.
    Initial,
    /// A thread of the kernel is in it, or in a namespace that holds it.
    KernelThread {
        /// The thread of the kernel.
        pid: Pid,
        /// The namespace that it is in.
        namespace: NamespaceId,
    },
}

/// What has to happen for a namespace to go away, as far as can be seen.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Plan {
    /// What has to be done, in this order: processes before mounts, innermost namespaces first.
    pub steps: Vec<Step>,
    /// Whether no fewer steps are enough: leave out any, and the namespace stays. Where this is not
    /// known, some may turn out to be done by others.
    pub is_least: bool,
    /// The namespaces that go away by these steps, in this order: those that hold it go first,
    /// which nest in it, are owned by it, or have a mount of it that is [out of
    /// reach](Plan::out_of_reach); the last one is the namespace itself.
    pub gone: Vec<NamespaceId>,
    /// The mounts that cannot be unmounted, since another mount covers a root directory above them:
    /// their mount namespaces are among [`Plan::gone`], and they go with these.
    pub out_of_reach: Vec<MountPoint>,
    /// Those among [`Plan::gone`] that something holds that nobody could see. Unless this is
    /// empty, the steps are not enough.
    pub unexplained: Vec<NamespaceId>,
}

/// One step of a plan: one thing for one actor to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// What has to be done.
    pub action: Action,
    /// The namespaces among [`Plan::gone`] that are held until then; in that order.
    pub frees: Vec<NamespaceId>,
}

/// The steps for the user. PIDs are those of the scanner's PID namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// A process ends.
    End {
        /// The process.
        pid: Pid,
        /// The others that end with it, because it is PID 1 of their PID namespace or of one above;
        /// by PID. Not all of them need to be in the way.
        along: Vec<Pid>,
    },
    /// A dead process is waited for: until then it keeps its user and PID namespace.
    Reap {
        /// The dead process, or one that is ending already and waits for others.
        pid: Pid,
        /// The one to wait for it. If that one ends instead, another will.
        parent: Option<Pid>,
    },
    /// A process lets go, all at once by ending, or bit by bit.
    LetGo {
        /// The process.
        pid: Pid,
        /// Other processes that share its file table, and do not end by other steps: it is enough
        /// if any of them closes the files, but by ending all of them have to let go.
        sharers: Vec<Pid>,
        /// The threads of it that end.
        threads: Vec<Pid>,
        /// What it closes.
        closes: Vec<OpenFile>,
        /// The Unix sockets of which it receives or drops what is queued there.
        empties: Vec<OpenFile>,
    },
    /// What is queued in a Unix socket that several have open is received, or dropped by closing
    /// all of these.
    Receive {
        /// Where the socket is open, as far as that does not end by other steps: a single one is
        /// enough to receive.
        sockets: Vec<(Pid, OpenFile)>,
    },
    /// Something is unmounted.
    Unmount {
        /// Where it is mounted.
        mount_namespace: Option<NamespaceId>,
        /// The mount point, as seen from the root of that mount namespace.
        path: Text,
        /// Its number there, see [`Snapshot::mount`].
        mount: Option<u64>,
        /// The mounts that are known to go with it by propagation.
        along: Vec<MountPoint>,
    },
}

/// A mount point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountPoint {
    /// The mount namespace.
    pub mount_namespace: Option<NamespaceId>,
    /// The path, as seen from the root of that mount namespace.
    pub path: Text,
}

/// A file descriptor of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenFile {
    /// The thread, where that one has a file table of its own.
    pub tid: Option<Pid>,
    /// The number.
    pub fd: u32,
}

impl Snapshot {
    /// Tells why a namespace is alive, and what it takes for it to go away; `None` if it is not in
    /// the snapshot.
    pub fn why(&self, id: NamespaceId) -> Option<Why<'_>> {
        let namespace = self.namespace(id)?;
        let (release, types) = plan::of(namespace);
        let scope = self.scope();
        Some(Why {
            namespace,
            members: members(namespace),
            release,
            gaps: doubt::gaps(self, types).collect(),
            skipped: doubt::parts_that_matter(types)
                .filter(|part| !scope.parts.contains(*part))
                .collect(),
            types,
            released: self.is_released(id),
            skipped_types: types.iter().filter(|it| !scope.types.contains(*it)).collect(),
        })
    }
}

fn members(namespace: Namespace<'_>) -> Vec<Members<'_>> {
    let is_member = |process: &Process<'_>| {
        process.joined().get(namespace.namespace_type()) == Some(namespace.id())
    };
    let mut counts: HashMap<Pid, usize> = HashMap::new();
    let mut topmost: HashMap<Pid, Pid> = HashMap::new();
    for process in namespace.processes() {
        // Each process is passed once, however long the chains are that it is in.
        let mut way = vec![process.pid()];
        let mut above = process.ancestors().take_while(is_member);
        let top = loop {
            if let Some(top) = way.last().and_then(|last| topmost.get(last)) {
                way.pop();
                break *top;
            }
            match above.next() {
                Some(ancestor) => way.push(ancestor.pid()),
                None => break way.last().copied().unwrap_or(process.pid()),
            }
        };
        topmost.extend(way.into_iter().map(|pid| (pid, top)));
        *counts.entry(top).or_default() += 1;
    }
    namespace
        .leaders()
        .map(|leader| Members {
            leader,
            count: counts.get(&leader.pid()).copied().unwrap_or_default(),
        })
        .collect()
}
