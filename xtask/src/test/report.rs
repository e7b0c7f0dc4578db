//! What came out of a run: one result per test and identity, the counts, and the closing line.

use std::fmt;

/// Whom a test ran as. As root every test runs as both, since what an ordinary user sees of other
/// namespaces is a scenario of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    /// Whoever runs xtask.
    Own,
    /// UID and GID 65534 without any supplementary group.
    Nobody,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Own => "self",
            Self::Nobody => "nobody",
        })
    }
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// With the reason, where the test itself did not get to say it.
    Failed(Option<String>),
    /// With what was missing.
    Skipped(String),
}

/// The outcome of one test, run as one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestResult {
    /// The binary and the test in it, as in `lxkns-it::discovery holders::by_fd`.
    pub(crate) test: String,
    pub(crate) identity: Identity,
    pub(crate) outcome: Outcome,
}

/// The results of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    results: Vec<TestResult>,
}

/// How many tests ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Counts {
    pub(crate) fn of<'a>(results: impl IntoIterator<Item = &'a TestResult>) -> Self {
        let mut counts = Self::default();
        for result in results {
            match result.outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Failed(_) => counts.failed += 1,
                Outcome::Skipped(_) => counts.skipped += 1,
            }
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl Report {
    pub(crate) fn add(&mut self, results: impl IntoIterator<Item = TestResult>) {
        self.results.extend(results);
    }

    /// Adds a failure of the run itself, that has kept tests from being run.
    pub(crate) fn fail(&mut self, what: &str, error: &anyhow::Error) {
        self.results.push(TestResult {
            test: what.to_owned(),
            identity: Identity::Own,
            outcome: Outcome::Failed(Some(format!("{error:#}"))),
        });
    }

    /// Whether something passed and nothing failed.
    pub(crate) fn is_success(&self) -> bool {
        let counts = Counts::of(&self.results);
        counts.failed == 0 && counts.passed > 0
    }

    /// Prints the skips and the failures by name, and the closing line.
    pub(crate) fn print(&self) {
        println!();
        for TestResult {
            test,
            identity,
            outcome,
        } in &self.results
        {
            if let Outcome::Skipped(missing) = outcome {
                println!("skipped as {identity}: {test}: {missing}");
            }
        }
        for TestResult {
            test,
            identity,
            outcome,
        } in &self.results
        {
            match outcome {
                Outcome::Failed(None) => println!("FAILED as {identity}: {test}"),
                Outcome::Failed(Some(reason)) => println!("FAILED as {identity}: {test}: {reason}"),
                Outcome::Passed | Outcome::Skipped(_) => {}
            }
        }
        println!("{}", Counts::of(&self.results));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_counts_every_result_once() {
        let result = |outcome| TestResult {
            test: "t".to_owned(),
            identity: Identity::Own,
            outcome,
        };
        let results = [
            result(Outcome::Passed),
            result(Outcome::Passed),
            result(Outcome::Failed(None)),
            result(Outcome::Skipped("root".to_owned())),
        ];
        assert_eq!(
            Counts::of(&results).to_string(),
            "2 passed, 1 failed, 1 skipped"
        );
    }

    #[test]
    fn a_run_without_a_single_test_is_no_success() {
        assert!(!Report::default().is_success());
    }
}
