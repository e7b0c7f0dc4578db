//! `cargo xtask fuzz`: lets libFuzzer search for paths through each parser that nobody has thought
//! of, one target after the other, for so many seconds each.
//!
//! Without a sanitizer: the parsers have no unsafe code, and what is looked for are panics and
//! broken promises; so there are many times as many attempts.
//!
//! That takes a nightly compiler and cargo-fuzz. What it finds stays in `fuzz/corpus`, where the
//! next run goes on. On the stable toolchain the targets are checked by the lint, and carried out,
//! on variations of the same seeds, by the tests of `lxkns-fuzz`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{End, Output, run_limited};
use crate::workspace::Workspace;

/// How long a target may take to come to its end when its time is up.
const PARTING: Duration = Duration::from_secs(60);

const NO_SANITIZER: [&str; 2] = ["--sanitizer", "none"];

/// How much of the output of a target in trouble is shown.
const LINES: usize = 60;

/// What to search, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long to search in each target
    #[arg(long, value_name = "N", default_value = "60")]
    seconds: u64,
    /// The targets [default: all]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// Runs the targets; `true` if none has failed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let list = cargo_fuzz(workspace)?.arg("list").output()?;
    ensure!(
        list.status.success(),
        "cargo-fuzz finds no targets: {}",
        String::from_utf8_lossy(&list.stderr).trim()
    );
    let list = String::from_utf8_lossy(&list.stdout);
    let all: Vec<&str> = list.split_whitespace().collect();
    let mut chosen: Vec<&str> = options.targets.iter().map(String::as_str).collect();
    for name in &chosen {
        ensure!(all.contains(name), "there is no target {name:?}; there are {}", all.join(", "));
    }
    if chosen.is_empty() {
        chosen = all;
    }
    println!("fuzz: build");
    let built = cargo_fuzz(workspace)?.arg("build").args(NO_SANITIZER).status()?;
    ensure!(built.success(), "the targets could not be built ({built})");

    let scratch = workspace.target_folder()?.join("fuzz-log");
    fs::create_dir_all(&scratch)?;
    let mut clean = true;
    for name in chosen {
        clean &= run_one(workspace, name, options.seconds, &scratch)
            .with_context(|| format!("target {name}"))?;
    }
    Ok(clean)
}

fn run_one(workspace: &Workspace, name: &str, seconds: u64, scratch: &Path) -> Result<bool> {
    let corpus = workspace.root().join("fuzz/corpus").join(name);
    fs::create_dir_all(&corpus)?;
    let output = Output::in_folder(scratch);
    let end = run_limited(
        cargo_fuzz(workspace)?
            .arg("run")
            .args(NO_SANITIZER)
            .arg(name)
            .arg(corpus)
            .arg(workspace.root().join("tests/fuzz/seeds").join(name))
            .arg("--")
            .arg(format!("-max_total_time={seconds}"))
            .args(["-print_final_stats=1", "-timeout=10", "-max_len=16384"]),
        &output,
        Duration::from_secs(seconds) + PARTING,
    )?;
    let log = output.stderr()?;
    match Progress::of(&log) {
        Some(progress) => println!("fuzz: {name}: {progress}"),
        None => println!("fuzz: {name}: no progress"),
    }
    if matches!(end, End::Exited(status) if status.success()) {
        return Ok(true);
    }
    let lines: Vec<&str> = log.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(LINES)) {
        println!("    {line}");
    }
    Ok(false)
}

/// A cargo-fuzz command. This program may have been started by a stable cargo, which would pass
/// its own toolchain on.
fn cargo_fuzz(workspace: &Workspace) -> Result<Command> {
    let command = || -> Result<Command> {
        let mut command = Command::new("cargo");
        command
            .current_dir(workspace.root())
            .args(["+nightly", "fuzz"])
            .env("CARGO_TARGET_DIR", workspace.target_folder()?.join("fuzz"))
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO");
        Ok(command)
    };
    let found = command()?.arg("--version").output();
    if !found.is_ok_and(|output| output.status.success()) {
        bail!(
            "fuzzing takes a nightly compiler and cargo-fuzz: \
             rustup toolchain install nightly && cargo install cargo-fuzz"
        );
    }
    command()
}

/// What libFuzzer says of how far it has come.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    executions: u64,
    /// How many edges of the program have been passed.
    coverage: u64,
    /// The execution with which the last of them was found.
    last_new: u64,
}

impl Progress {
    /// Reads lines such as `#4096 NEW cov: 312 ft: 940 corp: 35/1024b exec/s: 2048`.
    fn of(log: &str) -> Option<Progress> {
        let mut progress = Progress { executions: 0, coverage: 0, last_new: 0 };
        for line in log.lines() {
            let Some((number, rest)) = line.strip_prefix('#').and_then(|it| it.split_once('\t'))
            else {
                continue;
            };
            let Ok(number) = number.parse() else { continue };
            let mut words = rest.split_whitespace().skip_while(|word| *word != "cov:");
            let coverage = words.nth(1).and_then(|number| number.parse().ok());
            progress.executions = number;
            if let Some(coverage) = coverage.filter(|coverage| *coverage > progress.coverage) {
                progress.coverage = coverage;
                progress.last_new = number;
            }
        }
        (progress.executions > 0).then_some(progress)
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} executions, coverage {}, nothing new after {}",
            self.executions, self.coverage, self.last_new
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read() {
        let log = "INFO: seed corpus: files: 3\n#4\tINITED cov: 100 ft: 110 corp: 3/9b\n\
                   #90\tNEW    cov: 120 ft: 130 corp: 4/10b lim: 4 exec/s: 0 rss: 40Mb\n\
                   #512\tREDUCE cov: 120 ft: 131 corp: 4/9b\n#99000\tDONE   cov: 120 ft: 131\n";
        let expected = Progress { executions: 99_000, coverage: 120, last_new: 90 };
        assert_eq!(Progress::of(log), Some(expected));
        assert_eq!(Progress::of("error: no such target\n"), None);
    }
}
