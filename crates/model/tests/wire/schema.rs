//! The JSON Schema says what is written.

use lxkns_model::wire;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::{arbitrary, cases};

const SCHEMA: &str = include_str!("../../../../docs/schema/lxkns.snapshot-1.json");

#[test]
fn the_published_schema_is_that_of_the_code() {
    let published: Value = serde_json::from_str(SCHEMA).unwrap();
    assert_eq!(wire::snapshot::schema(), published);
}

#[test]
fn the_check_below_finds_faults() {
    let schema = wire::snapshot::schema();
    let golden = include_str!("golden/snapshot-1.json");
    let with = |from: &str, to: &str| {
        let document: Value = serde_json::from_str(&golden.replace(from, to)).unwrap();
        check(&schema, &schema, &document)
    };
    assert_eq!(with("", ""), Ok(()));
    for (from, to) in [
        ("snapshot/1", "snapshot/2"),
        ("\"hidden\"", "\"veiled\""),
        ("\"dev\": 4", "\"dev\": \"4\""),
        ("\"owner\": \"user", "\"owner\": \"zip"),
        ("\"pid\": 812", "\"pid\": null"),
    ] {
        assert!(with(from, to).is_err(), "{to}");
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn whatever_is_written_fits(snapshot in arbitrary::snapshot()) {
        let mut document = Vec::new();
        wire::snapshot::write(&snapshot, &mut document, wire::Layout::Compact).unwrap();
        let document: Value = serde_json::from_slice(&document).unwrap();
        let schema = wire::snapshot::schema();
        prop_assert_eq!(check(&schema, &schema, &document), Ok(()));
    }
}

/// As much of JSON Schema as ours makes use of. Stricter in one point: what it does not mention
/// must not be there.
fn check(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(root, root.pointer(&reference[1..]).unwrap(), value);
    }
    let fail = || Err(format!("{value} does not fit {schema}"));
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().filter(|it| check(root, it, value).is_ok());
        return if fits.count() == 1 { Ok(()) } else { fail() };
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => schema.get("enum").or(schema.get("const")).is_some(),
    };
    let one_of = schema["enum"].as_array();
    let pattern = schema["pattern"].as_str();
    let fits = fits
        && one_of.is_none_or(|values| values.contains(value))
        && schema.get("const").is_none_or(|only| only == value)
        && pattern.is_none_or(|pattern| matches(pattern, value.as_str().unwrap()));
    if !fits {
        return fail();
    }
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    for (name, member) in value.as_object().unwrap_or(&none) {
        match properties.get(name) {
            Some(schema) => check(root, schema, member)?,
            None => return Err(format!("{name} is not described")),
        }
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.get(name.as_str().unwrap()).is_none() {
            return Err(format!("{name} is missing"));
        }
    }
    for element in value.as_array().into_iter().flatten() {
        check(root, &schema["items"], element)?;
    }
    Ok(())
}

/// The few patterns there are, taken apart by hand.
fn matches(pattern: &str, text: &str) -> bool {
    let all = |text: &str, class: fn(&u8) -> bool| text.bytes().all(|byte| class(&byte));
    match pattern {
        "^([0-9a-f]{2})*$" => text.len().is_multiple_of(2) && all(text, u8::is_ascii_hexdigit),
        "^cap_[a-z0-9_]+$" => {
            text.starts_with("cap_")
                && all(text, |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        }
        id => {
            let types = id.strip_prefix("^(").unwrap();
            let types = types.strip_suffix(r"):\[[1-9][0-9]*\]$").unwrap();
            let (its, inode) = text.split_once(":[").unwrap_or_default();
            let digits = inode.strip_suffix(']').unwrap_or_default();
            types.split('|').any(|known| known == its)
                && !digits.starts_with('0')
                && all(digits, u8::is_ascii_digit)
        }
    }
}
