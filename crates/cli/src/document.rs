//! JSON in and out: the one place where the tools meet the wire formats.
//!
//! All JSON goes through a filter that writes as `\u…` what JSON itself lets pass but a terminal
//! might act upon, such as the C1 control characters. It means the same, and does no harm to
//! whoever prints it on a terminal.

use std::io::{self, Write};
use std::path::Path;

use lxkns_model::wire::snapshot::{GapDoc, NamespaceDoc};
use lxkns_model::wire::{self, Layout};
use lxkns_model::{Namespace, Snapshot};
use lxkns_species::NamespaceType;
use serde::Serialize;

use crate::named_files;
use crate::render::harmless::Harmless;
use crate::render::tree::{self, Forest};

/// A namespace, or one of which nothing but the type is known.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum MaybeNamespace<'s> {
    Known(Box<NamespaceDoc<'s>>),
    Unknown { r#type: NamespaceType },
}

impl MaybeNamespace<'_> {
    pub(crate) const UNKNOWN_USER: MaybeNamespace<'static> =
        MaybeNamespace::Unknown { r#type: NamespaceType::User };
}

impl<'s> From<Namespace<'s>> for MaybeNamespace<'s> {
    fn from(namespace: Namespace<'s>) -> MaybeNamespace<'s> {
        MaybeNamespace::Known(Box::new(namespace.into()))
    }
}

/// What a snapshot could not see, for every document that is not a snapshot itself.
#[derive(Serialize)]
pub(crate) struct Gaps<'s> {
    gaps: Vec<GapDoc<'s>>,
}

impl Gaps<'_> {
    pub(crate) fn of(snapshot: &Snapshot) -> Gaps<'_> {
        Gaps { gaps: snapshot.gaps().iter().map(GapDoc::from).collect() }
    }
}

/// Reads a snapshot in either format from a file that the user named, `-` being standard input.
pub(crate) fn read(path: &Path) -> anyhow::Result<Snapshot> {
    let bytes = named_files::read(path)?;
    wire::read(&bytes).map_err(|error| {
        let path = named_files::shown(path);
        let what = match error {
            wire::Error::Schema { .. } | wire::Error::TooLarge | wire::Error::TooDense { .. } => {
                format!("cannot read {path}")
            }
            _ => format!("{path} is no snapshot; get one with 'lxkns snapshot'"),
        };
        anyhow::Error::from(error).context(what)
    })
}

/// Writes the lxkns format.
pub(crate) fn lxkns(snapshot: &Snapshot, layout: Layout) -> io::Result<()> {
    to_stdout(|out| wire::lxkns::write(snapshot, out, layout))
}

/// Writes the native snapshot format.
pub(crate) fn snapshot(snapshot: &Snapshot, layout: Layout) -> io::Result<()> {
    to_stdout(|out| wire::snapshot::write(snapshot, out, layout))
}

/// Writes the native snapshot format, one object per line.
pub(crate) fn snapshot_lines(snapshot: &Snapshot) -> io::Result<()> {
    to_stdout(|out| wire::snapshot::write_lines(snapshot, out))
}

/// Writes namespaces, and then the gaps, as they are in a native snapshot: in one object, or one
/// object per line.
pub(crate) fn namespaces(
    namespaces: &[Namespace<'_>],
    snapshot: &Snapshot,
    lines: bool,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Table<'s> {
        namespaces: Vec<NamespaceDoc<'s>>,
        #[serde(flatten)]
        gaps: Gaps<'s>,
    }
    #[derive(Serialize)]
    struct Row<T> {
        kind: &'static str,
        #[serde(flatten)]
        object: T,
    }
    let docs = namespaces.iter().map(|namespace| NamespaceDoc::from(*namespace));
    if !lines {
        let namespaces = docs.collect();
        return object(&Table { namespaces, gaps: Gaps::of(snapshot) });
    }
    to_stdout(|out| {
        for object in docs {
            serde_json::to_writer(&mut *out, &Row { kind: "namespace", object })?;
            writeln!(out)?;
        }
        for object in snapshot.gaps().iter().map(GapDoc::from) {
            serde_json::to_writer(&mut *out, &Row { kind: "gap", object })?;
            writeln!(out)?;
        }
        Ok(())
    })
}

/// Writes one object.
pub(crate) fn object(object: &impl Serialize) -> io::Result<()> {
    to_stdout(|out| {
        serde_json::to_writer_pretty(&mut *out, object)?;
        writeln!(out)
    })
}

/// Writes trees, each node an object with its `children`, and the gaps of the snapshot.
pub(crate) fn tree<F: Forest>(
    forest: &mut F,
    roots: Vec<F::Node>,
    snapshot: &Snapshot,
) -> io::Result<()> {
    to_stdout(|out| tree::write_json(forest, roots, &Gaps::of(snapshot), out))
}

fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = Harmless::new(io::BufWriter::new(io::stdout().lock()));
    write(&mut out)?;
    out.flush()
}
