//! One process or thread of a neighbour, and what it knows of itself.
//!
//! As everywhere after a fork from a process with many threads: nothing allocates, locks, panics or
//! unwinds. Threads share their thread-local memory, which is where libc keeps error numbers: here
//! they say nothing, and what has become of something is looked up.

use std::ffi::{CStr, CString, c_void};
use std::sync::atomic::AtomicU32;

use lxkns_model::Joined;
use lxkns_species::{NamespaceId, NamespaceType, Pid};

use super::chance::Chance;
use super::diary::{Cradle, Shared};
use super::entry::{Entry, Fact};
use super::own::{Path, own_ids, own_namespace, own_start_time};
use crate::actor::{files, kernel};
use crate::syscall::Result;

/// So many threads a process may have besides its first.
pub(super) const THREADS: usize = 2;

/// So many file descriptors and the like a task has at most.
const SLOTS: usize = 10;

/// So many children.
pub(super) const CHILDREN: usize = 8;

const STACK_SIZE: usize = 128 * 1024;

/// Memory for the stack of a thread; each process has its own copy.
pub(super) struct Stack(Vec<u8>);

impl Stack {
    pub(super) fn new() -> Stack {
        Stack(vec![0; STACK_SIZE])
    }

    pub(super) fn top(&self) -> *mut c_void {
        let top = self.0.as_ptr_range().end.cast_mut();
        top.map_addr(|address| address & !15).cast()
    }
}

/// What all have in common.
pub(super) struct World<'a> {
    pub(super) shared: &'a Shared,
    /// The pipe whose end means: end yourself.
    pub(super) life: i32,
    /// Files to mount over.
    pub(super) paths: &'a [CString],
    pub(super) stacks: &'a [Stack],
    /// 1: the main thread of this process has nothing more to do.
    pub(super) headless: AtomicU32,
    /// The mount namespace of the test.
    pub(super) outside: Option<NamespaceId>,
    /// Whether they are root in the initial user namespace.
    pub(super) privileged: bool,
}

/// An open file of interest.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) fd: i32,
    pub(super) fact: Fact,
    pub(super) namespace: NamespaceId,
}

/// A child process.
#[derive(Clone, Copy)]
pub(super) struct Child {
    /// As the parent knows it.
    pub(super) pid: i32,
    pub(super) who: u32,
    pub(super) role: Role,
    pub(super) is_zombie: bool,
}

/// A thread that was started.
#[derive(Clone, Copy)]
pub(super) struct Thread {
    pub(super) tid: Pid,
    pub(super) who: u32,
    pub(super) stack: usize,
}

/// What a child is there for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Does nothing, so it may be killed.
    Sleeper,
    /// The first process of a PID namespace: killed last.
    Init,
    /// Ends at once.
    Mayfly,
    /// Does so many things, and then ends.
    Active(u32),
    /// Its main thread ends, another one goes on.
    Headless,
}

pub(super) struct Task<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) chance: Chance,
    pub(super) who: u32,
    /// The process that it belongs to.
    pub(super) of: u32,
    pub(super) pid: Pid,
    pub(super) tid: Pid,
    pub(super) depth: u32,
    pub(super) is_thread: bool,
    /// Whether its file table is nobody else's.
    pub(super) own_files: bool,
    pub(super) joined: Joined,
    pub(super) pending: Joined,
    /// Whether it has entered another user namespace than the neighbours began in.
    pub(super) confined: bool,
    pub(super) slots: [Option<Slot>; SLOTS],
    pub(super) mounts: [Option<(usize, NamespaceId)>; 3],
    pub(super) children: [Option<Child>; CHILDREN],
    pub(super) threads: [Option<Thread>; THREADS],
}

impl<'a> Task<'a> {
    /// One of the processes that the test forks.
    pub(super) fn first(world: &'a World<'a>, chance: Chance, number: usize) -> First<'a> {
        let task = Task {
            world,
            chance,
            who: 0,
            of: 0,
            pid: Pid(0),
            tid: Pid(0),
            depth: 0,
            is_thread: false,
            own_files: true,
            joined: Joined::default(),
            pending: Joined::default(),
            confined: false,
            slots: [None; SLOTS],
            mounts: [None; 3],
            children: [None; CHILDREN],
            threads: [None; THREADS],
        };
        First { task, number }
    }

    /// What a child is at first: it has its parent's files and namespaces, and nothing else.
    pub(super) fn newborn(&self, chance: Chance) -> Task<'a> {
        Task {
            chance,
            depth: self.depth + 1,
            mounts: [None; 3],
            children: [None; CHILDREN],
            threads: [None; THREADS],
            ..*self
        }
    }

    pub(super) fn write(&self, entry: Entry) {
        self.world.shared.write(entry);
    }

    pub(super) fn began(&self, fact: Fact, namespace: NamespaceId, at: u64) {
        let who = self.who;
        self.write(Entry::Began { who, fact, namespace, at });
    }

    pub(super) fn ceased(&self, fact: Fact, namespace: NamespaceId) {
        let (who, at) = (self.who, self.world.shared.tick());
        self.write(Entry::Ceased { who, fact, namespace, at });
    }

    /// Finds out about itself, and writes it down. The parent has raised the flag.
    pub(super) fn be_born(&mut self, before: u64) -> Result {
        let mut buffer = [0; 1024];
        let (pid, tid) = own_ids(&mut buffer)?;
        let start_time = own_start_time(&mut buffer)?;
        self.who = self.world.shared.number();
        self.pid = pid;
        self.tid = tid;
        if !self.is_thread {
            self.of = self.who;
        }
        self.write(Entry::Born { who: self.who, of: self.of, pid, tid, start_time, at: before });
        if !self.is_thread {
            self.credentials(before);
        }
        self.joined = Joined::default();
        self.pending = Joined::default();
        self.look_around(before);
        if self.own_files {
            for slot in self.slots.iter().flatten() {
                self.began(slot.fact, slot.namespace, before);
            }
        } else {
            self.slots = [None; SLOTS];
        }
        Ok(())
    }

    /// Sees where it is, and writes down what has changed since the last time.
    pub(super) fn look_around(&mut self, before: u64) {
        for namespace_type in NamespaceType::ALL {
            let now = own_namespace(namespace_type.proc_file());
            let was = self.joined.get(namespace_type);
            if let Some(now) = now.filter(|now| Some(*now) != was) {
                self.began(Fact::Joined, now, before);
                self.joined.set(now);
                if let Some(was) = was {
                    self.ceased(Fact::Joined, was);
                }
            }
            let Some(file) = namespace_type.proc_file_for_children() else {
                continue;
            };
            let own = self.joined.get(namespace_type);
            let next = own_namespace(file).filter(|next| Some(*next) != own);
            let was = self.pending.get(namespace_type);
            if next == was {
                continue;
            }
            if let Some(next) = next {
                self.began(Fact::Pending, next, before);
                self.pending.set(next);
            } else {
                self.pending.clear(namespace_type);
            }
            if let Some(was) = was {
                self.ceased(Fact::Pending, was);
            }
        }
    }

    /// Writes down the credentials that it has got since.
    pub(super) fn credentials(&self, before: u64) {
        let has_global_uids = self.world.privileged && !self.confined;
        let capabilities = rustix::thread::capabilities(None).ok().filter(|_| has_global_uids);
        let now = capabilities.map(|sets| (kernel::effective_uid(), sets.effective.bits()));
        let (who, after) = (self.who, self.world.shared.tick());
        self.write(Entry::Credentials { who, now, before, after });
    }

    /// Room for one more open file.
    pub(super) fn room(&mut self) -> bool {
        self.slots.iter().any(Option::is_none)
    }

    pub(super) fn keep(&mut self, slot: Slot) {
        if let Some(place) = self.slots.iter_mut().find(|place| place.is_none()) {
            *place = Some(slot);
        }
    }

    /// Opens the namespace at a path, in passing: whoever calls this has the flag up.
    pub(super) fn open(&self, path: &CStr, before: u64) -> Option<Slot> {
        let fd = files::open_at(libc::AT_FDCWD, path, libc::O_RDONLY).ok()?;
        self.opened(fd, before)
    }

    /// Finds out which namespace was just opened, and writes it down.
    fn opened(&self, fd: i32, before: u64) -> Option<Slot> {
        let mut buffer = [0; 64];
        // Not `self`: that is the main thread, whose files may be others.
        let link = Path::new().text(b"/proc/thread-self/fd/").number(fd.cast_unsigned());
        let namespace = link
            .as_c_str()
            .and_then(|link| files::read_link(link, &mut buffer).ok())
            .and_then(|length| buffer.get(..length))
            .and_then(NamespaceId::from_link);
        let Some(namespace) = namespace else {
            _ = files::close(fd);
            return None;
        };
        let fact = Fact::Fd(fd.cast_unsigned());
        self.began(fact, namespace, before);
        Some(Slot { fd, fact, namespace })
    }

    /// Finds out more of a namespace that it has just joined, and writes it down.
    pub(super) fn ask(&self, namespace_type: NamespaceType, before: u64) {
        let path =
            Path::new().text(b"/proc/thread-self/").text(namespace_type.proc_file().as_bytes());
        let Some(path) = path.as_c_str().filter(|_| self.own_files) else {
            return;
        };
        let Some(slot) = self.open(path, before) else {
            return;
        };
        let unique_id = files::unique_id(slot.fd).unwrap_or(0);
        let owner = files::owner(slot.fd).ok().and_then(|fd| self.opened(fd, before));
        let owner = owner.map_or(0, |owner| {
            self.close(owner);
            owner.namespace.inode()
        });
        self.close(slot);
        let (who, namespace) = (self.who, slot.namespace);
        if self.joined.get(namespace_type) == Some(namespace) {
            self.write(Entry::Asked { who, namespace, unique_id, owner });
        }
    }

    /// Closes an open file.
    pub(super) fn close(&self, slot: Slot) {
        _ = files::close(slot.fd);
        self.ceased(slot.fact, slot.namespace);
    }

    /// Whether the test wants no more, or is gone.
    pub(super) fn is_over(&self) -> bool {
        self.world.shared.has_stopped() || files::has_hung_up(self.world.life)
    }
}

/// A neighbour that is about to begin.
pub(super) struct First<'a> {
    task: Task<'a>,
    number: usize,
}

impl First<'_> {
    /// Lives, and never returns.
    pub(super) fn live_as_main(mut self, before: u64) -> ! {
        let world = self.task.world;
        let ready = files::close_range(0, world.life - 1)
            .and_then(|()| files::close_range(world.life + 1, i32::MAX))
            .and_then(|()| match world.privileged {
                true => Ok(()),
                false => crate::actor::id_map::new_user_namespace(crate::IdMap::Root),
            })
            .and_then(|()| self.task.be_born(before));
        if ready.is_err() {
            kernel::exit_process(1);
        }
        world.shared.main_is(self.number, self.task.pid);
        self.task.live(u32::MAX)
    }
}

impl Task<'_> {
    /// Is born in the place where its parent waits; ends if that fails.
    pub(super) fn be_born_in(&mut self, cradle: Cradle<'_>, before: u64) {
        if self.be_born(before).is_err() {
            cradle.failed();
            kernel::exit_process(1);
        }
        cradle.born(self.who);
    }
}
