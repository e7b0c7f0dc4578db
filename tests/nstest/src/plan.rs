//! A script made ready to be carried out: its processes and threads in one list, and every fd and
//! stack that they will need, prepared before the fork.

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU32;

use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::pipe::PipeFlags;
use rustix::thread::CpuSet;

use crate::script::Script;
use crate::step::{Kind, Step};

/// The lowest fd number that is ours; below is the script's.
const LOWEST_FD: RawFd = 200;

/// Generous: only what is touched becomes memory.
const STACK_SIZE: usize = 256 * 1024;

/// One process or thread to be.
pub(crate) struct Actor {
    pub(crate) label: String,
    pub(crate) kind: Kind,
    pub(crate) steps: Vec<Step>,
    /// The actors from itself to here are those that it starts, and those that they start.
    pub(crate) end: usize,
    /// Where it waits while it pauses.
    pub(crate) go: Option<RawFd>,
    pub(crate) stack: Vec<u8>,
    /// A thread sets this to 1 when the one that started it may go on.
    pub(crate) quiet: AtomicU32,
}

impl Actor {
    pub(crate) fn stack_top(&self) -> *mut c_void {
        // Every ABI wants 16 bytes aligned; the callee only ever writes below.
        let top = self.stack.as_ptr_range().end.cast_mut();
        top.map_addr(|address| address & !15).cast()
    }
}

/// All that the child needs, the fds by number.
pub(crate) struct Plan {
    pub(crate) actors: Vec<Actor>,
    /// Write end of the pipe for reports.
    pub(crate) report: RawFd,
    /// Read end of the pipe whose end of file means: end yourself.
    pub(crate) life: RawFd,
    /// /dev/null.
    pub(crate) null: RawFd,
    /// The fds to survive the fork, ascending.
    pub(crate) kept: Vec<RawFd>,
    /// The CPUs of the test, and the one that the child runs on.
    pub(crate) cpus: CpuSet,
    pub(crate) one_cpu: CpuSet,
}

/// The test's own ends.
pub(crate) struct Ends {
    pub(crate) report: OwnedFd,
    pub(crate) life: OwnedFd,
    /// The child's end of the same pipe, by which a newborn tells its PID.
    pub(crate) cradle: OwnedFd,
    /// By actor.
    pub(crate) go: Vec<Option<OwnedFd>>,
    /// By actor and step.
    pub(crate) outputs: Vec<((usize, usize), OwnedFd, OwnedFd)>,
    /// What only the child needs; to be closed after the fork.
    pub(crate) only_for_child: Vec<OwnedFd>,
}

impl Plan {
    /// Prepares a script; panics where two of its parts have the same label, or copies pause.
    pub(crate) fn of(script: Script) -> io::Result<(Plan, Ends)> {
        let mut actors = Vec::new();
        add(script, "main", Kind::Process, &mut actors);
        check_labels(&actors);
        let mut only_for_child = Vec::new();
        let mut keep = |fd: OwnedFd| -> io::Result<RawFd> {
            let fd = rustix::io::fcntl_dupfd_cloexec(fd, LOWEST_FD)?;
            let number = fd.as_raw_fd();
            only_for_child.push(fd);
            Ok(number)
        };
        let (report_in, report_out) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let (life_in, life_out) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let cradle = life_in.try_clone()?;
        let (report, life, null) = (keep(report_out)?, keep(life_in)?, keep(null)?);

        let mut go = Vec::new();
        let mut outputs = Vec::new();
        for (index, actor) in actors.iter_mut().enumerate() {
            if actor.steps.iter().any(|step| matches!(step, Step::Pause)) {
                let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
                actor.go = Some(keep(read)?);
                go.push(Some(write));
            } else {
                go.push(None);
            }
            for (number, step) in actor.steps.iter_mut().enumerate() {
                if let Step::Run { output, .. } = step {
                    let stdout = rustix::fs::memfd_create("stdout", MemfdFlags::CLOEXEC)?;
                    let stderr = rustix::fs::memfd_create("stderr", MemfdFlags::CLOEXEC)?;
                    let (own_out, own_err) = (stdout.try_clone()?, stderr.try_clone()?);
                    outputs.push(((index, number), own_out, own_err));
                    *output = Some((keep(stdout)?, keep(stderr)?));
                }
            }
        }
        let cpus = rustix::thread::sched_getaffinity(None)?;
        let mut one_cpu = CpuSet::new();
        if let Some(lowest) = (0..CpuSet::MAX_CPU).find(|cpu| cpus.is_set(*cpu)) {
            one_cpu.set(lowest);
        }
        let mut kept: Vec<RawFd> = only_for_child.iter().map(AsRawFd::as_raw_fd).collect();
        kept.sort_unstable();
        let plan = Plan { actors, report, life, null, kept, cpus, one_cpu };
        let ends = Ends { report: report_in, life: life_out, cradle, go, outputs, only_for_child };
        Ok((plan, ends))
    }

    /// The fds that only this actor needs.
    pub(crate) fn fds_of(actor: &Actor) -> impl Iterator<Item = RawFd> {
        let outputs = actor.steps.iter().filter_map(|step| match step {
            Step::Run { output: Some((stdout, stderr)), .. } => Some([*stdout, *stderr]),
            _ => None,
        });
        actor.go.into_iter().chain(outputs.flatten())
    }

    /// An fd number above all prepared ones.
    pub(crate) fn free_fd(&self) -> RawFd {
        self.kept.last().map_or(LOWEST_FD, |last| last + 1)
    }
}

/// Adds a script and all that it starts, and tells its place in the list.
fn add(script: Script, label: &str, kind: Kind, actors: &mut Vec<Actor>) -> usize {
    let place = actors.len();
    let stack = match kind {
        Kind::Thread => vec![0; STACK_SIZE],
        Kind::Process | Kind::Sharer | Kind::Errand => Vec::new(),
    };
    actors.push(Actor {
        label: label.into(),
        kind,
        steps: Vec::new(),
        end: 0,
        go: None,
        stack,
        quiet: AtomicU32::new(0),
    });
    let places: Vec<usize> = script
        .parts
        .into_iter()
        .map(|part| add(part.script, &part.label, part.kind, actors))
        .collect();
    let end = actors.len();
    let mut steps = script.steps;
    for step in &mut steps {
        if let Step::Start { actor, copies } = step {
            *actor = places.get(*actor).copied().unwrap_or_default();
            let range = actors.get(*actor..).unwrap_or_default();
            let last = range.first().map_or(0, |first| first.end - *actor);
            let pauses = range
                .iter()
                .take(last)
                .any(|part| part.steps.iter().any(|step| matches!(step, Step::Pause)));
            let errand = range.first().is_some_and(|part| part.kind == Kind::Errand);
            assert!(!pauses || *copies == 1, "{copies} copies cannot pause");
            assert!(!pauses || !errand, "steps in a new namespace cannot pause");
        }
    }
    if let Some(actor) = actors.get_mut(place) {
        actor.steps = steps;
        actor.end = end;
    }
    place
}

/// A label is to name one process or thread; errands need no name.
fn check_labels(actors: &[Actor]) {
    let mut seen = BTreeSet::new();
    for actor in actors.iter().filter(|actor| actor.kind != Kind::Errand) {
        let label = &actor.label;
        assert!(seen.insert(label), "two processes or threads have the label {label:?}");
    }
}
