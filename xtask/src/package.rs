//! `cargo xtask package`: whether each published crate can be packaged, and built from its package.
//!
//! That takes a build of everything from scratch, so it is no part of the lint, which only looks
//! whether the manifests say what they have to.

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let status = workspace
        .cargo()
        .args(["package", "--locked"])
        .args(workspace.published()?)
        .status()
        .context("cannot start cargo package")?;
    ensure!(status.success(), "cargo package failed ({status})");
    Ok(())
}
