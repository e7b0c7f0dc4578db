//! `cargo xtask test`: builds everything once, then runs every test binary, as root twice: as root
//! and as an ordinary user, unless its crate never touches the system. The doctests follow, once.
//!
//! `cargo test` cannot do that: it does not know of identities, of tests that skip themselves, of
//! time limits, or of tools that tests have to find.

pub(crate) mod build;
pub(crate) mod libtest;
pub(crate) mod needs;
pub(crate) mod report;
pub(crate) mod stage;
pub(crate) mod suite;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use self::build::Selection;
use self::libtest::Verdict;
use self::report::{Counts, Identity, Outcome, Report, TestResult};
use self::stage::Stage;
use self::suite::Suite;
use crate::process::{End, Output, run_limited};
use crate::tidy::PURE;
use crate::workspace::Workspace;

/// How long a single test binary may take; none should need a quarter of it.
const LIMIT: Duration = Duration::from_secs(180);

/// How long all doctests together may take: each crate's are compiled when they are run.
const DOCTEST_LIMIT: Duration = Duration::from_secs(900);

/// The tests to run.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Only tests with this in their name, and no doctests
    ///
    /// Tests below `tests` have the name of their binary before their own: `tools every_owner`. If
    /// FILTER begins with the name of a binary, no other one is built.
    #[arg(default_value = "", hide_default_value = true)]
    filter: String,
    /// Only as this user
    #[arg(long = "as", value_name = "USER")]
    identity: Option<Identity>,
}

/// Builds all tests, and runs those chosen.
pub(crate) fn run(workspace: &Workspace, options: &Options, report: &mut Report) {
    if let Err(error) = run_binaries(workspace, options, report) {
        report.fail("tests", &error);
    }
}

fn run_binaries(workspace: &Workspace, options: &Options, report: &mut Report) -> Result<()> {
    println!("test: build");
    let first = options.filter.split(' ').next().unwrap_or_default();
    let named = workspace.test_targets()?.into_iter().find(|name| name == first);
    let selection = named.as_deref().map_or(Selection::Workspace, Selection::Tests);
    let built = build::build(workspace, selection)?;
    let stage = Stage::set_up(workspace, &built)?;
    let suite = Suite {
        bin_dir: stage.bin_dir(),
        scratch: stage.scratch(),
        filter: options.filter.clone(),
        limit: LIMIT,
        required: std::env::var(needs::REQUIRE).unwrap_or_default(),
        environment: Vec::new(),
    };
    // An ordinary user may not be able to read the workspace itself, where golden files are.
    let suite_of_nobody = Suite {
        environment: vec![("INSTA_WORKSPACE_ROOT", stage.sources().into())],
        ..suite.clone()
    };
    let privileged = rustix::process::geteuid().is_root();
    let is_wanted = |identity| options.identity.is_none_or(|it| it == identity);
    ensure!(
        privileged || options.identity != Some(Identity::Nobody),
        "only root can run tests as nobody"
    );
    for test in &stage.tests {
        if is_wanted(Identity::Own) {
            run_one(report, &test.name, Identity::Own, || {
                suite.run(&test.name, &test.path, &test.folder, Identity::Own)
            });
        }
        if privileged && is_wanted(Identity::Nobody) && !is_pure(&test.name) {
            run_one(report, &test.name, Identity::Nobody, || {
                suite_of_nobody.run(&test.name, &test.path, &test.folder_copy, Identity::Nobody)
            });
        }
    }
    let is_any = options.filter.is_empty() || !report.results().is_empty();
    ensure!(is_any, "no test has {:?} in its name", options.filter);
    if options.filter.is_empty() && is_wanted(Identity::Own) {
        run_one(report, "doctests", Identity::Own, || run_doctests(workspace, &stage));
    }
    Ok(())
}

/// Whether a test binary is of a crate that never touches the system, and so cannot know who it is.
fn is_pure(name: &str) -> bool {
    let package = name.split("::").next();
    package.is_some_and(|package| PURE.contains(&package))
}

/// Runs one binary, says how it went, and adds its results to the report.
pub(crate) fn run_one(
    report: &mut Report,
    name: &str,
    identity: Identity,
    run: impl FnOnce() -> Result<Vec<TestResult>>,
) {
    let start = Instant::now();
    match run() {
        Ok(results) if results.is_empty() => {}
        Ok(results) => {
            let (counts, seconds) = (Counts::of(&results), start.elapsed().as_secs_f32());
            println!("test: {identity:6} {name}: {counts} ({seconds:.1} s)");
            report.add(results);
        }
        Err(error) => {
            println!("test: {identity:6} {name}: {error:#}");
            report.fail(name, &error);
        }
    }
}

fn run_doctests(workspace: &Workspace, stage: &Stage) -> Result<Vec<TestResult>> {
    let output = Output::in_folder(&stage.scratch());
    let end = run_limited(
        workspace.cargo().args([
            "test",
            "--doc",
            "--workspace",
            "--all-features",
            "--no-fail-fast",
        ]),
        &output,
        DOCTEST_LIMIT,
    )
    .context("cannot start cargo test --doc")?;
    let stdout = output.stdout()?;
    let mut results: Vec<TestResult> = libtest::doctest_verdicts(&stdout)
        .into_iter()
        .map(|(name, verdict)| TestResult {
            test: format!("doctest {name}"),
            identity: Identity::Own,
            kernel: None,
            outcome: match verdict {
                Verdict::Ok => Outcome::Passed,
                Verdict::Failed => Outcome::Failed(None),
                Verdict::Ignored => Outcome::Skipped("ignored".to_owned()),
            },
        })
        .collect();
    let succeeded = matches!(end, End::Exited(status) if status.success());
    if !succeeded {
        println!("---- doctests ----");
        for line in stdout.lines().filter(|line| !libtest::is_pass(line)) {
            println!("{line}");
        }
        println!("{}\n----", output.stderr()?.trim_end());
        if Counts::of(&results).failed == 0 {
            let reason = match end {
                End::Exited(status) => format!("cargo test --doc failed ({status})"),
                End::TimedOut => "not done when the time was up".to_owned(),
            };
            results.push(TestResult {
                test: "doctests".to_owned(),
                identity: Identity::Own,
                kernel: None,
                outcome: Outcome::Failed(Some(reason)),
            });
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pure_crates_are_known_by_name() {
        assert!(is_pure("lxkns-model") && is_pure("lxkns-model::wire"));
        assert!(!is_pure("lxkns-it::pids") && !is_pure("lxkns-model-to-be"));
    }
}
