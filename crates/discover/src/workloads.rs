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
mod members;

use std::collections::{BTreeMap, HashSet};

use lxkns_model::{Details, Evidence, Part, ProcessFacts, Text, WorkloadFacts};
use lxkns_names::cgroup::{Mark, Role, mark};

use self::books::Books;
use self::cgroups::Cgroups;
use self::members::{ByCgroup, Members};
use crate::context::Context;

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
