//! Namespaces that are held in known ways, and letting go of them.

use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lxkns_it::scan;
use lxkns_model::Snapshot;
use lxkns_model::why::{Action, Plan, Release, Step};
use lxkns_nstest::{Child, Dir, Script};
use lxkns_ops::{NamespaceFd, enter};
use lxkns_species::NamespaceId;
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Signal, kill_process};

/// So many scans may find something of somebody else's that is about to pass.
const PATIENCE: usize = 100;

/// Another test's scan would hold the namespaces of this one for a moment.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A namespace, and who holds it.
pub(crate) struct Held {
    pub(crate) child: Child,
    pub(crate) target: NamespaceId,
    unique_id: Option<u64>,
    /// Processes that may be killed (first), and who waits for them then.
    pub(crate) mortals: Vec<(&'static str, &'static str)>,
    /// Processes (first) that let go, or dead ones that are waited for, when this one goes on.
    pub(crate) others: Vec<(&'static str, &'static str)>,
    /// What the test itself holds.
    pub(crate) own: Option<File>,
    /// Where its mounts are.
    pub(crate) dir: Option<Dir>,
}

impl Held {
    pub(crate) fn new(script: Script, target: impl FnOnce(&Child) -> NamespaceId) -> Held {
        let child = script.spawn().unwrap();
        let target = target(&child);
        Held {
            child,
            target,
            unique_id: None,
            mortals: Vec::new(),
            others: Vec::new(),
            own: None,
            dir: None,
        }
    }

    fn is_there(&self, snapshot: &Snapshot) -> bool {
        snapshot.namespace(self.target).is_some_and(|found| {
            // Its inode may be somebody else's by now.
            self.unique_id.is_none() || found.unique_id() == self.unique_id
        })
    }

    /// The plan, as soon as it has this many steps, all of them for those whom we know.
    fn plan(&mut self, steps: usize) -> (Snapshot, Plan) {
        let mut last = None;
        for _ in 0..PATIENCE {
            let snapshot = scan();
            let why = snapshot.why(self.target).unwrap();
            self.unique_id = why.namespace.unique_id();
            let Release::After(plan) = &why.release else {
                panic!("{:?}", why.release);
            };
            let plan = plan.clone();
            if plan.steps.len() == steps && plan.unexplained.is_empty() {
                return (snapshot, plan);
            }
            last = Some(plan);
        }
        panic!("{steps} steps expected: {last:#?}");
    }

    /// Fails where something is unmounted that is not there, or still in use.
    fn carry_out(&mut self, step: &Step, snapshot: &Snapshot) -> rustix::io::Result<()> {
        let child = &mut self.child;
        let labelled = |list: &[(&'static str, &'static str)], pid| {
            let found = list.iter().find(|(label, _)| child.pid_of(label) == pid);
            found.map(|(_, other)| *other)
        };
        match &step.action {
            Action::End { pid, .. } => {
                let reaper = labelled(&self.mortals, *pid).unwrap();
                let pid = rustix::process::Pid::from_raw(pid.0.cast_signed()).unwrap();
                kill_process(pid, Signal::KILL).unwrap();
                child.proceed_at(reaper).unwrap();
            }
            Action::LetGo { pid, .. } | Action::Reap { pid, .. } => {
                match labelled(&self.others, *pid) {
                    Some(label) => child.proceed_at(label).unwrap(),
                    None => drop(self.own.take().unwrap()),
                }
            }
            Action::Unmount { mount_namespace, path, .. } => {
                let dir = self.dir.as_ref().unwrap();
                assert!(path.as_bytes().starts_with(dir.path().as_os_str().as_encoded_bytes()));
                let there = snapshot.namespace(mount_namespace.unwrap()).unwrap();
                let there = there.path().unwrap();
                let there = NamespaceFd::at_path(there.to_str().unwrap()).unwrap();
                let done =
                    enter::run(&[&there], || unmount(path.as_bytes(), UnmountFlags::empty()));
                done.unwrap()?;
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}

/// Builds, and carries out the plan, once for each step that comes last.
/// In this order, each step works.
#[track_caller]
pub(crate) fn check_in_order(steps: usize, build: impl Fn() -> Held) {
    {
        let _alone = alone();
        let mut held = build();
        let (snapshot, plan) = held.plan(steps);
        for step in &plan.steps {
            assert!(held.is_there(&scan()), "gone before {step:?}");
            held.carry_out(step, &snapshot).unwrap();
        }
        let is_gone = (0..PATIENCE).any(|_| !held.is_there(&scan()));
        assert!(is_gone, "still there: {:#?}", scan().why(held.target));
    }
    check(steps, build);
}

#[track_caller]
pub(crate) fn check(steps: usize, build: impl Fn() -> Held) {
    let _alone = alone();
    for last in 0..steps {
        let mut held = build();
        let (snapshot, plan) = held.plan(steps);
        assert!(plan.is_least, "{plan:#?}");
        assert_eq!(plan.gone.last(), Some(&held.target));
        let (before, rest) = plan.steps.split_at(last);
        let (last, after) = rest.split_first().unwrap();
        // What has to come first is missing for some.
        let mut failed = Vec::new();
        for step in before.iter().chain(after) {
            if held.carry_out(step, &snapshot).is_err() {
                failed.push(step);
            }
        }
        assert!(held.is_there(&scan()), "gone without {last:?}");
        for step in std::iter::once(last).chain(failed) {
            held.carry_out(step, &snapshot).unwrap();
        }
        let is_gone = (0..PATIENCE).any(|_| !held.is_there(&scan()));
        assert!(is_gone, "still there: {:#?}", scan().why(held.target));
    }
}
