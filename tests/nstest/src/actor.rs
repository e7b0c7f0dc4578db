//! The life of a child: what a forked process, and every process and thread that it starts, does
//! from birth to death.
//!
//! Nothing below here allocates, locks, panics or unwinds; everything needed was prepared in the
//! [`Plan`]. Only one actor acts at a time: whoever starts another waits until that one is quiet.
//! So errors have an order, and thread-local memory, which our threads share, is not fought over.

pub(crate) mod files;
pub(crate) mod id_map;
pub(crate) mod kernel;
mod steps;

use std::ffi::{c_int, c_void};
use std::os::fd::RawFd;

use crate::plan::{Actor, Plan};
use crate::report::{Report, What};
use crate::step::Kind;
pub(crate) use kernel::owner;
use kernel::{Errno, Result};

/// How an actor tells the one that started it to go on.
#[derive(Clone, Copy)]
enum Starter {
    /// Nobody waits.
    Nobody,
    /// Another process, at the other end of this pipe.
    Process(RawFd),
    /// Another thread, on the flag in the actor's plan.
    Thread,
}

/// Forks a process that carries out the plan. Returns its PID to the caller, and never in the
/// child.
pub(crate) fn fork(plan: &Plan) -> std::io::Result<i32> {
    match kernel::fork() {
        Ok(0) => {
            if prepare(plan).is_err() {
                kernel::exit_process(1);
            }
            Life::of(plan, 0, Starter::Nobody).live()
        }
        Ok(pid) => Ok(pid),
        Err(Errno(errno)) => Err(std::io::Error::from_raw_os_error(errno)),
    }
}

/// Drops what the first process has inherited by accident: other tests' fds above all, which would
/// keep alive what they believe gone.
fn prepare(plan: &Plan) -> Result {
    for standard in 0..=2 {
        files::duplicate_for_exec(plan.null, standard)?;
    }
    let mut next = 3;
    for kept in &plan.kept {
        if *kept > next {
            files::close_range(next, kept - 1)?;
        }
        next = kept + 1;
    }
    files::close_range(next, RawFd::MAX)?;
    // Mount namespaces get their ids in batches per CPU; with older ids for newer namespaces,
    // bind-mounting one inside another fails (Linux 6.18).
    rustix::thread::sched_setaffinity(None, &plan.one_cpu).map_err(|e| Errno(e.raw_os_error()))
}

/// One actor at work.
struct Life<'a> {
    plan: &'a Plan,
    number: usize,
    actor: &'a Actor,
    starter: Starter,
    /// The step that it is at.
    step: usize,
}

impl<'a> Life<'a> {
    fn of(plan: &'a Plan, number: usize, starter: Starter) -> Life<'a> {
        match plan.actors.get(number) {
            Some(actor) => Life { plan, number, actor, starter, step: 0 },
            None => kernel::exit_process(1),
        }
    }

    fn live(mut self) -> ! {
        self.be_born();
        for (number, step) in self.actor.steps.iter().enumerate() {
            self.step = number;
            if let Err(error) = self.carry_out(step) {
                self.fail(error);
            }
        }
        if self.actor.kind == Kind::Errand {
            kernel::exit_process(0);
        }
        self.be_quiet();
        files::wait_for_hang_up(self.plan.life);
        self.leave()
    }

    fn report(&self, what: What, value: i32) {
        self.send(Report::new(what, self.number, self.step, value));
    }

    fn send(&self, report: Report) {
        if files::write(self.plan.report, &report.to_bytes()).is_err() {
            kernel::exit_process(1); // The test is gone.
        }
    }

    fn fail(&self, Errno(errno): Errno) -> ! {
        self.report(What::Failed, errno);
        kernel::exit_process(1)
    }

    /// Lets the test find out the PID, whatever PID namespace this is.
    fn be_born(&self) {
        if let Err(error) = kernel::own(self.plan.life) {
            self.fail(error);
        }
        self.report(What::Born, 0);
        match files::read_byte(self.plan.life) {
            Ok(true) => {}
            _ => self.leave(),
        }
    }

    /// Tells the test and the starter that nothing happens here for now.
    fn be_quiet(&mut self) {
        self.report(What::Quiet, 0);
        self.let_starter_go_on();
    }

    fn let_starter_go_on(&mut self) {
        match std::mem::replace(&mut self.starter, Starter::Nobody) {
            Starter::Nobody => {}
            Starter::Process(pipe) => {
                // The byte, because a copy of this fd may live on in a thread with its own table.
                _ = files::write(pipe, &[1]);
                _ = files::close(pipe);
            }
            Starter::Thread => kernel::set(&self.actor.quiet),
        }
    }

    fn pause(&mut self) {
        self.be_quiet();
        match self.actor.go.map(files::read_byte) {
            Some(Ok(true)) => {}
            _ => self.leave(),
        }
    }

    /// Ends because the test let go. Waits for children, so that nothing outlives the first
    /// process.
    fn leave(&self) -> ! {
        while kernel::reap(-1).is_ok() {}
        match self.actor.kind {
            Kind::Thread => kernel::exit_thread(),
            Kind::Process | Kind::Sharer | Kind::Errand => kernel::exit_process(0),
        }
    }

    fn start_process(&mut self, number: usize) -> Result {
        let (read, write) = files::pipe()?;
        let read = files::lift(read, self.plan.free_fd())?;
        let write = files::lift(write, self.plan.free_fd())?;
        if kernel::fork()? == 0 {
            _ = files::close(read);
            if let Starter::Process(pipe) = self.starter {
                _ = files::close(pipe);
            }
            let child = Life::of(self.plan, number, Starter::Process(write));
            for (other, actor) in self.plan.actors.iter().enumerate() {
                if !(number..child.actor.end).contains(&other) {
                    Plan::fds_of(actor).for_each(|fd| _ = files::close(fd));
                }
            }
            child.live()
        }
        files::close(write)?;
        // End of file is as good as the byte: it has died, and the test knows.
        files::read_byte(read)?;
        files::close(read)
    }

    fn start_sharer(&mut self, number: usize) -> Result {
        let (read, write) = files::pipe()?;
        let read = files::lift(read, self.plan.free_fd())?;
        let write = files::lift(write, self.plan.free_fd())?;
        if kernel::fork_sharing_fds()? == 0 {
            // Whatever it closes is closed for both.
            Life::of(self.plan, number, Starter::Process(write)).live()
        }
        files::read_byte(read)?;
        files::close(read)
    }

    fn run_errand(&mut self, number: usize) -> Result {
        let pid = kernel::fork_sharing_fds()?;
        if pid == 0 {
            Life::of(self.plan, number, Starter::Nobody).live()
        }
        // If it has failed, it has told the test so.
        kernel::reap(pid).map(drop)
    }

    #[expect(unsafe_code, reason = "starting a thread without the standard library")]
    fn start_thread(&mut self, number: usize) -> Result {
        let Some(actor) = self.plan.actors.get(number) else {
            return Err(Errno(libc::EINVAL));
        };
        let argument = Birth { plan: self.plan, number };
        let pointer = (&raw const argument).cast_mut().cast();
        // SAFETY: each actor has a stack of its own that lives in the plan, for as long as this
        // process, and each thread is started once; `argument` lives until the thread is quiet,
        // after having copied it. The two never act at the same time.
        unsafe { kernel::start_thread(actor.stack_top(), thread_body, pointer) }?;
        kernel::wait_until_set(&actor.quiet);
        Ok(())
    }
}

/// What a new thread has to know.
struct Birth<'a> {
    plan: &'a Plan,
    number: usize,
}

#[expect(unsafe_code, reason = "the argument of a thread without the standard library")]
extern "C" fn thread_body(argument: *mut c_void) -> c_int {
    // SAFETY: the starter keeps it alive until this thread is quiet.
    let birth = unsafe { &*argument.cast::<Birth<'_>>() };
    Life::of(birth.plan, birth.number, Starter::Thread).live()
}
