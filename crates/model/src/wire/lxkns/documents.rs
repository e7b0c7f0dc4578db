//! The objects of a document, as any lxkns from 0.15.5 to 0.46 writes them.
//!
//! Go leaves zeros out or writes them, and writes a missing list as null.

use std::fmt;
use std::marker::PhantomData;

use lxkns_species::{NamespaceType, Pid, Uid};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::options;

/// The whole of it. Newer ones have more keys (`mounts`, `containers`, …), which are ignored.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Document {
    pub(super) discovery_options: options::Read,
    pub(super) namespaces: Members<NamespaceDoc>,
    pub(super) processes: Members<ProcessDoc>,
}

/// A namespace. What follows from the rest (`children`, `possessions`, `ealdorman`) is not read,
/// nor are `loose-threads`, which the processes' `tasks` tell, too.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct NamespaceDoc {
    pub(super) nsid: u64,
    pub(super) r#type: NamespaceType,
    #[serde(default)]
    pub(super) owner: u64,
    #[serde(default)]
    pub(super) reference: Reference,
    #[serde(default)]
    pub(super) leaders: Option<Vec<Pid>>,
    #[serde(default)]
    pub(super) parent: u64,
    #[serde(default)]
    pub(super) user_id: Option<Uid>,
    #[serde(default)]
    pub(super) user_name: String,
}

/// A process.
#[derive(Deserialize)]
pub(super) struct ProcessDoc {
    pub(super) pid: Pid,
    #[serde(default)]
    pub(super) namespaces: Members<u64>,
    #[serde(default = "nobody")]
    pub(super) ppid: Pid,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) cmdline: Option<Vec<String>>,
    #[serde(default)]
    pub(super) starttime: u64,
    /// The cgroup path up to 0.22.
    #[serde(default)]
    pub(super) cgroup: String,
    /// The cgroup path since then.
    #[serde(default)]
    pub(super) cpucgroup: String,
    #[serde(default)]
    pub(super) tasks: Option<Vec<TaskDoc>>,
}

/// A task of a process; the main one is among them.
#[derive(Deserialize)]
pub(super) struct TaskDoc {
    pub(super) tid: Pid,
    #[serde(default)]
    pub(super) namespaces: Members<u64>,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) starttime: u64,
}

fn nobody() -> Pid {
    Pid(0)
}

/// The members of an object as they come, even if one comes twice.
pub(super) struct Members<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Members<T> {
    fn default() -> Self {
        Members(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<T>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

/// A path; in newer ones a list of them, each to be opened in the mount namespace before it.
#[derive(Default)]
pub(super) struct Reference(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Vec<String>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a list of paths")
            }

            fn visit_str<E>(self, path: &str) -> Result<Vec<String>, E> {
                Ok(vec![path.to_owned()])
            }

            fn visit_unit<E>(self) -> Result<Vec<String>, E> {
                Ok(Vec::new())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<String>, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = seq.next_element()? {
                    paths.push(path);
                }
                Ok(paths)
            }
        }
        deserializer.deserialize_any(OneOrMore).map(Reference)
    }
}
