//! `lxkns why`: who keeps a namespace alive, and what has to happen for it to go away.

mod holders;
mod mount;
mod plan;

use std::io;
use std::path::{Path, PathBuf};

use anyhow::bail;
use lxkns_discover::{Options, mounted};
use lxkns_model::wire::snapshot::WhyDoc;
use lxkns_model::{Holder, Process, Snapshot, Text, Why as Answer, blind_spots};
use lxkns_species::{NamespaceType, NamespaceTypes, Pid};

use super::Run;
use crate::args::noise::Volume;
use crate::args::{Look, NamespaceArg, Noise, Show};
use crate::failure::Usage;
use crate::render::escape::{one_line, quoted};
use crate::render::label::Labels;
use crate::render::line::Line;
use crate::render::role::Role;
use crate::render::screen::Screen;
use crate::render::tree::indented;
use crate::view::View;
use crate::{document, notes};

/// What `lxkns why` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Why {
    /// The namespace that does not go away
    #[arg(required_unless_present_any = ["dump_theme", "mount"])]
    namespace: Option<NamespaceArg>,

    /// Tell instead which mount namespaces have what is mounted at this path, or is on this block
    /// device
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    #[arg(conflicts_with_all = ["namespace", "input"])]
    mount: Option<PathBuf>,

    /// Print JSON: the namespace with its holders, and in "steps" what has to happen
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    noise: Noise,
}

impl Run for Why {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        Some(&self.show)
    }

    fn run(self) -> anyhow::Result<View> {
        if let Some(path) = &self.mount {
            return self.tell_of_mount(path);
        }
        let namespace = self.namespace.as_ref();
        let namespace = namespace.ok_or_else(|| Usage::new("which namespace?"))?;
        let snapshot = self.look.snapshot(Options::everything())?;
        let id = namespace.find(&snapshot, self.look.is_live())?.id();
        let snapshot = snapshot.without_scanner();
        let Some(why) = snapshot.why(id) else {
            bail!("there is no namespace {id}");
        };
        if self.json {
            document::object(&WhyDoc::from(&why))?;
            return Ok(self.look.view(snapshot));
        }
        let namer = Namer { snapshot: &snapshot, labels: self.show.labels() };
        self.show.on_stdout(|screen| {
            holders::write(&namer, &why, screen)?;
            plan::write(&namer, &why, screen)?;
            doubts(&why, screen)
        })?;
        Ok(self.look.view(snapshot))
    }
}

impl Why {
    fn tell_of_mount(&self, path: &Path) -> anyhow::Result<View> {
        let types = NamespaceTypes::of([NamespaceType::Mnt]);
        let snapshot = self.look.snapshot(Options::everything().types(types))?.without_scanner();
        let mounted = mounted(&snapshot, path)?;
        let namer = Namer { snapshot: &snapshot, labels: self.show.labels() };
        if self.json {
            document::object(&mount::MountedDoc::of(&namer, &mounted))?;
        } else {
            self.show.on_stdout(|screen| mount::write(&namer, path, &mounted, screen))?;
        }
        Ok(self.look.view(snapshot))
    }
}

/// What may be missing from the answer. That is part of it, so it stands there, too.
fn doubts(why: &Answer<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let mut doubts: Vec<String> = why.gaps.iter().map(|gap| notes::in_full(gap)).collect();
    let skipped: Vec<_> = why.skipped.iter().map(|part| part.name()).collect();
    if !skipped.is_empty() {
        doubts.push(format!("not looked for: {}", skipped.join(", ")));
    }
    let types: Vec<_> = why.skipped_types.iter().map(NamespaceType::name).collect();
    if !types.is_empty() {
        let types = types.join(", ");
        doubts.push(format!("not looked for: namespaces of type {types}"));
    }
    let blind: Vec<_> = blind_spots(why.types).map(|spot| spot.what).collect();
    if !blind.is_empty() {
        doubts.push(format!("no scan can see: {}", blind.join(", ")));
    }
    section(screen, "more may hold it, unseen", doubts.len())?;
    for doubt in doubts {
        entry(screen, "", said(one_line(&doubt)))?;
    }
    Ok(())
}

/// `3, 5, 8`, and `…` if there are many more.
fn listed(numbers: impl ExactSizeIterator<Item = impl ToString>) -> String {
    const ENOUGH: usize = 8;
    let is_more = numbers.len() > ENOUGH;
    let mut words: Vec<_> = numbers.take(ENOUGH).map(|it| it.to_string()).collect();
    if is_more {
        words.push("…".into());
    }
    words.join(", ")
}

fn said(text: impl std::fmt::Display) -> Line {
    let mut line = Line::default();
    line.plain(text);
    line
}

/// The heading of a list, unless there is nothing in it.
fn section(screen: &mut Screen<'_>, heading: &str, length: usize) -> io::Result<()> {
    if length > 0 {
        writeln!(screen.out, "{heading}:")?;
    }
    Ok(())
}

/// Something in a list; `mark` is what stands before it.
fn entry(screen: &mut Screen<'_>, mark: &str, line: Line) -> io::Result<()> {
    let next = " ".repeat(4 + mark.len());
    indented(screen, line, &format!("    {mark}"), &next)
}

/// A command to copy, below the entry with this mark. It is not wrapped, so that it stays in one
/// piece.
fn command(screen: &mut Screen<'_>, mark: &str, command: &str) -> io::Result<()> {
    writeln!(screen.out, "{}{command}", " ".repeat(4 + mark.len()))
}

/// Names things such that people recognise them.
struct Namer<'s> {
    snapshot: &'s Snapshot,
    labels: Labels,
}

impl Namer<'_> {
    /// `process "server" (812)`.
    fn process(&self, pid: Pid) -> Line {
        let mut line = said("process ");
        line.append(self.labels.process_by_pid(self.snapshot, pid));
        line
    }

    /// ` running "server --port 80" controlled by "/system.slice/server.service"`.
    fn details(&self, process: Process<'_>) -> Line {
        let mut line = Line::default();
        if let Some(cmdline) = cmdline(process) {
            line.plain(" running ").append(cmdline);
        }
        line.append(self.labels.belonging(process));
        line
    }

    /// The process, or the thread of it.
    fn task(&self, pid: Pid, tid: Option<Pid>) -> Line {
        match tid {
            Some(tid) => self.labels.thread(self.snapshot, pid, tid),
            None => self.process(pid),
        }
    }

    /// Whether it is a mount that the scanner does not see.
    fn is_elsewhere(&self, holder: &Holder) -> bool {
        let own = self.snapshot.host().scanner_namespaces.get(NamespaceType::Mnt);
        matches!(holder, Holder::Mount { mount_namespace, .. } if *mount_namespace != own)
    }

    fn details_of(&self, pid: Pid) -> Line {
        let process = self.snapshot.process(pid);
        process.map_or_else(Line::default, |process| self.details(process))
    }
}

/// The beginning of a command line, where it says more than the process's name.
fn cmdline(process: Process<'_>) -> Option<Line> {
    const ENOUGH: usize = 60;
    let cmdline = process.cmdline()?;
    let arguments: Vec<&[u8]> = cmdline.arguments.iter().map(Text::as_bytes).collect();
    let joined = arguments.join(&b' ');
    let name = process.comm().map(Text::as_bytes);
    if joined.is_empty() || name == Some(&joined) {
        return None;
    }
    let mut line = Line::default();
    line.push(Role::Process, quoted(&joined));
    if line.width() > ENOUGH {
        line = line.cut_to(ENOUGH);
        line.push(Role::Process, '"');
    }
    Some(line)
}
