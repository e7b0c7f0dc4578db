//! The rule for the crate that others build upon: each of its public functions has an example,
//! which runs with the doctests.

use std::path::Path;

use super::Finding;

/// The crate, and its module that nobody outside sees.
const OPS: &str = "crates/ops/src/";
const SYS: &str = "crates/ops/src/sys";

/// Checks one file.
pub(super) fn check(path: &Path, source: &str) -> Vec<Finding> {
    if !path.starts_with(OPS) || path.to_string_lossy().starts_with(SYS) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut has_example = false;
    for (at, line) in source.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("///") {
            has_example |= line.contains("```");
            continue;
        }
        let is_function = line.starts_with("pub fn ") || line.starts_with("pub const fn ");
        if is_function && !has_example {
            let what = "a public function of ops has an example";
            findings.push(Finding::new(path, at + 1, what));
        }
        // Attributes stand between a function and what documents it.
        has_example &= line.starts_with("#[") || line.ends_with(']');
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, source: &str) -> Vec<usize> {
        let findings = check(Path::new(path), source);
        findings.iter().map(|finding| finding.line).collect()
    }

    const SOURCE: &str = "\
/// ```
/// assert!(one());
/// ```
#[doc(alias = \"1\")]
pub fn one() -> bool {
    true
}

/// Two.
pub fn two() {}

impl Three {
    #[must_use]
    pub const fn three() {}
    fn own() {}
    pub(crate) fn inside() {}
}
";

    #[test]
    fn functions_without_example_are_found() {
        assert_eq!(lines("crates/ops/src/one.rs", SOURCE), [10, 14]);
    }

    #[test]
    fn it_is_ops_that_owes_examples() {
        assert_eq!(lines("crates/ops/src/sys/one.rs", SOURCE), [0; 0]);
        assert_eq!(lines("crates/model/src/one.rs", SOURCE), [0; 0]);
    }
}
