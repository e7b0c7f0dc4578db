//! One namespace.

use std::borrow::Cow;

use lxkns_species::{NamespaceId, NamespaceType, Pid, Uid};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::holder::HolderDoc;
use super::seen::Seen;
use super::text::{self, Hex};
use crate::wire::Error;
use crate::{Facts, IdMapping, Namespace, NamespaceFacts, Relation};

/// A namespace as an object of the native format; what the tools print with `--json`.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Namespace"))]
#[serde(rename_all = "kebab-case")]
pub struct NamespaceDoc<'s> {
    /// Type and inode, as in `net:[4026532281]`.
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::Id"))]
    id: NamespaceId,
    /// The type: `cgroup`, `ipc`, `mnt`, `net`, `pid`, `time`, `user` or `uts`.
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::Type"))]
    r#type: NamespaceType,
    /// The device number of nsfs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dev: Option<u64>,
    /// The kernel's 64-bit id, never reused within a boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unique_id: Option<u64>,
    /// Whether it is the one that the kernel booted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initial: Option<bool>,
    /// Whether it is known only as a parent or owner.
    #[serde(default)]
    hidden: bool,
    /// The namespace that it nests in (user and PID namespaces); null: there is none.
    #[serde(default, skip_serializing_if = "is_unknown", with = "relation")]
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::IdOrNull"))]
    parent: Relation<NamespaceId>,
    /// The user namespace that owns it (all types but user).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::schema::Id>"))]
    owner: Option<NamespaceId>,
    /// The user who created it (user namespaces), as seen by the scanner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    creator_uid: Option<Uid>,
    /// The login name of that user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    creator_name: Option<Cow<'s, str>>,
    /// The bytes of `creator-name`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    creator_name_bytes: Option<Hex<'s>>,
    /// The UIDs mapped in it (user namespaces); empty: none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid_map: Option<Vec<MappingDoc>>,
    /// The GIDs mapped in it (user namespaces); empty: none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gid_map: Option<Vec<MappingDoc>>,
    /// How many processes are joined to it.
    #[serde(default)]
    process_count: u64,
    /// The PIDs of its leaders, by seniority.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<u32>"))]
    leaders: Vec<Pid>,
    /// Whether a leader may in truth have an ancestor in this namespace.
    #[serde(default)]
    leaders_uncertain: bool,
    /// The PID of the most senior leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    senior_leader: Option<Pid>,
    /// What keeps it alive besides its processes, children and possessions.
    #[serde(default)]
    holders: Vec<HolderDoc<'s>>,
}

/// A range of ids that is mapped.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Mapping"))]
struct MappingDoc {
    /// The first id inside.
    inside: u32,
    /// What it maps to outside.
    outside: u32,
    /// How many ids.
    count: u32,
}

impl<'s> From<Namespace<'s>> for NamespaceDoc<'s> {
    fn from(namespace: Namespace<'s>) -> Self {
        let id = namespace.id();
        let (creator_name, creator_name_bytes) = text::split_option(namespace.creator_name());
        NamespaceDoc {
            id,
            r#type: id.namespace_type(),
            dev: namespace.snapshot.host().nsfs_device,
            unique_id: namespace.unique_id(),
            initial: namespace.is_initial(),
            hidden: namespace.is_hidden(),
            parent: if id.namespace_type().is_hierarchical() {
                namespace.parent().map(Namespace::id)
            } else {
                // Nothing of that kind to know.
                Relation::Unknown
            },
            owner: namespace.owner().map(Namespace::id),
            creator_uid: namespace.creator(),
            creator_name,
            creator_name_bytes,
            uid_map: namespace.uid_map().map(mappings),
            gid_map: namespace.gid_map().map(mappings),
            process_count: namespace.processes().len() as u64,
            leaders: namespace.leaders().map(|leader| leader.pid()).collect(),
            leaders_uncertain: namespace.leaders_uncertain(),
            senior_leader: namespace.senior_leader().map(|leader| leader.pid()),
            holders: namespace.holders().iter().map(HolderDoc::from).collect(),
        }
    }
}

fn mappings(map: &[IdMapping]) -> Vec<MappingDoc> {
    map.iter()
        .map(|range| MappingDoc {
            inside: range.inside,
            outside: range.outside,
            count: range.count,
        })
        .collect()
}

fn into_mappings(map: Vec<MappingDoc>) -> Vec<IdMapping> {
    map.into_iter()
        .map(|range| IdMapping { inside: range.inside, outside: range.outside, count: range.count })
        .collect()
}

impl NamespaceDoc<'_> {
    /// Adds what this object says to the facts; `place` tells where a field of it stands.
    pub(super) fn add_to(
        self,
        facts: &mut Facts,
        seen: &mut Seen,
        place: impl Fn(&str) -> String,
    ) -> Result<(), Error> {
        let wrong = |field, reason: String| Err(Error::content(place(field), reason));
        let id = self.id;
        let namespace_type = id.namespace_type();
        if self.r#type != namespace_type {
            return wrong("type", format!("{} is of another type", id));
        }
        if !seen.namespaces.insert(id) {
            return wrong("id", format!("{id} is listed twice"));
        }
        if let Some(parent) = self.parent.known()
            && !(namespace_type.is_hierarchical() && parent.namespace_type() == namespace_type)
        {
            return wrong("parent", format!("{id} cannot nest in {parent}"));
        }
        if let Some(owner) = self.owner
            && (owner.namespace_type() != NamespaceType::User
                || namespace_type == NamespaceType::User)
        {
            return wrong("owner", format!("{owner} cannot own {id}"));
        }
        if let Some(device) = self.dev
            && *facts.host.nsfs_device.get_or_insert(device) != device
        {
            return wrong("dev", "all namespaces have the same device".to_owned());
        }
        let holders = self
            .holders
            .into_iter()
            .enumerate()
            .map(|(index, holder)| holder.into_model(&place(&format!("holders[{index}]"))));
        facts.namespaces.push(NamespaceFacts {
            id,
            unique_id: self.unique_id,
            initial: self.initial,
            parent: self.parent,
            owner: self.owner,
            creator: self.creator_uid,
            creator_name: text::join(self.creator_name, self.creator_name_bytes),
            uid_map: self.uid_map.map(into_mappings),
            gid_map: self.gid_map.map(into_mappings),
            holders: holders.collect::<Result<_, _>>()?,
        });
        Ok(())
    }
}

fn is_unknown(relation: &Relation<NamespaceId>) -> bool {
    *relation == Relation::Unknown
}

/// A relation in JSON: an id, null for none, left out if unknown.
mod relation {
    use super::{Deserialize, Deserializer, NamespaceId, Relation, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        relation: &Relation<NamespaceId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        relation.known().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Relation<NamespaceId>, D::Error> {
        let id = Option::deserialize(deserializer)?;
        Ok(id.map_or(Relation::None, Relation::Known))
    }
}
