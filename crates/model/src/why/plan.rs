//! The way to a namespace's end.
//!
//! A user or PID namespace is held by the namespaces nested in it, a user namespace by those that
//! it owns. So all of these have to go, and whatever holds any of them has to let go. Some of that
//! goes by itself once something else is gone, and must not turn up as a step of its own:
//!
//! - when a process ends, so do its threads, and its files are closed;
//! - when PID 1 of a PID namespace ends, so do all processes in there and below;
//! - when a mount namespace goes, so does all that is mounted in it.
//!
//! Facts may come from a tampered document: nothing here recurses as deep as the document likes,
//! and what holds itself in a circle ends up as a step too many, never as one too few.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use lxkns_species::{NamespaceId, NamespaceType, NamespaceTypes, Pid};

use super::unmount::{self, Mounts, Unmount};
use super::{Action, MountPoint, Never, OpenFile, Plan, Release, Step};
use crate::{FileKind, Holder, MountKind, Namespace, Process, Snapshot};

/// The end of a namespace, and the types of all that may hold it.
pub(super) fn of(namespace: Namespace<'_>) -> (Release, NamespaceTypes) {
    let (gone, out_of_reach) = with_all_that_go(namespace);
    let types: NamespaceTypes = gone.iter().map(|it| it.namespace_type()).collect();
    let types = if types.contains(NamespaceType::User) {
        // Which may own namespaces of any type.
        NamespaceTypes::ALL
    } else {
        types
    };
    let release = match never(namespace, &gone) {
        Some(never) => Release::Never(never),
        None => {
            let plan = Planner::new(namespace.snapshot, &gone).plan();
            Release::After(Plan { out_of_reach, ..plan })
        }
    };
    (release, types)
}

/// Mounts of mount namespaces in mount namespaces are followed so far; only a document has more.
const MAX_DEPTH: usize = 32;

/// The namespace and all that have to go before it, which come first: those below, and the mount
/// namespaces of mounts that cannot be unmounted. Returns these mounts, too.
fn with_all_that_go(namespace: Namespace<'_>) -> (Vec<Namespace<'_>>, Vec<MountPoint>) {
    let mut met = HashSet::from([namespace.id()]);
    let mut gone = with_all_below(namespace, &mut met);
    let mut last = gone.clone();
    let mut out_of_reach = Vec::new();
    for _ in 0..MAX_DEPTH {
        if last.is_empty() {
            break;
        }
        let mounts = unmount::out_of_reach(namespace.snapshot, &last);
        last = Vec::new();
        for mount in mounts {
            let place = mount.mount_namespace.and_then(|id| namespace.snapshot.namespace(id));
            // The first one never goes: its mounts are left for the plan to have a try at.
            let Some(place) = place.filter(|it| it.is_initial() != Some(true)) else { continue };
            if met.insert(place.id()) {
                last.extend(with_all_below(place, &mut met));
            }
            out_of_reach.push(mount);
        }
        gone.splice(0..0, last.iter().copied());
    }
    (gone, out_of_reach)
}

/// The namespace and all below it that have not been met, which come first.
fn with_all_below<'s>(
    namespace: Namespace<'s>,
    met: &mut HashSet<NamespaceId>,
) -> Vec<Namespace<'s>> {
    let mut gone = Vec::new();
    let mut waiting = vec![(namespace, false)];
    while let Some((namespace, is_after_those_below)) = waiting.pop() {
        if is_after_those_below {
            gone.push(namespace);
            continue;
        }
        waiting.push((namespace, true));
        let below = namespace.children().chain(namespace.owned());
        let below: Vec<_> = below.filter(|below| met.insert(below.id())).collect();
        waiting.extend(below.into_iter().rev().map(|below| (below, false)));
    }
    gone
}

fn never(namespace: Namespace<'_>, gone: &[Namespace<'_>]) -> Option<Never> {
    if namespace.is_initial() == Some(true) {
        return Some(Never::Initial);
    }
    gone.iter().find_map(|gone| {
        let kernels = gone.processes().find(|process| process.is_kernel_thread())?;
        Some(Never::KernelThread { pid: kernels.pid(), namespace: gone.id() })
    })
}

struct Planner<'s, 'g> {
    snapshot: &'s Snapshot,
    gone: &'g [Namespace<'s>],
    planned: HashSet<NamespaceId>,
    /// Processes that end, each with the one whose end makes it end: mostly itself.
    ends: BTreeMap<Pid, Pid>,
    /// Threads that end without their process.
    threads: HashSet<(Pid, Pid)>,
    /// Whether a mount namespace goes as well.
    goes: HashMap<NamespaceId, bool>,
}

impl<'s, 'g> Planner<'s, 'g> {
    fn new(snapshot: &'s Snapshot, gone: &'g [Namespace<'s>]) -> Self {
        let (must_end, threads) = tasks(gone);
        let ends = with_their_pid_1(snapshot, &must_end);
        let threads = threads.into_iter();
        Planner {
            snapshot,
            gone,
            planned: gone.iter().map(|gone| gone.id()).collect(),
            threads: threads.filter(|(pid, _)| !ends.contains_key(pid)).collect(),
            ends,
            goes: HashMap::new(),
        }
    }

    fn plan(mut self) -> Plan {
        let mut along: HashMap<Pid, Vec<Pid>> = HashMap::new();
        for (pid, head) in self.ends.iter().filter(|(pid, head)| pid != head) {
            along.entry(*head).or_default().push(*pid);
        }
        let mut steps = Steps { shared_queues: self.shared_queues(), ..Steps::default() };
        let mut mounts = self.mounts();
        let mut unknown = Vec::new();
        for gone in self.gone {
            let id = gone.id();
            let mut end = |steps: &mut Steps, head: Pid| {
                let along = &mut along;
                steps.add(Key::End(head), id, || Action::End {
                    pid: head,
                    along: along.remove(&head).unwrap_or_default(),
                });
            };
            // Who is ending already waits for the dead in there first.
            let (first, last): (Vec<_>, Vec<_>) =
                gone.processes().partition(|process| !process.is_exiting());
            for process in first.into_iter().chain(last) {
                if let Some(head) = self.ends.get(&process.pid()) {
                    end(&mut steps, *head);
                } else if !self.is_reaped(process) {
                    let pid = process.pid();
                    let parent = process.ppid().filter(|parent| *parent != Pid(0));
                    steps.add(Key::Reap(pid), id, || Action::Reap { pid, parent });
                }
            }
            for holder in gone.holders() {
                if let Some(head) = task_of(holder).and_then(|(pid, _)| self.ends.get(&pid)) {
                    end(&mut steps, *head);
                } else if self.is_let_go(holder, id) {
                    continue;
                } else if !holder.is_mount() {
                    steps.add_holder(holder, id, self.file_table(holder));
                } else if !mounts.as_mut().is_some_and(|mounts| mounts.want(id, holder)) {
                    unknown.push((id, holder));
                }
            }
        }
        steps.sort();
        let mut is_least = unknown.is_empty() && steps.knows_tables(self.snapshot);
        if let Some(mut mounts) = mounts {
            let order = self.gone.iter().enumerate().map(|(at, gone)| (gone.id(), at)).collect();
            steps.unmount(mounts.plan(), &order);
            is_least &= mounts.is_least;
        }
        steps.unmount_unknown(unknown);
        Plan {
            steps: steps.steps,
            is_least,
            out_of_reach: Vec::new(),
            gone: self.gone.iter().map(|gone| gone.id()).collect(),
            unexplained: self
                .gone
                .iter()
                .filter(|gone| is_unexplained(**gone))
                .map(|gone| gone.id())
                .collect(),
        }
    }

    /// The sockets with queues that hold something, and that are in several tables of files which
    /// do not go by themselves.
    fn shared_queues(&mut self) -> HashSet<u64> {
        let mut tables = HashMap::new();
        let mut shared = HashSet::new();
        for gone in self.gone {
            for holder in gone.holders() {
                if let Holder::File { kind: FileKind::InFlight { inode }, pid, tid, .. } = *holder
                    && !self.is_let_go(holder, gone.id())
                {
                    let table = (self.file_table(holder).unwrap_or(pid), tid);
                    if *tables.entry(inode).or_insert(table) != table {
                        shared.insert(inode);
                    }
                }
            }
        }
        shared
    }

    /// The mounts, if any hold what has to go.
    fn mounts(&mut self) -> Option<Mounts<'s>> {
        let mut holders = self.gone.iter().flat_map(|gone| gone.holders());
        if !holders.any(Holder::is_mount) {
            return None;
        }
        let mut places: Vec<NamespaceId> =
            self.snapshot.mounts().iter().map(|mount| mount.mount_namespace).collect();
        places.dedup();
        for place in places {
            self.goes(place, &mut Vec::new());
        }
        let goes = |id: NamespaceId| self.goes.get(&id).copied().unwrap_or_default();
        Some(Mounts::new(self.snapshot, goes))
    }

    /// The first of the processes that share the file table that a holder is in; `None` if that is
    /// not known, or the holder is in none.
    fn file_table(&self, holder: &Holder) -> Option<Pid> {
        match *holder {
            Holder::File { pid, tid: None, .. } => self.snapshot.process(pid)?.file_table(),
            _ => None,
        }
    }

    /// Whether the process that adopts a dead process waits for it.
    fn is_reaped(&self, zombie: Process<'_>) -> bool {
        zombie.ppid().is_some_and(|parent| self.ends.contains_key(&parent))
    }

    /// Whether a holder of `held` lets go without any step of its own, once processes and threads
    /// have ended.
    fn is_let_go(&mut self, holder: &Holder, held: NamespaceId) -> bool {
        match holder {
            Holder::Mount { mount_namespace: Some(mount_namespace), .. } => {
                self.goes(*mount_namespace, &mut vec![held])
            }
            Holder::File { pid, tid, .. } => {
                let thread = tid.is_some_and(|tid| self.threads.contains(&(*pid, tid)));
                thread || self.ends.contains_key(pid)
            }
            _ => false,
        }
    }

    /// Whether a mount namespace goes away, and everything that is mounted in it: `below` is what
    /// is mounted there, and where that is mounted, and so on.
    fn goes(&mut self, id: NamespaceId, below: &mut Vec<NamespaceId>) -> bool {
        if let Some(goes) = self.goes.get(&id) {
            return *goes;
        }
        if below.contains(&id) || below.len() > MAX_DEPTH {
            return false;
        }
        let Some(namespace) = self.snapshot.namespace(id) else {
            return false;
        };
        below.push(id);
        let is_planned = self.planned.contains(&id);
        let goes = namespace.is_initial() != Some(true)
            && (is_planned || !namespace.is_hidden())
            && namespace.processes().all(|it| self.ends.contains_key(&it.pid()))
            && namespace.holders().iter().all(|holder| match holder {
                Holder::Mount {
                    kind: MountKind::Bind,
                    mount_namespace: Some(mount_namespace),
                    ..
                } => {
                    // What is planned to go is unmounted wherever it has to be.
                    is_planned && !self.planned.contains(mount_namespace)
                        || self.goes(*mount_namespace, below)
                }
                Holder::Mount { .. } => is_planned,
                Holder::Unseen => false,
                Holder::Thread { pid, tid } => {
                    self.ends.contains_key(pid) || self.threads.contains(&(*pid, *tid))
                }
                _ => is_planned || self.is_let_go(holder, id),
            });
        below.pop();
        self.goes.insert(id, goes);
        goes
    }
}

/// The processes and the threads (with their process) that have to end. Dead processes cannot.
fn tasks(gone: &[Namespace<'_>]) -> (BTreeSet<Pid>, Vec<(Pid, Pid)>) {
    let mut processes = BTreeSet::new();
    let mut threads = Vec::new();
    for gone in gone {
        let alive = gone.processes().filter(|process| !is_dead(*process));
        processes.extend(alive.map(|process| process.pid()));
        for task in gone.holders().iter().filter_map(task_of) {
            match task {
                (pid, None) => _ = processes.insert(pid),
                (pid, Some(tid)) => threads.push((pid, tid)),
            }
        }
    }
    (processes, threads)
}

/// The process, and the thread if it is not the main thread, that holds a namespace just by being
/// there.
fn task_of(holder: &Holder) -> Option<(Pid, Option<Pid>)> {
    match *holder {
        Holder::Thread { pid, tid } => Some((pid, Some(tid))),
        Holder::PendingChildren { pid, tid } => Some((pid, tid.filter(|tid| *tid != pid))),
        _ => None,
    }
}

/// Whether nothing is left of a process but its entry in the process table: it has ended, or is
/// ending and waits for the processes of its PID namespace. Where the main thread
/// has ended before others, the state is the same, but the process is in more namespaces.
fn is_dead(process: Process<'_>) -> bool {
    let kept = NamespaceTypes::of([NamespaceType::User, NamespaceType::Pid]);
    (process.state() == Some('Z') || process.is_exiting())
        && process.threads().is_empty()
        && process.joined().types().iter().all(|it| kept.contains(it))
}

/// All processes that end if these have to, each with the one whose end takes it along: the
/// topmost PID 1 above it that has to end, or itself.
fn with_their_pid_1(snapshot: &Snapshot, must_end: &BTreeSet<Pid>) -> BTreeMap<Pid, Pid> {
    let pid_1_of: HashMap<NamespaceId, Pid> = must_end
        .iter()
        .filter_map(|pid| {
            let process = snapshot.process(*pid)?;
            let is_pid_1 = process.pids()?.last() == Some(&Pid(1));
            let namespace = process.joined().get(NamespaceType::Pid)?;
            is_pid_1.then_some((namespace, *pid))
        })
        .collect();
    let mut ends: BTreeMap<Pid, Pid> = must_end.iter().map(|pid| (*pid, *pid)).collect();
    if pid_1_of.is_empty() {
        return ends;
    }
    let mut topmost: HashMap<NamespaceId, Option<Pid>> = HashMap::new();
    for process in snapshot.processes().filter(|process| !is_dead(*process)) {
        let Some(namespace) = process.namespace(NamespaceType::Pid) else {
            continue;
        };
        // Each namespace is passed once, however deep they nest.
        let mut way = Vec::new();
        let mut pid_1 = None;
        for above in std::iter::once(namespace).chain(namespace.ancestors()) {
            if let Some(known) = topmost.get(&above.id()) {
                pid_1 = *known;
                break;
            }
            way.push(above.id());
        }
        for id in way.into_iter().rev() {
            pid_1 = pid_1.or_else(|| pid_1_of.get(&id).copied());
            topmost.insert(id, pid_1);
        }
        if let Some(pid_1) = pid_1 {
            ends.insert(process.pid(), pid_1);
        }
    }
    ends
}

/// Whether an unseen holder holds a namespace.
fn is_unexplained(namespace: Namespace<'_>) -> bool {
    if namespace.snapshot.is_released(namespace.id()) {
        return false;
    }
    let is_below_nothing = namespace.children().len() == 0 && namespace.owned().len() == 0;
    namespace.holders().contains(&Holder::Unseen) || namespace.is_hidden() && is_below_nothing
}

/// Steps in the making: each thing to do once, however many namespaces are held by it.
#[derive(Default)]
struct Steps {
    steps: Vec<Step>,
    places: HashMap<Key, usize>,
    /// Processes of which it is known who shares their files.
    known_tables: HashSet<Pid>,
    /// The inodes of sockets that are in several tables of files.
    shared_queues: HashSet<u64>,
}

/// What makes two steps the same.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    End(Pid),
    Reap(Pid),
    LetGo(Pid),
    Receive(u64),
}

impl Steps {
    fn add(
        &mut self,
        key: Key,
        frees: NamespaceId,
        action: impl FnOnce() -> Action,
    ) -> Option<&mut Action> {
        let place = *self.places.entry(key).or_insert_with(|| {
            self.steps.push(Step { action: action(), frees: Vec::new() });
            self.steps.len() - 1
        });
        let step = self.steps.get_mut(place)?;
        if step.frees.last() != Some(&frees) {
            step.frees.push(frees);
        }
        Some(&mut step.action)
    }

    /// What has to be done about a holder that does not let go by itself.
    fn add_holder(&mut self, holder: &Holder, held: NamespaceId, file_table: Option<Pid>) {
        match holder {
            Holder::File { kind: FileKind::InFlight { inode }, pid, tid, fd }
                if self.shared_queues.contains(inode) =>
            {
                let step = self
                    .add(Key::Receive(*inode), held, || Action::Receive { sockets: Vec::new() });
                if let Some(Action::Receive { sockets }) = step {
                    sockets.push((*pid, OpenFile { tid: *tid, fd: *fd }));
                }
            }
            Holder::Thread { pid, .. }
            | Holder::PendingChildren { pid, .. }
            | Holder::File { pid, .. } => {
                if file_table.is_some() {
                    self.known_tables.insert(*pid);
                }
                let owner = file_table.unwrap_or(*pid);
                let step = self.add(Key::LetGo(owner), held, || Action::LetGo {
                    pid: *pid,
                    sharers: Vec::new(),
                    threads: Vec::new(),
                    closes: Vec::new(),
                    empties: Vec::new(),
                });
                if let Some(Action::LetGo { pid: first, sharers, threads, closes, empties }) = step
                {
                    if first != pid && sharers.last() != Some(pid) {
                        sharers.push(*pid);
                    }
                    match *holder {
                        Holder::File { kind: FileKind::InFlight { .. }, tid, fd, .. } => {
                            empties.push(OpenFile { tid, fd });
                        }
                        Holder::File { tid, fd, .. } => closes.push(OpenFile { tid, fd }),
                        _ => threads.extend(task_of(holder).and_then(|(_, tid)| tid)),
                    }
                }
            }
            // These are planned all together; and nothing can tell the unseen to let go.
            Holder::Mount { .. } | Holder::Unseen => {}
        }
    }

    /// Puts the lists in order.
    fn sort(&mut self) {
        for step in &mut self.steps {
            match &mut step.action {
                Action::LetGo { sharers, threads, closes, empties, .. } => {
                    sharers.sort_unstable();
                    sharers.dedup();
                    threads.sort_unstable();
                    threads.dedup();
                    closes.sort_unstable();
                    closes.dedup();
                    empties.sort_unstable();
                    empties.dedup();
                }
                Action::Receive { sockets } => {
                    sockets.sort_unstable();
                    sockets.dedup();
                }
                _ => {}
            }
        }
    }

    /// Whether it is known which processes share their files, as far as it matters. Those who have
    /// not got all the same ones open do not.
    fn knows_tables(&self, snapshot: &Snapshot) -> bool {
        let unknown = self.steps.iter().filter_map(|step| match &step.action {
            Action::LetGo { pid, closes, empties, .. } => {
                let mut files = closes.iter().chain(empties);
                let in_own_table = files.any(|file| file.tid.is_none());
                (in_own_table && !self.known_tables.contains(pid)).then_some(*pid)
            }
            _ => None,
        });
        let unknown: HashSet<Pid> = unknown.collect();
        if unknown.len() < 2 {
            return true;
        }
        let mut files: HashMap<Pid, Vec<(NamespaceId, &str, u32)>> = HashMap::new();
        for namespace in snapshot.namespaces().filter(|it| it.is_initial() != Some(true)) {
            for holder in namespace.holders() {
                if let Holder::File { pid, tid: None, fd, .. } = *holder
                    && unknown.contains(&pid)
                {
                    files.entry(pid).or_default().push((namespace.id(), holder.kind(), fd));
                }
            }
        }
        let mut met = HashSet::new();
        files.into_values().all(|files| met.insert(files))
    }

    fn unmount(&mut self, unmounts: Vec<Unmount<'_>>, order: &HashMap<NamespaceId, usize>) {
        self.steps.extend(unmounts.into_iter().map(|Unmount { mount, along, frees }| Step {
            action: Action::Unmount {
                mount_namespace: Some(mount.mount_namespace),
                path: mount.path.clone(),
                mount: Some(mount.id),
                along,
            },
            frees: {
                let mut frees: Vec<NamespaceId> = frees.into_iter().collect();
                frees.sort_by_key(|id| order.get(id));
                frees
            },
        }));
    }

    /// Mounts of which nothing more is known than the place.
    fn unmount_unknown(&mut self, mounts: Vec<(NamespaceId, &Holder)>) {
        for (held, holder) in mounts {
            if let Holder::Mount { mount_namespace, path, .. } = holder {
                // Several at one place are several mounts.
                self.steps.push(Step {
                    action: Action::Unmount {
                        mount_namespace: *mount_namespace,
                        path: path.clone(),
                        mount: None,
                        along: Vec::new(),
                    },
                    frees: vec![held],
                });
            }
        }
    }
}
