//! The test's handle on the processes and threads that carry out a script.

mod reports;

use std::io;
use std::os::fd::OwnedFd;
use std::process::Output;
use std::time::{Duration, Instant};

use lxkns_species::{NamespaceId, NamespaceType, Pid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal, WaitOptions};

use crate::actor;
use crate::error::Error;
use crate::namespaces::namespace_of;
use crate::plan::{Ends, Plan};
use crate::report::SIZE;
use crate::script::Script;
use crate::step::Step;

/// How long a child may take for what takes milliseconds.
const PATIENCE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// How long its processes may take to end once they are told to.
const PARTING: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// The processes and threads of one script, at rest between two steps of it.
///
/// Dropping it ends and reaps them all; they also end when the test process ends in whatever way.
/// All PIDs and TIDs are those of the test's own PID namespace, taken when the process or thread
/// began.
#[derive(Debug)]
pub struct Child {
    main: rustix::process::Pid,
    pidfd: OwnedFd,
    report: OwnedFd,
    /// The open file on which newborns leave their PID.
    cradle: OwnedFd,
    /// The children live until this is closed.
    life: Option<OwnedFd>,
    actors: Vec<Known>,
    files: Vec<((usize, usize), OwnedFd, OwnedFd)>,
    notes: Vec<(String, NamespaceId)>,
    outputs: Vec<(String, Output)>,
}

/// What the test knows of an actor.
#[derive(Debug)]
struct Known {
    label: String,
    steps: Vec<Step>,
    go: Option<OwnedFd>,
    /// More than one if the script starts copies.
    pids: Vec<Pid>,
}

impl Script {
    /// Starts the script in a child process and waits until that has reached its first
    /// [`pause`](Script::pause), or its end.
    ///
    /// # Errors
    ///
    /// The first step that failed, and then nothing of it remains.
    ///
    /// # Panics
    ///
    /// If two processes or threads of the script have the same label, or if copies are to pause.
    pub fn spawn(self) -> Result<Child, Error> {
        let (plan, ends) = Plan::of(self)?;
        let pid = actor::fork(&plan)?;
        let Some(main) = rustix::process::Pid::from_raw(pid) else {
            return Err(io::Error::other("fork returned no PID").into());
        };
        let Ends { report, life, cradle, go, outputs, only_for_child } = ends;
        drop(only_for_child);
        let pidfd = match rustix::process::pidfd_open(main, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(errno) => {
                drop(life); // It sees this and ends.
                _ = rustix::process::waitpid(Some(main), WaitOptions::empty());
                return Err(io::Error::from(errno).into());
            }
        };
        let actors = plan
            .actors
            .into_iter()
            .zip(go)
            .map(|(actor, go)| Known {
                label: actor.label,
                steps: actor.steps,
                go,
                pids: Vec::new(),
            })
            .collect();
        let mut child = Child {
            main,
            pidfd,
            report,
            cradle,
            life: Some(life),
            actors,
            files: outputs,
            notes: Vec::new(),
            outputs: Vec::new(),
        };
        child.wait_for(0)?;
        Ok(child)
    }
}

impl Child {
    /// The PID of the process that the script began with.
    pub fn pid(&self) -> Pid {
        Pid(self.main.as_raw_nonzero().get().cast_unsigned())
    }

    /// The PID of the process, or the TID of the thread, with this label; of copies, the first.
    ///
    /// # Panics
    ///
    /// If there is none, or if it has not begun yet.
    #[track_caller]
    pub fn pid_of(&self, label: &str) -> Pid {
        match self.pids_of(label).first() {
            Some(pid) => *pid,
            None => panic!("{label:?} has not begun yet"),
        }
    }

    /// The PIDs of all copies with this label, in the order of their birth.
    ///
    /// # Panics
    ///
    /// If the script has no such label.
    #[track_caller]
    pub fn pids_of(&self, label: &str) -> &[Pid] {
        match self.actors.iter().find(|actor| actor.label == label) {
            Some(actor) => &actor.pids,
            None => panic!("no process or thread is labelled {label:?}"),
        }
    }

    /// The namespace of this type that the first process is in now.
    ///
    /// # Panics
    ///
    /// If it cannot be read.
    #[track_caller]
    pub fn namespace(&self, ns_type: NamespaceType) -> NamespaceId {
        namespace_of(self.pid(), ns_type)
    }

    /// The namespace of this type that the process or thread with this label is in now.
    ///
    /// # Panics
    ///
    /// If there is none, or if its namespace cannot be read.
    #[track_caller]
    pub fn namespace_of(&self, label: &str, ns_type: NamespaceType) -> NamespaceId {
        namespace_of(self.pid_of(label), ns_type)
    }

    /// What a [`note`](Script::note) step has noted.
    ///
    /// # Panics
    ///
    /// If it has noted nothing yet.
    #[track_caller]
    pub fn noted(&self, label: &str) -> NamespaceId {
        match self.notes.iter().find(|(known, _)| known == label) {
            Some((_, id)) => *id,
            None => panic!("nothing is noted as {label:?}"),
        }
    }

    /// How a program that a [`run`](Script::run) step ran ended, and what it printed.
    ///
    /// # Panics
    ///
    /// If it has not run yet.
    #[track_caller]
    pub fn output(&self, label: &str) -> &Output {
        match self.outputs.iter().find(|(known, _)| known == label) {
            Some((_, output)) => output,
            None => panic!("nothing has run as {label:?}"),
        }
    }

    /// Lets the first process go on after a pause, until its next pause or its end.
    ///
    /// # Errors
    ///
    /// The first step that failed.
    pub fn proceed(&mut self) -> Result<(), Error> {
        self.proceed_with(0)
    }

    /// Lets the process or thread with this label go on after a pause.
    ///
    /// # Errors
    ///
    /// The first step that failed.
    ///
    /// # Panics
    ///
    /// If there is none that pauses.
    #[track_caller]
    pub fn proceed_at(&mut self, label: &str) -> Result<(), Error> {
        match self.actors.iter().position(|actor| actor.label == label) {
            Some(number) => self.proceed_with(number),
            None => panic!("no process or thread is labelled {label:?}"),
        }
    }

    #[track_caller]
    fn proceed_with(&mut self, number: usize) -> Result<(), Error> {
        match self.actors.get(number).and_then(|actor| actor.go.as_ref()) {
            Some(go) => rustix::io::write(go, &[1]).map_err(io::Error::from)?,
            None => panic!("that one never pauses"),
        };
        self.wait_for(number)
    }

    /// Ends all processes and threads, and waits until they are gone. Dropping does the same.
    pub fn finish(self) {}
}

impl Drop for Child {
    fn drop(&mut self) {
        self.life = None;
        self.actors.clear();
        // Every process and thread holds the other end while it lives.
        let deadline = Instant::now() + Duration::from_secs(PARTING.tv_sec.cast_unsigned());
        let mut fds = [PollFd::new(&self.report, PollFlags::IN)];
        let mut bytes = [0; SIZE];
        while Instant::now() < deadline
            && retry(|| poll(&mut fds, Some(&PARTING))).is_ok_and(|ready| ready > 0)
            && retry(|| rustix::io::read(&self.report, &mut bytes)).is_ok_and(|length| length > 0)
        {
        }
        // It has ended by itself, unless it is stuck.
        _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        _ = retry(|| rustix::process::waitpid(Some(self.main), WaitOptions::empty()));
    }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return other.map_err(io::Error::from),
        }
    }
}
