//! Reading what a test binary of Rust prints.
//!
//! Only the plain text format is stable, so that is what is read. It is matched against the names
//! from `--list`: a line of foreign output cannot invent a test, and a test that never got a
//! verdict (the binary crashed, or hung) does not go unnoticed.

use std::collections::{BTreeMap, BTreeSet};

/// What the test binary itself said of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Failed,
    Ignored,
}

/// The names in the output of `--list`.
pub(crate) fn listed(output: &str) -> BTreeSet<String> {
    output.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// The verdicts on the `names` in the output of a run.
pub(crate) fn verdicts(output: &str, names: &BTreeSet<String>) -> BTreeMap<String, Verdict> {
    read(output, |name| names.contains(name))
}

/// The verdicts on doctests, whose names nobody knows beforehand.
pub(crate) fn doctest_verdicts(output: &str) -> BTreeMap<String, Verdict> {
    read(output, |name| name.contains(" (line "))
}

/// The tests of which libtest said that they take suspiciously long: where a run that had to be
/// ended hung, most likely.
pub(crate) fn slow(output: &str) -> Vec<&str> {
    output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.split_once(" has been running for over "))
        .map(|(name, _)| name)
        .collect()
}

/// Whether a line says nothing but that a test has passed.
pub(crate) fn is_pass(line: &str) -> bool {
    line.starts_with("test ") && line.ends_with(" ... ok")
}

/// Reads `test NAME ... VERDICT` for known names. Something that a child process of a test wrote
/// may stand before it or follow. It may even come in the middle, since libtest writes the name
/// and the verdict one after the other: then the verdict starts a line of its own.
fn read(output: &str, is_known: impl Fn(&str) -> bool) -> BTreeMap<String, Verdict> {
    let mut verdicts = BTreeMap::new();
    let mut pending = None;
    for line in output.lines() {
        if let Some((name, rest)) = announced_in(line, &is_known) {
            match VERDICTS.iter().find(|(text, _)| rest.starts_with(text)) {
                Some((_, verdict)) => _ = verdicts.insert(name.to_owned(), *verdict),
                None => pending = Some(name),
            }
        } else if let Some((_, verdict)) = VERDICTS.iter().find(|(text, _)| line == *text)
            && let Some(name) = pending.take()
        {
            verdicts.insert(name.to_owned(), *verdict);
        }
    }
    verdicts
}

const VERDICTS: [(&str, Verdict); 3] =
    [("ok", Verdict::Ok), ("FAILED", Verdict::Failed), ("ignored", Verdict::Ignored)];

/// The known test that a line announces the verdict on, and what follows.
fn announced_in(line: &str, is_known: impl Fn(&str) -> bool) -> Option<(&str, &str)> {
    line.match_indices("test ").find_map(|(at, test)| {
        let (name, rest) = line.get(at + test.len()..)?.split_once(" ... ")?;
        // Libtest says how a test is expected to end, rustdoc what it does with an example.
        let name = [" - should panic", " - compile", " - compile fail"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        is_known(name).then_some((name, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "
running 7 tests
test a::passes ... ok
some noisetest a::after_noise ... ok
test a::around_noise ... a test that ... makes noise
ok
ok
test b::breaks ... FAILED
test b::panics - should panic ... ok
test c::later ... ignored, needs a moon
test c::stranger ... ok
test d::hangs has been running for over 60 seconds
";

    #[test]
    fn names_are_listed() {
        let listing = "a::passes: test\nb: bench\n\n1 test, 1 benchmark\n";
        assert_eq!(listed(listing), BTreeSet::from(["a::passes".to_owned()]));
    }

    #[test]
    fn only_known_tests_get_a_verdict() {
        let names = [
            "a::passes",
            "a::after_noise",
            "a::around_noise",
            "b::breaks",
            "b::panics",
            "c::later",
            "d::hangs",
        ];
        let names = names.map(str::to_owned).into();
        let verdicts = verdicts(RUN, &names);
        assert_eq!(
            verdicts.iter().map(|(name, verdict)| (name.as_str(), *verdict)).collect::<Vec<_>>(),
            [
                ("a::after_noise", Verdict::Ok),
                ("a::around_noise", Verdict::Ok),
                ("a::passes", Verdict::Ok),
                ("b::breaks", Verdict::Failed),
                ("b::panics", Verdict::Ok),
                ("c::later", Verdict::Ignored),
            ]
        );
    }

    #[test]
    fn doctests_are_found_without_a_list() {
        let output = "test crates/a/src/lib.rs - (line 7) ... ok\nnot a test x ... ok\n";
        assert_eq!(
            doctest_verdicts(output),
            BTreeMap::from([("crates/a/src/lib.rs - (line 7)".to_owned(), Verdict::Ok)])
        );
    }

    #[test]
    fn the_slow_are_named() {
        assert_eq!(slow(RUN), ["d::hangs"]);
    }
}
