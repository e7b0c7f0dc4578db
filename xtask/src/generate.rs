//! `cargo xtask gen`: the files in the repository that follow from the code.
//!
//! They are kept there so that packagers need no Rust for them, and so that a change of a tool's
//! command line shows in a review. `--check` writes nothing and names what differs; it is part of
//! `cargo xtask lint`.

mod man;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Arg, ArgAction, Command, value_parser};
use clap_complete::Shell;
use lxkns_cli::Tool;

use crate::workspace::Workspace;

/// Where man pages are; nothing else is there.
pub(crate) const MAN: &str = "docs/man";
/// Where completions are; nothing else is there.
pub(crate) const COMPLETIONS: &str = "docs/completions";
const SCHEMA: &str = "docs/schema/lxkns.snapshot-1.json";

/// Writes all generated files and removes those that are none any more.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    let files = files()?;
    for path in stale(workspace, &files)? {
        fs::remove_file(workspace.root().join(&path))
            .with_context(|| format!("cannot remove {}", path.display()))?;
        println!("gen: removed {}", path.display());
    }
    for (path, content) in differing(workspace, files)? {
        let at = workspace.root().join(&path);
        let folder = at.parent().context("a file without a folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&at, content))
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("gen: {}", path.display());
    }
    Ok(())
}

/// Compares all generated files with what would be written, and names those that differ; `true`
/// when none does.
pub(crate) fn check(workspace: &Workspace) -> Result<bool> {
    let files = files()?;
    let mut clean = true;
    let mut complain = |path: &Path, what: &str| {
        eprintln!("{}: error: {what}; run `cargo xtask gen`", path.display());
        clean = false;
    };
    for path in stale(workspace, &files)? {
        complain(&path, "nothing generates this file any more");
    }
    for (path, _) in differing(workspace, files)? {
        complain(&path, "not as the code would have it");
    }
    Ok(clean)
}

/// A path in the workspace, and what belongs there.
type File = (PathBuf, Vec<u8>);

fn files() -> Result<Vec<File>> {
    let mut files: Vec<File> = man::pages()
        .context("cannot render the man pages")?
        .into_iter()
        .map(|(name, page)| (Path::new(MAN).join(name), page))
        .collect();
    for tool in Tool::ALL {
        files.extend(completions(tool));
    }
    let schema = serde_json::to_string_pretty(&lxkns_model::wire::snapshot::schema())?;
    files.push((SCHEMA.into(), (schema + "\n").into_bytes()));
    Ok(files)
}

/// The completions of a tool, in files that are named as each shell looks for them.
fn completions(tool: Tool) -> impl Iterator<Item = File> {
    let name = tool.name();
    let of = move |(shell, file): (Shell, String)| {
        let mut script = Vec::new();
        let mut command = completable(tool);
        clap_complete::generate(shell, &mut command, name, &mut script);
        (Path::new(COMPLETIONS).join(file), script)
    };
    [
        (Shell::Bash, format!("{name}.bash")),
        (Shell::Zsh, format!("_{name}")),
        (Shell::Fish, format!("{name}.fish")),
    ]
    .into_iter()
    .map(of)
}

/// The command line of a tool as far as it can be completed.
///
/// A value that has to follow `=` is left to be typed: the shells would have it follow a blank. The
/// first word after `lxkns` completes to a command: were it a namespace as well, zsh would look for
/// the command's options in the wrong place.
fn completable(tool: Tool) -> Command {
    let without_value = |argument: Arg| match argument.is_require_equals_set() {
        true => argument
            .action(ArgAction::SetTrue)
            .value_parser(value_parser!(bool))
            .num_args(0)
            .require_equals(false)
            .hide_possible_values(false)
            .default_missing_value(None),
        false => argument,
    };
    let whole = lxkns_cli::command(tool);
    if !whole.has_subcommands() {
        return whole.mut_args(without_value);
    }
    let options = whole.get_arguments().filter(|argument| !argument.is_positional());
    let command = Command::new(tool.name())
        .version(env!("CARGO_PKG_VERSION"))
        .args(options.cloned().map(without_value));
    let subcommands = whole.get_subcommands().cloned();
    command.subcommands(subcommands.map(|subcommand| subcommand.mut_args(without_value)))
}

fn differing(workspace: &Workspace, files: Vec<File>) -> Result<Vec<File>> {
    let mut differing = Vec::new();
    for (path, content) in files {
        let found = match fs::read(workspace.root().join(&path)) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        if found.as_ref() != Some(&content) {
            differing.push((path, content));
        }
    }
    Ok(differing)
}

/// What is in the folders of generated files and is none of them.
fn stale(workspace: &Workspace, files: &[File]) -> Result<Vec<PathBuf>> {
    let mut stale = Vec::new();
    for folder in [MAN, COMPLETIONS].map(Path::new) {
        let entries = match fs::read_dir(workspace.root().join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot list {}", folder.display()));
            }
        };
        for entry in entries {
            let path = folder.join(entry?.file_name());
            if !files.iter().any(|(known, _)| *known == path) {
                stale.push(path);
            }
        }
    }
    stale.sort();
    Ok(stale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_a_page_and_completions() {
        let files = files().unwrap();
        let has = |path: String| files.iter().any(|(known, _)| *known == Path::new(&path));
        for name in Tool::ALL.map(Tool::name) {
            assert!(has(format!("docs/man/{name}.1")));
            for file in [format!("{name}.bash"), format!("_{name}"), format!("{name}.fish")] {
                assert!(has(format!("docs/completions/{file}")));
            }
        }
        assert!(has("docs/man/lxkns-pid.1".to_owned()));
        assert!(files.iter().all(|(_, content)| content.ends_with(b"\n")));
    }
}
