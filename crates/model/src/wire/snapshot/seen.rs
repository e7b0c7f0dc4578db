//! Notices what a document lists twice.

use std::collections::HashSet;

use lxkns_species::{NamespaceId, Pid};

/// The things that a document has listed so far.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) namespaces: HashSet<NamespaceId>,
    pub(super) processes: HashSet<Pid>,
    pub(super) mounts: HashSet<(NamespaceId, u64)>,
    /// Whether there was a first line (of a document of lines).
    pub(super) head: bool,
}
