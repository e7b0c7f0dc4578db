//! The native format as lines, for pipelines: one object per line, each with its `kind`.
//!
//! The first line is of kind `snapshot` and has all that is neither namespace, process, mount,
//! workload nor gap.

use std::io;

use serde::{Deserialize, Serialize};

use super::head::{CountsDoc, GapDoc, HostDoc, OptionsDoc};
use super::mount::MountDoc;
use super::namespace::NamespaceDoc;
use super::process::ProcessDoc;
use super::seen::Seen;
use super::version::{self, SCHEMA};
use super::workload::WorkloadDoc;
use crate::wire::{Error, error};
use crate::{Facts, Snapshot};

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Head<'s> {
    schema: String,
    host: HostDoc<'s>,
    options: OptionsDoc,
    counts: CountsDoc,
    /// The number of lines that follow: a document that was cut off at the end of a line has fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lines: Option<u64>,
}

/// An object with its kind in front.
#[derive(Serialize)]
struct Line<T> {
    kind: &'static str,
    #[serde(flatten)]
    object: T,
}

/// Writes a snapshot as one JSON object per line.
///
/// The first line is of kind `snapshot` and says where, when and what for, and how many `lines`
/// follow; then come lines of kind `namespace`, `process`, `mount`, `workload` and `gap`, with the
/// same objects as in the document.
///
/// # Errors
///
/// Only those of `out`.
pub fn write_lines(snapshot: &Snapshot, out: impl io::Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let lines = snapshot.namespaces().len()
        + snapshot.processes().len()
        + snapshot.mounts().len()
        + snapshot.workloads().len()
        + snapshot.gaps().len();
    let head = Head {
        schema: SCHEMA.to_owned(),
        host: HostDoc::from(snapshot.host()),
        options: OptionsDoc::from(*snapshot.scope()),
        counts: CountsDoc::from(snapshot.counts()),
        lines: Some(lines as u64),
    };
    write_line(&mut out, "snapshot", head)?;
    for namespace in snapshot.namespaces() {
        write_line(&mut out, "namespace", NamespaceDoc::from(namespace))?;
    }
    for process in snapshot.processes() {
        write_line(&mut out, "process", ProcessDoc::from(process))?;
    }
    for mount in snapshot.mounts() {
        write_line(&mut out, "mount", MountDoc::from(mount))?;
    }
    for workload in snapshot.workloads() {
        write_line(&mut out, "workload", WorkloadDoc::from(workload.facts()))?;
    }
    for gap in snapshot.gaps() {
        write_line(&mut out, "gap", GapDoc::from(gap))?;
    }
    io::Write::flush(&mut out)
}

fn write_line(
    out: &mut impl io::Write,
    kind: &'static str,
    object: impl Serialize,
) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Line { kind, object })?;
    out.write_all(b"\n")
}

/// Reads lines; those of an unknown kind are ignored.
pub(in crate::wire) fn read(document: &[u8]) -> Result<Snapshot, Error> {
    let mut facts = Facts::default();
    let mut seen = Seen::default();
    let (mut expected, mut found) = (None, 0_u64);
    for (index, line) in document.split(|byte| *byte == b'\n').enumerate() {
        if !line.trim_ascii().is_empty() {
            found += 1;
            let lines = read_line(line, &mut facts, &mut seen);
            expected = lines.map_err(|error| error.in_line(index + 1))?.or(expected);
        }
    }
    // The head is one of those found.
    if let Some(lines) = expected.filter(|lines| *lines != found.saturating_sub(1)) {
        let found = found.saturating_sub(1);
        let reason =
            format!("the document announces {lines} lines after the first and has {found}");
        return Err(Error::content("lines", reason));
    }
    Ok(Snapshot::assemble(facts))
}

/// The result is the number of lines that follow, if this is the head.
fn read_line(line: &[u8], facts: &mut Facts, seen: &mut Seen) -> Result<Option<u64>, Error> {
    #[derive(Deserialize)]
    struct Kind {
        kind: String,
    }
    let Kind { kind } = error::document(line)?;
    match kind.as_str() {
        "snapshot" => {
            if std::mem::replace(&mut seen.head, true) {
                return Err(Error::content("kind", "a second head"));
            }
            let head: Head<'_> = error::document(line)?;
            version::check_schema(&head.schema)?;
            let nsfs_device = facts.host.nsfs_device;
            facts.host = head.host.into_model();
            facts.host.nsfs_device = nsfs_device;
            facts.scope = head.options.into_model();
            facts.counts = head.counts.into_model("counts")?;
            return Ok(head.lines);
        }
        "namespace" => {
            let namespace: NamespaceDoc<'_> = error::document(line)?;
            namespace.add_to(facts, seen, str::to_owned)?;
        }
        "process" => {
            let process: ProcessDoc<'_> = error::document(line)?;
            facts.processes.push(process.into_model(seen, str::to_owned)?);
        }
        "mount" => {
            let mount: MountDoc<'_> = error::document(line)?;
            mount.add_to(facts, seen, str::to_owned)?;
        }
        "workload" => {
            let workload: WorkloadDoc<'_> = error::document(line)?;
            facts.workloads.push(workload.into_model());
        }
        "gap" => {
            let gap: GapDoc<'_> = error::document(line)?;
            facts.gaps.push(gap.into_model());
        }
        _ => {}
    }
    Ok(None)
}
