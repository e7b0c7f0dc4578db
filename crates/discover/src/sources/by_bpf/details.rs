//! What BPF does not tell of processes: command lines, cgroups, the names of kernel threads.
//!
//! That is read from `/proc` by number, without opening the directory of the process first: the
//! caller sees in the end whose number has changed hands.
//!
//! Writing down a cgroup takes the kernel longer than all else here, and most processes are in the
//! same few. Processes in the same cgroups share one object of the kernel, and BPF tells which. So
//! one of them is asked on behalf of all, and whether they still share it in the end is seen by
//! [`Witnesses::contradicted`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use lxkns_model::{Cmdline, Details, Part, ProcessFacts, Text};
use lxkns_species::Pid;
use rustix::io::Errno;

use crate::bpf::Task;
use crate::context::Context;
use crate::describe::{cgroup_in, cmdline_in, leads, undescribed};
use crate::procfs::read_into;
use crate::workers::share_out;

/// Who was asked for the cgroup of all that share its cgroups.
#[derive(Debug, Default)]
pub(super) struct Witnesses(HashMap<u64, (Pid, Option<Text>)>);

impl Witnesses {
    /// Whether a process, which was in this set of cgroups at first, may have got the answer of
    /// another that does not hold for it. `now` tells in which set a process is in the end.
    pub(super) fn contradicted(&self, task: &Task, now: impl Fn(Pid) -> Option<u64>) -> bool {
        self.0.get(&task.cgroups).is_some_and(|(witness, _)| {
            let shares = |pid| now(pid) == Some(task.cgroups);
            *witness != task.pid && !(shares(task.pid) && shares(*witness))
        })
    }
}

/// What was read of one process.
#[derive(Default)]
struct Found {
    comm: Option<Text>,
    cmdline: Option<Cmdline>,
    cgroup: Option<Text>,
}

/// Adds the details to these processes, which are sorted by PID.
pub(super) fn add(
    context: &Context<'_>,
    processes: &mut [ProcessFacts],
    leaders: &HashMap<Pid, Task>,
) -> Witnesses {
    let wanted: Vec<(usize, bool)> = (processes.iter().enumerate())
        .map(|(at, process)| (at, is_described(context, process, processes)))
        .filter(|(at, described)| *described || processes.get(*at).is_some_and(|p| p.kernel_thread))
        .collect();
    let reader = Reader { context, witnesses: Mutex::default() };
    let read = |(at, described): &(usize, bool), all: &mut Vec<(usize, Found)>| {
        let process = processes.get(*at);
        if let Some((process, task)) = process.and_then(|it| Some((it, leaders.get(&it.pid)?))) {
            let mut found = Found::default();
            if let Err(errno) = reader.read(process, task, *described, &mut found)
                && context.options.scope().details == Details::Everyone
            {
                // Else those that lead are asked again once all processes are known.
                undescribed(context, process.pid, errno);
            }
            all.push((*at, found));
        }
    };
    let all = share_out(&wanted, context.options.worker_count(), read);
    let witnesses = reader.witnesses.into_inner();
    for (at, found) in all.into_iter().flatten() {
        if let Some(process) = processes.get_mut(at) {
            process.comm = found.comm.or_else(|| process.comm.take());
            process.cmdline = found.cmdline;
            process.cgroup = found.cgroup;
        }
    }
    Witnesses(witnesses.unwrap_or_else(PoisonError::into_inner))
}

/// Whether command line and cgroup of a process are wanted, as far as can be said before all
/// processes are known: if its parent is not among these, it is not known yet whether it leads.
fn is_described(context: &Context<'_>, process: &ProcessFacts, all: &[ProcessFacts]) -> bool {
    if !context.wanted.has(Part::Cmdline) && !context.wanted.has(Part::Cgroup) {
        return false;
    }
    match context.options.scope().details {
        Details::Nobody => false,
        Details::Leaders => {
            let parent = all.binary_search_by_key(&process.ppid, |other| Some(other.pid));
            let parent = parent.ok().and_then(|at| all.get(at));
            parent.is_some() && leads(context, process, parent)
        }
        Details::Everyone => true,
    }
}

struct Reader<'s> {
    context: &'s Context<'s>,
    witnesses: Mutex<HashMap<u64, (Pid, Option<Text>)>>,
}

impl Reader<'_> {
    fn read(
        &self,
        process: &ProcessFacts,
        task: &Task,
        described: bool,
        found: &mut Found,
    ) -> Result<(), Errno> {
        let (context, pid) = (self.context, process.pid);
        let mut cmdline = Ok(());
        if process.kernel_thread {
            let mut buffer = [0; 64];
            let comm = read_into(context.proc.folder(), format!("{pid}/comm"), &mut buffer);
            found.comm = comm.ok().map(|comm| Text::from(comm.strip_suffix(b"\n").unwrap_or(comm)));
        }
        if described && context.wanted.has(Part::Cmdline) {
            found.cmdline = if process.kernel_thread {
                Some(Cmdline::default())
            } else {
                let file = format!("{pid}/cmdline");
                let read = cmdline_in(context.proc.folder(), &file);
                read.map_err(|errno| cmdline = Err(errno)).ok()
            };
        }
        if described && context.wanted.has(Part::Cgroup) {
            found.cgroup = self.cgroup(task)?;
        }
        cmdline
    }

    fn cgroup(&self, task: &Task) -> Result<Option<Text>, Errno> {
        let witnesses = || self.witnesses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = witnesses().get(&task.cgroups) {
            return Ok(text.clone());
        }
        let pid = task.pid;
        let text = cgroup_in(self.context.proc.folder(), format!("{pid}/cgroup").as_str())?;
        if task.cgroups != 0 {
            let witness = || (pid, text.clone());
            witnesses().entry(task.cgroups).or_insert_with(witness);
        }
        Ok(text)
    }
}
