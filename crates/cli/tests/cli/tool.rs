//! Running a tool.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use lxkns_model::{Snapshot, wire};

/// What a tool did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The command for a tool, with an empty environment: no theme file, no wishes about colour.
pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(lxkns_nstest::tool("lxkns").get_program());
    command.arg0(name).env_clear();
    command
}

/// Runs a command line, blanks between arguments, on the live system.
pub(crate) fn run(line: &str) -> Outcome {
    run_with_stdin(line, b"")
}

/// Runs a command line on a snapshot.
pub(crate) fn run_on(snapshot: &Snapshot, line: &str) -> Outcome {
    run_with_stdin(&format!("{line} --input -"), &document(snapshot))
}

pub(crate) fn run_with_stdin(line: &str, stdin: &[u8]) -> Outcome {
    let mut words = line.split_whitespace();
    let mut child = command(words.next().unwrap())
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // A tool that refuses its arguments does not read.
    let _ = pipe.write_all(stdin);
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("the tools print UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("the tools print UTF-8"),
    }
}

/// A snapshot as a document.
pub(crate) fn document(snapshot: &Snapshot) -> Vec<u8> {
    let mut document = Vec::new();
    wire::snapshot::write(snapshot, &mut document, wire::Layout::Compact).unwrap();
    document
}
