//! The first root file system of a virtual machine: the tests that talk to the kernel, the tools,
//! and this very program as their init, all statically linked, as there is nothing else in it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cpio::Archive;
use super::guest::{HOME, PLAN};
use crate::test::build::{self, Built, Selection};
use crate::test::stage::Stage;
use crate::workspace::Workspace;

/// The packages with tests that talk to the kernel.
const TESTED: &[&str] = &["lxkns-ops", "lxkns-discover", "lxkns-nstest", "lxkns-it"];

/// Whose programs are needed: the tools, and the init.
const NEEDED: &[&str] = &["lxkns-cli", "xtask"];

/// Builds everything and packs it into `initramfs`.
pub(super) fn build(workspace: &Workspace, initramfs: &Path) -> Result<()> {
    let packages = [TESTED, NEEDED].concat();
    let Built { tests, tools } = build::build(workspace, Selection::Static(&packages))?;
    let tests = tests
        .into_iter()
        .filter(|test| {
            let package = test.name.split("::").next().unwrap_or_default();
            TESTED.contains(&package)
        })
        .collect();
    let stage = Stage::set_up(workspace, &Built { tests, tools })?;
    pack(&stage, initramfs).with_context(|| format!("cannot write {}", initramfs.display()))
}

fn pack(stage: &Stage, initramfs: &Path) -> Result<()> {
    let mut archive = Archive::create(initramfs)?;
    archive.folder("dev")?;
    archive.character_device("dev/console", (5, 1))?;
    archive.tree(HOME.trim_start_matches('/'), stage.root())?;
    let inside = |path: &Path| -> Result<PathBuf> {
        Ok(Path::new(HOME).join(path.strip_prefix(stage.root())?))
    };
    let mut plan = String::new();
    for test in &stage.tests {
        let (path, folder) = (inside(&test.path)?, inside(&test.folder_copy)?);
        plan += &format!("{}\t{}\t{}\n", test.name, path.display(), folder.display());
    }
    archive.file(PLAN.trim_start_matches('/'), 0o644, plan.as_bytes())?;
    archive.finish()?;
    Ok(())
}
