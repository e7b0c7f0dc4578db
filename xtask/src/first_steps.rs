//! `cargo xtask first-steps`: what README and guide have a newcomer type on a fresh clone, their
//! commands of cargo, carried out as they stand there.
//!
//! That builds everything for a release, which is too much for a test among others; all other
//! commands on these pages are run by `lxkns-it::sessions`. Left out are other chores of `cargo
//! xtask`: the lint knows whether they exist, and `ci` is what runs this one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::tidy::console_lines;
use crate::workspace::Workspace;

/// The pages that a newcomer reads first.
const PAGES: [&str; 2] = ["README.md", "docs/guide.md"];

/// Carries them out, and looks at what comes of them.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let installed = workspace.target_folder()?.join("first-steps");
    if installed.exists() {
        fs::remove_dir_all(&installed)?;
    }
    for page in PAGES {
        let text = fs::read_to_string(workspace.root().join(page))
            .with_context(|| format!("cannot read {page}"))?;
        for command in commands(&text) {
            println!("first steps: {command}");
            let printed = carry_out(workspace, command, &installed)
                .with_context(|| format!("{command}, in {page}"))?;
            judge(command, &printed, &installed)
                .with_context(|| format!("{command}, in {page}"))?;
        }
    }
    Ok(())
}

/// The commands of cargo on a page, but for chores.
fn commands(page: &str) -> impl Iterator<Item = &str> {
    let lines = console_lines(page).into_iter().map(|(_, line)| line);
    lines
        .filter_map(|line| line.strip_prefix("$ "))
        .filter(|command| command.starts_with("cargo ") && !command.starts_with("cargo xtask "))
}

/// What a command prints on standard output.
fn carry_out(workspace: &Workspace, command: &str, installed: &Path) -> Result<String> {
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(workspace.root())
        // Where a newcomer has `~/.cargo`.
        .env("CARGO_INSTALL_ROOT", installed)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start a shell")?;
    ensure!(output.status.success(), "failed ({})", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether there is now what the page says that there is.
fn judge(command: &str, printed: &str, installed: &Path) -> Result<()> {
    match command.split_whitespace().nth(1) {
        Some("run") => {
            ensure!(printed.starts_with("NAMESPACE "), "no table of namespaces, but: {printed}")
        }
        Some("install") => {
            let output = Command::new(installed.join("bin/lxkns"))
                .arg("--version")
                .output()
                .context("lxkns was not installed")?;
            let version = String::from_utf8_lossy(&output.stdout);
            ensure!(version.starts_with("lxkns "), "lxkns --version prints {version:?}");
        }
        _ => bail!("nobody knows what is to come of this"),
    }
    Ok(())
}

#[test]
fn chores_and_output_are_left_out() {
    let page = "\
```console
$ cargo run --release
cargo is not typed here
$ cargo xtask ci
$ lxkns
```
```sh
cargo build
```
";
    assert_eq!(commands(page).collect::<Vec<_>>(), ["cargo run --release"]);
}
