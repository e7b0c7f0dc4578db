//! The gate in front of tests, seen by running tests of this very file.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::process::{Command, Output};

use lxkns_nstest::{Dir, need};

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn never_passes_the_gate() {
    need!(never);
    unreachable!("the gate is open");
}

#[test]
#[should_panic(expected = "there is no need named \"something_else\"")]
fn unknown_needs_are_refused() {
    need!(something_else);
}

fn run_gated(variable: &str, value: &std::ffi::OsStr) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "never_passes_the_gate", "--test-threads=1", "--nocapture"])
        .env_remove("LXKNS_SKIPS")
        .env_remove("LXKNS_REQUIRE")
        .env(variable, value)
        .output()
        .unwrap()
}

#[test]
fn a_skip_is_recorded() {
    let dir = Dir::new().unwrap();
    let skips = dir.join("skips");
    for times in 1..=2 {
        let output = run_gated("LXKNS_SKIPS", skips.as_os_str());
        assert!(output.status.success());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("skipped: never_passes_the_gate needs never\n"), "{stderr}");
        let lines = std::fs::read_to_string(&skips).unwrap();
        assert_eq!(lines.lines().count(), times);
        assert!(lines.lines().all(|line| line.ends_with("\tnever")), "{lines}");
    }
}

#[test]
fn a_required_need_fails_the_test() {
    let output = run_gated("LXKNS_REQUIRE", "root,never".as_ref());
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("required but missing: never"), "{stderr}");
}
