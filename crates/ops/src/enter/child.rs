//! Programs in child processes.

use std::os::fd::AsFd;
use std::process::{Child, Command};

use lxkns_species::NamespaceType;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::thread::on_thread;
use super::{any, enter_one};
use crate::sys::enter as sys;
use crate::{Error, NamespaceFd};

/// Starts a program inside other namespaces, of all types.
///
/// The child enters them after it has done what else the [`Command`] asks for (standard files, user
/// and groups, working directory) and right before it executes the program: whose path is looked up
/// in the mount namespace entered, with its root directory as working directory. After entering a
/// user namespace it becomes root in there, if there is one; if not, it has all capabilities
/// nevertheless (from Linux 4.3 on). It inherits no open files but the standard ones, nor does it
/// when there are no namespaces to enter.
///
/// If both a user and later in the list a PID namespace are to be entered, a process stands between
/// caller and program, outside of the PID namespace: it ends as the program does, and if it is
/// killed, the program is.
///
/// The first process of a PID namespace must still live: no process can enter it afterwards
/// (ENOMEM).
///
/// # Errors
///
/// [`Error::Enter`]: denied without the capabilities; [`Error::Program`] if the program cannot be
/// executed; [`Error::Call`] if there are too many open files.
///
/// ```
/// use std::process::{Command, Stdio};
///
/// use lxkns_ops::{Error, NamespaceFd, enter};
/// use lxkns_species::NamespaceType;
///
/// let user = NamespaceFd::of_process(lxkns_species::Pid(1), NamespaceType::User);
/// let mut command = Command::new("true");
/// command.stdin(Stdio::null());
/// if let Ok(user) = user {
///     match enter::command(&[&user], command) {
///         Ok(mut child) => println!("{:?}", child.wait()),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # Ok::<(), Error>(())
/// ```
#[doc(alias = "setns")]
#[doc(alias = "nsenter")]
pub fn command(namespaces: &[&NamespaceFd], command: Command) -> Result<Child, Error> {
    let is = |namespace: &NamespaceFd, wanted| namespace.id().namespace_type() == wanted;
    let user = namespaces
        .iter()
        .position(|namespace| is(namespace, NamespaceType::User))
        .unwrap_or(namespaces.len());
    // Until then the order does not matter, so the thread that forks can enter PID namespaces, and
    // the child is in them without any process in between.
    let (before, after) = namespaces.split_at(user);
    let (by_thread, mut by_child): (Vec<&NamespaceFd>, Vec<&NamespaceFd>) =
        before.iter().partition(|namespace| is(namespace, NamespaceType::Pid));
    by_child.extend(after);
    if by_thread.is_empty() {
        return start(&by_child, command);
    }
    on_thread(|| {
        for namespace in by_thread {
            enter_one(namespace)?;
        }
        start(&by_child, command)
    })
}

fn start(namespaces: &[&NamespaceFd], mut command: Command) -> Result<Child, Error> {
    let failed = |source| Error::Call { what: "prepare a child process", source };
    let above = |fd| sys::above_standard_files(fd).map_err(failed);
    // Nobody waits at its end: what the child wrote is there when spawning has failed.
    let (reported, report) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(failed)?;
    let entry = sys::Entry {
        namespaces: namespaces
            .iter()
            .map(|namespace| above(namespace.as_fd()))
            .collect::<Result<_, _>>()?,
        becomes_root: any(namespaces, NamespaceType::User),
        forks: any(namespaces, NamespaceType::Pid),
        report: above(report.as_fd())?,
    };
    sys::before_exec(&mut command, entry);
    command.spawn().map_err(|error| {
        let source = Errno::from_io_error(&error).unwrap_or(Errno::INVAL);
        let mut index = [0];
        let culprit = match rustix::io::read(&reported, &mut index) {
            Ok(1) => namespaces.get(usize::from(index[0])),
            _ => None,
        };
        match culprit {
            Some(namespace) => Error::Enter { id: namespace.id(), source },
            None => Error::Program { program: command.get_program().to_owned(), source },
        }
    })
}
