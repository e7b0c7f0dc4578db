//! Why a scenario could not be built.

use std::{fmt, io};

/// Why a [`Child`](crate::Child) could not do what its script says.
///
/// Its `Debug` text is its message as well, since `unwrap` is what tests do.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The preparations in the test process failed.
    #[error("cannot prepare a child: {0}")]
    Prepare(#[from] io::Error),
    /// A step of the script failed.
    #[error("{actor} failed at step {number}, {step}: {source}")]
    Step {
        /// The label of the process or thread; the first one is `main`.
        actor: String,
        /// The place of the step in the script of that process or thread, from 0.
        number: usize,
        /// What it was to do.
        step: String,
        /// The error of the system call.
        source: io::Error,
    },
    /// The child ended, or was killed, while it still had steps to do.
    #[error("the child ended while {actor} was to reach its next pause or end")]
    Ended {
        /// The label of the process or thread that was waited for.
        actor: String,
    },
    /// The child got stuck in a step.
    #[error("no word from the child for {seconds} seconds, waiting for {actor}")]
    Stuck {
        /// The label of the process or thread that was waited for.
        actor: String,
        /// How long it was waited for.
        seconds: i64,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
