//! The namespaces of a process or thread.

use std::fmt;

use lxkns_species::{NamespaceId, NamespaceType};
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Joined;

/// Namespaces by type, as in `{"net": "net:[4026532281]"}`.
#[derive(Debug, Default)]
pub(super) struct JoinedDoc(pub(super) Joined);

impl JoinedDoc {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for JoinedDoc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|id| (id.namespace_type(), id)))
    }
}

impl<'de> Deserialize<'de> for JoinedDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByType;
        impl<'de> Visitor<'de> for ByType {
            type Value = Joined;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("namespaces by type")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Joined, A::Error> {
                let mut joined = Joined::default();
                while let Some(namespace_type) = map.next_key()? {
                    let id = map.next_value_seed(OfType(namespace_type))?;
                    if joined.get(namespace_type).is_some() {
                        let reason = format!("{namespace_type} is there twice");
                        return Err(A::Error::custom(reason));
                    }
                    joined.set(id);
                }
                Ok(joined)
            }
        }
        deserializer.deserialize_map(ByType).map(JoinedDoc)
    }
}

/// Reads an id that must be of this type.
struct OfType(NamespaceType);

impl<'de> DeserializeSeed<'de> for OfType {
    type Value = NamespaceId;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<NamespaceId, D::Error> {
        let id = NamespaceId::deserialize(deserializer)?;
        if id.namespace_type() == self.0 {
            Ok(id)
        } else {
            let reason = format!("{id} is no {} namespace", self.0);
            Err(D::Error::custom(reason))
        }
    }
}
