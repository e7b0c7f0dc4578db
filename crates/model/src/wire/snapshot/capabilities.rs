//! Sets of capabilities.

use lxkns_species::{Capabilities, Capability};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of capabilities, as a list of their names.
#[derive(Debug)]
pub(super) struct CapabilitiesDoc(pub(super) Capabilities);

impl Serialize for CapabilitiesDoc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

impl<'de> Deserialize<'de> for CapabilitiesDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<Capability>::deserialize(deserializer)?;
        Ok(CapabilitiesDoc(names.into_iter().collect()))
    }
}
