//! Foreign text, which may be no UTF-8, in JSON, which must be.
//!
//! A text stands in the document as it is, with U+FFFD for what is not UTF-8. If anything had to
//! be replaced, a second field, `<field>-bytes`, holds all of its bytes in hexadecimal, and counts
//! when read.

use std::borrow::Cow;
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Text;

/// Bytes that are a string of hexadecimal digits in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hex<'s>(Cow<'s, [u8]>);

/// The two fields for a text.
pub(super) fn split(text: &Text) -> (Cow<'_, str>, Option<Hex<'_>>) {
    let lossy = text.to_string_lossy();
    let exact = match lossy {
        Cow::Borrowed(_) => None,
        Cow::Owned(_) => Some(Hex(Cow::Borrowed(text.as_bytes()))),
    };
    (lossy, exact)
}

/// The two fields for a text that may be unknown.
pub(super) fn split_option(text: Option<&Text>) -> (Option<Cow<'_, str>>, Option<Hex<'_>>) {
    match text.map(split) {
        Some((lossy, exact)) => (Some(lossy), exact),
        None => (None, None),
    }
}

/// The two fields for a list of texts; the second one has all of them or is not there.
pub(super) fn split_list(texts: &[Text]) -> (Vec<Cow<'_, str>>, Option<Vec<Hex<'_>>>) {
    let lossy = texts.iter().map(Text::to_string_lossy).collect();
    let exact = texts
        .iter()
        .any(|text| text.to_str().is_none())
        .then(|| texts.iter().map(|text| Hex(Cow::Borrowed(text.as_bytes()))).collect());
    (lossy, exact)
}

/// The text behind the two fields.
pub(super) fn join(lossy: Option<Cow<'_, str>>, exact: Option<Hex<'_>>) -> Option<Text> {
    match (exact, lossy) {
        (Some(exact), _) => Some(Text::from(exact.0.into_owned())),
        (None, Some(lossy)) => Some(Text::from(lossy.into_owned())),
        (None, None) => None,
    }
}

/// The texts behind the two fields.
pub(super) fn join_list(lossy: Vec<Cow<'_, str>>, exact: Option<Vec<Hex<'_>>>) -> Vec<Text> {
    match exact {
        Some(exact) => exact.into_iter().map(|hex| Text::from(hex.0.into_owned())).collect(),
        None => lossy.into_iter().map(|text| Text::from(text.into_owned())).collect(),
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Digits<'a>(&'a [u8]);
        impl fmt::Display for Digits<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        serializer.collect_str(&Digits(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl Visitor<'_> for Digits {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an even number of hexadecimal digits")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
                let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
                    return Err(E::custom("odd number of hexadecimal digits"));
                };
                let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
                pairs
                    .iter()
                    .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
                    .collect::<Option<_>>()
                    .ok_or_else(|| E::custom("not a hexadecimal digit"))
            }
        }
        let bytes = deserializer.deserialize_str(Digits)?;
        Ok(Hex(Cow::Owned(bytes)))
    }
}
