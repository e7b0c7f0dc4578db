//! Types whose serialised form is their text form.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Capability, NamespaceId, NamespaceType};

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

as_text!(NamespaceType, NamespaceId, Capability);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_serialise_as_their_text() {
        let id: NamespaceId = "net:[4026531840]".parse().unwrap();
        let json = serde_json::to_string(&(id, NamespaceType::Net)).unwrap();
        assert_eq!(json, r#"["net:[4026531840]","net"]"#);
        assert_eq!(
            serde_json::from_str::<(NamespaceId, NamespaceType)>(&json).unwrap(),
            (id, NamespaceType::Net)
        );
        let error = serde_json::from_str::<NamespaceId>(r#""zip:[1]""#).unwrap_err();
        assert!(error.to_string().starts_with("unknown namespace type \"zip\""), "{error}");
    }
}
