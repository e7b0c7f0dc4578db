//! From a command line to an exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use lxkns_ops::is_secure_execution;

use crate::Tool;
use crate::completion::answer;
use crate::failure::{complain, end_with};
use crate::tools::{Entry, command};

/// Runs the tool by whose name this process was started, with the arguments of the process.
pub fn main() -> ExitCode {
    let tool = Tool::called(std::env::args_os().next().as_deref());
    if is_secure_execution() {
        // The one that there is else heeds RUST_BACKTRACE, which is the user's.
        std::panic::set_hook(Box::new(|panic| complain(&panic.to_string())));
    } else {
        match answer(tool) {
            Ok(true) => return ExitCode::SUCCESS,
            Ok(false) => {}
            Err(error) => return end_of_parsing(tool, &error),
        }
    }
    match command(tool).try_get_matches() {
        Ok(matches) => end_with(dispatch(tool, &matches)),
        Err(error) => end_of_parsing(tool, &error),
    }
}

fn dispatch(tool: Tool, matches: &ArgMatches) -> anyhow::Result<()> {
    let (name, matches) = match (tool, matches.subcommand()) {
        (Tool::Lxkns, Some(subcommand)) => subcommand,
        (Tool::Lxkns, None) => (Tool::Lsallns.name(), matches),
        _ => (tool.name(), matches),
    };
    match Entry::named(name) {
        Some(entry) => (entry.run)(matches),
        None => Ok(()),
    }
}

/// Prints help or version where that was asked for; else says in one line what is wrong.
fn end_of_parsing(tool: Tool, error: &Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let printed = error.print().and_then(|()| io::stdout().flush());
        return end_with(printed.map_err(Into::into));
    }
    let (message, entry) = match (named_subcommand(tool), mistaken_word(tool, error)) {
        (None, Some(word)) => match Entry::named(&word) {
            Some(entry) => {
                let message =
                    format!("options go after the command: lxkns {word} …; see 'lxkns --help'");
                (message, Some(entry))
            }
            None => (format!("there is no command {word:?}; see 'lxkns --help'"), None),
        },
        (named, _) => (usage_error(tool, error), named),
    };
    complain(&message);
    ExitCode::from(entry.map_or(2, Entry::usage_code))
}

/// The word that may have been meant as a subcommand of `lxkns`, but was taken for a malformed
/// namespace.
fn mistaken_word(tool: Tool, error: &Error) -> Option<String> {
    if tool != Tool::Lxkns || error.kind() != ErrorKind::ValueValidation {
        return None;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    };
    // Of the arguments, only namespaces have no name before them.
    text(ContextKind::InvalidArg).filter(|argument| argument.starts_with('['))?;
    let word = text(ContextKind::InvalidValue)?;
    let is_first = || first_argument().as_ref() == Some(word);
    let is_word = word.bytes().all(|byte| byte.is_ascii_alphabetic());
    (is_word && is_first() || Entry::named(word).is_some()).then(|| word.clone())
}

/// The essence of what clap has to say: its first paragraph, its tip, and where to read on.
pub(crate) fn usage_error(tool: Tool, error: &Error) -> String {
    let text = error.to_string();
    let mut paragraphs = text.split("\n\n");
    let joined = |paragraph: &str| {
        let lines: Vec<&str> = paragraph.lines().map(str::trim).collect();
        lines.join(" ")
    };
    let mut message = joined(paragraphs.next().unwrap_or_default());
    if let Some(rest) = message.strip_prefix("error: ") {
        message = rest.to_owned();
    }
    let tip = paragraphs.find_map(|paragraph| paragraph.trim().strip_prefix("tip: ").map(joined));
    // None of our values begins with a dash.
    if let Some(tip) = tip.filter(|tip| !tip.contains("as a value")) {
        message = format!("{message}; {tip}");
    }
    let is_exec = named_subcommand(tool).is_some_and(|entry| entry.name == "exec");
    if is_exec && !std::env::args_os().any(|argument| argument == "--") {
        message += "; put -- before the command, as in lxkns exec net@812 -- ip link";
    }
    let help = match named_subcommand(tool) {
        Some(subcommand) => format!("lxkns {}", subcommand.name),
        None => tool.name().to_owned(),
    };
    format!("{message}; see '{help} --help'")
}

/// The subcommand of a command line that could not be understood.
fn named_subcommand(tool: Tool) -> Option<&'static Entry> {
    let name = first_argument().filter(|_| tool == Tool::Lxkns)?;
    Entry::named(&name)
}

/// The first argument, if it is UTF-8: names of ours are.
fn first_argument() -> Option<String> {
    std::env::args_os().nth(1)?.into_string().ok()
}
