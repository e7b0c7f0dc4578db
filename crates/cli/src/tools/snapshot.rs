//! `lxkns snapshot`: everything, in the native snapshot format.

use lxkns_discover::Options;
use lxkns_model::wire::Layout;

use super::Run;
use super::dumpns::refuse_to_filter_a_document;
use crate::args::noise::Volume;
use crate::args::{Filter, Look, Noise, Show};
use crate::document;
use crate::view::View;

/// What `lxkns snapshot` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Snapshot {
    /// Print without any blanks
    #[arg(long)]
    compact: bool,

    /// Print one object per line
    #[arg(long, conflicts_with = "compact")]
    jsonl: bool,

    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    noise: Noise,
}

impl Run for Snapshot {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        None
    }

    fn run(self) -> anyhow::Result<View> {
        refuse_to_filter_a_document(&self.look, &self.filter)?;
        let options = Options::everything().types(self.filter.types());
        let snapshot = self.look.snapshot(options)?;
        match (self.jsonl, self.compact) {
            (true, _) => document::snapshot_lines(&snapshot)?,
            (_, true) => document::snapshot(&snapshot, Layout::Compact)?,
            _ => document::snapshot(&snapshot, Layout::Spaces(2))?,
        }
        Ok(self.look.view(snapshot))
    }
}
