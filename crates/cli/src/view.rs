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
    snapshots: Vec<Seen>,
    /// Whether a partial view is a failure.
    strict: bool,
    /// The exit status where the view is complete, or that makes no difference.
    code: u8,
}

#[derive(Debug)]
struct Seen {
    snapshot: Snapshot,
    /// Whether it is of this machine, as it is now.
    live: bool,
    /// What to call it, if the tool has looked at others as well.
    name: Option<String>,
}

impl View {
    /// The tool has not looked at any snapshot.
    pub(crate) fn of_nothing() -> View {
        View::default()
    }

    /// A tool has looked at this.
    pub(crate) fn of(snapshot: Snapshot, live: bool, strict: bool) -> View {
        View { snapshots: vec![Seen { snapshot, live, name: None }], strict, code: 0 }
    }

    /// The tool has looked at several, each with whether it is live, and its name.
    pub(crate) fn of_several(
        snapshots: impl IntoIterator<Item = (Snapshot, bool, String)>,
        strict: bool,
    ) -> View {
        let seen = |(snapshot, live, name)| Seen { snapshot, live, name: Some(name) };
        View { snapshots: snapshots.into_iter().map(seen).collect(), strict, code: 0 }
    }

    /// The tool ends with this exit status.
    pub(crate) fn ending_with(self, code: u8) -> View {
        View { code, ..self }
    }

    /// Tells the gaps, and ends the tool.
    pub(crate) fn end(self, volume: Volume) -> anyhow::Result<()> {
        for Seen { snapshot, live, name } in &self.snapshots {
            notes::tell(snapshot, *live, name.as_deref(), volume);
        }
        let is_partial = || self.snapshots.iter().any(|seen| notes::is_partial(&seen.snapshot));
        match self.code {
            _ if self.strict && is_partial() => Err(Exit::with(PARTIAL).into()),
            0 => Ok(()),
            code => Err(Exit::with(code).into()),
        }
    }
}
