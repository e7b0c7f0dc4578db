//! How much to say on standard error.

/// What else a tool tells besides what it was asked for.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Notes")]
pub(crate) struct Noise {
    /// Name everything that could not be seen; twice: and how the scan went
    ///
    /// Without it, one line sums that up.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,

    /// Say nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
}

/// How much a tool tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Volume {
    /// Errors only.
    Quiet,
    /// And one line on what is missing from a view.
    Normal,
    /// And everything that is missing.
    Verbose,
    /// And what the libraries have to say.
    Trace,
}

impl Noise {
    pub(crate) fn volume(self) -> Volume {
        match (self.quiet, self.verbose) {
            (true, _) => Volume::Quiet,
            (_, 0) => Volume::Normal,
            (_, 1) => Volume::Verbose,
            _ => Volume::Trace,
        }
    }
}
