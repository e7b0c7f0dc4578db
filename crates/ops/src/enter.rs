//! Running something inside other namespaces.
//!
//! No function here changes the namespaces of a thread that goes on with something else. A closure
//! runs on a throw-away thread ([`run`], [`spawn`]), a program in a child process ([`command`]); and
//! a process that has nothing else to do may enter for the rest of its life ([`for_good`]).
//!
//! Not every type of namespace can be entered by a thread:
//!
//! | type | thread | child process |
//! |---|---|---|
//! | cgroup, ipc, mnt, net, uts | yes | yes |
//! | pid | no: takes effect for children only | yes |
//! | time, user | no: only in a process that has no other thread | yes |
//!
//! Namespaces are entered in the order given. It matters where user namespaces are among them: to
//! enter a namespace needs `CAP_SYS_ADMIN` in the user namespace that owns it, and who has entered a
//! user namespace has all capabilities in that one, and none outside. So an unprivileged owner puts
//! the user namespace first. Mount namespaces need `CAP_SYS_CHROOT` as well, see setns(2).
//!
//! Minimum kernel: 3.8; cgroup namespaces 4.6, time namespaces 5.6.
//!
//! What runs in another mount namespace finds files there that somebody else has put there. Name
//! services, locales, time zones, shared libraries loaded late, and the names in a panic's
//! backtrace come from files.

use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread::{self, Builder};
use std::time::Duration;

use lxkns_species::{NamespaceId, NamespaceType};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{parent_process_death_signal, set_parent_process_death_signal};
use rustix::thread::move_into_link_name_space;

use crate::sys::enter as sys;
use crate::{Error, Namespace};

/// Runs a closure inside other namespaces, on a thread of its own that ends with it, and returns
/// what it returns.
///
/// Entering a mount namespace makes its root directory the thread's root and working directory.
///
/// # Errors
///
/// [`Error::NotByThread`] with PID, time and user namespaces; [`Error::Enter`]: denied without the
/// capabilities; [`Error::Call`] if no thread can be started. The closure has not run then.
///
/// # Panics
///
/// If the closure does, with its panic.
///
/// ```
/// use lxkns_ops::{Error, Namespace, enter};
/// use lxkns_species::NamespaceType;
///
/// let net = Namespace::of_self(NamespaceType::Net)?;
/// let mut devices = String::new();
/// let read = enter::run(&[&net], || {
///     devices = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
/// });
/// assert!(read.is_err_and(|error| error.is_denied()) || devices.contains("lo:"));
/// # Ok::<(), Error>(())
/// ```
#[doc(alias = "setns")]
pub fn run<T: Send>(namespaces: &[&Namespace], f: impl FnOnce() -> T + Send) -> Result<T, Error> {
    for_threads(namespaces)?;
    on_thread(|| {
        enter(namespaces)?;
        Ok(f())
    })
}

/// Runs a closure inside other namespaces, on a thread of its own that ends with it, while the
/// caller goes on.
///
/// Returns once the namespaces have been entered.
///
/// # Errors
///
/// As [`run`], and [`Error::Call`] if there are too many open files.
///
/// ```
/// use lxkns_ops::{Error, Namespace, enter};
/// use lxkns_species::NamespaceType;
///
/// let uts = Namespace::of_self(NamespaceType::Uts)?;
/// match enter::spawn(&[&uts], || std::fs::read_to_string("/proc/sys/kernel/hostname")) {
///     Ok(visit) => println!("{:?}", visit.join()),
///     Err(error) => assert!(error.is_denied()),
/// }
/// # Ok::<(), Error>(())
/// ```
#[doc(alias = "setns")]
pub fn spawn<T: Send + 'static>(
    namespaces: &[&Namespace],
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<Visit<T>, Error> {
    for_threads(namespaces)?;
    let own: Vec<Namespace> = namespaces
        .iter()
        .map(|namespace| namespace.try_clone())
        .collect::<Result<_, _>>()?;
    let (sender, entered) = mpsc::sync_channel(1);
    let inside = move || {
        let all: Vec<&Namespace> = own.iter().collect();
        let result = enter(&all);
        let failed = result.is_err();
        // The caller waits for this.
        let _ = sender.send(result);
        drop(own);
        (!failed).then(f)
    };
    let thread = Builder::new().name(NAME.into()).spawn(inside);
    let thread = thread.map_err(no_thread)?;
    entered.recv().unwrap_or(Err(Error::Call {
        what: "start a thread",
        source: Errno::AGAIN,
    }))?;
    Ok(Visit(thread))
}

/// A closure that runs inside other namespaces, see [`spawn`]. If dropped, it goes on.
#[derive(Debug)]
pub struct Visit<T>(thread::JoinHandle<Option<T>>);

impl<T> Visit<T> {
    /// Waits for the closure to end, and returns what it returned.
    ///
    /// # Errors
    ///
    /// The closure's panic, as with [`std::thread::JoinHandle::join`].
    pub fn join(self) -> thread::Result<T> {
        self.0.join().and_then(|result| {
            result.ok_or_else(|| Box::<dyn std::any::Any + Send>::from(Box::new("not entered")))
        })
    }

    /// Whether the closure has ended.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// Starts a program inside other namespaces, of all types.
///
/// The child enters them after it has done what else the [`Command`] asks for (standard files, user
/// and groups, working directory) and right before it executes the program: whose path is looked up
/// in the mount namespace entered, with its root directory as working directory. After entering a
/// user namespace it becomes root in there, if there is one; if not, it has no capabilities. It
/// inherits no open files but the standard ones, nor does it when there are no namespaces to enter.
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
/// use lxkns_ops::{Error, Namespace, enter};
/// use lxkns_species::NamespaceType;
///
/// let user = Namespace::of_process(lxkns_species::Pid(1), NamespaceType::User);
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
pub fn command(namespaces: &[&Namespace], command: Command) -> Result<Child, Error> {
    let is = |namespace: &Namespace, wanted| namespace.id().namespace_type() == wanted;
    let user = namespaces
        .iter()
        .position(|namespace| is(namespace, NamespaceType::User))
        .unwrap_or(namespaces.len());
    // Until then the order does not matter, so the thread that forks can enter PID namespaces, and
    // the child is in them without any process in between.
    let (before, after) = namespaces.split_at(user);
    let (by_thread, mut by_child): (Vec<&Namespace>, Vec<&Namespace>) = before
        .iter()
        .partition(|namespace| is(namespace, NamespaceType::Pid));
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

fn start(namespaces: &[&Namespace], mut command: Command) -> Result<Child, Error> {
    let failed = |source| Error::Call {
        what: "prepare a child process",
        source,
    };
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
            Some(namespace) => Error::Enter {
                id: namespace.id(),
                source,
            },
            None => Error::Program {
                program: command.get_program().to_owned(),
                source,
            },
        }
    })
}

/// Enters namespaces, of all types, for the rest of the life of this process, which must have no
/// other thread, and ends the process with what the closure returns as exit status.
///
/// The closure is told whether all have been entered. If a PID namespace is among them, a child
/// process runs the closure, and this one does nothing but end as the child does; the child is killed
/// if this one is. After entering a user namespace the process is root in there, if there is a root.
///
/// This is for programs, or copies of programs, whose whole purpose is to do something elsewhere. No
/// destructors of the caller run. If the closure panics, the process ends with status 101.
///
/// ```no_run
/// use lxkns_ops::{Namespace, enter};
/// use lxkns_species::{NamespaceType, Pid};
///
/// let user = Namespace::of_process(Pid(812), NamespaceType::User)?;
/// let pid = Namespace::of_process(Pid(812), NamespaceType::Pid)?;
/// enter::for_good(&[&user, &pid], |entered| match entered {
///     Ok(()) => 0,
///     Err(_) => 1,
/// })
/// # ; #[allow(unreachable_code)] Ok::<(), lxkns_ops::Error>(())
/// ```
pub fn for_good(namespaces: &[&Namespace], f: impl FnOnce(Result<(), Error>) -> i32) -> ! {
    for_good_as(Credentials::Root, namespaces, f)
}

/// Who to be after entering a user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Credentials {
    /// Its root (UID and GID 0, no supplementary groups), as far as it has one.
    #[default]
    Root,
    /// The same user and groups as before, whatever they are called in there. Programs executed
    /// then have no capabilities, unless that is root.
    Own,
}

/// As [`for_good`], and as somebody in particular, if a user namespace is entered.
pub fn for_good_as(
    credentials: Credentials,
    namespaces: &[&Namespace],
    f: impl FnOnce(Result<(), Error>) -> i32,
) -> ! {
    /// What a program that panics ends with.
    const PANICKED: i32 = 101;
    // Unwinding would lead back into the caller.
    let inside = AssertUnwindSafe(|| f(enter_for_good(credentials, namespaces)));
    std::process::exit(catch_unwind(inside).unwrap_or(PANICKED))
}

fn enter_for_good(credentials: Credentials, namespaces: &[&Namespace]) -> Result<(), Error> {
    let failed = |what| move |source| Error::Call { what, source };
    be_only_thread().map_err(failed("enter namespaces with other threads around"))?;
    // Forgotten when a user namespace is entered.
    let death_signal = parent_process_death_signal().unwrap_or(None);
    enter(namespaces)?;
    if any(namespaces, NamespaceType::User) {
        if credentials == Credentials::Root {
            sys::become_root().map_err(failed("become root of a user namespace"))?;
        }
        let _ = set_parent_process_death_signal(death_signal);
    }
    if any(namespaces, NamespaceType::Pid) {
        sys::go_on_in_child().map_err(failed("start a child process"))?;
    }
    Ok(())
}

/// Waits for threads that have been joined, but not left the process yet.
fn be_only_thread() -> rustix::io::Result<()> {
    const TRIES: usize = 1000;
    const PAUSE: Duration = Duration::from_micros(100);
    let alone = (1..TRIES).any(|_| {
        let alone = sys::is_only_thread().is_ok();
        if !alone {
            thread::sleep(PAUSE);
        }
        alone
    });
    if alone { Ok(()) } else { sys::is_only_thread() }
}

fn any(namespaces: &[&Namespace], wanted: NamespaceType) -> bool {
    let mut types = namespaces.iter().map(|one| one.id().namespace_type());
    types.any(|found| found == wanted)
}

/// Has the calling thread enter namespaces, in this order.
fn enter(namespaces: &[&Namespace]) -> Result<(), Error> {
    if any(namespaces, NamespaceType::Mnt) {
        sys::own_directories().map_err(|source| Error::Call {
            what: "get a root directory of one's own",
            source,
        })?;
    }
    namespaces
        .iter()
        .try_for_each(|namespace| enter_one(namespace))
}

fn enter_one(namespace: &Namespace) -> Result<(), Error> {
    move_into_link_name_space(namespace.as_fd(), None).map_err(|source| Error::Enter {
        id: namespace.id(),
        source,
    })
}

fn for_threads(namespaces: &[&Namespace]) -> Result<(), Error> {
    let is_not = |id: NamespaceId| {
        matches!(
            id.namespace_type(),
            NamespaceType::Pid | NamespaceType::Time | NamespaceType::User
        )
    };
    let mut ids = namespaces.iter().map(|namespace| namespace.id());
    ids.find(|id| is_not(*id))
        .map_or(Ok(()), |id| Err(Error::NotByThread { id }))
}

/// Runs a closure on a thread that ends with it; its panic goes on in the caller.
fn on_thread<T: Send>(f: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let thread = Builder::new().name(NAME.into()).spawn_scoped(scope, f);
        let thread = thread.map_err(no_thread)?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// The name of the threads.
const NAME: &str = "visitor";

fn no_thread(error: std::io::Error) -> Error {
    Error::Call {
        what: "start a thread",
        source: Errno::from_io_error(&error).unwrap_or(Errno::AGAIN),
    }
}
