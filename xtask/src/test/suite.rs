//! Running one test binary and judging every test in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::libtest::{self, Verdict};
use super::needs;
use super::report::{Identity, Outcome, TestResult};
use crate::process::{End, Output, run_limited};

/// The user and the group of the unprivileged run.
const NOBODY: u32 = 65534;

/// The file to which a test that skips itself appends its name, a tab, and what was missing.
const SKIPS: &str = "LXKNS_SKIPS";

/// Where and how test binaries run.
#[derive(Debug, Clone)]
pub(crate) struct Suite {
    /// The folder with the tools that tests start.
    pub(crate) bin_dir: PathBuf,
    /// A folder for the files of a run.
    pub(crate) scratch: PathBuf,
    /// Only tests that have this in their name, as in `lxkns-it::tools every_owner`.
    pub(crate) filter: String,
    /// How long a binary may take.
    pub(crate) limit: Duration,
    /// The needs that may not be skipped, as in [`needs::REQUIRE`].
    pub(crate) required: String,
    /// What else is in the environment of the tests.
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

impl Suite {
    /// Runs all tests of a binary as `identity`, started in `folder`. Prints what went wrong.
    pub(crate) fn run(
        &self,
        name: &str,
        binary: &Path,
        folder: &Path,
        identity: Identity,
    ) -> Result<Vec<TestResult>> {
        let output = Output::in_folder(&self.scratch);
        let command = || self.command(binary, folder, identity);

        let listing = run_limited(command().arg("--list"), &output, self.limit)
            .with_context(|| format!("cannot start {name}"))?;
        let End::Exited(status) = listing else { bail!("{name} hangs when asked for its tests") };
        if !status.success() {
            bail!("{name} does not list its tests ({status}): {}", output.stderr()?);
        }
        let mut names = libtest::listed(&output.stdout()?);
        names.retain(|test| format!("{name} {test}").contains(&self.filter));
        if names.is_empty() {
            return Ok(Vec::new());
        }

        let skips = self.scratch.join("skips");
        fs::write(&skips, "")?;
        fs::set_permissions(&skips, Permissions::from_mode(0o666))?;
        let end = run_limited(
            // With a single thread libtest runs the tests on its main thread, where they have no
            // name of their own that a skip could be reported with.
            command()
                .arg(format!("--test-threads={}", threads()))
                .args(chosen(&names, &self.filter))
                .env(SKIPS, &skips),
            &output,
            self.limit,
        )?;
        let stdout = output.stdout()?;
        let outcomes = judge(&names, &stdout, &read(&skips)?, end);
        if outcomes.values().any(|outcome| matches!(outcome, Outcome::Failed(_))) {
            println!("---- {name} as {identity} ----");
            for line in stdout.lines().filter(|line| !libtest::is_pass(line)) {
                println!("{line}");
            }
            println!("{}", output.stderr()?.trim_end());
            println!("----");
        }
        Ok(outcomes
            .into_iter()
            .map(|(test, outcome)| TestResult {
                test: format!("{name} {test}"),
                identity,
                kernel: None,
                outcome,
            })
            .collect())
    }

    fn command(&self, binary: &Path, folder: &Path, identity: Identity) -> Command {
        let mut command = Command::new(binary);
        command
            .current_dir(folder)
            .env("CARGO_MANIFEST_DIR", folder)
            .env("LXKNS_BIN_DIR", &self.bin_dir)
            .env(needs::REQUIRE, &self.required)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if identity == Identity::Nobody {
            // Dropping from root to a UID also drops the supplementary groups.
            command
                .uid(NOBODY)
                .gid(NOBODY)
                .env(needs::REQUIRE, needs::without_privileges(&self.required))
                .env("HOME", "/")
                .env_remove("TMPDIR");
        }
        command
    }
}

/// The arguments by which a binary runs these tests and no others.
fn chosen<'n>(names: &'n BTreeSet<String>, filter: &str) -> impl Iterator<Item = &'n str> {
    let names = names.iter().map(String::as_str).filter(|_| !filter.is_empty());
    let exact = (!filter.is_empty()).then_some("--exact");
    exact.into_iter().chain(names)
}

/// At least two, see above.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().max(2))
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What became of each test of a binary, from what it printed, what was skipped, and its end.
fn judge(
    names: &BTreeSet<String>,
    output: &str,
    skips: &str,
    end: End,
) -> BTreeMap<String, Outcome> {
    let verdicts = libtest::verdicts(output, names);
    let skipped: BTreeMap<&str, &str> =
        skips.lines().filter_map(|line| line.split_once('\t')).collect();
    let slow = libtest::slow(output);
    let mut outcomes: BTreeMap<String, Outcome> = names
        .iter()
        .filter_map(|name| {
            let outcome = match (verdicts.get(name), end) {
                (Some(Verdict::Ok), _) => match skipped.get(name.as_str()) {
                    Some(missing) => Outcome::Skipped((*missing).to_owned()),
                    None => Outcome::Passed,
                },
                (Some(Verdict::Failed), _) => Outcome::Failed(None),
                // The lint sees to it that another test runs it.
                (Some(Verdict::Ignored), _) => return None,
                (None, End::TimedOut) if slow.contains(&name.as_str()) => {
                    Outcome::Failed(Some("hangs".to_owned()))
                }
                (None, End::TimedOut) => {
                    Outcome::Failed(Some("not done when the time was up".to_owned()))
                }
                (None, End::Exited(status)) => {
                    let reason = format!("no verdict, the test binary ended ({status})");
                    Outcome::Failed(Some(reason))
                }
            };
            Some((name.clone(), outcome))
        })
        .collect();
    // Whatever no test can be blamed for must not get lost.
    for (name, missing) in skipped {
        if !names.contains(name) {
            outcomes.insert(
                name.to_owned(),
                Outcome::Failed(Some(format!("skipped for {missing}, but is no test"))),
            );
        }
    }
    let failed = outcomes.values().any(|outcome| matches!(outcome, Outcome::Failed(_)));
    match end {
        End::Exited(status) if !status.success() && !failed => {
            let reason = format!("failed without a failed test ({status})");
            outcomes.insert("(binary)".to_owned(), Outcome::Failed(Some(reason)));
        }
        End::TimedOut if !failed => {
            let reason = "does not end after its last test".to_owned();
            outcomes.insert("(binary)".to_owned(), Outcome::Failed(Some(reason)));
        }
        _ => {}
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn judged(output: &str, skips: &str, end: End) -> Vec<(String, Outcome)> {
        let names = ["a", "b"].map(str::to_owned).into();
        judge(&names, output, skips, end).into_iter().collect()
    }

    fn exited(code: i32) -> End {
        End::Exited(ExitStatus::from_raw(code << 8))
    }

    fn failed(reason: &str) -> Outcome {
        Outcome::Failed(Some(reason.to_owned()))
    }

    #[test]
    fn a_skip_is_no_pass() {
        assert_eq!(
            judged("test a ... ok\ntest b ... ok\n", "b\tneeds root\n", exited(0)),
            [
                ("a".to_owned(), Outcome::Passed),
                ("b".to_owned(), Outcome::Skipped("needs root".to_owned())),
            ]
        );
    }

    #[test]
    fn a_failure_stays_one_even_after_a_skip() {
        let outcomes = judged("test a ... ok\ntest b ... FAILED\n", "b\tneeds root\n", exited(101));
        assert_eq!(outcomes[1], ("b".to_owned(), Outcome::Failed(None)));
    }

    #[test]
    fn what_another_test_runs_has_no_outcome_of_its_own() {
        let output = "test a ... ok\ntest b ... ignored, run by a\n";
        assert_eq!(judged(output, "", exited(0)), [("a".to_owned(), Outcome::Passed)]);
    }

    #[test]
    fn a_crash_fails_what_has_no_verdict() {
        let outcomes = judged("test a ... ok\n", "", End::Exited(ExitStatus::from_raw(11)));
        assert_eq!(outcomes[0].1, Outcome::Passed);
        assert_eq!(
            outcomes[1].1,
            failed("no verdict, the test binary ended (signal: 11 (SIGSEGV))")
        );
    }

    #[test]
    fn a_hang_is_named() {
        let output = "test a has been running for over 60 seconds\n";
        assert_eq!(
            judged(output, "", End::TimedOut),
            [
                ("a".to_owned(), failed("hangs")),
                ("b".to_owned(), failed("not done when the time was up")),
            ]
        );
    }

    #[test]
    fn a_binary_that_fails_on_its_own_is_a_failure() {
        let outcomes = judged("test a ... ok\ntest b ... ok\n", "", exited(1));
        assert_eq!(outcomes[0].1, failed("failed without a failed test (exit status: 1)"));
    }

    #[test]
    fn a_skip_of_nobody_is_a_failure() {
        let outcomes = judged("test a ... ok\ntest b ... ok\n", "main\troot\n", exited(0));
        assert_eq!(outcomes[2], ("main".to_owned(), failed("skipped for root, but is no test")));
    }
}
