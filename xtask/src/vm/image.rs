//! The first root file system of the virtual machines: the tests that talk to the kernel, the
//! tools, and this very program as their init, all statically linked, as there is nothing else in
//! it. One does for all kernels: each finds its modules in a folder with its name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cpio::Archive;
use super::guest::{HOME, MODULES, PLAN};
use super::kernel::Kernel;
use super::packages::Files;
use crate::test::build::{self, Built, Selection};
use crate::test::stage::Stage;
use crate::workspace::Workspace;

/// The packages with tests that talk to the kernel.
const TESTED: &[&str] = &["lxkns-ops", "lxkns-discover", "lxkns-nstest", "lxkns-it"];

/// Whose programs are needed: the tools, the examples, and the init.
const NEEDED: &[&str] = &["lxkns", "lxkns-cli", "xtask"];

/// Builds everything and packs it into `initramfs`.
pub(super) fn build(
    workspace: &Workspace,
    kernels: &[(Kernel, Files)],
    initramfs: &Path,
) -> Result<()> {
    let packages = [TESTED, NEEDED].concat();
    let Built { tests, tools, examples } = build::build(workspace, Selection::Static(&packages))?;
    let tests = tests
        .into_iter()
        .filter(|test| {
            let package = test.name.split("::").next().unwrap_or_default();
            // How much memory a document takes is no matter of the kernel.
            TESTED.contains(&package) && test.name != "lxkns-it::document_memory"
        })
        .collect();
    let stage = Stage::set_up(workspace, &Built { tests, tools, examples })?;
    pack(&stage, kernels, initramfs)
        .with_context(|| format!("cannot write {}", initramfs.display()))
}

fn pack(stage: &Stage, kernels: &[(Kernel, Files)], initramfs: &Path) -> Result<()> {
    let mut archive = Archive::create(initramfs)?;
    archive.folder("dev")?;
    archive.character_device("dev/console", (5, 1))?;
    archive.tree(inside_root(HOME), stage.root())?;
    let inside = |path: &Path| -> Result<PathBuf> {
        Ok(Path::new(HOME).join(path.strip_prefix(stage.root())?))
    };
    let mut plan = String::new();
    for test in &stage.tests {
        let (path, folder) = (inside(&test.path)?, inside(&test.folder_copy)?);
        plan += &format!("{}\t{}\t{}\n", test.name, path.display(), folder.display());
    }
    archive.file(inside_root(PLAN), 0o644, plan.as_bytes())?;
    archive.folder(inside_root(MODULES))?;
    for (kernel, files) in kernels {
        let folder = format!("{}/{}", inside_root(MODULES), kernel.full_release());
        archive.folder(&folder)?;
        for module in &files.modules {
            let name = module.file_name().context("a module without a name")?.to_string_lossy();
            archive.file(&format!("{folder}/{name}"), 0o644, &fs::read(module)?)?;
        }
    }
    archive.finish()?;
    Ok(())
}

/// The name in an archive, where names are relative.
fn inside_root(path: &str) -> &str {
    path.trim_start_matches('/')
}
