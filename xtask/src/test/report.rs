//! What came out of a run: one result per test and identity, the counts, and the closing line.

use std::collections::BTreeMap;
use std::fmt;

/// Whom a test ran as. As root every test runs as both, since what an ordinary user sees of other
/// namespaces is a scenario of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Identity {
    /// The user who runs xtask.
    #[value(name = "self", alias = "root")]
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
    /// The series of the kernel in a virtual machine, `None` for the kernel of this machine.
    pub(crate) kernel: Option<String>,
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
        let Self { passed, failed, skipped } = self;
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
            kernel: None,
            outcome: Outcome::Failed(Some(format!("{error:#}"))),
        });
    }

    /// Whether something passed and nothing failed.
    pub(crate) fn is_success(&self) -> bool {
        let counts = Counts::of(&self.results);
        counts.failed == 0 && counts.passed > 0
    }

    pub(crate) fn results(&self) -> &[TestResult] {
        &self.results
    }

    /// Prints the skips and the failures by name, and the closing line.
    pub(crate) fn print(&self) {
        println!();
        for line in self.lines(|outcome| match outcome {
            Outcome::Skipped(missing) => Some(("skipped", missing)),
            Outcome::Passed | Outcome::Failed(_) => None,
        }) {
            println!("{line}");
        }
        for line in self.lines(|outcome| match outcome {
            Outcome::Failed(reason) => Some(("FAILED", reason.as_deref().unwrap_or("see above"))),
            Outcome::Passed | Outcome::Skipped(_) => None,
        }) {
            println!("{line}");
        }
        println!("{}", Counts::of(&self.results));
    }

    /// A line for each test with an outcome that `show` wants, with all kernels where it was so.
    fn lines(&self, show: impl Fn(&Outcome) -> Option<(&str, &str)>) -> Vec<String> {
        let mut kernels: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for result in &self.results {
            if let Some((what, why)) = show(&result.outcome) {
                let key = (what, result.identity, result.test.as_str(), why);
                let kernel = result.kernel.as_deref().unwrap_or("here");
                kernels.entry(key).or_default().push(kernel);
            }
        }
        kernels
            .into_iter()
            .map(|((what, identity, test, why), kernels)| {
                let place = match kernels.as_slice() {
                    ["here"] => String::new(),
                    kernels => format!(" on {}", kernels.join(", ")),
                };
                format!("{what} as {identity}{place}: {test}: {why}")
            })
            .collect()
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
            kernel: None,
            outcome,
        };
        let results = [
            result(Outcome::Passed),
            result(Outcome::Passed),
            result(Outcome::Failed(None)),
            result(Outcome::Skipped("root".to_owned())),
        ];
        assert_eq!(Counts::of(&results).to_string(), "2 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn kernels_share_a_line() {
        let result = |kernel: Option<&str>, outcome| TestResult {
            test: "t".to_owned(),
            identity: Identity::Nobody,
            kernel: kernel.map(str::to_owned),
            outcome,
        };
        let mut report = Report::default();
        report.add([
            result(None, Outcome::Skipped("root".to_owned())),
            result(Some("5.10"), Outcome::Skipped("root".to_owned())),
            result(Some("6.1"), Outcome::Skipped("listns".to_owned())),
            result(Some("6.1"), Outcome::Passed),
        ]);
        let skips = report.lines(|outcome| match outcome {
            Outcome::Skipped(missing) => Some(("skipped", missing)),
            _ => None,
        });
        assert_eq!(
            skips,
            ["skipped as nobody on 6.1: t: listns", "skipped as nobody on here, 5.10: t: root"]
        );
    }

    #[test]
    fn a_run_without_a_single_test_is_no_success() {
        assert!(!Report::default().is_success());
    }
}
