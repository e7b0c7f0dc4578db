//! A process on a command line, and the PID namespace in which its PID is meant.

use anyhow::anyhow;
use lxkns_model::{Process, Snapshot};
use lxkns_pidmap::PidMap;
use lxkns_species::Pid;

use super::NamespaceArg;

/// A process, as somebody named it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PidArg {
    /// The process with this PID
    #[arg(short, long, value_name = "PID")]
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
            let process = snapshot.process(pid);
            return Ok(Some(
                process.ok_or_else(|| anyhow!("there is no process {pid}"))?,
            ));
        };
        let namespace = namespace.find_pid_namespace(snapshot, live, "--ns")?;
        let process = PidMap::new(snapshot).process(pid, namespace.id());
        let missing = || anyhow!("there is no process {pid} in {}", namespace.id());
        Ok(Some(process.ok_or_else(missing)?))
    }
}
