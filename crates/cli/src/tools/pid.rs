//! `lxkns pid`: one process in all of its PID namespaces.

use anyhow::anyhow;
use lxkns_discover::Options;
use lxkns_model::{Namespace, Part, Process, Snapshot};
use lxkns_pidmap::PidMap;
use lxkns_species::{NamespaceType, NamespaceTypes, Pid};
use serde::Serialize;

use super::Run;
use crate::args::noise::Volume;
use crate::args::pid_arg::{self, known_process};
use crate::args::{Look, NamespaceArg, Noise, Show};
use crate::document::{self, Gaps};
use crate::failure::Usage;
use crate::render::columns::{self, Column};
use crate::render::label::Labels;
use crate::render::line::Line;
use crate::render::role::Role;
use crate::render::screen::Screen;
use crate::view::View;

/// What `lxkns pid` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Whereabouts {
    /// The process with this PID
    #[arg(value_name = "PID", value_parser = pid_arg::pid, required_unless_present = "dump_theme")]
    pid: Option<Pid>,

    /// The PID namespace in which that PID is meant [default: the one of the scan]
    #[arg(long, value_name = "NAMESPACE")]
    from: Option<NamespaceArg>,

    /// Print nothing but the PID in this PID namespace
    #[arg(long, value_name = "NAMESPACE")]
    to: Option<NamespaceArg>,

    /// Print JSON: an object with "pids", a list of objects with "pid" and "namespace"
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    noise: Noise,
}

/// A PID, and the namespace that it is of; `None` where it is not known.
type Level<'s> = (Option<Namespace<'s>>, Option<Pid>);

#[derive(Serialize)]
struct ProcessDoc<'s> {
    process: Pid,
    pids: Vec<LevelDoc>,
    #[serde(flatten)]
    gaps: Gaps<'s>,
}

#[derive(Serialize)]
struct LevelDoc {
    pid: Option<Pid>,
    namespace: Option<String>,
}

impl Run for Whereabouts {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        Some(&self.show)
    }

    fn run(self) -> anyhow::Result<View> {
        let pid = self.pid.ok_or_else(|| Usage::new("which process?"))?;
        let snapshot = self.look.snapshot(self.options())?;
        let map = PidMap::new(&snapshot);
        let process = self.process(pid, &snapshot, &map)?;
        let (levels, alone) = match &self.to {
            Some(to) => {
                let live = self.look.is_live();
                let to = to.find_pid_namespace(&snapshot, live, "--to")?;
                let pid = pid_in(&map, process, to)?;
                (vec![(Some(to), Some(pid))], Some(pid))
            }
            None => (levels(&map, process), None),
        };
        if self.json {
            document::object(&ProcessDoc {
                process: process.pid(),
                pids: levels.into_iter().map(LevelDoc::from).collect(),
                gaps: Gaps::of(&snapshot),
            })?;
        } else {
            self.show.on_stdout(|screen| match alone {
                Some(pid) => writeln!(screen.out, "{pid}"),
                None => table(&snapshot, levels, self.show.labels(), screen),
            })?;
        }
        Ok(self.look.view(snapshot))
    }
}

impl Whereabouts {
    fn options(&self) -> Options {
        let mut options = Options::everything()
            .types(NamespaceTypes::of([NamespaceType::Pid]))
            .without(Part::Ownership)
            .without(Part::Credentials);
        if !self.show.needs_cmdline() {
            options = options.without(Part::Cmdline);
        }
        if self.from.is_none() && self.to.is_none() {
            // Where a process has PIDs, there are processes. Only somebody who names a namespace
            // can have one in mind that is kept alive by something else.
            for part in [Part::Threads, Part::Fds, Part::Sockets, Part::Mounts, Part::Kernel] {
                options = options.without(part);
            }
        }
        options
    }

    fn process<'s>(
        &self,
        pid: Pid,
        snapshot: &'s Snapshot,
        map: &PidMap<'s>,
    ) -> anyhow::Result<Process<'s>> {
        let Some(from) = &self.from else {
            return known_process(snapshot, pid);
        };
        let from = from.find_pid_namespace(snapshot, self.look.is_live(), "--from")?;
        map.process(pid, from.id()).ok_or_else(|| {
            let from = from.id();
            anyhow!("there is no process {pid} in {from}, as far as can be seen")
        })
    }
}

/// The PIDs of a process, the last ones `?` if they could not be read.
fn levels<'s>(map: &PidMap<'s>, process: Process<'s>) -> Vec<Level<'s>> {
    if let Some(levels) = process.levels() {
        return levels.into_iter().map(|(namespace, pid)| (namespace, Some(pid))).collect();
    }
    // That one PID is sure, and where it is the last one.
    let outermost = map.pids(process).next().map(|(namespace, _)| namespace);
    let own = process.namespace(NamespaceType::Pid);
    let further = (own.is_none() || own != outermost).then_some((own, None));
    let first = (outermost, Some(process.pid()));
    [first].into_iter().chain(further).collect()
}

/// The PID of a process in a PID namespace, or why there is none.
fn pid_in<'s>(
    map: &PidMap<'s>,
    process: Process<'s>,
    namespace: Namespace<'s>,
) -> anyhow::Result<Pid> {
    if let Some((_, pid)) = map.pids(process).find(|(level, _)| *level == namespace) {
        return Ok(pid);
    }
    let (of, to) = (process.pid(), namespace.id());
    let own = process.namespace(NamespaceType::Pid);
    Err(match own {
        Some(own) if levels(map, process).iter().all(is_known) => anyhow!(
            "process {of} has no PID in {to}: it is in {}, which is not below that",
            own.id()
        ),
        _ => anyhow!(
            "cannot tell whether process {of} has a PID in {to}: \
             not all of its PID namespaces could be read; root may be able to"
        ),
    })
}

fn is_known((namespace, pid): &Level<'_>) -> bool {
    namespace.is_some() && pid.is_some()
}

fn table(
    snapshot: &Snapshot,
    levels: Vec<Level<'_>>,
    labels: Labels,
    screen: &mut Screen<'_>,
) -> std::io::Result<()> {
    let column = |heading, right| Column { heading, right, least: None, spare: false };
    let row = |(namespace, pid): Level<'_>| {
        let (mut number, mut place) = (Line::default(), Line::default());
        match pid {
            Some(pid) => number.push(Role::Process, pid),
            None => number.push(Role::Unknown, "?"),
        };
        match namespace {
            Some(namespace) => place.append(labels.namespace(snapshot, namespace)),
            None => place.push(Role::Unknown, "pid:[?]"),
        };
        vec![number, place]
    };
    columns::write(
        screen.out,
        &screen.palette,
        &[column("PID", true), column("NAMESPACE", false)],
        levels.into_iter().map(row),
        true,
        screen.width,
    )
}

impl From<Level<'_>> for LevelDoc {
    fn from((namespace, pid): Level<'_>) -> LevelDoc {
        LevelDoc { pid, namespace: namespace.map(|namespace| namespace.id().to_string()) }
    }
}

#[cfg(test)]
mod tests;
