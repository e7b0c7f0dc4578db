//! Workloads: the containers, units and machines that processes belong to, and their names.
//!
//! A cgroup path tells engine, kind and ID. Its components are worth as much as the owners of the
//! directories above them ([`Cgroups`]): root of the machine vouches for a name below root's
//! directories, a user for one below a directory of that user's. State files and command lines of
//! supervisors add the name, if the same authority stands behind them ([`Books`]). No engine is
//! asked.
//!
//! A container's root may look like root of the machine, and may make cgroups of any name below its
//! own. So a name counts only if the program that started the workload runs in the scanner's PID
//! namespace, and is one that its engine starts containers by.

mod books;
mod cgroups;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use lxkns_model::{
    Details, Evidence, Missing, Part, ProcessFacts, Reason, Text, WorkloadFacts, WorkloadKind,
};
use lxkns_names::cgroup::{Mark, Role, mark};
use lxkns_names::supervisor::starts;
use lxkns_species::Pid;

use self::books::Books;
use self::cgroups::Cgroups;
use crate::context::Context;
use crate::procfs::status;

/// Finds the workloads of these processes, which are sorted by PID.
pub(crate) fn find(context: &Context<'_>, processes: &[ProcessFacts]) -> Vec<WorkloadFacts> {
    if !context.wanted.has(Part::Names) {
        return Vec::new();
    }
    let mut workloads = by_cgroup(processes);
    if workloads.is_empty() {
        return Vec::new();
    }
    let mut cgroups = Cgroups::open(context);
    let members = Members { context, processes };
    let unclear = match context.options.scope().details {
        Details::Everyone => HashSet::new(),
        // Of most processes, the cgroup is not known: the cgroups tell.
        Details::Leaders | Details::Nobody => members.add_to(&mut workloads, &cgroups),
    };
    let mut books = Books::new(context, members);
    for (prefix, workload) in &mut workloads {
        if !unclear.contains(prefix) && members.is_made_here(workload) {
            workload.vouched_by = cgroups.voucher(prefix);
        }
        books.complete(workload);
    }
    workloads.into_values().collect()
}

/// The workloads by the path up to the component that names them.
type ByCgroup<'s> = BTreeMap<&'s [u8], WorkloadFacts>;

fn by_cgroup(processes: &[ProcessFacts]) -> ByCgroup<'_> {
    let mut workloads = BTreeMap::new();
    for process in processes.iter().filter(|process| !process.kernel_thread) {
        let Some(path) = process.cgroup.as_ref().map(Text::as_bytes) else { continue };
        let Some(mark) = mark(path).filter(|mark| mark.role == Role::Payload) else { continue };
        let prefix = path.get(..mark.end).unwrap_or(path);
        let workload = workloads.entry(prefix).or_insert_with(|| facts_of(mark, prefix));
        workload.processes.push(process.pid);
    }
    workloads
}

fn facts_of(mark: Mark, prefix: &[u8]) -> WorkloadFacts {
    let mut workload = WorkloadFacts::new(mark.engine, mark.kind);
    workload.id = mark.id;
    workload.name = mark.name;
    workload.pod = mark.pod;
    workload.unit = mark.unit;
    workload.evidence.push(Evidence::Cgroup(prefix.into()));
    workload
}

/// The processes that are, or may be, in workloads.
#[derive(Clone, Copy)]
struct Members<'s> {
    context: &'s Context<'s>,
    /// By PID.
    processes: &'s [ProcessFacts],
}

impl Members<'_> {
    fn process(&self, pid: Pid) -> Option<&ProcessFacts> {
        let at = self.processes.binary_search_by_key(&pid, |process| process.pid).ok()?;
        self.processes.get(at)
    }

    /// The process of a workload that started first.
    fn first_of(&self, workload: &WorkloadFacts) -> Option<&ProcessFacts> {
        let members = workload.processes.iter().filter_map(|pid| self.process(*pid));
        members.min_by_key(|it| (it.start_time.unwrap_or(u64::MAX), it.pid))
    }

    /// Adds all processes in the cgroups of these workloads, and returns those workloads whose
    /// processes could not all be read: then their first one is not known.
    fn add_to<'w>(&self, workloads: &mut ByCgroup<'w>, cgroups: &Cgroups<'_>) -> HashSet<&'w [u8]> {
        let mut unclear = HashSet::new();
        let mut taken: HashSet<Pid> = HashSet::new();
        // A container in the cgroup of a unit comes before that.
        let mut by_depth: Vec<(&'w [u8], &mut WorkloadFacts)> =
            workloads.iter_mut().map(|(prefix, workload)| (*prefix, workload)).collect();
        by_depth.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
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
    fn is_made_here(&self, workload: &WorkloadFacts) -> bool {
        let Some(first) = self.first_of(workload) else { return false };
        let parent = match first.ppid {
            // Even farther outside.
            Some(Pid(0)) => return true,
            Some(parent) => parent,
            None => return false,
        };
        // Whoever has started it may be gone; then the first process has another parent now.
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
