//! Whether a partial view is good enough.

/// For the tools that look at a snapshot.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Strict {
    /// End with exit status 4 if the view is partial; the output is the same
    #[arg(long, help_heading = "Notes")]
    pub(crate) strict: bool,
}
