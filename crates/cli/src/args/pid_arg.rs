//! A process on a command line, and the PID namespace in which its PID is meant.

use anyhow::anyhow;
use lxkns_model::{Missing, Part, Process, Reason, Snapshot, Text};
use lxkns_pidmap::PidMap;
use lxkns_species::{NamespaceType, Pid};

use super::NamespaceArg;

/// A process, as somebody named it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PidArg {
    /// The process with this PID
    #[arg(short, long, value_name = "PID", value_parser = pid)]
    pub(crate) pid: Option<Pid>,

    /// The PID namespace in which that PID is meant [default: the one of the scan]
    #[arg(short, long, value_name = "ID|pid:[ID]", requires = "pid")]
    pub(crate) ns: Option<NamespaceArg>,
}

impl PidArg {
    /// The process, if one was named.
    pub(crate) fn find<'s>(
        &self,
        snapshot: &'s Snapshot,
        live: bool,
    ) -> anyhow::Result<Option<Process<'s>>> {
        let Some(pid) = self.pid else {
            return Ok(None);
        };
        let Some(namespace) = &self.ns else {
            return known_process(snapshot, pid).map(Some);
        };
        let namespace = namespace.find_pid_namespace(snapshot, live, "--ns")?;
        let process = PidMap::new(snapshot).process(pid, namespace.id());
        let missing = || anyhow!("there is no process {pid} in {}", namespace.id());
        Ok(Some(process.ok_or_else(missing)?))
    }
}

/// Reads a PID. No process has 0.
pub(crate) fn pid(text: &str) -> Result<Pid, &'static str> {
    let read = text.parse().ok().filter(|pid| *pid != Pid(0));
    read.ok_or("a PID is a positive number")
}

/// The process with a PID as the scan saw it.
pub(crate) fn known_process(snapshot: &Snapshot, pid: Pid) -> anyhow::Result<Process<'_>> {
    let process = snapshot.process(pid);
    process.ok_or_else(|| anyhow!("there is no process {pid}"))
}

/// Why nothing is known of the namespace of this type, or of any, of a process.
pub(crate) fn unread(
    snapshot: &Snapshot,
    process: Process<'_>,
    namespace_type: Option<NamespaceType>,
) -> anyhow::Error {
    let pid = process.pid();
    let what = match namespace_type {
        Some(namespace_type) => format!("the {namespace_type} namespace of process {pid}"),
        None => format!("the namespaces of process {pid}"),
    };
    let scope = snapshot.scope();
    let types = scope.types;
    if !scope.parts.contains(Part::Processes)
        || namespace_type.is_some_and(|namespace_type| !types.contains(namespace_type))
    {
        return anyhow!("{what} was not looked for");
    }
    if matches!(process.state(), Some('Z' | 'X')) && !process.threads().is_empty() {
        return anyhow!("{what} cannot be told: its main thread has ended, others have not");
    }
    if matches!(process.state(), Some('Z' | 'X')) {
        return anyhow!("{what} cannot be told: it has ended, and waits for its parent to notice");
    }
    match why_unread(snapshot, process) {
        Some(why) => anyhow!("{what} could not be read ({why})"),
        None => anyhow!("{what} could not be read"),
    }
}

fn why_unread<'s>(snapshot: &'s Snapshot, process: Process<'_>) -> Option<&'s Reason> {
    let gaps = snapshot.gaps().iter();
    let mut gaps = gaps.filter(|gap| gap.what == Missing::ProcessNamespaces);
    let named = format!("pid {}", process.pid());
    let is_named = |example: &Text| example.as_bytes() == named.as_bytes();
    let of_it = gaps.clone().find(|gap| gap.examples.iter().any(is_named));
    // A gap names only a few. If all have the same reason, so has this one.
    let of_all = || {
        let first = gaps.next()?;
        // The PID namespace may be known from the PIDs alone.
        let has_no_link =
            process.joined().iter().all(|id| id.namespace_type() == NamespaceType::Pid);
        (gaps.next().is_none() && has_no_link).then_some(first)
    };
    of_it.or_else(of_all).map(|gap| &gap.why)
}

#[test]
fn pids_are_read() {
    assert_eq!(pid("812"), Ok(Pid(812)));
    for text in ["0", "-1", "", "x", "4294967296"] {
        assert!(pid(text).is_err(), "{text:?}");
    }
}
