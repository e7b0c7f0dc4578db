//! Timeouts for files of strangers.

use std::time::Duration;

/// Timeout for one path, or for the files of one process.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// Timeout for all of one kind together.
pub(crate) const TOTAL_PATIENCE: Duration = Duration::from_secs(2);
