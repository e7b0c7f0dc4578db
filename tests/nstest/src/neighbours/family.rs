//! Children and threads: how they begin, what they are there for, and how they end.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use lxkns_species::Pid;

use super::deeds;
use super::diary::Cradle;
use super::entry::Entry;
use super::own::Path;
use super::task::{Child, Role, Task, Thread};
use crate::actor::{files, kernel};

/// Between two deeds, so that the machine is left some time for others.
const BREATH: i64 = 150_000;

impl Task<'_> {
    /// Does so many things, and ends.
    pub(super) fn live(mut self, budget: u32) -> ! {
        let mut left = budget;
        while left > 0 && !self.is_over() {
            deeds::one(&mut self);
            kernel::sleep(BREATH);
            if budget != u32::MAX {
                left -= 1;
            }
        }
        self.leave()
    }

    /// Ends, after all that it has started.
    fn leave(mut self) -> ! {
        self.unmount_all();
        while self.threads.iter().any(Option::is_some) {
            self.look_after_threads();
            kernel::sleep(BREATH);
        }
        self.end_children(false);
        self.end_children(true);
        match self.is_thread {
            true => kernel::exit_thread(),
            false => kernel::exit_process(0),
        }
    }

    /// Starts a child; `pid` if it is to have this one.
    pub(super) fn fork(&mut self, role: Role, pid: Option<i32>) -> Option<Child> {
        if !self.children.iter().any(Option::is_none) {
            return None;
        }
        let before = self.world.shared.begin();
        let child = self.fork_within(role, pid, before);
        self.world.shared.end();
        child
    }

    /// As [`Task::fork`], where the flag is up already.
    pub(super) fn fork_within(
        &mut self,
        role: Role,
        pid: Option<i32>,
        before: u64,
    ) -> Option<Child> {
        let chance = self.chance.split();
        let cradle = self.world.shared.cradle();
        let forked = match pid {
            Some(pid) => kernel::fork_as(pid),
            None => kernel::fork(),
        };
        if forked == Ok(0) {
            self.newborn(chance).begin(role, cradle, before);
        }
        let Ok(pid) = forked else {
            cradle.leave();
            return None;
        };
        let Some(who) = cradle.wait() else {
            _ = kernel::reap(pid);
            return None;
        };
        let child = Child { pid, who, role, is_zombie: false };
        if let Some(place) = self.children.iter_mut().find(|place| place.is_none()) {
            *place = Some(child);
        }
        Some(child)
    }

    fn begin(mut self, role: Role, cradle: Cradle<'_>, before: u64) -> ! {
        self.is_thread = false;
        self.be_born_in(cradle, before);
        match role {
            Role::Sleeper | Role::Init => {
                files::wait_for_hang_up(self.world.life);
                kernel::exit_process(0)
            }
            Role::Mayfly => {
                if self.chance.once_in(2) {
                    deeds::unshare_something(&mut self);
                }
                kernel::exit_process(0)
            }
            Role::Active(budget) => self.live(budget),
            Role::Headless => match self.start_thread(true) {
                Some(()) => {
                    kernel::set(&self.world.headless);
                    kernel::exit_thread()
                }
                None => kernel::exit_process(0),
            },
        }
    }

    /// Lets the children that have ended be zombies for a while, and then go.
    pub(super) fn look_after_children(&mut self) {
        for place in 0..self.children.len() {
            let Some(mut child) = self.children.get(place).copied().flatten() else {
                continue;
            };
            if !child.is_zombie {
                if has_ended(child.pid, libc::WNOHANG) {
                    self.has_died(&mut child, place);
                }
            } else if self.chance.once_in(3) {
                self.reap(child, place);
            }
        }
    }

    /// Kills one that never does anything.
    pub(super) fn kill_a_sleeper(&mut self) {
        let is_sleeper = |child: &Option<Child>| {
            child.is_some_and(|child| child.role == Role::Sleeper && !child.is_zombie)
        };
        let Some(place) = self.children.iter().position(is_sleeper) else {
            return;
        };
        if let Some(mut child) = self.children.get(place).copied().flatten() {
            kernel::kill(child.pid);
            if has_ended(child.pid, 0) {
                self.has_died(&mut child, place);
            }
        }
    }

    fn has_died(&mut self, child: &mut Child, place: usize) {
        self.world.shared.begin();
        let (who, at) = (child.who, self.world.shared.tick());
        self.write(Entry::Died { who, at });
        self.world.shared.end();
        child.is_zombie = true;
        if let Some(place) = self.children.get_mut(place) {
            *place = Some(*child);
        }
    }

    /// Waits for the end of a child, and lets it go.
    pub(super) fn reap(&mut self, child: Child, place: usize) {
        _ = kernel::reap(child.pid);
        self.has_gone(child.who);
        if let Some(place) = self.children.get_mut(place) {
            *place = None;
        }
    }

    fn has_gone(&self, who: u32) {
        self.world.shared.begin();
        let at = self.world.shared.tick();
        self.write(Entry::Gone { who, at });
        self.world.shared.end();
    }

    /// Waits for all children; the first processes of PID namespaces go last, if at all.
    fn end_children(&mut self, with_inits: bool) {
        for place in 0..self.children.len() {
            let Some(child) = self.children.get(place).copied().flatten() else {
                continue;
            };
            match child.role {
                Role::Init if !with_inits => continue,
                Role::Init | Role::Sleeper => kernel::kill(child.pid),
                Role::Mayfly | Role::Active(_) | Role::Headless => {}
            }
            self.reap(child, place);
        }
    }

    /// Starts a thread.
    #[expect(unsafe_code, reason = "starting a thread without the standard library")]
    pub(super) fn start_thread(&mut self, ends_process: bool) -> Option<()> {
        let taken = |stack: usize| {
            let threads = self.threads.iter().flatten();
            threads.into_iter().any(|thread| thread.stack == stack)
        };
        let free = (0..self.world.stacks.len()).find(|stack| !taken(*stack))?;
        let stack = self.world.stacks.get(free)?;
        let own_files = ends_process || self.chance.once_in(2);
        let before = self.world.shared.begin();
        let cradle = self.world.shared.cradle();
        let mut task = self.newborn(self.chance);
        self.chance.split();
        task.is_thread = true;
        task.of = self.who;
        task.own_files = own_files;
        let birth = Birth {
            task: Cell::new(Some(task)),
            cradle,
            before,
            ends_process,
            tid: AtomicU32::new(0),
        };
        let argument = (&raw const birth).cast_mut().cast();
        // SAFETY: nobody else uses that stack; `birth` lives until the thread has taken all out of
        // it, and the world as long as the process. Thread-local memory holds nothing of worth.
        let started = unsafe { kernel::start_thread(stack.top(), thread_body, argument) };
        let born = match started {
            Ok(()) => cradle.wait(),
            Err(_) => {
                cradle.leave();
                None
            }
        };
        self.world.shared.end();
        let who = born?;
        let thread = Thread { tid: Pid(birth.tid.load(Ordering::SeqCst)), who, stack: free };
        if let Some(place) = self.threads.iter_mut().find(|place| place.is_none()) {
            *place = Some(thread);
        }
        Some(())
    }

    /// Notices which threads are gone.
    pub(super) fn look_after_threads(&mut self) {
        for place in 0..self.threads.len() {
            let Some(thread) = self.threads.get(place).copied().flatten() else {
                continue;
            };
            let path = Path::new().text(b"/proc/self/task/").number(thread.tid.0);
            let there = path.as_c_str().is_some_and(files::exists);
            if !there {
                self.has_gone(thread.who);
                if let Some(place) = self.threads.get_mut(place) {
                    *place = None;
                }
            }
        }
    }
}

/// What a new thread has to know.
struct Birth<'a> {
    task: Cell<Option<Task<'a>>>,
    cradle: Cradle<'a>,
    before: u64,
    ends_process: bool,
    /// Filled in by the thread: as the procfs tells it.
    tid: AtomicU32,
}

#[expect(unsafe_code, reason = "the argument of a thread without the standard library")]
extern "C" fn thread_body(argument: *mut c_void) -> c_int {
    // SAFETY: the starter keeps it alive until this thread is born, and does not touch it before.
    let birth = unsafe { &*argument.cast::<Birth<'_>>() };
    let Some(mut task) = birth.task.take() else {
        kernel::exit_process(1);
    };
    let (cradle, ends_process) = (birth.cradle, birth.ends_process);
    if task.own_files && kernel::unshare(libc::CLONE_FILES.cast_unsigned()).is_err() {
        task.own_files = false;
    }
    if task.be_born(birth.before).is_err() {
        cradle.failed();
        kernel::exit_process(1);
    }
    birth.tid.store(task.tid.0, Ordering::SeqCst);
    cradle.born(task.who);
    if !ends_process {
        task.live(12);
    }
    for _ in 0..12 {
        if task.is_over() {
            break;
        }
        deeds::one(&mut task);
        kernel::sleep(BREATH);
    }
    task.unmount_all();
    kernel::wait_until_set(&task.world.headless);
    kernel::exit_process(0)
}

/// Whether a child has ended, which leaves it a zombie.
fn has_ended(pid: i32, flags: i32) -> bool {
    kernel::wait_for_end(pid, flags | libc::WEXITED | libc::WNOWAIT).unwrap_or(false)
}
