//! A temporary folder with everything that tests need while they run, readable by everybody.
//!
//! The workspace may lie where an ordinary user cannot go (below `/root`, say), so binaries,
//! tools and the data files of the tests are put where that user can reach them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::build::{Built, TestBinary};
use crate::workspace::Workspace;

/// The folder; removed with everything in it when dropped.
#[derive(Debug)]
pub(crate) struct Stage {
    root: PathBuf,
    pub(crate) tests: Vec<StagedTest>,
}

/// A test binary in the stage.
#[derive(Debug)]
pub(crate) struct StagedTest {
    /// As of [`TestBinary::name`].
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Where the tests find their data files: the folder of the package itself, and its copy.
    pub(crate) folder: PathBuf,
    pub(crate) folder_copy: PathBuf,
}

impl Stage {
    /// Lays out the stage below the folder for temporary files.
    pub(crate) fn set_up(workspace: &Workspace, built: &Built) -> Result<Self> {
        let root = std::env::temp_dir().join(format!("lxkns-test-{}", std::process::id()));
        let mut stage = Self { root, tests: Vec::new() };
        for folder in [
            stage.root.clone(),
            stage.bin_dir(),
            stage.examples_dir(),
            stage.tests_dir(),
            stage.scratch(),
        ] {
            new_folder(&folder)?;
        }
        for tool in &built.tools {
            put(tool, &stage.bin_dir())?;
        }
        for example in &built.examples {
            put(example, &stage.examples_dir())?;
        }
        for member in ["crates", "tests", "xtask"] {
            copy_tree(&workspace.root().join(member), &stage.sources().join(member))?;
        }
        for test in &built.tests {
            let staged = stage.stage_test(workspace, test)?;
            stage.tests.push(staged);
        }
        Ok(stage)
    }

    fn stage_test(&self, workspace: &Workspace, test: &TestBinary) -> Result<StagedTest> {
        let within = test.folder.strip_prefix(workspace.root())?;
        Ok(StagedTest {
            name: test.name.clone(),
            path: put(&test.path, &self.tests_dir())?,
            folder: test.folder.clone(),
            folder_copy: self.sources().join(within),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder with the tools.
    pub(crate) fn bin_dir(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Beside the tools, as where cargo builds them.
    fn examples_dir(&self) -> PathBuf {
        self.bin_dir().join("examples")
    }

    /// A folder for the files of a run.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// The copy of the workspace's own files.
    pub(crate) fn sources(&self) -> PathBuf {
        self.root.join("sources")
    }

    fn tests_dir(&self) -> PathBuf {
        self.root.join("tests")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Nothing to be done about a folder that cannot be removed; it is in a temporary place.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Makes a folder that everybody may read, whatever the umask says.
fn new_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755)))
        .with_context(|| format!("cannot make the folder {}", path.display()))
}

/// Puts an executable into a folder: linked where that is possible, as test binaries are large.
fn put(executable: &Path, folder: &Path) -> Result<PathBuf> {
    let name = executable.file_name().context("an executable without a name")?;
    let to = folder.join(name);
    fs::hard_link(executable, &to)
        .or_else(|_: io::Error| fs::copy(executable, &to).map(|_| ()))
        .and_then(|()| fs::set_permissions(&to, Permissions::from_mode(0o755)))
        .with_context(|| {
            format!("cannot put {} into {}", executable.display(), folder.display())
        })?;
    Ok(to)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    new_folder(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_tree(&from, &to)?;
        } else {
            fs::copy(&from, &to)
                .and_then(|_| fs::set_permissions(&to, Permissions::from_mode(0o644)))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        }
    }
    Ok(())
}
