//! A process on a command line, and the PID namespace in which its PID is meant.

use anyhow::{anyhow, bail};
use lxkns_model::{Namespace, Process, Snapshot};
use lxkns_species::{NamespaceType, Pid};

use super::NamespaceArg;
use crate::failure::Usage;

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
        if let NamespaceArg::Id(id) = namespace
            && id.namespace_type() != NamespaceType::Pid
        {
            let text =
                format!("--ns takes a PID namespace, such as pid:[4026531836]; {id} is none");
            return Err(Usage::new(text).into());
        }
        let namespace = namespace.find(snapshot, live)?;
        if namespace.namespace_type() != NamespaceType::Pid {
            bail!("--ns takes a PID namespace; {} is none", namespace.id());
        }
        let process = snapshot
            .processes()
            .find(|process| pid_in(*process, namespace) == Some(pid));
        let missing = || anyhow!("there is no process {pid} in {}", namespace.id());
        Ok(Some(process.ok_or_else(missing)?))
    }
}

/// The PID of a process in a PID namespace; `None` if it has none there, or that is not known.
fn pid_in(process: Process<'_>, namespace: Namespace<'_>) -> Option<Pid> {
    // The last PID is that in the process's own namespace, the one before in that one's parent.
    let own = process.namespace(NamespaceType::Pid)?;
    let mut chain = std::iter::once(own).chain(own.ancestors());
    let above = chain.position(|ancestor| ancestor == namespace)?;
    process.pids()?.iter().rev().nth(above).copied()
}
