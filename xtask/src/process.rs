//! Running a program with a time limit, together with everything that it started.
//!
//! The output goes to a file, not to a pipe: a grandchild that outlives its parent keeps a pipe
//! open, and then the reader hangs instead of the test.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Exited(ExitStatus),
    TimedOut,
}

/// Runs a command in a process group of its own with both outputs in `output`, and ends the whole
/// group when the command exits or `limit` has passed.
pub(crate) fn run_limited(
    command: &mut Command,
    output: &Path,
    limit: Duration,
) -> io::Result<End> {
    let file = File::create(output)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .process_group(0)
        .spawn()?;
    let pid = Pid::from_child(&child);
    let exited = wait_for_exit(pid, limit);
    // The group goes before the child is reaped: until then its id cannot belong to anybody else.
    // ESRCH is a group that has gone already.
    let _ = kill_process_group(pid, Signal::KILL);
    let status = child.wait()?;
    Ok(if exited? {
        End::Exited(status)
    } else {
        End::TimedOut
    })
}

/// Waits until the process has exited, without reaping it; `false` when it has not within `limit`.
fn wait_for_exit(pid: Pid, limit: Duration) -> io::Result<bool> {
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> (End, String) {
        let output = std::env::temp_dir().join(format!(
            "xtask-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let end =
            run_limited(Command::new("/bin/sh").args(["-c", script]), &output, limit).unwrap();
        let text = std::fs::read_to_string(&output).unwrap();
        std::fs::remove_file(&output).unwrap();
        (end, text)
    }

    #[test]
    fn an_exit_is_reported_with_both_outputs() {
        let (end, text) = shell("echo out; echo err >&2; exit 3", Duration::from_secs(60));
        let End::Exited(status) = end else {
            panic!("{end:?}")
        };
        assert_eq!(status.code(), Some(3));
        assert_eq!(text, "out\nerr\n");
    }

    #[test]
    fn a_hang_ends() {
        assert_eq!(
            shell("sleep 1000", Duration::from_millis(10)).0,
            End::TimedOut
        );
    }

    #[test]
    fn nothing_is_left_behind() {
        let (_, text) = shell("sleep 1000 & echo $!", Duration::from_secs(60));
        // A signal is on its way before it has arrived: wait for the grandchild's end, if it is
        // there at all.
        let grandchild = Pid::from_raw(text.trim().parse().unwrap()).unwrap();
        assert!(wait_for_exit(grandchild, Duration::from_secs(60)).unwrap_or(true));
    }
}
