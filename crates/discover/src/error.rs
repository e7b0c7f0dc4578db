//! The one way in which a discovery can fail.

use std::io;
use std::path::PathBuf;

/// Why there is no snapshot at all.
///
/// Everything else that goes wrong is a [`lxkns_model::Gap`] in the snapshot.
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
}
