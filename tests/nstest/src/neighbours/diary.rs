//! The memory that neighbours and test share: the clock, the gate, and the diary.
//!
//! All of it is numbers that any process changes at once, so it needs no lock that somebody could
//! die with.

use std::io;
use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use lxkns_species::Pid;
use rustix::fs::Timespec;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::thread::futex;

use super::entry::{Entry, WORDS};
use crate::actor::{files, kernel};

/// As many mount points there are.
pub(super) const PATHS: usize = 16;

/// So many entries fit in, until the test has read them.
const ENTRIES: usize = 1 << 17;

/// When there is no more room than this, nobody begins anything.
const SPARE: usize = 1 << 14;

/// So many births can be waited for at the same time.
const CRADLES: usize = 512;

/// So many neighbours can there be.
pub(super) const MAINS: usize = 64;

/// How long neighbours may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(120);

#[repr(C)]
struct Memory {
    clock: AtomicU64,
    /// 1: nobody may begin anything.
    gate: AtomicU32,
    /// So many are at something.
    busy: AtomicU32,
    /// 1: end yourselves.
    stop: AtomicU32,
    /// The pipe whose end means the same.
    life: AtomicI32,
    /// The numbers given to processes and threads so far.
    born: AtomicU32,
    next_cradle: AtomicU32,
    cradles: [AtomicU32; CRADLES],
    /// The PIDs of the neighbours, as of the PID namespace of the procfs.
    mains: [AtomicU32; MAINS],
    /// 1: some task has something mounted there.
    paths: [AtomicU32; PATHS],
    written: AtomicU64,
    entries: [[AtomicU64; WORDS]; ENTRIES],
}

/// The shared memory; mapped anew in nobody, inherited by all.
#[derive(Debug)]
pub(super) struct Shared(NonNull<Memory>);

#[expect(unsafe_code, reason = "memory shared between processes")]
impl Shared {
    pub(super) fn new() -> io::Result<Shared> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let size = size_of::<Memory>();
        // SAFETY: a new mapping, wherever there is room.
        let mapped = unsafe {
            rustix::mm::mmap_anonymous(std::ptr::null_mut(), size, access, MapFlags::SHARED)
        }?;
        let memory = NonNull::new(mapped.cast::<Memory>());
        memory.map(Shared).ok_or_else(|| io::Error::other("nothing mapped"))
    }

    fn memory(&self) -> &Memory {
        // SAFETY: mapped until the drop, aligned to a page, and all zeros are valid.
        unsafe { self.0.as_ref() }
    }
}

#[expect(unsafe_code, reason = "memory shared between processes")]
impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, with this size, and nobody borrows it any more.
        _ = unsafe { rustix::mm::munmap(self.0.as_ptr().cast(), size_of::<Memory>()) };
    }
}

/// For the neighbours.
impl Shared {
    /// Moves the clock on, and tells the time.
    pub(super) fn tick(&self) -> u64 {
        self.memory().clock.fetch_add(1, SeqCst)
    }

    /// Raises the flag, when the gate is open; and tells the time.
    pub(super) fn begin(&self) -> u64 {
        let memory = self.memory();
        loop {
            while memory.written.load(SeqCst) as usize > ENTRIES - SPARE {
                wait_at(&memory.stop, 0, 1_000_000);
                self.end_if_over();
            }
            while memory.gate.load(SeqCst) != 0 {
                wait_at(&memory.gate, 1, 10_000_000);
                self.end_if_over();
            }
            memory.busy.fetch_add(1, SeqCst);
            if memory.gate.load(SeqCst) == 0 {
                return self.tick();
            }
            self.end();
        }
    }

    /// Ends the process if the test was killed, and has left the gate closed. If it stops, the gate
    /// opens: another thread of this process may be at something.
    fn end_if_over(&self) {
        if !self.has_stopped() && files::has_hung_up(self.memory().life.load(SeqCst)) {
            kernel::exit_process(0);
        }
    }

    /// Lowers the flag: all has been written.
    pub(super) fn end(&self) {
        self.memory().busy.fetch_sub(1, SeqCst);
    }

    /// Writes an entry. The flag must be up.
    pub(super) fn write(&self, entry: Entry) {
        let memory = self.memory();
        let place = memory.written.fetch_add(1, SeqCst) as usize;
        let words = memory.entries.get(place).into_iter().flatten();
        for (word, value) in words.zip(entry.to_words()) {
            word.store(value, SeqCst);
        }
    }

    pub(super) fn has_stopped(&self) -> bool {
        self.memory().stop.load(SeqCst) != 0
    }

    /// A number for a newborn.
    pub(super) fn number(&self) -> u32 {
        self.memory().born.fetch_add(1, SeqCst) + 1
    }

    /// A place to wait for a birth, which nobody else waits at.
    pub(super) fn cradle(&self) -> Cradle<'_> {
        let memory = self.memory();
        loop {
            let number = memory.next_cradle.fetch_add(1, SeqCst) as usize % CRADLES;
            let cradle = memory.cradles.get(number).unwrap_or(&memory.stop);
            if cradle.compare_exchange(Cradle::FREE, Cradle::EMPTY, SeqCst, SeqCst).is_ok() {
                return Cradle(cradle);
            }
        }
    }

    pub(super) fn main_is(&self, number: usize, pid: Pid) {
        if let Some(place) = self.memory().mains.get(number) {
            place.store(pid.0, SeqCst);
            _ = futex::wake(place, futex::Flags::empty(), 1);
        }
    }

    /// Waits until the neighbour with this number is there; false if it does not come.
    pub(super) fn wait_for_main(&self, number: usize) -> bool {
        let Some(place) = self.memory().mains.get(number) else {
            return false;
        };
        let start = Instant::now();
        while place.load(SeqCst) == 0 && start.elapsed() < PATIENCE {
            wait_at(place, 0, 100_000_000);
        }
        place.load(SeqCst) != 0
    }

    /// The PIDs of the neighbours.
    pub(super) fn mains(&self) -> impl Iterator<Item = Pid> {
        let known = self.memory().mains.iter().map(|pid| pid.load(SeqCst));
        known.filter(|pid| *pid != 0).map(Pid)
    }

    /// Whether the mount point was free; now it is taken.
    pub(super) fn take_path(&self, number: usize) -> bool {
        let path = self.memory().paths.get(number);
        path.is_some_and(|path| path.swap(1, SeqCst) == 0)
    }

    pub(super) fn free_path(&self, number: usize) {
        if let Some(path) = self.memory().paths.get(number) {
            path.store(0, SeqCst);
        }
    }
}

/// Where one waits for a birth. It holds the number of the newborn, or one of these.
#[derive(Clone, Copy)]
pub(super) struct Cradle<'a>(&'a AtomicU32);

impl Cradle<'_> {
    const FREE: u32 = 0;
    const EMPTY: u32 = u32::MAX - 1;
    const STILLBORN: u32 = u32::MAX;

    pub(super) fn born(self, who: u32) {
        self.0.store(who, SeqCst);
        _ = futex::wake(self.0, futex::Flags::empty(), 1);
    }

    pub(super) fn failed(self) {
        self.born(Cradle::STILLBORN);
    }

    /// Waits; `None` if it failed.
    pub(super) fn wait(self) -> Option<u32> {
        while self.0.load(SeqCst) == Cradle::EMPTY {
            wait_at(self.0, Cradle::EMPTY, 100_000_000);
        }
        Some(self.0.swap(Cradle::FREE, SeqCst)).filter(|who| *who != Cradle::STILLBORN)
    }

    /// Nobody is to be born here after all.
    pub(super) fn leave(self) {
        self.0.store(Cradle::FREE, SeqCst);
    }
}

/// For the test.
impl Shared {
    /// Before there are any neighbours.
    pub(super) fn lives_with(&self, life: RawFd) {
        self.memory().life.store(life, SeqCst);
    }

    pub(super) fn close(&self) {
        self.memory().gate.store(1, SeqCst);
    }

    pub(super) fn open(&self) {
        let gate = &self.memory().gate;
        gate.store(0, SeqCst);
        _ = futex::wake(gate, futex::Flags::empty(), i32::MAX.cast_unsigned());
    }

    pub(super) fn stop(&self) {
        self.memory().stop.store(1, SeqCst);
    }

    /// Waits until no flag is up; false if that takes too long.
    pub(super) fn is_quiet(&self) -> bool {
        let start = Instant::now();
        loop {
            let busy = self.memory().busy.load(SeqCst);
            if busy == 0 {
                return true;
            }
            if start.elapsed() > PATIENCE {
                return false;
            }
            wait_at(&self.memory().busy, busy, 50_000);
        }
    }

    /// What was written. The gate must be closed, and no flag up.
    pub(super) fn take(&self) -> Vec<Entry> {
        let memory = self.memory();
        let count = memory.written.swap(0, SeqCst) as usize;
        assert!(count <= ENTRIES, "the diary is full");
        let entries = memory.entries.iter().take(count);
        let words = entries.map(|entry| entry.each_ref().map(|word| word.load(SeqCst)));
        words.filter_map(Entry::of_words).collect()
    }
}

/// Waits until woken, or the value is another one, or so many nanoseconds have passed.
fn wait_at(place: &AtomicU32, value: u32, nanoseconds: i64) {
    let limit = Timespec { tv_sec: 0, tv_nsec: nanoseconds };
    _ = futex::wait(place, futex::Flags::empty(), value, Some(&limit));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_two_births_at_one_place() {
        let shared = Shared::new().unwrap();
        let cradles: Vec<Cradle<'_>> = (1..CRADLES).map(|_| shared.cradle()).collect();
        // The last one is left, however often the others are passed.
        shared.cradle().leave();
        let last = shared.cradle();
        last.born(7);
        assert_eq!(last.wait(), Some(7));
        assert!(cradles.iter().all(|cradle| cradle.0.load(SeqCst) == Cradle::EMPTY));
    }

    #[test]
    fn nobody_begins_while_the_gate_is_closed() {
        let shared = Shared::new().unwrap();
        assert!(shared.begin() < shared.tick());
        assert_eq!(shared.memory().busy.load(SeqCst), 1);
        shared.close();
        shared.end();
        assert!(shared.is_quiet());
    }
}
