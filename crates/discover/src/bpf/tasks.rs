//! All tasks of our PID namespace, as a BPF iterator describes them.

use std::collections::HashMap;
use std::mem::offset_of;
use std::time::Instant;

use lxkns_species::{Capabilities, NamespaceId, NamespaceType, Pid, Uid};
use tracing::debug;

use super::Unavailable;
use super::btf::Btf;
use super::iterator::{KernelIterator, double, word};
use super::task_program::{self, LEVELS, Record};
use crate::procfs::stat::{PF_EXITING, PF_KTHREAD, Stat};
use crate::resolve::told::Told;

/// Which threads to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// All threads of all processes.
    #[cfg_attr(not(test), expect(dead_code, reason = "for comparison with /proc"))]
    All,
    /// The leaders, and those threads that differ from their leader in namespaces or in the table
    /// of file descriptors.
    Deviating,
}

/// A thread, as it was when the iterator came by.
///
/// All PIDs are those of our own PID namespace; 0 is a process outside of it.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// The thread's own PID.
    pub(crate) tid: Pid,
    /// The PID of its process, which is that of its leader.
    pub(crate) pid: Pid,
    /// The process's parent.
    pub(crate) parent: Pid,
    /// `PF_…` flags, as in /proc/PID/stat.
    pub(crate) flags: u32,
    /// When it started, in clock ticks since boot: exactly the number in /proc/PID/stat.
    pub(crate) start_ticks: u64,
    /// How many threads the process has.
    pub(crate) threads: u32,
    /// The effective user id, in the initial user namespace.
    pub(crate) effective_uid: Uid,
    /// The effective capabilities.
    pub(crate) effective: Capabilities,
    /// 0 while it lives, `EXIT_ZOMBIE` (32) or `EXIT_DEAD` (16) afterwards.
    pub(crate) exit_state: u32,
    state: u32,
    /// The thread has a table of file descriptors that is not its leader's.
    #[cfg_attr(not(test), expect(dead_code, reason = "for comparison with /proc"))]
    pub(crate) own_files: bool,
    /// Whether the namespaces were the same before and after they were read. If not, the task was
    /// just changing them, and the record may mix old and new ones: ask `/proc`.
    pub(crate) settled: bool,
    /// Equal for tasks that are in the same cgroups; 0 if the kernel has none.
    pub(crate) cgroups: u64,
    comm: [u8; 16],
    inodes: [u32; 8],
    owners: [u32; 8],
    unique_ids: [u64; 8],
    mounts: u32,
    pid_for_children: u32,
    time_for_children: u32,
    /// The PIDs from our own PID namespace down to the task's own, and how many they are: 0 if that
    /// is more than a record holds.
    nested: [u32; LEVELS],
    depth: usize,
}

impl Task {
    /// The namespace of this type; `None` for most types if the task is dead.
    pub(crate) fn namespace(&self, ns_type: NamespaceType) -> Option<NamespaceId> {
        let inode = *self.inodes.get(ns_type.index())?;
        NamespaceId::new(ns_type, inode.into())
    }

    /// The unique ID of the namespace of this type; `None` for PID and user namespaces, and where
    /// the kernel's structures do not tell.
    pub(crate) fn unique_id(&self, ns_type: NamespaceType) -> Option<u64> {
        self.unique_ids.get(ns_type.index()).copied().filter(|id| *id != 0)
    }

    /// Whether it is in the namespaces that it was in then, and so will its children be.
    pub(crate) fn stayed(&self, then: &Task) -> bool {
        let all = |task: &Task| {
            (task.inodes, task.unique_ids, task.pid_for_children, task.time_for_children)
        };
        self.settled && all(self) == all(then)
    }

    /// What the namespace of this type would answer; `None` for PID and user namespaces, or where
    /// the kernel's structures do not tell.
    pub(crate) fn told(&self, ns_type: NamespaceType) -> Option<Told> {
        let at = ns_type.index();
        let owner = (*self.owners.get(at)?).into();
        let is_mnt = ns_type == NamespaceType::Mnt;
        Some(Told {
            owner: NamespaceId::new(NamespaceType::User, owner)?,
            unique_id: Some(*self.unique_ids.get(at)?).filter(|id| *id != 0),
            mounts: self.mounts.checked_sub(1).filter(|_| is_mnt),
        })
    }

    /// The namespace of this type that children will be in; `None` if dead, and for types that do
    /// not have that.
    pub(crate) fn namespace_for_children(&self, ns_type: NamespaceType) -> Option<NamespaceId> {
        let inode = match ns_type {
            NamespaceType::Pid => self.pid_for_children,
            NamespaceType::Time => self.time_for_children,
            _ => return None,
        };
        NamespaceId::new(ns_type, inode.into())
    }

    /// The name, as in /proc/PID/comm except for kernel threads.
    pub(crate) fn comm(&self) -> &[u8] {
        self.comm.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// The facts of /proc/PID/stat.
    pub(crate) fn stat(&self) -> Stat<'_> {
        Stat {
            comm: self.comm(),
            state: self.state(),
            ppid: self.parent,
            kernel_thread: self.flags & PF_KTHREAD != 0,
            ending: self.flags & PF_EXITING != 0 || self.exit_state != 0,
            threads: self.threads.into(),
            start_time: self.start_ticks,
            is_thread: self.tid != self.pid,
        }
    }

    /// The state letter of proc_pid_stat(5).
    pub(crate) fn state(&self) -> char {
        // Uninterruptible, but not counted as load: a kernel thread with nothing to do.
        const IDLE: u32 = 0x402;
        // From the lowest bit up; a task that has exited has a bit above those of the others.
        const LETTERS: [char; 8] = ['R', 'S', 'D', 'T', 't', 'X', 'Z', 'P'];
        if self.state & IDLE == IDLE {
            return 'I';
        }
        let bits = (self.state | self.exit_state) & 0x7f;
        let highest = (u32::BITS - bits.leading_zeros()) as usize;
        LETTERS.get(highest).copied().unwrap_or('R')
    }

    /// The PIDs in each PID namespace from our own down to the task's own: the `NSpid` of
    /// /proc/PID/status. `None` if nested too deep for a record, or if dead.
    pub(crate) fn nested_pids(&self) -> Option<&[u32]> {
        self.nested.get(..self.depth).filter(|pids| !pids.is_empty())
    }
}

/// Describes all tasks, whenever asked.
#[derive(Debug)]
pub(crate) struct TaskIterator {
    iterator: KernelIterator,
}

/// What the iterator found.
#[derive(Debug)]
pub(crate) struct Tasks {
    /// The tasks, by ascending PID of the thread.
    pub(crate) tasks: Vec<Task>,
    /// How deep our own PID namespace is nested; 0 is the initial one.
    pub(crate) level: usize,
}

impl TaskIterator {
    /// Loads the iterator's program.
    pub(crate) fn new(btf: &Btf<'_>, threads: Threads) -> Result<TaskIterator, Unavailable> {
        let iterator = KernelIterator::load(btf, task_program::TARGET, |program| {
            task_program::assemble(program, threads == Threads::Deviating)
        })?;
        Ok(TaskIterator { iterator })
    }

    /// Looks at all tasks.
    pub(crate) fn read(&self) -> Result<Tasks, Unavailable> {
        let started = Instant::now();
        let ticks = lxkns_ops::clock_ticks_per_second();
        let (mut reader, mut tasks) = (None, Vec::new());
        self.iterator.read(size_of::<Record>(), |record| match &reader {
            None => reader = Some(Reader::of(record, ticks)),
            Some(reader) => tasks.push(reader.task(record)),
        })?;
        let level = reader.ok_or(Unavailable::Incomplete)?.level;
        if level >= LEVELS {
            return Err(Unavailable::Nested(level));
        }
        if level > 0 {
            localize(&mut tasks);
        }
        debug!(tasks = tasks.len(), elapsed = ?started.elapsed(), "tasks read through BPF");
        Ok(Tasks { tasks, level })
    }
}

/// What the records are to be seen through: who reads them.
pub(super) struct Reader {
    level: usize,
    /// The boot-time offset of the reader's time namespace in nanoseconds, to be added as the
    /// kernel does: without sign, wrapping around.
    boottime: u64,
    ticks: u64,
}

impl Reader {
    pub(super) fn of(record: &[u8], ticks: u64) -> Reader {
        let seconds = double(record, offset_of!(Record, start));
        let nanoseconds = double(record, offset_of!(Record, effective));
        Reader {
            level: word(record, offset_of!(Record, level)) as usize,
            boottime: seconds.wrapping_mul(NANOSECONDS).wrapping_add(nanoseconds),
            ticks,
        }
    }

    /// Makes a task of a record; its PIDs are still those of the initial PID namespace.
    pub(super) fn task(&self, record: &[u8]) -> Task {
        let field = |offset| word(record, offset);
        let effective = [0, 4].map(|half| u64::from(field(offset_of!(Record, effective) + half)));
        let start = double(record, offset_of!(Record, start)).wrapping_add(self.boottime);
        let mut comm = [0; 16];
        let from = record.iter().skip(offset_of!(Record, comm));
        comm.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        let nested: [u32; LEVELS] = std::array::from_fn(|level| match self.level + level {
            level if level < LEVELS => field(offset_of!(Record, numbers) + 4 * level),
            _ => 0,
        });
        let level = field(offset_of!(Record, level)) as usize;
        let whole = level < LEVELS && nested.first() != Some(&0);
        Task {
            tid: Pid(field(offset_of!(Record, pid))),
            pid: Pid(field(offset_of!(Record, tgid))),
            parent: Pid(field(offset_of!(Record, parent))),
            flags: field(offset_of!(Record, flags)),
            start_ticks: clock_ticks(start, self.ticks),
            threads: field(offset_of!(Record, threads)),
            effective_uid: Uid(field(offset_of!(Record, euid))),
            effective: Capabilities::from_bits(effective[1] << 32 | effective[0]),
            exit_state: field(offset_of!(Record, exit_state)),
            state: field(offset_of!(Record, state)),
            own_files: field(offset_of!(Record, own_files)) != 0,
            settled: field(offset_of!(Record, settled)) != 0,
            comm,
            cgroups: double(record, offset_of!(Record, cgroups)),
            inodes: std::array::from_fn(|at| field(offset_of!(Record, namespaces) + 4 * at)),
            owners: std::array::from_fn(|at| field(offset_of!(Record, owners) + 4 * at)),
            unique_ids: std::array::from_fn(|at| {
                double(record, offset_of!(Record, unique_ids) + 8 * at)
            }),
            mounts: field(offset_of!(Record, mounts)),
            pid_for_children: field(offset_of!(Record, pid_for_children)),
            time_for_children: field(offset_of!(Record, time_for_children)),
            nested,
            depth: if whole { (level + 1).saturating_sub(self.level) } else { 0 },
        }
    }
}

const NANOSECONDS: u64 = 1_000_000_000;

/// Nanoseconds as clock ticks, rounded down as the kernel does.
fn clock_ticks(nanoseconds: u64, per_second: u64) -> u64 {
    let ticks = u128::from(nanoseconds) * u128::from(per_second) / u128::from(NANOSECONDS);
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// Turns the PIDs of the initial PID namespace into those of our own.
///
/// The iterator shows exactly the tasks of our own PID namespace, so a PID that belongs to none of
/// them is outside. A task without a PID has gone while we looked.
pub(super) fn localize(tasks: &mut Vec<Task>) {
    let own = |task: &Task| task.nested.first().copied().unwrap_or(0);
    let local: HashMap<Pid, u32> = tasks.iter().map(|task| (task.tid, own(task))).collect();
    for task in tasks.iter_mut() {
        for pid in [&mut task.tid, &mut task.pid, &mut task.parent] {
            *pid = Pid(local.get(pid).copied().unwrap_or(0));
        }
    }
    tasks.retain(|task| task.tid != Pid(0) && task.pid != Pid(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_rounded_down() {
        assert_eq!(clock_ticks(9_999_999, 100), 0);
        assert_eq!(clock_ticks(10_000_000, 100), 1);
        assert_eq!(clock_ticks(u64::MAX, 100), u64::MAX / 10_000_000);
        assert_eq!(clock_ticks(u64::MAX, u64::MAX), u64::MAX);
    }

    /// A record as of a reader, or a task with these PIDs from the initial PID namespace down.
    fn record(tgid: u32, parent: u32, numbers: &[u32]) -> Vec<u8> {
        let mut record = vec![0; size_of::<Record>()];
        let mut put = |offset: usize, value: u32| {
            record[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        };
        put(offset_of!(Record, pid), numbers.first().copied().unwrap_or(0));
        put(offset_of!(Record, tgid), tgid);
        put(offset_of!(Record, parent), parent);
        put(offset_of!(Record, level), numbers.len().saturating_sub(1) as u32);
        for (level, number) in numbers.iter().take(LEVELS).enumerate() {
            put(offset_of!(Record, numbers) + 4 * level, *number);
        }
        record
    }

    fn reader(level: usize, seconds: i64) -> Reader {
        let boottime = (seconds as u64).wrapping_mul(NANOSECONDS);
        Reader { level, boottime, ticks: 100 }
    }

    #[test]
    fn pids_are_those_of_the_readers_own_namespace() {
        let reader = reader(1, 0);
        let records = [
            record(50, 7, &[50, 1]),
            record(50, 7, &[51, 2]),
            record(60, 50, &[60, 3, 1]),
            record(60, 50, &[0; 2]),
        ];
        let mut tasks: Vec<Task> = records.iter().map(|record| reader.task(record)).collect();
        localize(&mut tasks);
        let ids = tasks.iter().map(|task| [task.tid.0, task.pid.0, task.parent.0]);
        assert_eq!(ids.collect::<Vec<_>>(), [[1, 1, 0], [2, 1, 0], [3, 3, 1]]);
        let nested = tasks.iter().map(|task| task.nested_pids());
        let expected = [&[1][..], &[2], &[3, 1]].map(Some);
        assert_eq!(nested.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn pids_nested_too_deep_are_unknown() {
        let numbers = [9; LEVELS + 1];
        assert_eq!(reader(0, 0).task(&record(9, 0, &numbers)).nested_pids(), None);
        let numbers = [9; LEVELS];
        let task = reader(0, 0).task(&record(9, 0, &numbers));
        assert_eq!(task.nested_pids(), Some(&numbers[..]));
    }

    #[test]
    fn start_times_are_seen_through_the_time_namespace() {
        let mut record = record(1, 0, &[1]);
        let start = offset_of!(Record, start);
        record[start..start + 8].copy_from_slice(&5_019_999_999_u64.to_ne_bytes());
        assert_eq!(reader(0, 0).task(&record).start_ticks, 501);
        assert_eq!(reader(0, 10).task(&record).start_ticks, 1501);
        assert_eq!(reader(0, -3).task(&record).start_ticks, 201);
    }
}
