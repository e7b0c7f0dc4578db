//! Processes, threads and open files as the kernel's BPF iterators describe them.
//!
//! Two reads tell what takes a dozen and more system calls for each process otherwise. What they do
//! not tell (command line, cgroup, the names of kernel threads) and what is new (a namespace nobody
//! has asked yet) still comes from `/proc`, by number. So the tasks are read once more in the end:
//! a process that is still there, with the same start time, has been the same one all along; of any
//! other nothing is kept.
//!
//! The facts of one record are of one moment. The second record shows that they also go with what
//! was asked in between: a process that is in other namespaces then, or in one with another unique
//! ID than the number was met with, is left to be read from `/proc`. A process that is in the same
//! user and PID namespace in both has not left them: it could not have returned.
//!
//! Whatever is not quite clear from a record (a task that was just changing namespaces, one that
//! is ending, a dead main thread, PIDs nested deeper than a record holds) is left to be read from
//! `/proc`, and so is a process that BPF did not show at all: some hardened kernels hide a few.

mod details;

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Mutex, PoisonError};

use lxkns_model::{FileKind, Holder, Joined, Part, ProcessFacts, Reason};
use lxkns_ops::bpf::KernelTypes;
use lxkns_species::{NamespaceId, NamespaceType, Pid};
use rustix::io::Errno;

use self::details::Witnesses;
use super::process::{Found, Table};
use super::sockets;
use crate::bpf::{
    self, FileIterator, Iterators, OpenFile, OpenFileKind, Task, TaskIterator, Threads,
};
use crate::context::Context;
use crate::options::{Bpf, Tier};
use crate::resolve::Time;
use crate::sightings::{OpenSocket, Sightings};
use crate::workers::share_out;

/// From so many processes on setting up the iterators costs less than they save.
const PAYS_FROM: usize = 300;

/// Reads all processes that `/proc` lists, and leaves in the list those that it has to be read for.
/// False if that is not wanted or cannot be had.
pub(super) fn scan(
    context: &Context<'_>,
    listed: &mut Vec<Pid>,
    sightings: &mut Sightings,
) -> bool {
    let Some(ByBpf { seen, left }) = read(context, listed) else {
        return false;
    };
    sightings.append(seen);
    *listed = left;
    true
}

/// The things that the iterators showed, and what they left.
struct ByBpf {
    seen: Sightings,
    /// The processes to be read from `/proc`.
    left: Vec<Pid>,
}

fn read(context: &Context<'_>, listed: &[Pid]) -> Option<ByBpf> {
    let wanted = match context.options.bpf_use() {
        Bpf::Off => false,
        Bpf::On => true,
        Bpf::Auto => context.options.tier_cap() > Tier::Proc && listed.len() >= PAYS_FROM,
    };
    // The iterators tell global UIDs, so the scanner has to be where these are valid.
    let initial_user = NamespaceType::User.initial_inode();
    let own_user = context.proc.own_process().ok()?.namespace(NamespaceType::User).ok()?;
    if !wanted || !context.proc.is_ours() || own_user.inode() != initial_user {
        return None;
    }
    Reading::of(context, listed)
        .inspect_err(|unavailable| tracing::debug!("no BPF: {unavailable}"))
        .ok()
}

/// A scan through BPF on its way.
struct Reading<'s> {
    context: &'s Context<'s>,
    /// The main threads, by PID.
    leaders: HashMap<Pid, Task>,
    /// The processes that /proc has to tell about.
    unclear: HashSet<Pid>,
    /// The processes in a namespace whose number has been met with another unique ID.
    contradicted: Mutex<HashSet<Pid>>,
}

impl Reading<'_> {
    fn of(context: &Context<'_>, listed: &[Pid]) -> Result<ByBpf, bpf::Unavailable> {
        let wants_files = context.wanted.has(Part::Fds) || context.wanted.has(Part::Sockets);
        let mut iterators = context.iterators.lock().unwrap_or_else(PoisonError::into_inner);
        let Iterators { tasks: iterator, files: file_iterator } = &mut *iterators;
        let is_loaded = iterator.is_some() && (file_iterator.is_some() || !wants_files);
        let types = if is_loaded { None } else { Some(KernelTypes::open()?) };
        let btf = types.as_ref().map(bpf::scan).transpose()?;
        if let (None, Some(btf)) = (&iterator, &btf) {
            *iterator = Some(TaskIterator::new(btf, Threads::Deviating)?);
        }
        let iterator = iterator.as_ref().ok_or(bpf::Unavailable::Incomplete)?;
        let first = iterator.read()?;

        let is_clear =
            |task: &Task| task.settled && !task.stat().ending && task.nested_pids().is_some();
        let tasks: Vec<Task> =
            first.tasks.into_iter().filter(|task| Some(task.pid) != context.own_pid).collect();
        let unclear: HashSet<Pid> =
            tasks.iter().filter(|task| !is_clear(task)).map(|task| task.pid).collect();
        let (leaders, threads): (Vec<Task>, Vec<Task>) =
            tasks.into_iter().partition(|task| task.tid == task.pid);
        let leaders = leaders.into_iter().map(|task| (task.pid, task)).collect();
        let mut reading = Reading { context, leaders, unclear, contradicted: Mutex::default() };

        let mut seen = reading.processes();
        reading.threads(&threads, &mut seen);
        if wants_files {
            // After the namespaces of all tasks have been met: from now on their numbers mean them.
            let time = context.resolver.now();
            if let (None, Some(btf)) = (&file_iterator, &btf) {
                *file_iterator = Some(FileIterator::new(btf, first.level)?);
            }
            let files = file_iterator.as_ref().ok_or(bpf::Unavailable::Incomplete)?.read()?;
            reading.files(&files, time, &mut seen);
            reading.unclear.extend(files.iter().filter(|file| !is_told(file)).map(|file| file.pid));
        }

        let witnesses = details::add(context, &mut seen.processes, &reading.leaders);
        let last = iterator.read()?;
        Ok(reading.conclude(seen, &witnesses, (&threads, &last.tasks), listed))
    }

    /// Keeps those who are still there: they have been the same process all along. Of those,
    /// whoever may have got another's cgroup is to be read from `/proc`.
    fn conclude(
        &self,
        mut seen: Sightings,
        witnesses: &Witnesses,
        (threads, last): (&[Task], &[Task]),
        listed: &[Pid],
    ) -> ByBpf {
        let last: HashMap<Pid, &Task> = last.iter().map(|task| (task.tid, task)).collect();
        let now = |pid: Pid| {
            let (first, now) = (self.leaders.get(&pid)?, last.get(&pid)?);
            (now.start_ticks == first.start_ticks && now.tid == now.pid).then_some(*now)
        };
        let cgroups_now = |pid| now(pid).map(|task| task.cgroups);
        let has_moved = |first: &Task, now: &Task| !now.stayed(first);
        let moved_threads = threads.iter().filter(|first| {
            // A thread that has ended holds nothing, or is like its process by now.
            let now = last.get(&first.tid).filter(|now| now.start_ticks == first.start_ticks);
            now.is_none_or(|now| has_moved(first, now))
        });
        let mut concerned =
            self.contradicted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        concerned.extend(moved_threads.map(|task| task.pid));
        let doubted: HashSet<Pid> = seen
            .processes
            .iter()
            .filter_map(|process| {
                Some((process, self.leaders.get(&process.pid)?, now(process.pid)?))
            })
            .filter(|(process, first, now)| {
                has_moved(first, now)
                    || concerned.contains(&process.pid)
                    || !self.is_clear(process.pid)
                    || process.cgroup.is_some() && witnesses.contradicted(first, cgroups_now)
            })
            .map(|(process, ..)| process.pid)
            .collect();

        let keep = |pid: Pid| now(pid).is_some() && !doubted.contains(&pid);
        seen.counts.listed = (seen.processes.len() - doubted.len()) as u64;
        seen.processes.retain(|process| keep(process.pid));
        seen.holders.retain(|(_, holder)| holder.pid().is_none_or(keep));
        seen.queues.retain(|socket| keep(socket.pid));
        seen.counts.read = seen.processes.len() as u64;
        seen.counts.vanished = seen.counts.listed - seen.counts.read;

        let is_left = |pid: &&Pid| !self.is_clear(**pid) || doubted.contains(*pid);
        let left = listed.iter().filter(is_left).copied().collect();
        ByBpf { seen, left }
    }

    fn is_clear(&self, pid: Pid) -> bool {
        self.leaders.contains_key(&pid) && !self.unclear.contains(&pid)
    }

    /// Whether the procfs shows a process: it may hide some, or all of others.
    fn is_shown(&self, pid: Pid) -> bool {
        self.context.proc.process(pid).and_then(|dir| dir.is_alive()) == Ok(true)
    }

    /// The namespaces of a task, as far as they are to be read.
    fn joined(&self, task: &Task) -> Joined {
        Joined::of(self.context.wanted.links.iter().filter_map(|ns_type| task.namespace(ns_type)))
    }

    /// Lends the resolver a way to what is new.
    fn meet(&self, task: &Task, id: NamespaceId, for_children: bool) {
        let namespace_type = id.namespace_type();
        let unique_id = if for_children { None } else { task.unique_id(namespace_type) };
        if let Some(agrees) = self.context.resolver.agrees(id, unique_id) {
            if !agrees {
                let contradicted = self.contradicted.lock();
                contradicted.unwrap_or_else(PoisonError::into_inner).insert(task.pid);
            }
            return;
        }
        let file = match namespace_type.proc_file_for_children() {
            Some(file) if for_children => file,
            _ => match task.told(namespace_type) {
                Some(told) if self.context.resolver.meet_told(id, told) => return,
                _ => namespace_type.proc_file(),
            },
        };
        let open = || -> Result<OwnedFd, Errno> {
            let (pid, tid) = (task.pid, task.tid);
            // The shorter way is the cheaper one: the kernel makes up what lies on it.
            let path = match pid == tid {
                true => format!("{pid}/{file}"),
                false => format!("{pid}/task/{tid}/{file}"),
            };
            self.context.proc.open_file(&path)
        };
        let time = self.context.resolver.now();
        self.context.resolver.meet(id, time, open);
        if let Some(told) = task.told(namespace_type).filter(|_| !for_children) {
            self.context.resolver.meet_unproven(id, told);
        }
        let resolver = &self.context.resolver;
        let is_elsewhere = !for_children && !resolver.is_settled(id) && self.is_shown(task.pid);
        if is_elsewhere || resolver.agrees(id, unique_id) == Some(false) {
            let contradicted = self.contradicted.lock();
            contradicted.unwrap_or_else(PoisonError::into_inner).insert(task.pid);
        }
    }

    fn processes(&self) -> Sightings {
        let mut leaders: Vec<&Task> =
            self.leaders.values().filter(|task| self.is_clear(task.pid)).collect();
        leaders.sort_unstable_by_key(|task| task.pid);
        let mut all = Sightings::default();
        let workers = self.context.options.worker_count();
        for seen in share_out(&leaders, workers, |task, seen: &mut Sightings| {
            let process = self.process(task);
            for id in process.namespaces.iter() {
                self.meet(task, id, false);
            }
            self.pending(task, &process.namespaces, seen);
            seen.processes.push(process);
        }) {
            all.append(seen);
        }
        // Each worker's were in order, but not those of all.
        all.processes.sort_unstable_by_key(|process| process.pid);
        all
    }

    fn process(&self, task: &Task) -> ProcessFacts {
        let context = self.context;
        let mut process = ProcessFacts::new(task.pid);
        task.stat().fill(&mut process);
        process.namespaces = self.joined(task);
        if context.wanted.has(Part::Credentials) {
            process.euid = Some(task.effective_uid);
            process.effective_capabilities = Some(task.effective);
        }
        if context.wanted.has(Part::Credentials) || context.wanted.shows(NamespaceType::Pid) {
            process.pids = task.nested_pids().map(|pids| pids.iter().copied().map(Pid).collect());
        }
        process
    }

    /// The namespaces for the children of a task.
    fn pending(&self, task: &Task, own: &Joined, seen: &mut Sightings) {
        if !self.context.wanted.has(Part::Threads) {
            return;
        }
        for namespace_type in [NamespaceType::Pid, NamespaceType::Time] {
            let next = task.namespace_for_children(namespace_type);
            let own = own.get(namespace_type);
            let (Some(next), Some(own)) = (next, own) else {
                continue;
            };
            if next == own {
                continue;
            }
            self.meet(task, next, true);
            if !self.context.resolver.has(next) {
                // A PID namespace without a first process: there is no link to open it by.
                let why = match namespace_type {
                    NamespaceType::Pid => Reason::Unborn,
                    _ => Reason::Denied,
                };
                self.context.resolver.meet_closed(next, why);
            }
            let tid = (task.tid != task.pid).then_some(task.tid);
            seen.holders.push((next, Holder::PendingChildren { pid: task.pid, tid }));
        }
    }

    fn threads(&self, threads: &[Task], seen: &mut Sightings) {
        if !self.context.wanted.has(Part::Threads) {
            return;
        }
        for task in threads.iter().filter(|task| self.is_clear(task.pid)) {
            let at = seen.processes.binary_search_by_key(&task.pid, |process| process.pid);
            let Some(own) = at.ok().and_then(|at| seen.processes.get(at)) else {
                continue;
            };
            let (own, namespaces) = (own.namespaces, self.joined(task));
            for id in namespaces.iter() {
                self.meet(task, id, false);
            }
            self.pending(task, &namespaces, seen);
            let process = at.ok().and_then(|at| seen.processes.get_mut(at));
            if let Some(process) = process {
                process.threads.extend(task.stat().deviating_thread(task.tid, namespaces, own));
            }
        }
    }

    /// The files that were read after this time.
    fn files(&self, files: &[OpenFile], time: Time, seen: &mut Sightings) {
        for file in files.iter().filter(|file| self.is_clear(file.pid)) {
            let (pid, fd) = (file.pid, file.fd);
            if file.in_flight != Some(0) && self.context.wanted.has(Part::Fds) {
                self.queue(file, seen);
            }
            let tid = (file.tid != file.pid).then_some(file.tid);
            match file.kind {
                OpenFileKind::Namespace(Some(id)) if self.context.wanted.has(Part::Fds) => {
                    let open = || {
                        let path = format!("{pid}/task/{}/fd/{fd}", file.tid);
                        let proc = &self.context.proc;
                        proc.open_if_namespace(proc.as_fd(), &path)
                    };
                    if !self.context.resolver.meet_file(id, time, open) && self.is_shown(pid) {
                        continue;
                    }
                    seen.holders
                        .push((id, Holder::File { kind: FileKind::Namespace, pid, tid, fd }));
                }
                OpenFileKind::Socket(Some(id)) if self.context.wanted.has(Part::Sockets) => {
                    if !self.context.resolver.had(id, time) && !self.meet_by_socket(file, id) {
                        continue;
                    }
                    seen.holders.push((id, Holder::File { kind: FileKind::Socket, pid, tid, fd }));
                }
                OpenFileKind::Tun if self.context.wanted.has(Part::Sockets) => {
                    let mut found = Found::default();
                    self.with_table(file, |table| {
                        let mut sockets = sockets::Of::new(self.context, table);
                        sockets.tun(fd);
                        sockets.ask(&mut found);
                    });
                    seen.holders.append(&mut found.holders);
                }
                _ => {}
            }
        }
    }

    /// Takes note of a Unix socket that files may be queued in.
    fn queue(&self, file: &OpenFile, seen: &mut Sightings) {
        self.with_table(file, |table| {
            let Table { pid, tid, .. } = table;
            if let Ok(inode) = sockets::inode_of(table, file.fd) {
                seen.queues.push(OpenSocket { pid, tid, fd: file.fd, inode });
            }
        });
    }

    /// A network namespace that nothing but sockets leads to. False if this socket turns out to be
    /// of another one.
    fn meet_by_socket(&self, file: &OpenFile, id: NamespaceId) -> bool {
        let mut met = Err(Reason::Gone);
        self.with_table(file, |table| {
            met = sockets::Of::new(self.context, table).meet(file.fd);
        });
        match met {
            Ok(met) => met == id,
            Err(Reason::Gone) => false,
            Err(why) => {
                self.context.resolver.meet_closed(id, why);
                true
            }
        }
    }

    /// The file table that a file is in, if that is still there.
    fn with_table(&self, file: &OpenFile, look: impl FnOnce(Table<'_>)) {
        if let Ok(task) = self.context.proc.process(file.pid) {
            let tid = (file.tid != file.pid).then_some(file.tid);
            look(Table { pid: file.pid, tid, task: &task });
        }
    }
}

/// Whether the iterator could tell which namespace it is.
fn is_told(file: &OpenFile) -> bool {
    !matches!(file.kind, OpenFileKind::Socket(None) | OpenFileKind::Namespace(None))
}
