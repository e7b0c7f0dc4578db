//! `cargo xtask package`: whether each published crate can be packaged, and built from its package.
//!
//! That takes a build of everything from scratch, so it is no part of the lint, which only looks
//! whether the manifests say what they have to.

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

/// What is not published. Cargo would pack it all the same.
pub(crate) const UNPUBLISHED: &[&str] = &["lxkns-fuzz", "lxkns-it", "lxkns-nstest", "xtask"];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let status = workspace
        .cargo()
        .args(["package", "--workspace", "--locked"])
        .args(
            UNPUBLISHED
                .iter()
                .flat_map(|package| ["--exclude", package]),
        )
        .status()
        .context("cannot start cargo package")?;
    ensure!(status.success(), "cargo package failed ({status})");
    Ok(())
}
