//! Threads that are joined to other namespaces than their process.
//!
//! unshare(2) and setns(2) act on the calling thread alone, but for user, PID and time namespaces:
//! these are the whole process's. So only five links of a further thread can differ. If the main
//! thread has ended while others go on, `/proc/PID/ns` is empty, and the living threads tell
//! everything.

use lxkns_model::{Missing, Part, Text, ThreadFacts};
use lxkns_species::{NamespaceType, NamespaceTypes, Pid};
use rustix::io::Errno;

use super::processes::{OfProcess, OpenProcess};
use crate::gaps::reason;
use crate::procfs::{numbers_in, stat, task::TaskDir};
use crate::scan::Scan;

const PER_THREAD: [NamespaceType; 5] = [
    NamespaceType::Cgroup,
    NamespaceType::Ipc,
    NamespaceType::Mnt,
    NamespaceType::Net,
    NamespaceType::Uts,
];

pub(crate) fn look(scan: &Scan<'_>, process: &OpenProcess<'_>, found: &mut OfProcess) {
    if !scan.wants(Part::Threads) || process.stat.threads < 2 {
        return;
    }
    let types: NamespaceTypes = if process.is_zombie() {
        scan.link_types
    } else {
        PER_THREAD
            .into_iter()
            .filter(|ns_type| scan.link_types.contains(*ns_type))
            .collect()
    };
    let looked = each(process, |tid, dir| {
        let links = dir.namespaces(types);
        let differs = links
            .joined
            .iter()
            .any(|id| process.namespaces.get(id.namespace_type()) != Some(id));
        if !differs {
            return;
        }
        let mut buffer = [0; 1024];
        let text = dir.read(c"stat", &mut buffer).ok();
        let Some(stat) = text.and_then(stat::parse) else {
            return;
        };
        let mut namespaces = process.namespaces;
        for id in links.joined.iter() {
            scan.resolver
                .meet(id, || dir.open_namespace(id.namespace_type()));
            namespaces.set(id);
        }
        found.threads.push(ThreadFacts {
            tid,
            comm: Some(Text::from(stat.comm)),
            start_time: Some(stat.start_time),
            namespaces,
        });
    });
    match looked {
        Ok(()) | Err(Errno::NOENT | Errno::SRCH) => {}
        Err(errno) => {
            scan.gaps.add(
                Missing::Threads,
                reason(errno),
                format!("pid {}", process.pid),
            );
        }
    }
}

/// Calls `look` with every living thread of a process but the main one.
pub(crate) fn each(
    process: &OpenProcess<'_>,
    mut look: impl FnMut(Pid, TaskDir),
) -> Result<(), Errno> {
    let tasks = process.dir.directory(c"task")?;
    numbers_in(&tasks, |tid, name| {
        if Pid(tid) != process.pid
            && let Ok(dir) = TaskDir::open(std::os::fd::AsFd::as_fd(&tasks), name)
        {
            look(Pid(tid), dir);
        }
    })
}
