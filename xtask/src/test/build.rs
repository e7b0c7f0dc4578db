//! Building what is to be tested, once: all test binaries and the tools, from one cargo call.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::workspace::{Package, Workspace};

/// What was built.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) tests: Vec<TestBinary>,
    /// The tools that tests start.
    pub(crate) tools: Vec<PathBuf>,
    /// The examples, that they start as well.
    pub(crate) examples: Vec<PathBuf>,
}

/// A binary with tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestBinary {
    /// Package and target, as in `lxkns-it::discovery`; of the tests inside a library the package
    /// alone.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// The folder of its package, where cargo would start it.
    pub(crate) folder: PathBuf,
}

/// What to build.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Selection<'a> {
    /// The whole workspace, as a developer builds it.
    Workspace,
    /// The programs, and of the tests only those of this name, below `tests` of some package.
    Tests(&'a str),
    /// Some packages, to run where there is nothing but a kernel, and a slow one.
    Static(&'a [&'a str]),
}

/// Proc-macros cannot be linked statically: only with a target named do they stay as they are.
pub(crate) const STATIC_TARGET: &str = "x86_64-unknown-linux-gnu";

/// What makes rustc link statically.
pub(crate) const STATIC_LINKAGE: &str = "-C target-feature=+crt-static";

/// Builds the test binaries and the tools selected.
///
/// All features are on, as in the lint: only so both are built from the same crates.
pub(crate) fn build(workspace: &Workspace, selection: Selection<'_>) -> Result<Built> {
    let mut command = workspace.cargo();
    command.args(["build", "--all-features", "--bins"]);
    match selection {
        Selection::Workspace => {
            command.args(["--workspace", "--examples", "--tests"]);
        }
        Selection::Tests(name) => {
            // With all packages, so that the crates below them have the same features as else.
            command.args(["--workspace", "--test", name]);
            if name == "examples" {
                command.arg("--examples");
            }
        }
        Selection::Static(packages) => {
            command
                .args(["--examples", "--tests"])
                .args(packages.iter().flat_map(|package| ["--package", package]))
                .args(["--target", STATIC_TARGET])
                .env("RUSTFLAGS", STATIC_LINKAGE)
                .env("CARGO_INCREMENTAL", "0")
                .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
                .env("CARGO_PROFILE_DEV_DEBUG", "false")
                .env("CARGO_PROFILE_DEV_STRIP", "symbols");
        }
    }
    let output = command
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo build")?;
    ensure!(output.status.success(), "cargo build failed ({})", output.status);
    let built = read_messages(&String::from_utf8_lossy(&output.stdout), &workspace.packages()?)?;
    ensure!(!built.tests.is_empty(), "cargo build has built no tests");
    Ok(built)
}

/// Picks the executables out of what cargo said: one JSON document a line.
fn read_messages(messages: &str, packages: &[Package]) -> Result<Built> {
    let mut built = Built::default();
    for line in messages.lines() {
        let message: Value =
            serde_json::from_str(line).context("cannot read a message of cargo")?;
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        let (Some("compiler-artifact"), Some(executable)) = (text("/reason"), text("/executable"))
        else {
            continue;
        };
        let manifest = Path::new(text("/manifest_path").context("an artifact without a manifest")?);
        let folder = manifest.parent().context("a manifest without a folder")?.to_owned();
        let target = text("/target/name").context("an artifact without a target")?;
        let kind = text("/target/kind/0").context("a target without a kind")?;
        let package = packages
            .iter()
            .find(|package| package.manifest == manifest)
            .with_context(|| format!("{} is of no member of the workspace", manifest.display()))?;
        if message.pointer("/profile/test").and_then(Value::as_bool) == Some(true) {
            let name = match kind {
                "lib" => package.name.clone(),
                _ => format!("{}::{target}", package.name),
            };
            built.tests.push(TestBinary { name, path: executable.into(), folder });
        } else if kind == "bin" {
            built.tools.push(executable.into());
        } else if kind == "example" {
            built.examples.push(executable.into());
        }
    }
    built.tests.sort_by(|a, b| a.name.cmp(&b.name));
    built.tools.sort();
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_tools_are_told_apart() {
        let artifact = |kind: &str, target: &str, test: bool, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","executable":{executable},"target":{{"name":"{target}","kind":["{kind}"]}},"profile":{{"test":{test}}}}}"#
            )
        };
        let messages = [
            artifact("lib", "a", false, "null"),
            artifact("lib", "a", true, r#""/t/a-1""#),
            artifact("test", "holders", true, r#""/t/holders-1""#),
            artifact("bin", "tool", false, r#""/t/tool""#),
            artifact("example", "list", false, r#""/t/examples/list""#),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ]
        .join("\n");
        let packages = [Package {
            name: "pkg".to_owned(),
            manifest: "/w/a/Cargo.toml".into(),
            published: true,
        }];
        let test = |name: &str, path: &str| TestBinary {
            name: name.to_owned(),
            path: path.into(),
            folder: "/w/a".into(),
        };
        assert_eq!(
            read_messages(&messages, &packages).unwrap(),
            Built {
                tests: vec![test("pkg", "/t/a-1"), test("pkg::holders", "/t/holders-1")],
                tools: vec!["/t/tool".into()],
                examples: vec!["/t/examples/list".into()],
            }
        );
    }
}
