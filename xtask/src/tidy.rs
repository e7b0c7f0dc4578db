//! The house rules that neither the compiler nor clippy checks: who may depend on whom, where
//! `unsafe` may stand, how long a file may be, and the like.
//!
//! Each rule is a function from text to [`Finding`]s, so that it is tested on literals; only this
//! file reads the workspace.

mod circles;
mod code;
mod commands;
mod examples;
mod layers;
mod links;
mod packages;
mod sources;
mod versions;

pub(crate) use commands::console_lines;
pub(crate) use layers::PURE;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::workspace::Workspace;

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    path: PathBuf,
    line: usize,
    what: String,
    /// Whether it is only worth a thought.
    warning: bool,
}

impl Finding {
    fn new(path: &Path, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), warning: false }
    }

    fn warning(self) -> Self {
        Self { warning: true, ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning" } else { "error" };
        write!(f, "{}:{}: {kind}: {}", self.path.display(), self.line, self.what)
    }
}

/// Checks all rules and prints what breaks them; `true` when nothing does.
pub(crate) fn run(workspace: &Workspace) -> bool {
    println!("lint: tidy");
    match findings(workspace) {
        Ok(findings) => {
            for finding in &findings {
                eprintln!("{finding}");
            }
            findings.iter().all(|finding| finding.warning)
        }
        Err(error) => {
            eprintln!("lint: tidy could not be carried out: {error:#}");
            false
        }
    }
}

fn findings(workspace: &Workspace) -> Result<Vec<Finding>> {
    let read = |path: &Path| {
        fs::read_to_string(workspace.root().join(path))
            .with_context(|| format!("cannot read {}", path.display()))
    };
    let mut findings = Vec::new();
    let mut files = circles::Files::default();
    for path in workspace.files(&["rs"])? {
        let source = read(&path)?;
        findings.extend(sources::check(&path, &source));
        findings.extend(examples::check(&path, &source));
        files.add(&path, &source);
    }
    findings.extend(files.check());
    let mut pages = BTreeMap::new();
    for path in workspace.files(&["md"])? {
        let text = read(&path)?;
        findings.extend(commands::check(&path, &text));
        pages.insert(path, links::Page::read(&text));
    }
    findings.extend(links::check(&pages, |target| workspace.root().join(target).exists()));
    let root_manifest = read(Path::new("Cargo.toml"))?;
    let version = versions::of_workspace(&root_manifest).context("the workspace has no version")?;
    let metadata = workspace.metadata()?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    for (member, package) in layers::members(&metadata)?.iter().zip(packages.into_iter().flatten())
    {
        let path = member.manifest.strip_prefix(workspace.root()).unwrap_or(&member.manifest);
        let manifest = read(path)?;
        findings.extend(packages::check(path, package, |file| {
            member.manifest.with_file_name(file).exists()
        }));
        findings.extend(layers::check(path, &manifest, member));
        findings.extend(versions::check(path, &manifest, member, version));
    }
    Ok(findings)
}

/// The number of the line that starts at `offset` or has it in the middle, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
