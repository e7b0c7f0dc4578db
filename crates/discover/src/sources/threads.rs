//! Threads that are joined to other namespaces than their process.
//!
//! unshare(2) and setns(2) act on the calling thread alone, but for user, PID and time namespaces:
//! these are the whole process's. So only five links of a further thread can differ. If the main
//! thread has ended while others go on, `/proc/PID/ns` is empty, and the living threads tell
//! everything.

use lxkns_model::{Missing, Part, Reason};
use lxkns_species::{NamespaceType, NamespaceTypes};

use super::process::{Found, OpenProcess, OpenThread};
use crate::context::Context;
use crate::procfs::{Kind, stat};
use crate::settle;

const PER_THREAD: [NamespaceType; 5] = [
    NamespaceType::Cgroup,
    NamespaceType::Ipc,
    NamespaceType::Mnt,
    NamespaceType::Net,
    NamespaceType::Uts,
];

pub(crate) fn of_thread(
    context: &Context<'_>,
    process: &OpenProcess<'_>,
    thread: &OpenThread,
    found: &mut Found,
) {
    if !context.wanted.has(Part::Threads) {
        return;
    }
    let types: NamespaceTypes = if process.stat.is_zombie() {
        context.wanted.links
    } else {
        PER_THREAD.into_iter().filter(|ns_type| context.wanted.links.contains(*ns_type)).collect()
    };
    let (links, changing) = settle::namespaces(context, &thread.dir, types);
    if !changing.is_empty() {
        let example = format!("thread {} of pid {}", thread.tid, process.pid);
        context.gaps.add(Missing::Threads, Reason::Changing, example);
    }
    if !links.absent.is_empty() && context.proc.kind() != Kind::Tree {
        // It is just ending, and has let go of its namespaces, though it can still be seen.
        return;
    }
    if !links.denied.is_empty() && !process.namespaces.is_empty() {
        let example = format!("thread {} of pid {}", thread.tid, process.pid);
        context.gaps.add(Missing::Threads, Reason::Denied, example);
    }
    let mut namespaces = process.namespaces;
    for unread in links.denied.iter().chain(links.absent.iter()).chain(changing.iter()) {
        namespaces.clear(unread);
    }
    links.joined.iter().for_each(|id| namespaces.set(id));
    if namespaces == process.namespaces {
        return;
    }
    let mut buffer = [0; 1024];
    let stat = match thread.dir.read(c"stat", &mut buffer) {
        Ok(text) => stat::parse(text),
        Err(errno) => {
            let why = thread.dir.reason(errno);
            // No longer there: then it holds nothing either.
            if why != Reason::Gone {
                let example = format!("thread {} of pid {}", thread.tid, process.pid);
                context.gaps.add(Missing::Threads, why, example);
            }
            return;
        }
    };
    let deviates =
        |stat: stat::Stat<'_>| stat.deviating_thread(thread.tid, namespaces, process.namespaces);
    found.threads.extend(stat.and_then(deviates));
}
