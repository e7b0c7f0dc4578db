//! Completion of command lines: the shell asks the program itself, for each word.
//!
//! `lxkns completions SHELL` prints the script that makes a shell do so. It calls the program with
//! [`VARIABLE`] in its environment; see the crate clap_complete for what they say to each other.
//! Candidates are names of ours and numbers, which mean nothing to a shell.

use std::ffi::OsStr;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::CompleteEnv;
use lxkns_discover::{Options, discover};
use lxkns_model::{Details, Part, Process, Snapshot, Voucher, Workload};
use lxkns_species::NamespaceType;

use crate::Tool;
use crate::render::label::Labels;
use crate::tools::command;
use crate::tools::completions::VARIABLE;

/// Answers a shell, if one asks. Says whether it did.
///
/// # Errors
///
/// If the question makes no sense.
pub(crate) fn answer(tool: Tool) -> clap::error::Result<bool> {
    let here = std::env::current_dir().ok();
    CompleteEnv::with_factory(|| completable(tool))
        .var(VARIABLE)
        .try_complete(std::env::args_os(), here.as_deref())
}

/// The command line of a tool, with its values.
///
/// The first word after `lxkns` completes to a command: the namespaces of a machine would hide the
/// commands among them.
fn completable(tool: Tool) -> Command {
    let whole = command(tool);
    if !whole.has_subcommands() {
        return with_values(whole);
    }
    let options = whole.get_arguments().filter(|argument| !argument.is_positional());
    let command = Command::new(tool.name()).args(options.cloned());
    with_values(command.subcommands(whole.get_subcommands().cloned()))
}

fn with_values(command: Command) -> Command {
    command.mut_args(with_values_of_system).mut_subcommands(with_values)
}

fn with_values_of_system(argument: Arg) -> Arg {
    let names = argument.get_value_names().unwrap_or_default();
    match names.first().map(|name| name.as_str()) {
        Some("NAMESPACE") => argument.add(ArgValueCompleter::new(namespaces)),
        Some("WORKLOAD") => argument.add(ArgValueCompleter::new(workloads)),
        Some("PID") => argument.add(ArgValueCompleter::new(processes)),
        Some("TYPES") => argument.add(ArgValueCompleter::new(types)),
        _ => argument,
    }
}

fn types(start: &OsStr) -> Vec<CompletionCandidate> {
    let names = NamespaceType::ALL.map(|namespace_type| namespace_type.name().to_owned());
    starting_with(start, names.into_iter().map(|name| (name, None)))
}

/// By their inodes: bash takes `net:` and `net@` for words of their own, and brackets for patterns.
fn namespaces(start: &OsStr) -> Vec<CompletionCandidate> {
    let Some(snapshot) = system() else {
        return Vec::new();
    };
    let candidate = |namespace: lxkns_model::Namespace<'_>| {
        let help = Labels::default().namespace(&snapshot, namespace).to_string();
        (namespace.id().inode().to_string(), Some(help))
    };
    starting_with(start, snapshot.namespaces().map(candidate))
}

/// By the beginnings of their IDs.
fn workloads(start: &OsStr) -> Vec<CompletionCandidate> {
    let Some(snapshot) = system_with(&[Part::Names, Part::Cgroup], Details::Leaders) else {
        return Vec::new();
    };
    let candidate = |workload: Workload<'_>| {
        let facts = workload.facts();
        let help = Labels::default().workload(workload).to_string();
        // Names are foreign text; IDs of engines, which are digits only, mean nothing to a shell.
        let id = facts.id.as_ref().and_then(|id| id.to_str());
        let is_plain = |id: &&str| id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let id = id.filter(is_plain)?.get(..12)?;
        let of = match facts.vouched_by {
            Voucher::Machine => String::new(),
            Voucher::User(uid) => format!("{uid}/"),
            Voucher::Nobody => return None,
        };
        Some((format!("{of}{}:{id}", facts.engine), Some(help)))
    };
    starting_with(start, snapshot.workloads().filter_map(candidate))
}

fn processes(start: &OsStr) -> Vec<CompletionCandidate> {
    let Some(snapshot) = system() else {
        return Vec::new();
    };
    let candidate = |process: Process<'_>| {
        let name = Labels::default().process_name(process).to_string();
        (process.pid().to_string(), Some(name))
    };
    starting_with(start, snapshot.processes().map(candidate))
}

/// The namespaces and processes of this machine, without what takes long or is not shown.
fn system() -> Option<Snapshot> {
    system_with(&[], Details::Nobody)
}

/// Likewise, with these parts.
fn system_with(parts: &[Part], details: Details) -> Option<Snapshot> {
    let slow = [Part::Sockets, Part::Cmdline, Part::Cgroup, Part::Credentials, Part::Names];
    let left_out = slow.into_iter().filter(|part| !parts.contains(part));
    let options = left_out.fold(Options::everything(), Options::without);
    discover(&options.details(details)).ok()
}

fn starting_with(
    start: &OsStr,
    candidates: impl Iterator<Item = (String, Option<String>)>,
) -> Vec<CompletionCandidate> {
    let start = start.to_string_lossy();
    candidates
        .filter(|(value, _)| value.starts_with(&*start))
        .map(|(value, help)| CompletionCandidate::new(value).help(help.map(Into::into)))
        .collect()
}
