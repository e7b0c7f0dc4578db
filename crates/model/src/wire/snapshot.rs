//! The native format: everything the model knows.
//!
//! One object, `{"schema": "lxkns.snapshot/1", …}`, or one object per line. Keys are kebab-case,
//! unknown facts are left out, lists come in the model's order, so that the same state gives the
//! same bytes. Times are clock ticks since boot. docs/wire.md describes it for users, and its JSON
//! Schema is in docs/schema.
//!
//! Whatever follows from other parts of the document (process counts, leaders, whether a namespace
//! is hidden) is written for the reader's convenience and ignored when read. Unknown keys are
//! ignored, too. A namespace, process or mount listed twice is an error, and so is a relation
//! between types that cannot have it; one to a namespace or process that is not listed is not, and
//! parents that go round in a circle are unknown, as in [`Snapshot::assemble`].

mod capabilities;
mod diff;
mod head;
mod holder;
mod joined;
mod lines;
mod mount;
mod namespace;
mod process;
#[cfg(feature = "schema")]
mod schema;
mod seen;
mod text;
mod version;
mod why;
mod workload;

pub use diff::DiffDoc;
pub use head::GapDoc;
pub(super) use lines::read as read_lines;
pub use lines::write_lines;
pub use namespace::NamespaceDoc;
pub use process::ProcessDoc;
pub use version::SCHEMA;
pub(super) use version::check_schema;
pub use why::WhyDoc;
pub use workload::WorkloadDoc;

use std::io;

use serde::{Deserialize, Serialize};

use self::head::{CountsDoc, HostDoc, OptionsDoc};
use self::mount::MountDoc;
use self::seen::Seen;
use super::{Error, Kind, Layout, error, stream};
use crate::{Facts, Snapshot};

/// Everything that one discovery of lxkns found out.
// The lists are generic, so that they need not exist to be written.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
struct Document<'s, N, P, M, W, G> {
    /// The format and its version: `lxkns.snapshot/1`.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Version"))]
    schema: String,
    /// Where, when and by whom the snapshot was taken.
    host: HostDoc<'s>,
    /// What was looked for.
    options: OptionsDoc,
    /// The namespaces, by type, then inode.
    namespaces: N,
    /// The processes, by PID, readable or not.
    processes: P,
    /// The mounts that hold namespaces, and those that matter for unmounting them; by mount
    /// namespace, then number. Only written if there are any.
    #[serde(default = "Option::<M>::default", skip_serializing_if = "Option::<M>::is_none")]
    mounts: Option<M>,
    /// The containers, units and machines that processes belong to, by kind, engine and name. Only
    /// written if there are any.
    #[serde(default = "Option::<W>::default", skip_serializing_if = "Option::<W>::is_none")]
    workloads: Option<W>,
    /// How many processes the scan came across.
    counts: CountsDoc,
    /// What could not be seen.
    gaps: G,
}

type Owned = Document<
    'static,
    Vec<NamespaceDoc<'static>>,
    Vec<ProcessDoc<'static>>,
    Vec<MountDoc<'static>>,
    Vec<WorkloadDoc<'static>>,
    Vec<GapDoc<'static>>,
>;

/// Writes a snapshot as one document, with a line break at its end.
///
/// # Errors
///
/// Only those of `out`.
pub fn write(snapshot: &Snapshot, out: impl io::Write, layout: Layout) -> io::Result<()> {
    let document = Document {
        schema: SCHEMA.to_owned(),
        host: HostDoc::from(snapshot.host()),
        options: OptionsDoc::from(*snapshot.scope()),
        namespaces: stream::List(|| snapshot.namespaces().map(NamespaceDoc::from)),
        processes: stream::List(|| snapshot.processes().map(ProcessDoc::from)),
        mounts: (!snapshot.mounts().is_empty())
            .then_some(stream::List(|| snapshot.mounts().iter().map(MountDoc::from))),
        workloads: (snapshot.workloads().len() > 0).then_some(stream::List(|| {
            snapshot.workloads().map(|workload| WorkloadDoc::from(workload.facts()))
        })),
        counts: CountsDoc::from(snapshot.counts()),
        gaps: stream::List(|| snapshot.gaps().iter().map(GapDoc::from)),
    };
    stream::write(&document, out, layout)
}

/// Reads a snapshot, be it one document or lines.
///
/// # Errors
///
/// If the document is of another format or of a newer schema, or malformed; see [`Error`].
pub fn read(document: &[u8]) -> Result<Snapshot, Error> {
    match Kind::of(document)? {
        Kind::Snapshot => read_document(document),
        Kind::SnapshotLines => read_lines(document),
        Kind::Lxkns | Kind::Foreign => Err(Error::Unrecognized),
    }
}

/// The JSON Schema of a document.
#[cfg(feature = "schema")]
pub fn schema() -> serde_json::Value {
    let mut settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.transforms.push(Box::new(schemars::transform::RecursiveTransform(schema::plain)));
    let mut schema = settings.into_generator().into_root_schema_for::<Owned>();
    schema.insert("title".to_owned(), serde_json::json!(SCHEMA));
    schema.to_value()
}

pub(super) fn read_document(document: &[u8]) -> Result<Snapshot, Error> {
    let document: Owned = error::document(document)?;
    document.into_facts().map(Snapshot::assemble)
}

impl Owned {
    fn into_facts(self) -> Result<Facts, Error> {
        let mut facts = Facts {
            host: self.host.into_model(),
            scope: self.options.into_model(),
            counts: self.counts.into_model("counts")?,
            gaps: self.gaps.into_iter().map(GapDoc::into_model).collect(),
            ..Facts::default()
        };
        let mut seen = Seen::default();
        for (index, namespace) in self.namespaces.into_iter().enumerate() {
            let place = |field: &str| format!("namespaces[{index}].{field}");
            namespace.add_to(&mut facts, &mut seen, place)?;
        }
        // In place: there are many, and never two of each.
        let processes = self.processes.into_iter().enumerate().map(|(index, process)| {
            process.into_model(&mut seen, |field| format!("processes[{index}].{field}"))
        });
        facts.processes = processes.collect::<Result<_, _>>()?;
        for (index, mount) in self.mounts.into_iter().flatten().enumerate() {
            let place = |field: &str| format!("mounts[{index}].{field}");
            mount.add_to(&mut facts, &mut seen, place)?;
        }
        let workloads = self.workloads.into_iter().flatten();
        facts.workloads = workloads.map(WorkloadDoc::into_model).collect();
        Ok(facts)
    }
}
