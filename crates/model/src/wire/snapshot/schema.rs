//! Parts of the JSON Schema of a document, which is derived from the types that are written.
//!
//! It describes what this version writes: what is always written is required. Readers should
//! ignore fields that it does not know.

use std::borrow::Cow;

use lxkns_species::NamespaceType;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::joined::JoinedDoc;
use super::text::Hex;
use super::version::SCHEMA;

/// What is unknown is left out and never null, and what is always written has no default.
pub(super) fn plain(schema: &mut Schema) {
    schema.remove("default");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|its| its != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
}

macro_rules! described {
    ($($(#[$doc:meta])* $type:ty, $name:literal => $schema:expr;)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

/// Stands for a namespace id.
pub(super) struct Id;

/// Stands for a namespace id or null.
pub(super) struct IdOrNull;

/// Stands for a namespace type.
pub(super) struct Type;

/// Stands for the name of a capability.
pub(super) struct CapabilityName;

/// Stands for the number of a capability.
pub(super) struct CapabilityNumber;

/// Stands for a point in time.
pub(super) struct Time;

/// Stands for the name of this version of the format.
pub(super) struct Version;

described! {
    Hex<'_>, "Hex" => json_schema!({"type": "string", "pattern": "^([0-9a-f]{2})*$"});
    Id, "Id" => json_schema!({"type": "string", "pattern": id_pattern(&names())});
    IdOrNull, "IdOrNull" => json_schema!({
        "oneOf": [{"type": "string", "pattern": id_pattern("pid|user")}, {"type": "null"}],
    });
    Type, "Type" => json_schema!({"enum": NamespaceType::ALL});
    CapabilityName, "Capability" => json_schema!({"type": "string", "pattern": "^cap_[a-z0-9_]+$"});
    CapabilityNumber, "CapabilityNumber" => {
        json_schema!({"type": "integer", "minimum": 0, "maximum": 63})
    };
    Time, "Time" => json_schema!({"type": "string", "format": "date-time"});
    Version, "Version" => json_schema!({"const": SCHEMA});
    JoinedDoc, "Joined" => {
        let of_type = |its: NamespaceType| {
            let id = json!({"type": "string", "pattern": id_pattern(its.name())});
            (its.name().to_owned(), id)
        };
        let types: serde_json::Map<_, _> = NamespaceType::ALL.into_iter().map(of_type).collect();
        json_schema!({"type": "object", "properties": types})
    };
}

fn names() -> String {
    NamespaceType::ALL.map(NamespaceType::name).join("|")
}

fn id_pattern(types: &str) -> String {
    format!(r"^({types}):\[[1-9][0-9]*\]$")
}
