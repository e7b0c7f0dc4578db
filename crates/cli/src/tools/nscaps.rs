//! `nscaps`: which capabilities a process has in a namespace.

mod forest;
mod verdict;

use anyhow::anyhow;
use lxkns_discover::{Options, ThreadCredentials};
use lxkns_model::{Part, Process, Snapshot};
use lxkns_species::{NamespaceType, NamespaceTypes};
use serde::Serialize;

use self::forest::{Branches, branches, names};
use self::verdict::{Judge, Verdict};
use super::Run;
use crate::args::noise::Volume;
use crate::args::{Look, NamespaceArg, Noise, PidArg, Show, Trees};
use crate::document::{self, Gaps};
use crate::failure::Usage;
use crate::render::tree;
use crate::view::View;

/// What `nscaps` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Nscaps {
    /// The namespace to have capabilities in
    #[arg(required_unless_present = "dump_theme")]
    namespace: Option<NamespaceArg>,

    #[command(flatten)]
    pid: PidArg,

    /// Whether to list the process's own effective capabilities
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    proccaps: bool,

    /// Sum up the capabilities in the namespace instead of listing them
    #[arg(short, long)]
    brief: bool,

    /// Print JSON: an object with "verdict", "capabilities", and if the verdict is unknown,
    /// "reason"
    ///
    /// The verdict is about the main thread. "threads" lists the threads whose credentials differ.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    trees: Trees,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    noise: Noise,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct VerdictDoc<'s> {
    pid: u32,
    namespace: String,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The threads with other credentials than the main one; absent if they were not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<Vec<ThreadDoc>>,
    #[serde(flatten)]
    gaps: Gaps<'s>,
}

/// A thread with other credentials than the main one.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ThreadDoc {
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    euid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_capabilities: Option<Vec<String>>,
}

impl Run for Nscaps {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        Some(&self.show)
    }

    fn run(self) -> anyhow::Result<View> {
        let namespace = self.namespace.as_ref();
        let namespace = namespace.ok_or_else(|| Usage::new("which namespace?"))?;
        if !self.look.is_live() && self.pid.pid.is_none() {
            let text = "--input needs --pid: nscaps itself is not part of a saved snapshot";
            return Err(Usage::new(text).into());
        }
        let snapshot = self.look.snapshot(self.options(namespace))?;
        let process = self.process(&snapshot)?;
        let target = namespace.find(&snapshot, self.look.is_live())?;
        let threads = self.differing_threads(process);
        let mut judge = Judge::of(&snapshot, process);
        if self.json {
            let verdict = judge.verdict(target);
            document::object(&VerdictDoc {
                pid: process.pid().0,
                namespace: target.id().to_string(),
                verdict: verdict.name(),
                capabilities: verdict.capabilities().map(names),
                reason: match verdict {
                    Verdict::Unknown(missing) => Some(missing.to_string()),
                    _ => None,
                },
                threads: threads.map(|threads| threads.iter().map(ThreadDoc::of).collect()),
                gaps: Gaps::of(&snapshot),
            })?;
        } else {
            let shown = branches(process, target).into_iter().flatten().chain([target]);
            let verdicts = shown.map(|it| (it.id(), judge.verdict(it))).collect();
            self.show.on_stdout(|screen| {
                let mut forest = Branches {
                    snapshot: &snapshot,
                    process,
                    threads: threads.unwrap_or_default(),
                    target,
                    verdicts,
                    labels: self.show.labels(),
                    own_capabilities: self.proccaps,
                    brief: self.brief,
                    width: screen.width,
                };
                let roots = forest.roots();
                tree::write(&mut forest, roots, self.trees.style, screen)
            })?;
        }
        Ok(self.look.view(snapshot))
    }
}

impl Nscaps {
    fn options(&self, namespace: &NamespaceArg) -> Options {
        let mut types = match namespace {
            NamespaceArg::Id(id) => NamespaceTypes::of([id.namespace_type()]),
            NamespaceArg::OfProcess(namespace_type, _)
            | NamespaceArg::OfWorkload(Some(namespace_type), _) => {
                NamespaceTypes::of([*namespace_type])
            }
            NamespaceArg::Inode(_) | NamespaceArg::Path(_) | NamespaceArg::OfWorkload(None, _) => {
                NamespaceTypes::ALL
            }
        };
        types.insert(NamespaceType::User);
        if self.pid.ns.is_some() {
            types.insert(NamespaceType::Pid);
        }
        let options = Options::everything().types(types);
        if self.show.needs_cmdline() { options } else { options.without(Part::Cmdline) }
    }

    /// The threads that have not the credentials of the main one, which the verdict is about.
    ///
    /// `None` if they could not be read, as in a saved snapshot.
    fn differing_threads(&self, process: Process<'_>) -> Option<Vec<ThreadCredentials>> {
        if !self.look.is_live() {
            return None;
        }
        let read = self.look.thread_credentials(process);
        let mut threads = read
            .inspect_err(|error| tracing::warn!("threads of {}: {error}", process.pid()))
            .ok()?;
        let own = (process.euid(), process.effective_capabilities());
        threads.retain(|thread| (thread.euid, thread.effective_capabilities) != own);
        Some(threads)
    }

    /// The process that was named, or this very one.
    fn process<'s>(&self, snapshot: &'s Snapshot) -> anyhow::Result<Process<'s>> {
        if let Some(process) = self.pid.find(snapshot, self.look.is_live())? {
            return Ok(process);
        }
        let own = snapshot.host().scanner_pid;
        own.and_then(|pid| snapshot.process(pid)).ok_or_else(|| {
            anyhow!("nscaps cannot find itself among the processes; name one with --pid")
        })
    }
}

impl ThreadDoc {
    fn of(thread: &ThreadCredentials) -> ThreadDoc {
        ThreadDoc {
            tid: thread.tid.0,
            euid: thread.euid.map(|euid| euid.0),
            effective_capabilities: thread.effective_capabilities.map(names),
        }
    }
}
