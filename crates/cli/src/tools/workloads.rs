//! `lxkns workloads`: the containers, units and machines that processes belong to.

use std::io;

use lxkns_discover::Options;
use lxkns_model::wire::snapshot::WorkloadDoc;
use lxkns_model::{Part, Snapshot, Voucher, Workload, WorkloadKind};
use lxkns_species::NamespaceType;
use serde::Serialize;

use super::Run;
use crate::args::noise::Volume;
use crate::args::{Look, Noise, Show, WorkloadArg};
use crate::document;
use crate::render::columns::{self, Column};
use crate::render::escape::quoted;
use crate::render::label::Labels;
use crate::render::line::Line;
use crate::render::role::Role;
use crate::render::screen::Screen;
use crate::view::View;

/// The arguments of `lxkns workloads`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Workloads {
    /// Only these workloads, such as container:web, podman:web, unit:nginx.service
    #[arg(value_name = "WORKLOAD", value_parser = workload)]
    workloads: Vec<WorkloadArg>,

    /// Also units of systemd, and workloads that nobody vouches for
    #[arg(short, long, conflicts_with = "workloads")]
    all: bool,

    /// Print JSON: an object with the list "workloads"
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    noise: Noise,
}

fn workload(text: &str) -> Result<WorkloadArg, &'static str> {
    text.parse().map_err(
        |_| "a workload is a kind or an engine and a name, such as container:web or podman:web",
    )
}

impl Run for Workloads {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        Some(&self.show)
    }

    fn run(self) -> anyhow::Result<View> {
        // Without privileges, it is not known who leads.
        let options = Options::everything().without(Part::Credentials).without(Part::Cmdline);
        let snapshot = self.look.snapshot(options)?;
        let chosen = self.chosen(&snapshot)?;
        if self.json {
            let workloads = chosen.iter().map(|workload| RowDoc::from(*workload)).collect();
            document::object(&ListDoc { workloads, gaps: document::Gaps::of(&snapshot) })?;
        } else {
            let labels = self.show.labels();
            self.show.on_stdout(|screen| write(&chosen, labels, screen))?;
        }
        Ok(self.look.view(snapshot))
    }
}

impl Workloads {
    fn chosen<'s>(&self, snapshot: &'s Snapshot) -> anyhow::Result<Vec<Workload<'s>>> {
        if !self.workloads.is_empty() {
            return self.workloads.iter().map(|workload| workload.find(snapshot)).collect();
        }
        let is_shown = |workload: &Workload<'_>| {
            let facts = workload.facts();
            let is_plain = facts.kind != WorkloadKind::Unit && facts.kind != WorkloadKind::Infra;
            self.all || is_plain && workload.is_vouched()
        };
        Ok(snapshot.workloads().filter(is_shown).collect())
    }
}

#[derive(Serialize)]
struct ListDoc<'s> {
    workloads: Vec<RowDoc<'s>>,
    #[serde(flatten)]
    gaps: document::Gaps<'s>,
}

/// A workload with its namespaces.
#[derive(Serialize)]
struct RowDoc<'s> {
    #[serde(flatten)]
    workload: WorkloadDoc<'s>,
    /// The namespaces that belong to it.
    namespaces: Vec<String>,
}

impl<'s> From<Workload<'s>> for RowDoc<'s> {
    fn from(workload: Workload<'s>) -> Self {
        let namespaces = workload.namespaces().map(|namespace| namespace.id().to_string());
        RowDoc { workload: WorkloadDoc::from(workload.facts()), namespaces: namespaces.collect() }
    }
}

const COLUMNS: [(&str, bool, Option<usize>); 7] = [
    ("NAME", false, None),
    ("ENGINE", false, None),
    ("KIND", false, None),
    ("PID", true, None),
    ("OWN", false, None),
    ("BY", false, None),
    ("IMAGE", false, Some(12)),
];

fn write(workloads: &[Workload<'_>], labels: Labels, screen: &mut Screen<'_>) -> io::Result<()> {
    let columns =
        COLUMNS.map(|(heading, right, least)| Column { heading, right, least, spare: false });
    let rows = workloads.iter().map(|workload| row(*workload, labels));
    columns::write(screen.out, &screen.palette, &columns, rows, true, screen.width)
}

fn row(workload: Workload<'_>, labels: Labels) -> Vec<Line> {
    let facts = workload.facts();
    let plain = |text: String| {
        let mut line = Line::default();
        line.plain(text);
        line
    };
    let mut pid = Line::default();
    match workload.first_process() {
        Some(first) => pid.push(Role::Process, first.pid()),
        None => pid.plain("-"),
    };
    let by = match facts.vouched_by {
        Voucher::Machine => "machine".to_owned(),
        Voucher::User(uid) => format!("UID {uid}"),
        Voucher::Nobody => "nobody".to_owned(),
    };
    let image = facts.image.as_ref().map_or("-".into(), |image| quoted(image.as_bytes()));
    vec![
        labels.workload_name(workload),
        plain(facts.engine.to_string()),
        plain(facts.kind.to_string()),
        pid,
        plain(own(workload)),
        plain(by),
        plain(image.to_string()),
    ]
}

/// A letter for each type of namespace that belongs to it, as in `--filter`; `-` for each that it
/// shares.
fn own(workload: Workload<'_>) -> String {
    let own: Vec<NamespaceType> =
        workload.namespaces().map(|namespace| namespace.namespace_type()).collect();
    NamespaceType::ALL
        .into_iter()
        .map(|namespace_type| match own.contains(&namespace_type) {
            true => namespace_type.letter(),
            false => "-",
        })
        .collect()
}
