//! How namespaces are held, and how many can be.

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::{Mutex, PoisonError};

use lxkns_ops::{Feature, NamespaceFd, Support};
use lxkns_species::{NamespaceType, NamespaceTypes};

use crate::options::Tier;

/// How a namespace is held.
#[derive(Debug)]
pub(super) enum Held {
    /// By a watch on its file, which no other scan takes for a holder.
    Watched,
    /// By a file descriptor, where there can be no watch.
    Open(#[expect(dead_code, reason = "dropping it is what it is for")] Descriptor),
}

/// A file descriptor that holds a namespace.
#[derive(Debug)]
pub(super) struct Descriptor(NamespaceFd);

/// The file descriptors of all that the scans of this process hold: no sightings for any of them.
static HELD: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Whether a scan of this process holds this file descriptor.
pub(crate) fn is_held(fd: u32) -> bool {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).contains(&fd)
}

impl Descriptor {
    pub(super) fn new(namespace: NamespaceFd) -> Descriptor {
        let fd = namespace.as_fd().as_raw_fd().cast_unsigned();
        HELD.lock().unwrap_or_else(PoisonError::into_inner).insert(fd);
        Descriptor(namespace)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let fd = self.0.as_fd().as_raw_fd().cast_unsigned();
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&fd);
    }
}

/// The types that a scan at this tier can find by unique ID, if it may see all namespaces.
pub(super) fn comparable(tier: Tier) -> NamespaceTypes {
    let supports = |feature: Feature| feature.supported() == Support::Supported;
    if tier >= Tier::Ids && supports(Feature::Handles) {
        NamespaceTypes::ALL
    } else if tier >= Tier::Mounts && supports(Feature::MountsById) {
        NamespaceTypes::of([NamespaceType::Mnt])
    } else {
        NamespaceTypes::NONE
    }
}

/// How many namespaces may be held open: half of the files that the process may open. The other
/// half is for the work itself.
pub(super) fn room() -> usize {
    const WORK: u64 = 64;
    let limit = lxkns_ops::most_open_files().unwrap_or(1 << 20);
    usize::try_from(limit.saturating_sub(WORK) / 2).unwrap_or(0)
}
