//! The caller's side: starting a copy, and waiting for its answer, but not for ever.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use lxkns_ops::{NamespaceFd, enter, is_secure_execution, pidfd};
use lxkns_species::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::de::{DeserializeOwned, Error as _};

use super::Error;
use super::child::NAME;
use super::wire::{Reply, send_namespaces};

/// So long an answer may be.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// So much of the standard error is kept.
const STDERR_LIMIT: usize = 64 * 1024;

/// So long a copy gets to end once it has been killed. After that, the kernel has it.
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
    let failed = |what| {
        move |error: std::io::Error| Error::Connection {
            what,
            source: Errno::from_io_error(&error).unwrap_or(Errno::IO),
        }
    };
    let talking = failed("talk to a copy of this program");
    let deadline = Instant::now().checked_add(time_limit);
    let (socket, theirs) = UnixStream::pair().map_err(talking)?;
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(NAME)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = enter::command(&[], command).map_err(Error::Start)?;
    let mut copy = Copy::new(child, socket).map_err(talking)?;
    send_namespaces(&copy.socket, namespaces)?;
    let ended = copy.talk(request, deadline).map_err(talking)?;
    let too_long = copy.answer.len() > ANSWER_LIMIT;
    let status = if ended && !too_long { copy.wait(deadline) } else { None };
    copy.hear_errors();
    let stderr = String::from_utf8_lossy(&copy.errors).into_owned();
    if too_long {
        let source = serde_json::Error::custom("too long");
        return Err(Error::Answer { source, stderr });
    }
    let Some(status) = status else {
        return Err(Error::TimedOut { limit: time_limit, stderr });
    };
    if copy.answer.is_empty() {
        return Err(Error::Died { status, stderr });
    }
    match serde_json::from_slice(&copy.answer) {
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
struct Copy {
    child: Child,
    socket: UnixStream,
    stderr: Option<ChildStderr>,
    answer: Vec<u8>,
    errors: Vec<u8>,
}

impl Copy {
    fn new(mut child: Child, socket: UnixStream) -> std::io::Result<Copy> {
        let stderr = child.stderr.take();
        let copy = Copy { child, socket, stderr, answer: Vec::new(), errors: Vec::new() };
        copy.socket.set_nonblocking(true)?;
        if let Some(stderr) = &copy.stderr {
            rustix::io::ioctl_fionbio(stderr, true)?;
        }
        Ok(copy)
    }

    /// Sends the request and receives the answer, until the copy has closed its end, or says too
    /// much. Returns whether it has done so in time.
    fn talk(&mut self, request: &[u8], deadline: Option<Instant>) -> std::io::Result<bool> {
        let mut unsent = Some(request);
        while self.answer.len() <= ANSWER_LIMIT {
            if let Some(rest) = unsent {
                unsent = self.send(rest)?;
            }
            let interest = match unsent {
                Some(_) => PollFlags::IN | PollFlags::OUT,
                None => PollFlags::IN,
            };
            let mut ready = vec![PollFd::new(&self.socket, interest)];
            if let Some(stderr) = &self.stderr {
                ready.push(PollFd::new(stderr, PollFlags::IN));
            }
            if !wait(&mut ready, deadline)? {
                return Ok(false);
            }
            self.hear_errors();
            if read_available(&mut self.socket, &mut self.answer, ANSWER_LIMIT + 1)? {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Sends what goes; returns the rest, or nothing when all has gone.
    fn send<'r>(&mut self, rest: &'r [u8]) -> std::io::Result<Option<&'r [u8]>> {
        let sent = match self.socket.write(rest) {
            Ok(sent) => sent,
            Err(error) if is_later(&error) => 0,
            // It has ended already, and maybe said why.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(None),
            Err(error) => return Err(error),
        };
        match rest.get(sent..) {
            Some(rest) if !rest.is_empty() => Ok(Some(rest)),
            _ => {
                let shut = self.socket.shutdown(Shutdown::Write);
                shut.or_else(|error| match error.kind() {
                    ErrorKind::NotConnected => Ok(()),
                    _ => Err(error),
                })?;
                Ok(None)
            }
        }
    }

    /// Takes what is there of the standard error.
    fn hear_errors(&mut self) {
        if let Some(stderr) = &mut self.stderr
            && !matches!(read_available(stderr, &mut self.errors, STDERR_LIMIT), Ok(false))
        {
            self.stderr = None;
        }
    }

    /// Waits for the copy to end; `None` if it does not in time.
    fn wait(&mut self, deadline: Option<Instant>) -> Option<ExitStatus> {
        // Before Linux 5.3, it has to be trusted to end as soon as it has closed its end.
        if let Ok(pidfd) = pidfd::of_process(Pid(self.child.id()))
            && !matches!(wait(&mut [PollFd::new(&pidfd, PollFlags::IN)], deadline), Ok(true))
        {
            return None;
        }
        self.child.wait().ok()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _ = self.child.kill();
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

/// Reads what is there, and keeps no more than `limit` of it. Returns whether the end has come.
fn read_available(from: &mut impl Read, into: &mut Vec<u8>, limit: usize) -> std::io::Result<bool> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(count) => {
                let room = limit.saturating_sub(into.len()).min(count);
                into.extend_from_slice(buffer.get(..room).unwrap_or_default());
            }
            Err(error) if is_later(&error) => return Ok(false),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(true),
            Err(error) => return Err(error),
        }
    }
}

fn is_later(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
