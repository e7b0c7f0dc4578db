//! The processes of workloads: all of them, the first one, and who started it.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use lxkns_model::{Missing, ProcessFacts, Reason, Text, WorkloadFacts, WorkloadKind};
use lxkns_names::supervisor::starts;
use lxkns_species::Pid;

use super::cgroups::Cgroups;
use crate::context::Context;
use crate::procfs::status;

/// The workloads by the path up to the component that names them.
pub(super) type ByCgroup<'s> = BTreeMap<&'s [u8], WorkloadFacts>;

/// The processes that are, or may be, in workloads.
#[derive(Clone, Copy)]
pub(super) struct Members<'s> {
    pub(super) context: &'s Context<'s>,
    /// By PID.
    pub(super) processes: &'s [ProcessFacts],
}

impl Members<'_> {
    pub(super) fn process(&self, pid: Pid) -> Option<&ProcessFacts> {
        let at = self.processes.binary_search_by_key(&pid, |process| process.pid).ok()?;
        self.processes.get(at)
    }

    /// The process of a workload that started first.
    pub(super) fn first_of(&self, workload: &WorkloadFacts) -> Option<&ProcessFacts> {
        let members = workload.processes.iter().filter_map(|pid| self.process(*pid));
        members.min_by_key(|it| (it.start_time.unwrap_or(u64::MAX), it.pid))
    }

    /// Adds all processes in the cgroups of these workloads, and returns those workloads whose
    /// processes could not all be read: then their first one is not known.
    pub(super) fn add_to<'w>(
        &self,
        workloads: &mut ByCgroup<'w>,
        cgroups: &Cgroups<'_>,
    ) -> HashSet<&'w [u8]> {
        let mut unclear = HashSet::new();
        let mut taken: HashSet<Pid> = HashSet::new();
        // A container in the cgroup of a unit comes before that.
        let mut by_depth: Vec<(&'w [u8], &mut WorkloadFacts)> =
            workloads.iter_mut().map(|(prefix, workload)| (*prefix, workload)).collect();
        by_depth.sort_by_key(|(prefix, _)| Reverse(prefix.len()));
        for (prefix, workload) in by_depth {
            match cgroups.members(prefix) {
                Some(pids) => workload.processes.extend(pids),
                None => {
                    let example = Text::from(prefix);
                    self.context.gaps.add(Missing::Names, Reason::Limit, example);
                    unclear.insert(prefix);
                }
            }
            workload.processes.retain(|pid| self.process(*pid).is_some() && taken.insert(*pid));
        }
        unclear
    }

    /// Whether the program that started a workload, the parent of its first process, runs in the
    /// scanner's PID namespace, and is one that the engine does this by.
    pub(super) fn is_made_here(&self, workload: &WorkloadFacts) -> bool {
        let Some(first) = self.first_of(workload) else { return false };
        let parent = match first.ppid {
            // Even farther outside.
            Some(Pid(0)) => return true,
            Some(parent) => parent,
            None => return false,
        };
        // The starter may have ended since. Then PID 1 is the parent of the first process.
        let is_starter = parent == Pid(1) || {
            let comm = self.process(parent).and_then(|parent| parent.comm.as_ref());
            let is_container = matches!(
                workload.kind,
                WorkloadKind::Container | WorkloadKind::Machine | WorkloadKind::Build
            );
            !is_container
                || comm.is_some_and(|comm| starts(workload.engine, comm.as_bytes()) != Some(false))
        };
        // The processes of a unit are in no PID namespace of their own.
        let is_unit = workload.kind == WorkloadKind::Unit;
        is_starter
            && self.is_beside_scanner(parent)
            && (!is_unit || self.is_beside_scanner(first.pid))
    }

    /// Whether a process has a single PID, that of the scanner's PID namespace.
    fn is_beside_scanner(&self, pid: Pid) -> bool {
        if let Some(pids) = self.process(pid).and_then(|process| process.pids.as_ref()) {
            return pids.len() == 1;
        }
        let mut buffer = [0; 4096];
        let dir = self.context.proc.process(pid);
        let read = dir.and_then(|dir| dir.read_whole(c"status", &mut buffer).map(Cow::into_owned));
        read.is_ok_and(|status| status::parse(&status).pids.count() == 1)
    }
}
