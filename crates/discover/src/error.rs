//! The few ways in which this library can fail.

use std::io;
use std::path::PathBuf;

use lxkns_species::NamespaceId;

/// Why there is no snapshot at all, or no way to one of its namespaces.
///
/// Everything else that goes wrong in a discovery is a [`lxkns_model::Gap`] in the snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no procfs to read.
    #[error("cannot read the procfs at {}", path.display())]
    NoProc {
        /// Where it was looked for.
        path: PathBuf,
        /// Why it could not be read.
        source: io::Error,
    },
    /// There is nothing at a path.
    #[error("cannot look at {}", path.display())]
    NoPath {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// None of those who hold a namespace could be asked for it.
    #[error("nothing that holds {id} could be made use of to open it")]
    Unreachable {
        /// Which one.
        id: NamespaceId,
        /// What the last attempt failed with, if there was any.
        source: Option<lxkns_ops::Error>,
    },
}
