//! Readers that go away, and disks that are full.

use std::fs::File;
use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::fixtures;
use crate::tool::{command, document};

const LINES: [&str; 10] = [
    "lsallns",
    "lsallns --json",
    "lsallns --jsonl",
    "lsuns -d",
    "lspidns --json",
    "pidtree",
    "nscaps -p 1 user:[4026531837]",
    "dumpns",
    "lxkns snapshot",
    "lxkns snapshot --jsonl",
];

/// Runs a command line whose standard output is nobody's, or a full disk.
fn run_to(line: &str, full: bool) -> Output {
    let mut words = line.split_whitespace();
    let mut command = command(words.next().unwrap());
    command.args(words).args(["--input", "-"]);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    if full {
        command.stdout(File::options().write(true).open("/dev/full").unwrap());
    } else {
        command.stdout(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    // Gone before the tool has anything to show.
    drop(child.stdout.take());
    let document = document(&fixtures::containers());
    child.stdin.take().unwrap().write_all(&document).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_closed_pipe_is_no_failure() {
    for line in LINES {
        let output = run_to(line, false);
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert_eq!(output.stderr, b"", "{line}");
    }
}

#[test]
fn a_full_disk_is_a_failure() {
    for line in LINES {
        let output = run_to(line, true);
        assert_eq!(output.status.code(), Some(1), "{line}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = "error: cannot write to standard output: No space left on device";
        assert!(stderr.starts_with(expected), "{line}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{line}: {stderr}");
    }
}
