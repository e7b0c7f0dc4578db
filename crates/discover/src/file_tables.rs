//! Which processes share their file table: `clone(CLONE_FILES)` without `CLONE_THREAD`.
//!
//! Where several processes have the same files open, each of them has to close them, unless it is
//! one table that they share: then it is enough if any of them does. Only kcmp(2) can tell. It is
//! asked where the answer matters: about processes that hold the same namespaces by the same
//! descriptors, and are not joined to these, so that they could let go of them without ending.

use std::collections::{BTreeMap, HashMap};

use lxkns_model::{Holder, ProcessFacts};
use lxkns_ops::pidfd::share_files;
use lxkns_species::{NamespaceId, Pid};

use crate::context::Context;
use crate::procfs::stat;

/// Bound on processes with the same descriptors that are compared with each other.
const MOST: usize = 64;

/// Notes for each process that may share its file table with others which one is the first of them.
///
/// The processes are sorted by PID. `matters` selects the namespaces whose holders matter.
pub(crate) fn compare(
    context: &Context<'_>,
    processes: &mut [ProcessFacts],
    holders: &[(NamespaceId, Holder)],
    matters: impl Fn(NamespaceId) -> bool,
) {
    if !context.proc.is_ours() {
        return;
    }
    let mut files: BTreeMap<Pid, Vec<(NamespaceId, &'static str, u32)>> = BTreeMap::new();
    for (id, holder) in holders {
        let (pid, fd) = match *holder {
            Holder::File { pid, tid: None, fd, .. } => (pid, fd),
            _ => continue,
        };
        let process = at(processes, pid).and_then(|at| processes.get(at));
        let is_joined =
            process.is_some_and(|it| it.namespaces.get(id.namespace_type()) == Some(*id));
        if !is_joined && matters(*id) {
            files.entry(pid).or_default().push((*id, holder.kind(), fd));
        }
    }
    let mut alike: HashMap<Vec<(NamespaceId, &str, u32)>, Vec<Pid>> = HashMap::new();
    for (pid, mut files) in files {
        files.sort_unstable();
        alike.entry(files).or_default().push(pid);
    }
    for pids in alike.into_values().filter(|pids| (2..=MOST).contains(&pids.len())) {
        let Some(tables) = tables(&pids) else { continue };
        // Compared by number: all must still be who they were.
        let is_same = |pid: &Pid| {
            let then = at(processes, *pid).and_then(|at| processes.get(at)?.start_time);
            let mut buffer = [0; 1024];
            let dir = context.proc.process(*pid).ok();
            let text = dir.as_ref().and_then(|dir| dir.read(c"stat", &mut buffer).ok());
            text.and_then(stat::parse).is_some_and(|now| Some(now.start_time) == then)
        };
        if !pids.iter().all(is_same) {
            continue;
        }
        for (pid, table) in tables {
            if let Some(process) = at(processes, pid).and_then(|at| processes.get_mut(at)) {
                process.file_table = Some(table);
            }
        }
    }
}

/// The first process with the same table for each; `None` if any comparison fails.
fn tables(pids: &[Pid]) -> Option<Vec<(Pid, Pid)>> {
    let mut tables: Vec<(Pid, Pid)> = Vec::new();
    for &pid in pids {
        let mut own = pid;
        for &(first, table) in &tables {
            if first == table && share_files(first, pid).ok()? {
                own = first;
                break;
            }
        }
        tables.push((pid, own));
    }
    Some(tables)
}

fn at(processes: &[ProcessFacts], pid: Pid) -> Option<usize> {
    processes.binary_search_by_key(&pid, |process| process.pid).ok()
}
