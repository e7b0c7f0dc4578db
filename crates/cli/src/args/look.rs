//! What to look at: this machine, or a snapshot of one.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use lxkns_discover::{Bpf, Options, ThreadCredentials, Tier, discover, thread_credentials};
use lxkns_model::{Part, Process, Snapshot};
use lxkns_ops::give_up_privileges;

use super::Strict;
use crate::document;
use crate::failure::Usage;
use crate::view::View;

/// What every process may rely on to be the kernel's.
const PROC: &str = "/proc";

/// Where a tool's facts come from.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "What to look at")]
pub(crate) struct Look {
    /// Show a saved snapshot instead of this machine: a file, or - for standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["tier", "bpf", "skip", "proc_root"])]
    pub(crate) input: Option<PathBuf>,

    /// Use no more of the kernel than this [default: the best]
    ///
    /// "proc" is /proc and visits to mount namespaces, and no BPF; "mounts" adds the calls that
    /// list mounts (Linux 6.12), "ids" the 64-bit namespace ids (Linux 6.18), "listns" the kernel's
    /// own list of namespaces (Linux 6.19). What this kernel or your privileges do not offer is
    /// never used. Every tier shows the same, a higher one may know more.
    #[arg(long, value_name = "TIER", value_parser = tiers())]
    tier: Option<Tier>,

    /// Whether to let a BPF iterator list the tasks
    #[arg(long, value_name = "WHEN", value_parser = bpf_uses(), default_value = "auto")]
    bpf: Bpf,

    /// Leave these out of the scan (comma-separated)
    ///
    /// Cheaper, but blind for what is left out. Each tool leaves out by itself what it does not
    /// show.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parts())]
    skip: Vec<Part>,

    /// Read the procfs that is mounted here
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    #[arg(default_value = PROC)]
    proc_root: PathBuf,

    #[command(flatten)]
    strict: Strict,
}

impl Look {
    /// Takes a snapshot with the options that the tool needs, or reads the one that was named.
    pub(crate) fn snapshot(&self, options: Options) -> anyhow::Result<Snapshot> {
        if let Some(path) = &self.input {
            return document::read(path);
        }
        if self.tier == Some(Tier::Proc) && self.bpf == Bpf::On {
            let text = "--tier proc leaves BPF out, --bpf on asks for it; drop one of them";
            return Err(Usage::new(text).into());
        }
        if self.proc_root.as_os_str() != PROC {
            // Whoever names the tree may have put anything there, such as links to others' files.
            give_up_privileges()?;
        }
        let mut options = options.bpf(self.bpf).proc_root(&self.proc_root);
        if let Some(tier) = self.tier {
            options = options.tier(tier);
        }
        for part in &self.skip {
            options = options.without(*part);
        }
        discover(&options).context("no namespaces without a procfs; name one with --proc-root")
    }

    /// What a tool has looked at that shows this snapshot.
    pub(crate) fn view(&self, snapshot: Snapshot) -> View {
        View::of(snapshot, self.is_live(), self.strict.strict)
    }

    /// Reads the credentials of all threads of a process but the main one.
    pub(crate) fn thread_credentials(
        &self,
        process: Process<'_>,
    ) -> Result<Vec<ThreadCredentials>, lxkns_discover::Error> {
        thread_credentials(&self.proc_root, process)
    }

    /// Whether it is this machine, as it is now, that is shown.
    pub(crate) fn is_live(&self) -> bool {
        self.input.is_none()
    }
}

fn tiers() -> impl TypedValueParser<Value = Tier> {
    let named = |name: String| Tier::ALL.into_iter().find(|tier| tier.name() == name);
    PossibleValuesParser::new(Tier::ALL.map(Tier::name))
        .try_map(move |name| named(name).ok_or("unknown tier"))
}

fn bpf_uses() -> impl TypedValueParser<Value = Bpf> {
    PossibleValuesParser::new(["auto", "on", "off"]).map(|name| match name.as_str() {
        "on" => Bpf::On,
        "off" => Bpf::Off,
        _ => Bpf::Auto,
    })
}

fn parts() -> impl TypedValueParser<Value = Part> {
    PossibleValuesParser::new(Part::ALL.map(Part::name)).try_map(|name| name.parse::<Part>())
}
