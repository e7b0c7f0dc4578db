//! How a tool has ended, and what it has printed.

use std::process::Output;

use serde_json::Value;

/// What a tool that must succeed has printed.
///
/// # Panics
///
/// If it has failed, or has not printed UTF-8.
#[track_caller]
pub fn stdout(output: &Output) -> &str {
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaints}", output.status);
    utf8(&output.stdout)
}

/// The JSON that a tool that must succeed has printed.
///
/// # Panics
///
/// If it has failed, or has not printed JSON.
#[track_caller]
pub fn json(output: &Output) -> Value {
    match serde_json::from_str(stdout(output)) {
        Ok(value) => value,
        Err(error) => panic!("the tool has not printed JSON: {error}"),
    }
}

/// Checks that a tool ended with this exit code and one line on stderr, which says all of this.
///
/// # Panics
///
/// If not.
#[track_caller]
pub fn assert_failure(output: &Output, code: i32, parts: &[&str]) {
    let stderr = utf8(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("error: "), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{part:?} in {stderr:?}");
    }
    assert!(output.stdout.is_empty());
}

#[track_caller]
fn utf8(bytes: &[u8]) -> &str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => panic!("the tool has not printed UTF-8: {error}"),
    }
}
