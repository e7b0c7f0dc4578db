//! Processes, and the namespaces that they are joined to.
//!
//! Every process is kept, readable or not. All that concerns one process is read while its
//! directory is open, by one worker; the workers share nothing but the resolver and the gaps.
//!
//! The scanner's own process is read first, before there are workers or open namespaces, so that
//! the scan does not see itself.

use std::collections::HashSet;

use lxkns_model::{Details, Holder, Missing, Part, ProcessFacts, Reason, Text};
use lxkns_species::{NamespaceId, NamespaceType, Pid};
use rustix::io::Errno;

use super::process::{Found, OpenProcess, OpenThread};
use super::{OF_PROCESS, OF_THREAD, sockets, tasks};
use crate::context::Context;
use crate::describe;
use crate::gaps::{reason, reason_though_there};
use crate::procfs::numbers_in;
use crate::procfs::stat::Stat;
use crate::procfs::task::{Links, TaskDir};
use crate::settle::{self, Rest, Sure};
use crate::sightings::Sightings;
use crate::workers::share_out;

/// The parts for which threads are looked at one by one.
const THREAD_PARTS: [Part; 3] = [Part::Threads, Part::Fds, Part::Sockets];

/// Reads all processes, and says whether BPF iterators described them.
pub(crate) fn scan(context: &Context<'_>, sightings: &mut Sightings) -> bool {
    let mut needed = [Part::Processes].into_iter().chain(THREAD_PARTS);
    if !needed.any(|part| context.wanted.has(part)) {
        return false;
    }
    if let Some(own) = context.own_pid {
        sightings.counts.listed += 1;
        look(context, own, sightings);
    }
    context.resolver.begin_to_hold();
    let mut pids = match context.proc.pids() {
        Ok(pids) => pids,
        Err(errno) => {
            let why = reason_though_there(errno);
            context.gaps.add_uncounted(Missing::Processes, why, "");
            return false;
        }
    };
    if context.proc.is_ours() && pids.first() != Some(&Pid(1)) {
        // Every PID namespace has a PID 1 as long as another process lives in it.
        context.gaps.add_uncounted(Missing::Processes, Reason::Restricted, "");
    }
    let initial = NamespaceType::Pid.initial_inode();
    if context.own_pid_namespace.is_some_and(|own| own.inode() != initial) {
        context.gaps.add_uncounted(Missing::Processes, Reason::Outside, "");
    }
    pids.retain(|pid| Some(*pid) != context.own_pid);
    let by_bpf = tasks::scan(context, &pids);
    let is_by_bpf = by_bpf.is_some();
    if let Some(by_bpf) = by_bpf {
        sightings.append(by_bpf.seen);
        pids = by_bpf.left;
    }
    sightings.counts.listed += pids.len() as u64;

    look_at_all(context, &pids, sightings);
    is_by_bpf
}

fn look_at_all(context: &Context<'_>, pids: &[Pid], sightings: &mut Sightings) {
    let seen = share_out(pids, context.options.worker_count(), |pid, seen: &mut Sightings| {
        look(context, *pid, seen);
    });
    seen.into_iter().for_each(|seen| sightings.append(seen));
}

/// Settles doubts while the namespaces that cannot be compared are still held, and lets them go.
pub(crate) fn settle_held(context: &Context<'_>, sightings: &mut Sightings) {
    if !context.resolver.compares_all() {
        settle_doubts(context, sightings);
    }
    context.resolver.release();
}

/// Settles doubts in the end, where all namespaces can be compared.
pub(crate) fn settle_compared(context: &Context<'_>, sightings: &mut Sightings) {
    if context.resolver.compares_all() {
        settle_doubts(context, sightings);
        context.resolver.release();
    }
}

/// Removes all that was said of namespaces that did not live until the end: their numbers may have
/// meant others before or afterwards. The processes concerned are read again.
fn settle_doubts(context: &Context<'_>, sightings: &mut Sightings) {
    let doubtful = context.resolver.doubtful(&context.gaps);
    if doubtful.is_empty() {
        return;
    }
    let concerned: HashSet<Pid> = (sightings.processes.iter())
        .filter(|process| namespaces_of(process).any(|id| doubtful.contains(&id)))
        .map(|process| process.pid)
        .chain(
            (sightings.holders.iter())
                .filter(|(id, _)| doubtful.contains(id))
                .filter_map(|(_, holder)| holder.pid()),
        )
        // Of itself, the scan would see what it has opened since.
        .filter(|pid| Some(*pid) != context.own_pid)
        .collect();
    let mut again = HashSet::new();
    sightings.processes.retain(|process| {
        let is_left = namespaces_of(process).next().is_none() || !concerned.contains(&process.pid);
        if !is_left {
            again.insert(process.pid);
        }
        is_left
    });
    sightings.counts.listed -= again.len() as u64;
    sightings.counts.read -= again.len() as u64;
    sightings.holders.retain(|(id, holder)| {
        !is_of_any(*id, holder, &doubtful) && holder.pid().is_none_or(|pid| !again.contains(&pid))
    });
    let is_doubtful = |id: NamespaceId| doubtful.contains(&id);
    sightings.mounts.retain(|mount| {
        !is_doubtful(mount.mount_namespace) && !mount.holds.is_some_and(is_doubtful)
    });
    tracing::debug!(namespaces = doubtful.len(), processes = again.len(), "read again");
    let mut again: Vec<Pid> = again.into_iter().collect();
    again.sort_unstable();
    let mut seen = Sightings::default();
    seen.counts.listed = again.len() as u64;
    look_at_all(context, &again, &mut seen);
    sockets::scan(context, &mut seen);

    // Hardly ever, a number has changed hands that was in order before.
    let replaced = context.resolver.replaced();
    for process in &mut sightings.processes {
        let changed: Vec<NamespaceId> =
            namespaces_of(process).filter(|id| replaced.contains(id)).collect();
        if !changed.is_empty() {
            let example = format!("pid {}", process.pid);
            context.gaps.add(Missing::ProcessNamespaces, Reason::Changing, example);
        }
        for id in changed {
            process.namespaces.clear(id.namespace_type());
            process.threads.retain(|thread| !thread.namespaces.iter().any(|it| it == id));
        }
    }
    sightings.holders.retain(|(id, holder)| !is_of_any(*id, holder, &replaced));
    sightings.append(seen);
}

/// Whether a holder holds one of these, or is mounted in one.
fn is_of_any(id: NamespaceId, holder: &Holder, of: &HashSet<NamespaceId>) -> bool {
    of.contains(&id) || holder.mount_namespace().is_some_and(|place| of.contains(&place))
}

/// The namespaces of a process and of its threads.
fn namespaces_of(process: &ProcessFacts) -> impl Iterator<Item = NamespaceId> {
    let threads = process.threads.iter().flat_map(|thread| thread.namespaces.iter());
    process.namespaces.iter().chain(threads)
}

fn look(context: &Context<'_>, pid: Pid, seen: &mut Sightings) {
    let dir = match context.proc.process(pid) {
        Ok(dir) => dir,
        Err(errno) => return unread(context, pid, reason(errno), seen),
    };
    match read(context, pid, &dir, seen) {
        Ok(None) => seen.counts.vanished += 1,
        Ok(Some(process)) => {
            if process.namespaces.is_empty() && process.threads.is_empty() {
                seen.counts.unreadable += 1;
            } else {
                seen.counts.read += 1;
            }
            seen.processes.push(process);
        }
        Err(errno) => unread(context, pid, dir.reason(errno), seen),
    }
}

fn unread(context: &Context<'_>, pid: Pid, why: Reason, seen: &mut Sightings) {
    if why == Reason::Gone {
        seen.counts.vanished += 1;
        return;
    }
    seen.counts.unreadable += 1;
    context.gaps.add(Missing::ProcessNamespaces, why, format!("pid {pid}"));
    seen.processes.push(ProcessFacts::new(pid));
}

/// Reads one process. `None` if it is gone, and its number belongs to a thread of another.
fn read(
    context: &Context<'_>,
    pid: Pid,
    dir: &TaskDir,
    seen: &mut Sightings,
) -> Result<Option<ProcessFacts>, Errno> {
    let mut buffer = [0; 1024];
    let rest = Rest::begin(context, pid, dir)?;
    let stat = rest.stat(&mut buffer)?;
    if stat.is_thread {
        return Ok(None);
    }
    let mut process = ProcessFacts::new(pid);
    let links = match once(context, dir, &rest, &stat, &mut process)? {
        Some(links) => links,
        None => while_it_runs(context, dir, &mut process)?,
    };
    drop(rest);
    let zombie = matches!(stat.state, 'Z' | 'X');
    if !links.absent.is_empty() && !zombie && !dir.is_alive()? {
        return Err(Errno::SRCH);
    }
    if !links.denied.is_empty() {
        context.gaps.add(Missing::ProcessNamespaces, Reason::Denied, format!("pid {pid}"));
    } else if !links.absent.is_empty() && (!zombie || links.joined.is_empty()) {
        context.gaps.add(Missing::ProcessNamespaces, Reason::Gone, format!("pid {pid}"));
    }

    process.comm = Some(Text::from(stat.comm));
    process.ppid = Some(stat.ppid);
    process.state = Some(stat.state);
    process.start_time = Some(stat.start_time);
    process.kernel_thread = stat.kernel_thread;
    // Without its namespaces, it waits for nothing but others to be waited for.
    process.exiting = stat.ending && !zombie && !links.absent.is_empty();
    if context.options.scope().details == Details::Everyone {
        describe::command_and_cgroup(context, dir, &mut process)?;
    }

    let open = OpenProcess { pid, dir, stat, namespaces: links.joined };
    let mut found = Found::default();
    for source in OF_PROCESS {
        source(context, &open, &mut found);
    }
    if open.stat.threads > 1 && THREAD_PARTS.into_iter().any(|part| context.wanted.has(part)) {
        threads(context, &open, &mut found);
    }
    process.threads = found.threads;
    seen.holders.append(&mut found.holders);
    seen.sockets.append(&mut found.sockets);
    Ok(Some(process))
}

/// Reads namespaces and credentials of a process once. `None` if that will not do, as they may be
/// of several moments.
fn once(
    context: &Context<'_>,
    dir: &TaskDir,
    rest: &Rest,
    stat: &Stat<'_>,
    process: &mut ProcessFacts,
) -> Result<Option<Links>, Errno> {
    if !context.proc.is_ours() {
        return Ok(None);
    }
    let before = describe::capabilities(context, process.pid);
    let (links, sure) = settle::namespaces_once(context, dir, context.wanted.links);
    process.namespaces = links.joined;
    let are_usual = describe::credentials_once(context, dir, before, process)?;
    match sure {
        Sure::Yes if are_usual => {}
        Sure::Yes | Sure::IfAtRest if rest.lasts(stat) => context.resolver.learn_set(&links.joined),
        _ => return Ok(None),
    }
    Ok(Some(links))
}

/// Reads namespaces and credentials of a process that may run meanwhile.
fn while_it_runs(
    context: &Context<'_>,
    dir: &TaskDir,
    process: &mut ProcessFacts,
) -> Result<Links, Errno> {
    /// How often a process whose credentials change all the time is read.
    const TRIES: usize = 6;
    let pid = process.pid;
    (process.euid, process.effective_capabilities) = (None, None);
    let mut tries = TRIES;
    let (links, changing) = loop {
        let before = describe::capabilities(context, pid);
        let (links, changing) = settle::namespaces(context, dir, context.wanted.links);
        process.namespaces = links.joined;
        if describe::credentials(context, dir, before, process)? {
            break (links, changing);
        }
        tries -= 1;
        if tries == 0 {
            (process.euid, process.effective_capabilities) = (None, None);
            context.gaps.add(Missing::ProcessDetails, Reason::Changing, format!("pid {pid}"));
            break (links, changing);
        }
    };
    if !changing.is_empty() {
        context.gaps.add(Missing::ProcessNamespaces, Reason::Changing, format!("pid {pid}"));
    }
    Ok(links)
}

/// Looks at all living threads of a process but the main one.
fn threads(context: &Context<'_>, process: &OpenProcess<'_>, found: &mut Found) {
    let looked = process.dir.directory(c"task").and_then(|tasks| {
        numbers_in(&tasks, |tid, name| {
            if Pid(tid) == process.pid {
                return;
            }
            match process.dir.thread_in(&tasks, name) {
                Ok(dir) => {
                    let thread = OpenThread { tid: Pid(tid), dir };
                    OF_THREAD.iter().for_each(|source| source(context, process, &thread, found));
                }
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(errno) => {
                    let example = format!("thread {tid} of pid {}", process.pid);
                    context.gaps.add(Missing::Threads, reason(errno), example);
                }
            }
        })
    });
    match looked.map_err(|errno| process.dir.reason(errno)) {
        Ok(()) | Err(Reason::Gone) => {}
        Err(why) => context.gaps.add(Missing::Threads, why, format!("pid {}", process.pid)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;

    use super::*;
    use crate::Options;
    use crate::procfs::Procfs;

    #[test]
    fn a_listed_number_that_a_thread_has_got_is_no_process() {
        let (options, (tell, tid), (end, wait)) =
            (Options::everything(), mpsc::channel(), mpsc::channel::<()>());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
                _ = wait.recv();
            });
            let tid = Pid(tid.recv().unwrap().cast_unsigned());
            let context = Context::new(&options, Procfs::open(Path::new("/proc")).unwrap());
            let mut seen = Sightings::default();
            look_at_all(&context, &[tid], &mut seen);
            assert_eq!((seen.processes.len(), seen.holders.len()), (0, 0));
            assert_eq!(seen.counts.vanished, 1);
            drop(end);
        });
    }
}
