//! The caller's side: starting a copy, and waiting for its end, within a limit.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use lxkns_ops::{NamespaceFd, enter, is_secure_execution, pidfd};
use lxkns_species::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use serde::de::{DeserializeOwned, Error as _};

use super::Error;
use super::child::NAME;
use super::wire::{Reply, send};

/// Limit on the length of an answer.
const ANSWER_LIMIT: u64 = 64 * 1024 * 1024;

/// Limit on the part of the standard error that is kept.
const STDERR_LIMIT: u64 = 64 * 1024;

/// Timeout for the end of a copy that was killed. After that, the kernel has it.
const PARTING: Duration = Duration::from_secs(1);

pub(crate) fn run<A: DeserializeOwned>(
    namespaces: &[&NamespaceFd],
    request: &[u8],
    time_limit: Duration,
    variables: Vec<(OsString, OsString)>,
) -> Result<A, Error> {
    if is_secure_execution() {
        return Err(Error::SecureExecution);
    }
    let talking = |error: std::io::Error| Error::Connection {
        what: "talk to a copy of this program",
        source: Errno::from_io_error(&error).unwrap_or(Errno::IO),
    };
    let deadline = Instant::now().checked_add(time_limit);
    let (socket, theirs) = UnixStream::pair().map_err(talking)?;
    let (mut question, mut answer, mut errors) =
        (memory().map_err(talking)?, memory().map_err(talking)?, memory().map_err(talking)?);
    question.write_all(request).and_then(|()| question.rewind()).map_err(talking)?;
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(NAME)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::from(errors.try_clone().map_err(talking)?));
    let mut copy = Copy(enter::command(&[], command).map_err(Error::Start)?);
    // If it has ended already, its standard error tells why.
    match send(&socket, question.as_fd(), answer.as_fd(), namespaces) {
        Ok(()) | Err(Error::Connection { source: Errno::PIPE, .. }) => {}
        Err(error) => return Err(error),
    }
    let status = copy.wait(deadline);
    // No more of it can be written once it has ended.
    drop(copy);
    let stderr =
        String::from_utf8_lossy(&content(&mut errors, STDERR_LIMIT).map_err(talking)?).into_owned();
    let Some(status) = status else {
        return Err(Error::TimedOut { limit: time_limit, stderr });
    };
    let answer = content(&mut answer, ANSWER_LIMIT + 1).map_err(talking)?;
    if answer.is_empty() {
        return Err(Error::Died { status, stderr });
    }
    if answer.len() as u64 > ANSWER_LIMIT {
        let source = serde_json::Error::custom("too long");
        return Err(Error::Answer { source, stderr });
    }
    match serde_json::from_slice(&answer) {
        Ok(Reply::Answer(answer)) => Ok(answer),
        Ok(Reply::Refused(why)) => Err(Error::Refused { why }),
        Ok(Reply::NotEntered { index, errno }) => match namespaces.get(index) {
            Some(namespace) => Err(Error::Enter(lxkns_ops::Error::Enter {
                id: namespace.id(),
                source: Errno::from_raw_os_error(errno),
            })),
            None => Err(Error::Refused { why: format!("no namespace {index}") }),
        },
        Err(source) => Err(Error::Answer { source, stderr }),
    }
}

/// A running copy. When dropped, it is killed.
struct Copy(Child);

impl Copy {
    /// Waits for the copy to end; `None` if it does not in time.
    fn wait(&mut self, deadline: Option<Instant>) -> Option<ExitStatus> {
        if let Ok(pidfd) = pidfd::of_process(Pid(self.0.id()))
            && !matches!(wait(&mut [PollFd::new(&pidfd, PollFlags::IN)], deadline), Ok(true))
        {
            return None;
        }
        self.0.wait().ok()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        let _ = self.0.kill();
        self.wait(Instant::now().checked_add(PARTING));
    }
}

/// Waits until something is ready; false if that does not happen in time.
fn wait(ready: &mut [PollFd<'_>], deadline: Option<Instant>) -> Result<bool, Errno> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(ready, timeout.as_ref()) {
            Ok(count) => return Ok(count > 0),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// A file in memory, which goes with its last descriptor.
fn memory() -> std::io::Result<File> {
    Ok(memfd_create(c"lxkns action", MemfdFlags::CLOEXEC)?.into())
}

/// The start of a file, up to a limit.
fn content(file: &mut File, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(limit).read_to_end(&mut content)?;
    Ok(content)
}
