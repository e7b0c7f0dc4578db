//! How many system calls a run of a program makes, where strace is installed.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// Counts the system calls of all threads and children; `None` without strace.
pub(super) fn count(command: &Command) -> Result<Option<u64>> {
    let file = std::env::temp_dir().join(format!("xtask-bench-{}", std::process::id()));
    let tracing = Command::new("strace")
        .args(["-c", "-f", "-o"])
        .arg(&file)
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if tracing.is_err() {
        return Ok(None);
    }
    let text = fs::read_to_string(&file);
    let _ = fs::remove_file(&file);
    let text = text?;
    let calls = total(&text).with_context(|| format!("strace has not counted: {text}"))?;
    Ok(Some(calls))
}

/// The sum of the column `calls`: numbers end where the heading ends.
fn total(table: &str) -> Option<u64> {
    // Whatever strace has to say besides.
    let heading = table.lines().find(|line| line.starts_with("% time"))?;
    let end = heading.find("calls")? + "calls".len();
    let line = table.lines().find(|line| line.ends_with(" total"))?;
    line.get(..end)?.split_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found_whether_or_not_there_were_errors() {
        let table = |total: &str| {
            format!(
                "% time     seconds  usecs/call     calls    errors syscall\n\
                 ------ ----------- ----------- --------- --------- ----------------\n\
                 100.00    0.000100           2        34        13 openat\n\
                 ------ ----------- ----------- --------- --------- ----------------\n\
                 {total}\n"
            )
        };
        let check = |line: &str, expected| assert_eq!(total(&table(line)), expected, "{line}");
        check("100.00    0.000100           2       144        19 total", Some(144));
        check("100.00    0.000100           2   1670144           total", Some(1_670_144));
        check("", None);
    }
}
