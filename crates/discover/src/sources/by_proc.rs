//! Processes as `/proc` describes them.
//!
//! All that concerns one process is read while its directory is open, by one worker; the workers
//! share nothing but the resolver and the gaps.

use lxkns_model::{Details, Missing, Part, ProcessFacts, Reason};
use lxkns_species::Pid;
use rustix::io::Errno;

use super::process::{Found, OpenProcess, OpenThread};
use super::{OF_PROCESS, OF_THREAD};
use crate::context::Context;
use crate::describe;
use crate::gaps::reason;
use crate::procfs::numbers_in;
use crate::procfs::stat::Stat;
use crate::procfs::task::{Links, TaskDir};
use crate::settle::{self, Rest, Sure};
use crate::sightings::Sightings;
use crate::workers::share_out;

/// The parts for which threads are looked at one by one.
pub(super) const THREAD_PARTS: [Part; 3] = [Part::Threads, Part::Fds, Part::Sockets];

/// Reads these processes.
pub(super) fn scan(context: &Context<'_>, pids: &[Pid], sightings: &mut Sightings) {
    let seen = share_out(pids, context.options.worker_count(), |pid, seen: &mut Sightings| {
        look(context, *pid, seen);
    });
    seen.into_iter().for_each(|seen| sightings.append(seen));
}

/// Reads one process.
pub(super) fn look(context: &Context<'_>, pid: Pid, seen: &mut Sightings) {
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
    let zombie = stat.is_zombie();
    if !links.absent.is_empty() && !zombie && !dir.is_alive()? {
        return Err(Errno::SRCH);
    }
    if !links.denied.is_empty() {
        context.gaps.add(Missing::ProcessNamespaces, Reason::Denied, format!("pid {pid}"));
    } else if !links.absent.is_empty() && (!zombie || links.joined.is_empty()) {
        context.gaps.add(Missing::ProcessNamespaces, Reason::Gone, format!("pid {pid}"));
    }

    stat.fill(&mut process);
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
            super::scan(&context, &[tid], &mut seen);
            assert_eq!((seen.processes.len(), seen.holders.len()), (0, 0));
            assert_eq!(seen.counts.vanished, 1);
            drop(end);
        });
    }
}
