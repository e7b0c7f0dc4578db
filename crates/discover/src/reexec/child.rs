//! The copy's side.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use lxkns_ops::{NamespaceFd, enter, is_secure_execution};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal,
};

use super::wire::{Reply, receive, split};
use super::{Registered, sealed};

/// The name under which a copy is executed. Blanks and colon, so that it is no file's by chance.
pub(crate) const NAME: &str = "lxkns: action elsewhere";

/// The exit status of a copy that could not even reply.
const FAILED: i32 = 125;

pub(crate) fn is_copy() -> bool {
    std::env::args_os().next().is_some_and(|name| name == NAME)
}

/// Runs the action that is asked for, and ends the process.
pub(crate) fn run(actions: &[&'static dyn Registered]) -> ! {
    let (mut file, namespaces, request) = match prepare() {
        Ok(prepared) => prepared,
        Err(error) => {
            // There is no other process to tell.
            let _ = writeln!(std::io::stderr(), "cannot run an action: {error}");
            std::process::exit(FAILED);
        }
    };
    let references: Vec<&NamespaceFd> = namespaces.iter().collect();
    enter::for_good(&references, |entered| {
        let reply = match entered {
            Ok(()) => answer(actions, &request),
            Err(error) => encode(&not_entered(&namespaces, &error)),
        };
        match file.write_all(&reply) {
            Ok(()) => 0,
            Err(_) => FAILED,
        }
    })
}

/// The file for the answer, the namespaces to enter, and the request.
fn prepare() -> std::io::Result<(File, Vec<NamespaceFd>, Vec<u8>)> {
    if is_secure_execution() {
        return Err(std::io::Error::other("refused in secure-execution mode"));
    }
    // Nobody who is in the namespaces to come shall look into this process.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    // What the action starts shall not talk into this.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if is_abandoned(&socket)? {
        return Err(Errno::PIPE.into());
    }
    let (question, answer, namespaces) = receive(&socket)?;
    let namespaces = namespaces
        .into_iter()
        .map(NamespaceFd::from_fd)
        .collect::<Result<_, _>>()
        .map_err(std::io::Error::other)?;
    let mut request = Vec::new();
    File::from(question).read_to_end(&mut request)?;
    Ok((File::from(answer), namespaces, request))
}

/// Whether the caller has died before the kernel was told to take this process with it.
fn is_abandoned(socket: &UnixStream) -> Result<bool, Errno> {
    let mut ends = [PollFd::new(socket, PollFlags::empty())];
    poll(&mut ends, Some(&Timespec::default()))?;
    Ok(ends.iter().any(|end| end.revents().contains(PollFlags::HUP)))
}

fn answer(actions: &[&'static dyn Registered], request: &[u8]) -> Vec<u8> {
    let Some((name, request)) = split(request) else {
        return encode(&Reply::Refused("cannot read the request".into()));
    };
    let wanted = |action: &&&'static dyn Registered| sealed::Registered::name(**action) == name;
    let Some(action) = actions.iter().find(wanted) else {
        return encode(&Reply::Refused(format!("no action {name:?} is registered")));
    };
    match action.answer(request) {
        Ok(answer) => {
            // The reply around it, by hand: the answer is JSON already.
            let mut reply = br#"{"answer":"#.to_vec();
            reply.extend(answer);
            reply.push(b'}');
            reply
        }
        Err(why) => encode(&Reply::Refused(why)),
    }
}

fn not_entered(namespaces: &[NamespaceFd], error: &lxkns_ops::Error) -> Reply<()> {
    let lxkns_ops::Error::Enter { id, source } = error else {
        let errno = error.errno().map(|errno| format!(": {errno}"));
        return Reply::Refused(format!("{error}{}", errno.unwrap_or_default()));
    };
    let index = namespaces.iter().position(|namespace| namespace.id() == *id);
    Reply::NotEntered { index: index.unwrap_or_default(), errno: source.raw_os_error() }
}

fn encode(reply: &Reply<()>) -> Vec<u8> {
    // Numbers and a text: nothing that could not be JSON.
    serde_json::to_vec(reply).unwrap_or_default()
}
