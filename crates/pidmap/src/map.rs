//! From what `/proc/PID/status` tells to who is who where.
//!
//! `NSpid` lists the PIDs of a process without saying of which namespaces: from the PID namespace
//! of the procfs, which is the scanner's, down to the process's own. So the last one belongs to its
//! own PID namespace, the one before to that one's parent, and so on up as far as parents are
//! known; and the first one always to the scanner's. What lies between them stays unknown where a
//! parent is out of sight.

use std::collections::HashMap;

use lxkns_model::{Namespace, Process, Snapshot};
use lxkns_species::{NamespaceId, Pid};

/// Translates PIDs between the PID namespaces of a [`Snapshot`].
///
/// It knows every process of the snapshot, but those only by their PID in the scanner's PID
/// namespace whose other PIDs could not be read.
#[derive(Debug)]
pub struct PidMap<'s> {
    /// `None`: two processes claim this PID, one of which must have gone before the other came.
    processes: HashMap<(NamespaceId, Pid), Option<Process<'s>>>,
    pub(crate) snapshot: &'s Snapshot,
}

impl<'s> PidMap<'s> {
    /// The map of all processes of the snapshot.
    pub fn new(snapshot: &'s Snapshot) -> PidMap<'s> {
        let mut map =
            PidMap { processes: HashMap::with_capacity(snapshot.processes().len()), snapshot };
        for process in snapshot.processes() {
            for (namespace, pid) in map.pids(process) {
                map.processes
                    .entry((namespace.id(), pid))
                    .and_modify(|other| *other = None)
                    .or_insert(Some(process));
            }
        }
        map
    }

    /// The PID in the namespace `to` of the process that has this PID in `from`.
    ///
    /// `None` if there is no such process in `from`, or it has no PID in `to`: because `to` is
    /// neither its own PID namespace nor above that, or because it is unknown. The process may live
    /// in `from` or in any namespace below, so `to` may be above `from` as well as below.
    pub fn translate(&self, pid: Pid, from: NamespaceId, to: NamespaceId) -> Option<Pid> {
        self.process(pid, from)?.pid_in(to)
    }

    /// The process that has this PID in this PID namespace.
    pub fn process(&self, pid: Pid, namespace: NamespaceId) -> Option<Process<'s>> {
        self.processes.get(&(namespace, pid)).copied().flatten()
    }

    /// The PIDs of a process and the namespaces that it has them in, from the outermost to its own,
    /// as far as known.
    pub fn pids(
        &self,
        process: Process<'s>,
    ) -> impl DoubleEndedIterator<Item = (Namespace<'s>, Pid)> + ExactSizeIterator + use<'s> {
        self.known_pids(process).into_iter()
    }

    fn known_pids(&self, process: Process<'s>) -> Vec<(Namespace<'s>, Pid)> {
        let here = || vec![(self.snapshot.pid_namespace(), process.pid())];
        let levels = process.levels().unwrap_or_else(here).into_iter();
        levels.filter_map(|(namespace, pid)| Some((namespace?, pid))).collect()
    }
}

#[cfg(test)]
mod tests;
