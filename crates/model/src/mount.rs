//! Mounts, as far as it matters for the end of a namespace where and on what they are mounted.

use lxkns_species::NamespaceId;

use crate::{Holder, Snapshot, Text};

/// A mount that holds a namespace, or that matters for unmounting such a mount: what it is mounted
/// on, up to the root, what lies over its path, and what is mounted on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountFacts {
    /// The mount namespace that it is in.
    pub mount_namespace: NamespaceId,
    /// Its number in mountinfo. No other mount has it, in no mount namespace, until this one is
    /// gone; then another may get it.
    pub id: u64,
    /// The kernel's 64-bit ID, which is never reused within a boot (statmount(2), Linux 6.8).
    pub unique_id: Option<u64>,
    /// The number of the mount that it is mounted on; its own at the very root. That mount need not
    /// be known.
    pub parent: u64,
    /// Where it is mounted, as seen from the root of its mount namespace; empty if it cannot be
    /// reached from there.
    pub path: Text,
    /// The device number of its file system, as stat(2) has it in `st_dev`.
    pub device: u64,
    /// What of the file system is mounted: a path in it, or the text `net:[4026531840]` of a
    /// namespace.
    pub root: Text,
    /// Its peer group: `shared:N` in mountinfo, see mount_namespaces(7).
    pub peer_group: Option<u64>,
    /// The peer group that it is a slave of: `master:N` in mountinfo.
    pub master: Option<u64>,
    /// The namespace that it holds.
    pub holds: Option<NamespaceId>,
}

impl MountFacts {
    /// A mount of which nothing but the number is known, and what it is mounted on.
    pub fn new(mount_namespace: NamespaceId, id: u64, parent: u64) -> MountFacts {
        MountFacts {
            mount_namespace,
            id,
            unique_id: None,
            parent,
            path: Text::default(),
            device: 0,
            root: Text::default(),
            peer_group: None,
            master: None,
            holds: None,
        }
    }
}

impl Snapshot {
    /// The mounts that hold namespaces, and those that matter for unmounting them; by mount
    /// namespace, then number. Empty in documents of other formats.
    pub fn mounts(&self) -> &[MountFacts] {
        &self.mounts
    }

    /// The mount with this number in a mount namespace.
    pub fn mount(&self, mount_namespace: NamespaceId, id: u64) -> Option<&MountFacts> {
        let key = |mount: &MountFacts| (mount.mount_namespace, mount.id);
        let index = self.mounts.binary_search_by_key(&(mount_namespace, id), key).ok()?;
        self.mounts.get(index)
    }

    /// The mounts behind a holder of a namespace, by number: none if it is no mount, or if nothing
    /// more is known of it; several if the namespace is mounted at one place several times.
    pub fn mounts_behind<'s>(
        &'s self,
        held: NamespaceId,
        holder: &'s Holder,
    ) -> impl Iterator<Item = &'s MountFacts> {
        let place = match holder {
            Holder::Mount { mount_namespace, path, .. } => mount_namespace.zip(Some(path)),
            _ => None,
        };
        place.into_iter().flat_map(move |(mount_namespace, path)| {
            let start = self.mounts.partition_point(|it| it.mount_namespace < mount_namespace);
            let there = self.mounts.get(start..).unwrap_or_default().iter();
            there
                .take_while(move |it| it.mount_namespace == mount_namespace)
                .filter(move |it| it.holds == Some(held) && it.path == *path)
        })
    }
}
