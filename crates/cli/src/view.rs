//! What a tool has looked at: the frame through which all tools run tells what that does not show.

use lxkns_model::Snapshot;

use crate::args::noise::Volume;
use crate::failure::Exit;
use crate::notes;

/// The exit status of a partial view, with `--strict`.
const PARTIAL: u8 = 4;

/// The snapshots that the output of a tool comes from, and how the tool ends.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// Each with whether it is of this machine, as it is now.
    snapshots: Vec<(Snapshot, bool)>,
    /// Whether a partial view is a failure.
    strict: bool,
    /// The exit status where the view is complete, or that makes no difference.
    code: u8,
}

impl View {
    /// The tool has not looked at any snapshot.
    pub(crate) fn of_nothing() -> View {
        View::default()
    }

    /// A tool has looked at this.
    pub(crate) fn of(snapshot: Snapshot, live: bool, strict: bool) -> View {
        View { snapshots: vec![(snapshot, live)], strict, code: 0 }
    }

    /// And at this.
    pub(crate) fn and(mut self, snapshot: Snapshot, live: bool) -> View {
        self.snapshots.push((snapshot, live));
        self
    }

    /// The tool ends with this exit status.
    pub(crate) fn ending_with(self, code: u8) -> View {
        View { code, ..self }
    }

    /// Tells the gaps, and ends the tool.
    pub(crate) fn end(self, volume: Volume) -> anyhow::Result<()> {
        for (snapshot, live) in &self.snapshots {
            notes::tell(snapshot, *live, volume);
        }
        let is_partial = || self.snapshots.iter().any(|(snapshot, _)| notes::is_partial(snapshot));
        match self.code {
            _ if self.strict && is_partial() => Err(Exit::with(PARTIAL).into()),
            0 => Ok(()),
            code => Err(Exit::with(code).into()),
        }
    }
}
