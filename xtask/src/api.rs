//! `cargo xtask api`: the public interface of each library crate, as a list in the repository. A
//! change of it shows in a review then.
//!
//! cargo-public-api writes the lists, from what the nightly rustdoc knows.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::{Workspace, need_plugin};

/// Where the lists are.
const FOLDER: &str = "docs/api";

/// The crates with an interface of their own: the facade has none, nor has the program.
const CRATES: [&str; 6] =
    ["lxkns-species", "lxkns-ops", "lxkns-model", "lxkns-names", "lxkns-discover", "lxkns-pidmap"];

/// Writes the lists, or compares them with what would be written; `true` if none differs.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<bool> {
    need_plugin(workspace, "public-api")?;
    let folder = workspace.root().join(FOLDER);
    let mut clean = true;
    for name in CRATES {
        let (list, file) = (list(workspace, name)?, folder.join(name).with_extension("txt"));
        if check {
            let found = read(&file)?;
            if found != list {
                eprintln!("{FOLDER}/{name}.txt: error: not as the code would have it");
                clean = false;
            }
        } else {
            fs::create_dir_all(&folder)
                .and_then(|()| fs::write(&file, list))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(clean)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Without derived and automatic traits: these follow from the types.
fn list(workspace: &Workspace, package: &str) -> Result<String> {
    let output = Command::new("rustup")
        .args(["run", "nightly", "cargo", "public-api", "--package", package])
        .args(["--simplified", "--simplified", "--simplified", "--color", "never"])
        .current_dir(workspace.root())
        .output()
        .context("cannot start rustup")?;
    let trouble = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo public-api failed for {package}: {}", trouble.trim());
    String::from_utf8(output.stdout).context("a list that is no UTF-8")
}
