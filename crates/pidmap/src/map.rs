//! From what `/proc/PID/status` tells to who is who where.
//!
//! `NSpid` lists the PIDs of a process without saying of which namespaces: from the PID namespace
//! of the procfs, which is the scanner's, down to the process's own. So the last one belongs to its
//! own PID namespace, the one before to that one's parent, and so on up as far as parents are
//! known; and the first one always to the scanner's. What lies between them stays unknown where a
//! parent is out of sight.

use std::collections::HashMap;
use std::iter;

use lxkns_model::{Namespace, Process, Snapshot};
use lxkns_species::{NamespaceId, NamespaceType, Pid};

/// Translates PIDs between the PID namespaces of a [`Snapshot`].
///
/// It knows every process of the snapshot, but those only by their PID in the scanner's PID
/// namespace whose other PIDs could not be read.
#[derive(Debug)]
pub struct PidMap<'s> {
    /// Where the PIDs that the snapshot goes by are from.
    outermost: Option<Namespace<'s>>,
    /// `None`: two processes claim this PID, one of which must have gone before the other came.
    processes: HashMap<(NamespaceId, Pid), Option<Process<'s>>>,
    snapshot: &'s Snapshot,
}

impl<'s> PidMap<'s> {
    /// The map of all processes of the snapshot.
    pub fn new(snapshot: &'s Snapshot) -> PidMap<'s> {
        let mut map = PidMap {
            outermost: snapshot.pid_namespace(),
            processes: HashMap::with_capacity(snapshot.processes().len()),
            snapshot,
        };
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
        let process = self.process(pid, from)?;
        self.pids(process).find(|(namespace, _)| namespace.id() == to).map(|(_, pid)| pid)
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

    /// All PIDs of a process, from the outermost namespace to its own; `None` beside those whose
    /// namespace is out of sight.
    ///
    /// `None` if its PIDs could not be read, or contradict what is known of its namespaces.
    pub fn levels(&self, process: Process<'s>) -> Option<Vec<(Option<Namespace<'s>>, Pid)>> {
        let listed = process.pids()?;
        let is_real = listed.first() == Some(&process.pid()) && !listed.contains(&Pid(0));
        let own = process.namespace(NamespaceType::Pid);
        let mut upwards = own.into_iter().flat_map(|own| iter::once(own).chain(own.ancestors()));
        let mut levels: Vec<_> = listed.iter().rev().map(|pid| (upwards.next(), *pid)).collect();
        levels.reverse();
        if let (Some(outermost), Some((first, _))) = (self.outermost, levels.first_mut()) {
            first.get_or_insert(outermost);
        }
        // The first of the list is for the outermost namespace, and no other one is.
        let fits = self.outermost.is_none_or(|outermost| {
            let is_outermost = |(namespace, _): &(Option<_>, Pid)| *namespace == Some(outermost);
            levels.iter().enumerate().all(|(index, level)| is_outermost(level) == (index == 0))
        });
        (is_real && fits).then_some(levels)
    }

    /// Likewise, if everything about them is known.
    pub(crate) fn all_pids(&self, process: Process<'s>) -> Option<Vec<(Namespace<'s>, Pid)>> {
        process.joined().get(NamespaceType::Pid)?;
        let levels = self.levels(process)?.into_iter();
        levels.map(|(namespace, pid)| Some((namespace?, pid))).collect()
    }

    fn known_pids(&self, process: Process<'s>) -> Vec<(Namespace<'s>, Pid)> {
        let here = || vec![(self.outermost, process.pid())];
        let levels = self.levels(process).unwrap_or_else(here).into_iter();
        levels.filter_map(|(namespace, pid)| Some((namespace?, pid))).collect()
    }

    pub(crate) fn snapshot(&self) -> &'s Snapshot {
        self.snapshot
    }
}

#[cfg(test)]
mod tests;
