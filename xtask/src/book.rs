//! `cargo xtask docs`: the documentation as it is published, the book and the crates.
//!
//! The pages of the book are plain Markdown, which the lint checks without mdBook: whoever only
//! changes a page does not have to install it.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let status = Command::new("mdbook")
        .args(["build", "docs"])
        .current_dir(workspace.root())
        .status()
        .context("mdbook cannot be started; `cargo install mdbook --locked` installs it")?;
    ensure!(status.success(), "mdbook failed ({status})");
    println!("docs: {}", workspace.root().join("docs/book/index.html").display());
    let status = workspace
        .cargo()
        .args(["doc", "--no-deps", "--all-features"])
        .args(workspace.published()?)
        .env("RUSTDOCFLAGS", "-D warnings")
        .status()
        .context("cannot start cargo doc")?;
    ensure!(status.success(), "cargo doc failed ({status})");
    Ok(())
}
