//! One mount that holds a namespace, or that matters for unmounting such a mount.

use std::borrow::Cow;

use lxkns_species::{NamespaceId, NamespaceType};
use serde::{Deserialize, Serialize};

use super::seen::Seen;
use super::text::{self, Hex};
use crate::wire::Error;
use crate::{Facts, MountFacts};

/// A mount that holds a namespace, or that matters for unmounting such a mount.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Mount"))]
#[serde(rename_all = "kebab-case")]
pub(super) struct MountDoc<'s> {
    /// The mount namespace that it is in.
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::Id"))]
    mount_namespace: NamespaceId,
    /// Its number in mountinfo, which another mount may get once this one is gone.
    id: u64,
    /// The kernel's 64-bit ID, never reused within a boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unique_id: Option<u64>,
    /// The number of the mount that it is mounted on; its own at the very root.
    parent: u64,
    /// The mount point, as seen from the root of its mount namespace; empty if it cannot be reached
    /// from there.
    path: Cow<'s, str>,
    /// The bytes of `path`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Hex<'s>>,
    /// The device number of its file system.
    device: u64,
    /// What of the file system is mounted: a path in it, or the text of a namespace.
    root: Cow<'s, str>,
    /// The bytes of `root`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root_bytes: Option<Hex<'s>>,
    /// Its peer group (`shared:N` in mountinfo).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer_group: Option<u64>,
    /// The peer group that it is a slave of (`master:N` in mountinfo).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    master: Option<u64>,
    /// The namespace that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::schema::Id>"))]
    holds: Option<NamespaceId>,
}

impl<'s> From<&'s MountFacts> for MountDoc<'s> {
    fn from(mount: &'s MountFacts) -> Self {
        let (path, path_bytes) = text::split(&mount.path);
        let (root, root_bytes) = text::split(&mount.root);
        MountDoc {
            mount_namespace: mount.mount_namespace,
            id: mount.id,
            unique_id: mount.unique_id,
            parent: mount.parent,
            path,
            path_bytes,
            device: mount.device,
            root,
            root_bytes,
            peer_group: mount.peer_group,
            master: mount.master,
            holds: mount.holds,
        }
    }
}

impl MountDoc<'_> {
    /// Adds what this object says to the facts; `place` tells where a field of it stands.
    pub(super) fn add_to(
        self,
        facts: &mut Facts,
        seen: &mut Seen,
        place: impl Fn(&str) -> String,
    ) -> Result<(), Error> {
        let (mount_namespace, id) = (self.mount_namespace, self.id);
        if mount_namespace.namespace_type() != NamespaceType::Mnt {
            return Err(Error::content(place("mount-namespace"), "not a mount namespace"));
        }
        if !seen.mounts.insert((mount_namespace, id)) {
            let reason = format!("mount {id} of {mount_namespace} is listed twice");
            return Err(Error::content(place("id"), reason));
        }
        facts.mounts.push(MountFacts {
            mount_namespace,
            id,
            unique_id: self.unique_id,
            parent: self.parent,
            path: text::join(Some(self.path), self.path_bytes).unwrap_or_default(),
            device: self.device,
            root: text::join(Some(self.root), self.root_bytes).unwrap_or_default(),
            peer_group: self.peer_group,
            master: self.master,
            holds: self.holds,
        });
        Ok(())
    }
}
