//! Whether something leaves namespaces behind: a guard for the tests of programs that make some.
//!
//! A namespace is easily leaked: by a process that was not ended, a file descriptor that a program
//! inherited, a mount that propagated. Nothing tells until some limit is reached. This guard takes
//! a snapshot when it begins and one when it ends, and names what has come in between, with those
//! who hold it. It cannot tell who made a namespace: on a machine where others make some at the
//! same time, theirs are named as well.

use std::fmt;
use std::thread;

use lxkns_model::diff::Ignore;
use lxkns_model::{Diff, Holder, Namespace, Process, Snapshot, Text};
use lxkns_species::{NamespaceId, Pid};

use crate::{Error, Options, discover};

/// So many scans in a row have to find a namespace: other scans open some for a moment, and what
/// has just ended takes a moment to be gone.
const SCANS: usize = 5;

/// A guard that watches for namespaces that are left behind.
///
/// ```no_run
/// use lxkns_discover::LeakCheck;
///
/// # fn start_and_stop_a_container() {}
/// #[test]
/// fn containers_leave_nothing_behind() {
///     let _guard = LeakCheck::start().unwrap();
///     start_and_stop_a_container();
/// }
/// ```
#[derive(Debug)]
pub struct LeakCheck {
    options: Options,
    /// Until the check has ended.
    before: Option<Snapshot>,
}

/// The namespaces that were left behind, and who holds them: `Display` names all.
#[derive(Clone, Debug)]
pub struct Leaks {
    snapshot: Snapshot,
    ids: Vec<NamespaceId>,
}

impl LeakCheck {
    /// Begins to watch, for namespaces of all types.
    ///
    /// # Errors
    ///
    /// As [`discover`].
    pub fn start() -> Result<LeakCheck, Error> {
        LeakCheck::start_with(&Options::everything())
    }

    /// Begins to watch for what these options find.
    ///
    /// # Errors
    ///
    /// As [`discover`].
    pub fn start_with(options: &Options) -> Result<LeakCheck, Error> {
        Ok(LeakCheck { before: Some(discover(options)?), options: options.clone() })
    }

    /// Ends the check.
    ///
    /// # Errors
    ///
    /// As [`discover`].
    pub fn end(mut self) -> Result<Leaks, Error> {
        let before = self.before.take();
        self.leaks_since(before.as_ref())
    }

    fn leaks_since(&self, before: Option<&Snapshot>) -> Result<Leaks, Error> {
        let mut scans = 1;
        loop {
            let snapshot = discover(&self.options)?;
            let ids = before.map_or_else(Vec::new, |before| added(before, &snapshot));
            if ids.is_empty() || scans == SCANS {
                return Ok(Leaks { snapshot, ids });
            }
            scans += 1;
        }
    }
}

/// What is in the second snapshot only. Two snapshots of one program are of one boot.
fn added(before: &Snapshot, after: &Snapshot) -> Vec<NamespaceId> {
    let ignore = Ignore { holders: true, leaders: true };
    let diff = Diff::between(before, after, ignore);
    diff.map_or_else(
        |_| Vec::new(),
        |diff| diff.added.iter().map(|namespace| namespace.id()).collect(),
    )
}

impl Drop for LeakCheck {
    /// Ends the check.
    ///
    /// # Panics
    ///
    /// If anything has leaked, unless the thread panics already, or [`LeakCheck::end`] was called.
    fn drop(&mut self) {
        let Some(before) = self.before.take() else {
            return;
        };
        if thread::panicking() {
            return;
        }
        match self.leaks_since(Some(&before)) {
            Ok(leaks) => assert!(leaks.is_empty(), "left behind:\n{leaks}"),
            Err(error) => panic!("cannot look for leaks: {error}"),
        }
    }
}

impl Leaks {
    /// Whether nothing has leaked.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The namespaces that have leaked, by type, then inode.
    pub fn namespaces(&self) -> impl Iterator<Item = Namespace<'_>> {
        let ids = self.ids.iter();
        ids.filter_map(|id| self.snapshot.namespace(*id))
    }

    /// The machine as it was when the check ended; [`Snapshot::why`] tells more.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for namespace in self.namespaces() {
            writeln!(f, "{}, held by {}", namespace.id(), self.holders(namespace))?;
        }
        Ok(())
    }
}

impl Leaks {
    /// Everybody who holds a namespace, foreign text escaped.
    fn holders(&self, namespace: Namespace<'_>) -> String {
        let members = namespace.processes().map(|it| self.process(it.pid()));
        let holders = namespace.holders().iter().map(|it| self.holder(it));
        let below = namespace.children().chain(namespace.owned());
        let below = below.map(|below| below.id().to_string());
        let all: Vec<String> = members.chain(holders).chain(below).collect();
        if all.is_empty() {
            return "nothing that can be seen".into();
        }
        all.join(", ")
    }

    fn process(&self, pid: Pid) -> String {
        match self.snapshot.process(pid).and_then(Process::comm) {
            Some(name) => format!("process {name:?} ({pid})"),
            None => format!("process {pid}"),
        }
    }

    fn holder(&self, holder: &Holder) -> String {
        let of = |pid: Pid| self.process(pid);
        let at = |path: &Text, mount_namespace: Option<NamespaceId>| match mount_namespace {
            Some(id) => format!("{path:?} in {id}"),
            None => format!("{path:?}"),
        };
        match holder {
            Holder::Thread { pid, tid } => format!("thread {tid} of {}", of(*pid)),
            Holder::PendingChildren { pid, .. } => format!("children to come of {}", of(*pid)),
            Holder::Fd { pid, fd, .. } => format!("fd {fd} of {}", of(*pid)),
            Holder::Socket { pid, fd, .. } => format!("socket {fd} of {}", of(*pid)),
            Holder::Tun { pid, fd, .. } => format!("tun device {fd} of {}", of(*pid)),
            Holder::InFlight { pid, fd, .. } => {
                format!("file in flight to fd {fd} of {}", of(*pid))
            }
            Holder::BindMount { mount_namespace, path } => {
                format!("the bind mount at {}", at(path, *mount_namespace))
            }
            Holder::ProcMount { mount_namespace, path } => {
                format!("the procfs at {}", at(path, *mount_namespace))
            }
            _ => "something unseen".into(),
        }
    }
}
