//! Running a program with a time limit, together with everything that it started.
//!
//! The output goes to files, not to pipes: a grandchild that outlives its parent keeps a pipe
//! open, and then the reader hangs instead of the test.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Exited(ExitStatus),
    TimedOut,
}

/// The files with what a program wrote.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Output {
    /// Two files in `folder`.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { stdout: folder.join("stdout"), stderr: folder.join("stderr") }
    }

    pub(crate) fn stdout(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.stdout)?).into_owned())
    }

    pub(crate) fn stderr(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.stderr)?).into_owned())
    }
}

/// Runs a command in a process group of its own, and ends the whole group when the command exits
/// or `limit` has passed.
pub(crate) fn run_limited(
    command: &mut Command,
    output: &Output,
    limit: Duration,
) -> io::Result<End> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(File::create(&output.stdout)?)
        .stderr(File::create(&output.stderr)?)
        .process_group(0)
        .spawn()?;
    let pid = Pid::from_child(&child);
    let exited = wait_for_exit(pid, limit);
    // The group goes before the child is reaped: until then its id cannot belong to anybody else.
    // ESRCH is a group that has gone already.
    let _ = kill_process_group(pid, Signal::KILL);
    let status = child.wait()?;
    Ok(if exited? { End::Exited(status) } else { End::TimedOut })
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

/// The output of a program that is to succeed.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    ensure!(output.status.success(), "{program} failed ({})", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{program} prints no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> (End, String, String) {
        let name = format!("xtask-{}-{:?}", std::process::id(), std::thread::current().id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        let output = Output::in_folder(&folder);
        let end = run_limited(Command::new("/bin/sh").args(["-c", script]), &output, limit);
        let result = (end.unwrap(), output.stdout().unwrap(), output.stderr().unwrap());
        fs::remove_dir_all(folder).unwrap();
        result
    }

    #[test]
    fn an_exit_is_reported_with_both_outputs() {
        let (end, stdout, stderr) =
            shell("echo out; echo err >&2; exit 3", Duration::from_secs(60));
        let End::Exited(status) = end else { panic!("{end:?}") };
        assert_eq!(status.code(), Some(3));
        assert_eq!(stdout, "out\n");
        assert_eq!(stderr, "err\n");
    }

    #[test]
    fn a_hang_ends() {
        assert_eq!(shell("sleep 1000", Duration::from_millis(10)).0, End::TimedOut);
    }

    #[test]
    fn nothing_is_left_behind() {
        let (_, stdout, _) = shell("sleep 1000 & echo $!", Duration::from_secs(60));
        // A signal is on its way before it has arrived: wait for the grandchild's end, if it is
        // there at all.
        let grandchild = Pid::from_raw(stdout.trim().parse().unwrap()).unwrap();
        assert!(wait_for_exit(grandchild, Duration::from_secs(60)).unwrap_or(true));
    }
}
