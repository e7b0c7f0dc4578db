//! Where the workspace is, what cargo knows of it, and which files it has.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The workspace that this program belongs to.
pub(crate) struct Workspace {
    root: PathBuf,
}

/// A member of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    pub(crate) published: bool,
}

/// Ends a chore before it begins if it needs `cargo NAME` and that is not installed.
pub(crate) fn need_plugin(workspace: &Workspace, name: &str) -> Result<()> {
    let output = workspace.cargo().args([name, "--version"]).output()?;
    ensure!(
        output.status.success(),
        "there is no cargo-{name} here; `cargo install cargo-{name} --locked` installs it"
    );
    Ok(())
}

impl Workspace {
    /// The workspace that this xtask was built from.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the folder of xtask has no parent")?;
        Ok(Self { root: root.to_owned() })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A cargo command in the root of the workspace, by the cargo that runs this xtask.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        command
    }

    /// What `cargo metadata` says of the members of the workspace, without foreign packages.
    pub(crate) fn metadata(&self) -> Result<Value> {
        let output = self
            .cargo()
            .args(["metadata", "--no-deps", "--format-version", "1", "--quiet"])
            .output()
            .context("cannot start cargo metadata")?;
        ensure!(
            output.status.success(),
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        serde_json::from_slice(&output.stdout).context("cannot read the output of cargo metadata")
    }

    /// Where cargo builds.
    pub(crate) fn target_folder(&self) -> Result<PathBuf> {
        let metadata = self.metadata()?;
        let folder = metadata.get("target_directory").and_then(Value::as_str);
        Ok(folder.context("cargo metadata names no target folder")?.into())
    }

    /// The members of the workspace.
    pub(crate) fn packages(&self) -> Result<Vec<Package>> {
        let metadata = self.metadata()?;
        let packages = metadata.get("packages").and_then(Value::as_array);
        packages
            .context("cargo metadata names no packages")?
            .iter()
            .map(|package| {
                let text = |key| package.get(key).and_then(Value::as_str);
                Ok(Package {
                    name: text("name").context("a package without a name")?.to_owned(),
                    manifest: text("manifest_path").context("a package without a manifest")?.into(),
                    published: package
                        .get("publish")
                        .and_then(Value::as_array)
                        .is_none_or(|registries| !registries.is_empty()),
                })
            })
            .collect()
    }

    /// The names of the tests below `tests` of the members.
    pub(crate) fn test_targets(&self) -> Result<Vec<String>> {
        let metadata = self.metadata()?;
        let list = |value: &Value, key: &str| {
            value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let targets = list(&metadata, "packages").into_iter();
        let targets = targets.flat_map(|package| list(&package, "targets"));
        let tests = targets.filter(|it| list(it, "kind").iter().any(|kind| kind == "test"));
        let name = |it: Value| it.get("name").and_then(Value::as_str).map(str::to_owned);
        Ok(tests.filter_map(name).collect())
    }

    /// The arguments that make a cargo command take all published packages, and no others.
    pub(crate) fn published(&self) -> Result<Vec<String>> {
        let packages = self.packages()?;
        let published = packages.into_iter().filter(|package| package.published);
        Ok(published.map(|package| format!("--package={}", package.name)).collect())
    }

    /// All files of the workspace with one of the extensions, relative to its root and sorted;
    /// hidden folders and what builds leave behind are left out.
    pub(crate) fn files(&self, extensions: &[&str]) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let absolute = self.root.join(&folder);
            let entries = fs::read_dir(&absolute)
                .with_context(|| format!("cannot list {}", absolute.display()))?;
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                let path = folder.join(&name);
                if entry.file_type()?.is_dir() {
                    let name = name.to_string_lossy();
                    if !name.starts_with('.') && name != "target" && name != "dist" {
                        folders.push(path);
                    }
                } else if path.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)) {
                    found.push(path);
                }
            }
        }
        found.sort();
        Ok(found)
    }
}
