//! Why a document could not be read, and where in it.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is larger than [`super::MAX_BYTES`].
    #[error("the document is larger than {} bytes", super::MAX_BYTES)]
    TooLarge,
    /// It would take more memory than [`super::MAX_EXPANSION`] times its size, and more than
    /// [`super::ALWAYS`].
    #[error(
        "the document lists too much for its {bytes} bytes: it would take more than {} times that \
         in memory",
        super::MAX_EXPANSION
    )]
    TooDense {
        /// The size of the document.
        bytes: usize,
    },
    /// There is nothing in it.
    #[error("the document is empty")]
    Empty,
    /// It is no JSON, ends too early, or nests too deeply.
    #[error("malformed JSON: {0}")]
    Syntax(serde_json::Error),
    /// It is JSON, but neither of the formats known here.
    #[error("neither a snapshot of lxkns nor an lxkns discovery result")]
    Unrecognized,
    /// It is in a version of the native format that is not known here.
    #[error("cannot read schema {found:?}, only {known:?}; a newer lxkns may have written it")]
    Schema {
        /// The `schema` of the document.
        found: String,
        /// The one that this version reads.
        known: &'static str,
    },
    /// Something in it is not what it should be.
    #[error("{place}: {reason}")]
    Content {
        /// The way to it from the top of the document, as in `namespaces[3].holders[0].fd`; in a
        /// document of lines, `line 7: holders[0].fd`.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    pub(super) fn content(place: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Content { place: place.into(), reason: reason.into() }
    }

    /// The same error in this line of a document.
    pub(super) fn in_line(self, number: usize) -> Error {
        match self {
            Error::Content { place, reason } => {
                Error::content(format!("line {number}: {place}"), reason)
            }
            Error::Syntax(error) => {
                let place = format!("line {number}, column {}", error.column());
                Error::content(place, format!("malformed JSON: {}", without_position(&error)))
            }
            other => other,
        }
    }
}

/// Reads the next JSON value and tells where in it an error is.
pub(super) fn at_path<'de, T: DeserializeOwned>(
    deserializer: &mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>,
) -> Result<T, Error> {
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let place = place(error.path());
        let inner = error.into_inner();
        if !inner.is_data() {
            return Error::Syntax(inner);
        }
        // The path says better where it is.
        Error::content(place, without_position(&inner))
    })
}

fn without_position(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    if text.ends_with(&position) {
        text.truncate(text.len() - position.len());
    }
    text
}

/// Reads a document that is one JSON value.
pub(super) fn document<T: DeserializeOwned>(document: &[u8]) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let value = at_path(&mut deserializer)?;
    deserializer.end().map_err(Error::Syntax)?;
    Ok(value)
}

/// `namespaces."4026532281".type`: quoted are keys that are no plain words.
fn place(path: &Path) -> String {
    let mut place = String::new();
    for segment in path {
        let dot = if place.is_empty() { "" } else { "." };
        // Writing to a String cannot fail.
        let _ = match segment {
            Segment::Seq { index } => write!(place, "[{index}]"),
            Segment::Map { key } | Segment::Enum { variant: key } if is_word(key) => {
                write!(place, "{dot}{key}")
            }
            Segment::Map { key } | Segment::Enum { variant: key } => {
                write!(place, "{dot}{key:?}")
            }
            Segment::Unknown => write!(place, "{dot}?"),
        };
    }
    if place.is_empty() {
        place.push_str("document");
    }
    place
}

fn is_word(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}
