//! The rules for Rust files: how they open, how long they are, and words that may not stand there.

use std::path::Path;

use super::code::{code_only, words};
use super::{Finding, line_of};

/// A file this long deserves a thought about its subject, and one this long has several.
const LONG: usize = 400;
const TOO_LONG: usize = 600;

/// Where `unsafe` may stand: around the system calls, and in the helper that tests fork with.
const UNSAFE: &[&str] = &["crates/ops/src/sys/", "crates/ops/src/sys.rs", "tests/nstest/"];

/// The crates that never touch the system, and the modules of std that do.
const PURE: &[&str] =
    &["crates/species/src/", "crates/model/src/", "crates/names/src/", "crates/pidmap/src/"];
const SYSTEM: &[&str] = &["fs", "net", "process"];

/// What may stand in no file: the text, which has to start at a word's start, and why.
const NOWHERE: &[(&str, &str)] = &[
    ("todo!", "finish it"),
    ("unimplemented!", "finish it"),
    ("dbg!", "a left-over of debugging"),
];

/// The columns of a line.
const WIDTH: usize = 100;

/// Checks one file.
pub(super) fn check(path: &Path, source: &str) -> Vec<Finding> {
    let code = code_only(source);
    let mut findings = Vec::new();
    findings.extend(length(path, source));
    findings.extend(opening(path, source));
    findings.extend(unsafe_code(path, &code));
    findings.extend(system(path, &code));
    findings.extend(ignored(path, source));
    findings.extend(wide_comments(path, source));
    for (text, why) in NOWHERE {
        findings.extend(
            code.match_indices(text)
                .filter(|(at, _)| {
                    let before = code.get(..*at).and_then(|before| before.chars().next_back());
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                })
                .map(|(at, _)| Finding::new(path, line_of(&code, at), format!("`{text}`: {why}"))),
        );
    }
    findings
}

fn length(path: &Path, source: &str) -> Option<Finding> {
    let lines = source.lines().count();
    if lines > TOO_LONG {
        Some(Finding::new(path, lines, format!("{lines} lines: split it by subject")))
    } else if lines > LONG {
        Some(Finding::new(path, lines, format!("{lines} lines: one subject?")).warning())
    } else {
        None
    }
}

/// Comments are as wide as code, but for rows of tables, which cannot be broken.
fn wide_comments(path: &Path, source: &str) -> Vec<Finding> {
    let is_wide = |line: &str| {
        let text = line.trim_start();
        text.starts_with("//")
            && line.chars().count() > WIDTH
            && !text.trim_start_matches(['/', '!', ' ']).starts_with('|')
    };
    let wide = source.lines().enumerate().filter(|(_, line)| is_wide(line));
    wide.map(|(at, _)| Finding::new(path, at + 1, format!("a comment beyond column {WIDTH}")))
        .collect()
}

/// A test is ignored only if another one runs it, and says so.
fn ignored(path: &Path, source: &str) -> Vec<Finding> {
    let attributes = source.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    attributes
        .filter(|(_, line)| line.starts_with("#[ignore") && !line.contains("\"run by "))
        .map(|(at, _)| {
            Finding::new(path, at, "`#[ignore`: an ignored test is a test that nobody runs")
        })
        .collect()
}

/// A module says what it is before anything else but its licence.
fn opening(path: &Path, source: &str) -> Option<Finding> {
    let first = source
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with("// SPDX-"))
        .unwrap_or_default();
    let is_module = path.components().any(|part| part.as_os_str() == "src");
    (is_module && !first.starts_with("//!"))
        .then(|| Finding::new(path, 1, "a module opens with a paragraph `//!` on what it is"))
}

fn unsafe_code(path: &Path, code: &str) -> Vec<Finding> {
    if UNSAFE.iter().any(|allowed| path.to_string_lossy().starts_with(allowed)) {
        return Vec::new();
    }
    words(code, "unsafe")
        .map(|at| {
            Finding::new(path, line_of(code, at), "`unsafe` belongs into ops::sys and nstest only")
        })
        .collect()
}

/// The crates without I/O do not even name the parts of std that do some.
fn system(path: &Path, code: &str) -> Vec<Finding> {
    if !PURE.iter().any(|pure| path.to_string_lossy().starts_with(pure)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, _) in code.match_indices("std::") {
        let Some(tail) = code.get(at + "std::".len()..) else {
            continue;
        };
        // Either a single path, or the names of a group: `use std::{fmt, fs}`.
        let group = tail.strip_prefix('{').map(|group| group.split('}').next().unwrap_or(group));
        let names = match group {
            Some(group) => group.split(',').map(first_name).collect(),
            None => vec![first_name(tail)],
        };
        for name in names.iter().filter(|name| SYSTEM.contains(name)) {
            let what = format!("`std::{name}` in a crate that never touches the system");
            findings.push(Finding::new(path, line_of(code, at), what));
        }
    }
    findings
}

fn first_name(text: &str) -> &str {
    let text = text.trim_start();
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_file(path: &str, source: &str, expected: &[(usize, &str)]) {
        let findings = check(Path::new(path), source);
        let found: Vec<_> =
            findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect();
        assert_eq!(found, expected);
    }

    const UNSAFE_FINDING: &str = "`unsafe` belongs into ops::sys and nstest only";

    #[test]
    fn unsafe_has_its_places() {
        let source = "//! x\n// unsafe\nfn f() { unsafe { g() } }\n#![expect(unsafe_code)]\n";
        check_file("crates/ops/src/sys/ioctl.rs", source, &[]);
        check_file("tests/nstest/src/fork.rs", source, &[]);
        check_file("crates/ops/src/system.rs", source, &[(3, UNSAFE_FINDING)]);
        check_file("tests/it/tests/s1.rs", source, &[(3, UNSAFE_FINDING)]);
    }

    #[test]
    fn pure_crates_do_not_name_the_system() {
        let source = "//! x\nuse std::{\n    fmt,\n    fs::File,\n};\nuse std::net::IpAddr;\nuse std::process_x;\n";
        check_file(
            "crates/model/src/lib.rs",
            source,
            &[
                (2, "`std::fs` in a crate that never touches the system"),
                (6, "`std::net` in a crate that never touches the system"),
            ],
        );
        check_file("crates/discover/src/lib.rs", source, &[]);
    }

    #[test]
    fn unfinished_code_is_found() {
        let source =
            "//! x\nfn f() { todo!() }\n#[ignore = \"slow\"]\nfn my_todo!() { \"dbg!\" }\n";
        check_file(
            "crates/cli/src/lib.rs",
            source,
            &[
                (3, "`#[ignore`: an ignored test is a test that nobody runs"),
                (2, "`todo!`: finish it"),
            ],
        );
    }

    #[test]
    fn what_another_test_runs_may_be_ignored() {
        let source = "//! x\n    #[ignore = \"run by the next one\"]\n";
        check_file("tests/nstest/tests/need.rs", source, &[]);
    }

    #[test]
    fn a_module_opens_with_a_paragraph() {
        let finding = (1, "a module opens with a paragraph `//!` on what it is");
        check_file("crates/cli/src/lib.rs", "use x;\n//! late\n", &[finding]);
        check_file("crates/cli/src/lib.rs", "\n//! in time\n", &[]);
        check_file("crates/cli/src/lib.rs", "// SPDX-License-Identifier: MIT\n//! x\n", &[]);
        check_file("tests/it/tests/s1.rs", "use x;\n", &[]);
    }

    #[test]
    fn comments_are_as_wide_as_code() {
        let wide = |comment: &str| format!("//! x\n{comment}{}\n", "x".repeat(97));
        check_file("crates/cli/src/lib.rs", &wide("// "), &[]);
        check_file("crates/cli/src/lib.rs", &wide("// |x "), &[]);
        check_file("crates/cli/src/lib.rs", &wide(" /// "), &[(2, "a comment beyond column 100")]);
    }

    #[test]
    fn length_is_bounded() {
        let of = |lines: usize| format!("//! x\n{}", "\n".repeat(lines - 1));
        check_file("crates/cli/src/lib.rs", &of(400), &[]);
        check_file("crates/cli/src/lib.rs", &of(401), &[(401, "401 lines: one subject?")]);
        check_file("crates/cli/src/lib.rs", &of(601), &[(601, "601 lines: split it by subject")]);
        assert!(length(Path::new("x.rs"), &of(600)).unwrap().warning);
        assert!(!length(Path::new("x.rs"), &of(601)).unwrap().warning);
    }
}
