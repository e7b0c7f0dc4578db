//! How results come out of a virtual machine: a line each over a serial port of their own, where
//! no message of the kernel can get in between, and a last line to tell the end from a crash.

use std::fmt::Write as _;

use crate::test::report::{Identity, Outcome, TestResult};

const END: &str = "end";

/// The lines for some results.
pub(super) fn write(results: &[TestResult]) -> String {
    let mut lines = String::new();
    for TestResult { test, identity, outcome, .. } in results {
        let (kind, detail) = match outcome {
            Outcome::Passed => ("passed", ""),
            Outcome::Failed(reason) => ("failed", reason.as_deref().unwrap_or_default()),
            Outcome::Skipped(missing) => ("skipped", missing.as_str()),
        };
        let detail = detail.replace(['\n', '\t'], " ");
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{identity}\t{kind}\t{test}\t{detail}");
    }
    lines
}

/// The line after the last result.
pub(super) fn end() -> String {
    format!("{END}\n")
}

/// Reads the lines back; the `bool` tells whether the end was reached.
pub(super) fn read(text: &str, kernel: &str) -> (Vec<TestResult>, bool) {
    let mut results = Vec::new();
    let mut complete = false;
    for line in text.lines().map(str::trim_end) {
        match parse(line, kernel) {
            Some(result) => results.push(result),
            None => complete |= line == END,
        }
    }
    (results, complete)
}

fn parse(line: &str, kernel: &str) -> Option<TestResult> {
    let mut fields = line.splitn(4, '\t');
    let identity = fields.next()?;
    let identity =
        [Identity::Own, Identity::Nobody].into_iter().find(|each| each.to_string() == identity)?;
    let (kind, test) = (fields.next()?, fields.next()?);
    let detail = fields.next().unwrap_or_default();
    let outcome = match kind {
        "passed" => Outcome::Passed,
        "failed" => Outcome::Failed((!detail.is_empty()).then(|| detail.to_owned())),
        "skipped" => Outcome::Skipped(detail.to_owned()),
        _ => return None,
    };
    Some(TestResult { test: test.to_owned(), identity, kernel: Some(kernel.to_owned()), outcome })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_survive_the_way() {
        let result = |identity, outcome| TestResult {
            test: "lxkns-it::holders by_fd".to_owned(),
            identity,
            kernel: Some("6.1".to_owned()),
            outcome,
        };
        let results = [
            result(Identity::Own, Outcome::Passed),
            result(Identity::Own, Outcome::Failed(None)),
            result(Identity::Nobody, Outcome::Failed(Some("hangs".to_owned()))),
            result(Identity::Nobody, Outcome::Skipped("root".to_owned())),
        ];
        // A terminal line ends lines in its own way.
        let text = (write(&results) + &end()).replace('\n', "\r\n");
        assert_eq!(read(&text, "6.1"), (results.to_vec(), true));
    }

    #[test]
    fn a_crash_is_no_end() {
        assert_eq!(read("self\tpas", "6.1"), (Vec::new(), false));
    }
}
