//! What can go wrong with a re-executed copy.

use std::process::ExitStatus;
use std::time::Duration;

use rustix::io::Errno;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The action has not been registered, so a copy would not know it, or would even run the
    /// program's `main` once more.
    #[error("action {action:?} is not registered: this must be done first of all in main")]
    NotRegistered {
        /// Its name.
        action: &'static str,
    },
    /// The program has more privileges than its user.
    #[error("no action is run in secure-execution mode")]
    SecureExecution,
    /// There are more namespaces than can be sent in one message (253).
    #[error("cannot enter {count} namespaces at once")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// The request cannot be written as JSON.
    #[error("cannot write the request")]
    Request(#[source] serde_json::Error),
    /// The copy could not be started.
    #[error("cannot start a copy of this program")]
    Start(#[source] lxkns_ops::Error),
    /// The copy could not enter a namespace.
    #[error("cannot run an action elsewhere")]
    Enter(#[source] lxkns_ops::Error),
    /// The copy could not do what it was asked for.
    #[error("the action was refused: {why:?}")]
    Refused {
        /// In its words.
        why: String,
    },
    /// The answer did not come in time. The copy has been killed.
    #[error("no answer within {limit:?}; standard error: {stderr:?}")]
    TimedOut {
        /// How long it was waited for.
        limit: Duration,
        /// What the copy wrote to its standard error, up to 64 KiB.
        stderr: String,
    },
    /// The copy ended without an answer: it panicked, or was killed.
    #[error("ended without an answer ({status}); standard error: {stderr:?}")]
    Died {
        /// How it ended.
        status: ExitStatus,
        /// What the copy wrote to its standard error, up to 64 KiB.
        stderr: String,
    },
    /// The answer cannot be read: it is not of the type expected, or longer than 64 MiB.
    #[error("cannot read the answer; standard error: {stderr:?}")]
    Answer {
        /// Why.
        source: serde_json::Error,
        /// What the copy wrote to its standard error, up to 64 KiB.
        stderr: String,
    },
    /// The connection with the copy failed.
    #[error("cannot {what}")]
    Connection {
        /// What was attempted.
        what: &'static str,
        /// What the kernel said.
        source: Errno,
    },
}
