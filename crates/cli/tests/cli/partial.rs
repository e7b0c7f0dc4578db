//! Every tool tells that its view is partial, wherever its output goes, and ends as it was asked
//! to.

use std::fs;

use lxkns_model::Snapshot;
use lxkns_nstest::Dir;

use crate::fixtures;
use crate::tool::{document, run, run_on};

/// A command line for each tool that looks at a snapshot.
const LINES: [&str; 13] = [
    "lsallns",
    "lsallns --json",
    "lsallns --jsonl",
    "lxkns",
    "lsuns --details",
    "lspidns --json",
    "pidtree",
    "nscaps -p 811 net:[4026532603]",
    "nscaps -p 811 net:[4026532603] --json",
    "dumpns",
    "lxkns snapshot",
    "lxkns pid 811",
    "lxkns why net:[4026532603]",
];

const NOTE: &str = "note: 5 of 8 processes could not be read (permission denied), \
                    and more is missing (-v tells)\n";

/// Runs a command line of these, which ends with this status, and returns what it has to tell.
#[track_caller]
fn told(snapshot: &Snapshot, line: &str, code: i32) -> String {
    let outcome = run_on(snapshot, line);
    assert_eq!(outcome.code, Some(code), "{line}: {}", outcome.stderr);
    assert!(!outcome.stdout.is_empty(), "{line}");
    outcome.stderr
}

#[test]
fn every_tool_tells_gaps() {
    let partial = fixtures::restricted();
    for line in LINES {
        assert_eq!(told(&partial, line, 0), NOTE, "{line}");
        assert_eq!(told(&partial, &format!("{line} -q"), 0), "", "{line}");
        let all = told(&partial, &format!("{line} -v"), 0);
        assert!(all.lines().count() > 1 && all.contains("pid 1"), "{line}: {all}");
    }
}

#[test]
fn strict_tools_fail_on_partial_views() {
    let partial = fixtures::restricted();
    for line in LINES {
        let strict = format!("{line} --strict");
        assert_eq!(told(&partial, &strict, 4), NOTE, "{line}");
        assert_eq!(told(&partial, &format!("{strict} -q"), 4), "", "{line}");
        // The output is there all the same.
        assert_eq!(run_on(&partial, &strict).stdout, run_on(&partial, line).stdout, "{line}");
    }
    for line in ["lsallns", "lsuns", "lspidns", "pidtree", "lxkns snapshot", "lxkns pid 1"] {
        assert_eq!(told(&fixtures::containers(), &format!("{line} --strict"), 0), "", "{line}");
    }
}

#[test]
fn strict_diffs_fail_on_partial_views() {
    let dir = Dir::new().unwrap();
    let [partial, whole] = [fixtures::restricted(), fixtures::containers()].map(|it| document(&it));
    fs::write(dir.join("partial"), partial).unwrap();
    fs::write(dir.join("whole"), whole).unwrap();
    let diff = |before: &str, after: &str| {
        let path = |name| dir.join(name).to_str().unwrap().to_owned();
        run(&format!("lxkns diff --strict {} {}", path(before), path(after))).code
    };
    assert_eq!(diff("whole", "whole"), Some(0));
    assert_eq!(diff("partial", "partial"), Some(4));
}

#[test]
fn json_has_the_gaps() {
    let partial = fixtures::restricted();
    let snapshot = run_on(&partial, "lxkns snapshot").stdout;
    let snapshot: serde_json::Value = serde_json::from_str(&snapshot).unwrap();
    for line in ["lsallns", "lsuns", "lspidns", "pidtree", "nscaps -p 811 net:[4026532603]"] {
        let printed = run_on(&partial, &format!("{line} --json")).stdout;
        let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(printed.get("gaps"), snapshot.get("gaps"), "{line}");
    }
}

#[test]
fn counts_are_the_least_where_members_are_missing() {
    let counts =
        |snapshot: &Snapshot| run_on(snapshot, "lsallns --noheadings -o holders,processes").stdout;
    let partial = counts(&fixtures::restricted());
    assert!(partial.split_whitespace().all(|count| count.starts_with('≥')), "{partial}");
    assert!(!counts(&fixtures::containers()).contains('≥'));
}
