//! Closures on throw-away threads.

use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread::{self, Builder};

use lxkns_species::{NamespaceId, NamespaceType};
use rustix::io::Errno;

use super::enter;
use crate::{Error, NamespaceFd};

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
/// use lxkns_ops::{Error, NamespaceFd, enter};
/// use lxkns_species::NamespaceType;
///
/// let net = NamespaceFd::of_self(NamespaceType::Net)?;
/// let mut devices = String::new();
/// let read = enter::run(&[&net], || {
///     devices = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
/// });
/// assert!(read.is_err_and(|error| error.is_denied()) || devices.contains("lo:"));
/// # Ok::<(), Error>(())
/// ```
#[doc(alias = "setns")]
pub fn run<T: Send>(namespaces: &[&NamespaceFd], f: impl FnOnce() -> T + Send) -> Result<T, Error> {
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
/// use lxkns_ops::{Error, NamespaceFd, enter};
/// use lxkns_species::NamespaceType;
///
/// let uts = NamespaceFd::of_self(NamespaceType::Uts)?;
/// match enter::spawn(&[&uts], || std::fs::read_to_string("/proc/sys/kernel/hostname")) {
///     Ok(visit) => println!("{:?}", visit.join()),
///     Err(error) => assert!(error.is_denied()),
/// }
/// # Ok::<(), Error>(())
/// ```
#[doc(alias = "setns")]
pub fn spawn<T: Send + 'static>(
    namespaces: &[&NamespaceFd],
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<Visit<T>, Error> {
    for_threads(namespaces)?;
    let own: Vec<NamespaceFd> =
        namespaces.iter().map(|namespace| namespace.try_clone()).collect::<Result<_, _>>()?;
    let (sender, entered) = mpsc::sync_channel(1);
    let inside = move || {
        let all: Vec<&NamespaceFd> = own.iter().collect();
        let result = enter(&all);
        let failed = result.is_err();
        // The caller waits for this.
        let _ = sender.send(result);
        drop(own);
        (!failed).then(f)
    };
    let thread = builder().spawn(inside);
    let thread = thread.map_err(no_thread)?;
    entered.recv().unwrap_or(Err(Error::Call { what: "start a thread", source: Errno::AGAIN }))?;
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
    ///
    /// ```
    /// use lxkns_ops::enter;
    ///
    /// // No namespaces: just a thread.
    /// let visit = enter::spawn(&[], || 6 * 7)?;
    /// assert_eq!(visit.join().unwrap(), 42);
    /// let visit = enter::spawn(&[], || panic!("on purpose"))?;
    /// assert!(visit.join().is_err());
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn join(self) -> thread::Result<T> {
        self.0.join().and_then(|result| {
            result.ok_or_else(|| Box::<dyn std::any::Any + Send>::from(Box::new("not entered")))
        })
    }

    /// Whether the closure has ended, so that [`Visit::join`] does not have to wait.
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// let (sender, receiver) = mpsc::channel::<()>();
    /// let visit = lxkns_ops::enter::spawn(&[], move || receiver.recv())?;
    /// assert!(!visit.is_finished());
    /// drop(sender);
    /// assert!(visit.join().unwrap().is_err());
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

fn for_threads(namespaces: &[&NamespaceFd]) -> Result<(), Error> {
    let is_not = |id: NamespaceId| {
        matches!(
            id.namespace_type(),
            NamespaceType::Pid | NamespaceType::Time | NamespaceType::User
        )
    };
    let mut ids = namespaces.iter().map(|namespace| namespace.id());
    ids.find(|id| is_not(*id)).map_or(Ok(()), |id| Err(Error::NotByThread { id }))
}

/// Runs a closure on a thread that ends with it; its panic goes on in the caller.
pub(super) fn on_thread<T: Send>(f: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let thread = builder().spawn_scoped(scope, f);
        let thread = thread.map_err(no_thread)?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// How the threads are made. Their size is not up to the environment (`RUST_MIN_STACK`): a closure
/// may count on what threads have by default.
fn builder() -> Builder {
    const STACK: usize = 2 * 1024 * 1024;
    Builder::new().name("visitor".into()).stack_size(STACK)
}

fn no_thread(error: std::io::Error) -> Error {
    Error::Call {
        what: "start a thread",
        source: Errno::from_io_error(&error).unwrap_or(Errno::AGAIN),
    }
}
