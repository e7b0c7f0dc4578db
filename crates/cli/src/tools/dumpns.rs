//! `dumpns`: everything, in the lxkns wire format.

use lxkns_discover::Options;
use lxkns_model::wire::Layout;

use super::Run;
use crate::args::noise::Volume;
use crate::args::{Filter, Look, Noise, Show};
use crate::document;
use crate::failure::Usage;
use crate::view::View;

/// What `dumpns` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Dumpns {
    /// Print without any blanks
    #[arg(short, long, conflicts_with_all = ["tab", "indent"])]
    compact: bool,

    /// Indent with tabs
    #[arg(short, long, conflicts_with = "indent")]
    tab: bool,

    /// Indent with so many spaces, at most 8
    #[arg(short, long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=8))]
    indent: u8,

    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    noise: Noise,
}

impl Run for Dumpns {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        None
    }

    fn run(self) -> anyhow::Result<View> {
        refuse_to_filter_a_document(&self.look, &self.filter)?;
        let layout = match (self.compact, self.tab) {
            (true, _) => Layout::Compact,
            (_, true) => Layout::Tab,
            _ => Layout::Spaces(self.indent),
        };
        let options = Options::everything().types(self.filter.types());
        let snapshot = self.look.snapshot(options)?;
        document::lxkns(&snapshot, layout)?;
        Ok(self.look.view(snapshot))
    }
}

/// A snapshot is printed as it was taken, or it would say that it looked for what it does not have.
pub(super) fn refuse_to_filter_a_document(look: &Look, filter: &Filter) -> Result<(), Usage> {
    if look.is_live() || filter.is_everything() {
        return Ok(());
    }
    Err(Usage::new(
        "--filter is for scanning this machine; a snapshot from --input is printed as it is",
    ))
}
