//! Snapshots as JSON, written and read.
//!
//! There are two formats. [`lxkns`] is that of the Go lxkns project, for programs that know it;
//! it carries what lxkns knows of. [`snapshot`] is the native one and carries everything. Both
//! have types of their own that are no part of the model, so that the model may change while old
//! documents stay readable.
//!
//! Writing goes object by object and never holds a second copy of the snapshot. Reading takes
//! nothing for granted: every error names the place in the document, its size, its depth and the
//! memory that it takes are limited, and what was read goes through the same [`Snapshot::assemble`]
//! as a live scan. Getting the bytes from somewhere is up to the caller.

mod error;
pub mod lxkns;
pub mod snapshot;
mod stream;
mod weight;

pub use error::Error;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::Snapshot;

/// No document of more bytes than this is read: 1 GiB, enough for a million processes.
///
/// Callers should not even load more.
pub const MAX_BYTES: usize = 1 << 30;

/// A document takes at most so many times its bytes of memory, itself included.
pub const MAX_EXPANSION: usize = 6;

/// A document that takes no more memory than this is read whatever its size is: 64 MiB.
pub const ALWAYS: usize = 64 << 20;

/// How a document is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Without any blanks.
    Compact,
    /// Over lines, indented by this many spaces each level.
    Spaces(u8),
    /// Over lines, indented by a tab each level.
    Tab,
}

/// Reads a snapshot in any of the formats: [`snapshot`] as one document or as lines, or [`lxkns`].
///
/// # Errors
///
/// If the document is none of these, or is malformed; see [`Error`].
pub fn read(document: &[u8]) -> Result<Snapshot, Error> {
    match Kind::of(document)? {
        Kind::Lxkns => lxkns::read_document(document),
        Kind::Snapshot => snapshot::read_document(document),
        Kind::SnapshotLines => snapshot::read_lines(document),
        Kind::Foreign => Err(Error::Unrecognized),
    }
}

/// What kind of document it is, told by the keys of its (first) object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Lxkns,
    Snapshot,
    SnapshotLines,
    Foreign,
}

impl Kind {
    fn of(document: &[u8]) -> Result<Kind, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case", expecting = "an object")]
        struct Keys {
            schema: Option<String>,
            kind: Option<IgnoredAny>,
            discovery_options: Option<IgnoredAny>,
            namespaces: Option<IgnoredAny>,
            processes: Option<IgnoredAny>,
        }
        if document.len() > MAX_BYTES {
            return Err(Error::TooLarge);
        }
        if document.trim_ascii().is_empty() {
            return Err(Error::Empty);
        }
        let mut deserializer = serde_json::Deserializer::from_slice(document);
        let keys: Keys = error::at_path(&mut deserializer)?;
        weight::check(document)?;
        let lxkns = [keys.discovery_options, keys.namespaces, keys.processes];
        if let Some(schema) = keys.schema {
            snapshot::check_schema(&schema)?;
            return Ok(match keys.kind {
                Some(_) => Kind::SnapshotLines,
                None => Kind::Snapshot,
            });
        }
        Ok(if lxkns.iter().any(Option::is_some) { Kind::Lxkns } else { Kind::Foreign })
    }
}
