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
use lxkns_model::{Diff, HeldBy, Namespace, Process, Snapshot};
use lxkns_species::NamespaceId;

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
    /// All that holds a namespace, foreign text escaped.
    fn holders(&self, namespace: Namespace<'_>) -> String {
        let all: Vec<String> = namespace.held_by().map(|it| self.named(it)).collect();
        if all.is_empty() { "nothing that can be seen".into() } else { all.join(", ") }
    }

    fn named(&self, held_by: HeldBy<'_>) -> String {
        let process = match held_by {
            HeldBy::Process(process) => Some(process),
            HeldBy::Holder(holder) => holder.pid().and_then(|pid| self.snapshot.process(pid)),
            HeldBy::Child(_) | HeldBy::Owned(_) => None,
        };
        match process.and_then(Process::comm) {
            Some(name) => format!("{held_by} ({name:?})"),
            None => held_by.to_string(),
        }
    }
}
