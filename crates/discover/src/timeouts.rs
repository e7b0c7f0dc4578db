//! Timeouts for files of strangers.

use std::time::Duration;

/// Timeout for one path, or for the files of one process.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// Timeout for all of one kind together.
pub(crate) const TOTAL_PATIENCE: Duration = Duration::from_secs(2);

/// Timeout for the walk from one mount namespace to the next. Without it, the walk does not end
/// while neighbours create mount namespaces faster than it goes on.
pub(crate) const LIST_PATIENCE: Duration = Duration::from_secs(5);
