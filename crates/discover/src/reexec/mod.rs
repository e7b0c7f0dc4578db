//! Running Rust code inside namespaces that no thread can enter, in a re-executed copy of the
//! program.
//!
//! A closure on a throw-away thread ([`lxkns_ops::enter::run`]) is cheaper, by a factor of a
//! hundred, but cannot be in another PID, time or user namespace. A copy of the program can: it is
//! started afresh, has a single thread, enters, runs one [`Action`], answers, and ends. An action
//! has a name, takes a request and gives an answer, both of which travel as JSON; the program
//! registers its actions first of all in its `main`, which in a copy goes no further:
//!
//! ```no_run
//! use lxkns_discover::reexec::{self, Action};
//! use lxkns_ops::NamespaceFd;
//! use lxkns_species::{NamespaceType, Pid};
//!
//! static SQUARE: Action<u32, u32> = Action::new("square", |number| number * number);
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     reexec::register(&[&SQUARE]);
//!     let user = NamespaceFd::of_process(Pid(812), NamespaceType::User)?;
//!     assert_eq!(SQUARE.inside(&[&user]).run(&7)?, 49);
//!     Ok(())
//! }
//! ```
//!
//! A process elsewhere must not be able to steer what happens, nor to get at what the caller has
//! open. So the copy is executed from `/proc/self/exe` in the caller's namespaces, with an empty
//! environment. While the action runs, it has two open files besides the namespaces and
//! `/dev/null`: files in memory for the answer and for the standard error, whose content ends up in
//! errors. The copy makes itself undumpable before it enters, and dies with the thread that waits
//! for it. What runs with more privileges than its user has (secure-execution mode, see `AT_SECURE`
//! in getauxval(3)) neither makes copies nor is one.
//!
//! Left out: streams, callbacks, and anything that goes on after the answer.

mod child;
mod error;
mod parent;
pub(crate) mod wire;

use std::ffi::OsString;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use lxkns_ops::NamespaceFd;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::Error;

static REGISTERED: OnceLock<Vec<&'static dyn Registered>> = OnceLock::new();

/// Something that a copy of the program can do: a name, and a function.
///
/// An action that can fail gives a `Result`, whose error travels as JSON as well.
pub struct Action<Q, A> {
    name: &'static str,
    run: fn(Q) -> A,
}

impl<Q, A> Action<Q, A> {
    /// An action with this name, which must be unique within the program and of one line.
    pub const fn new(name: &'static str, run: fn(Q) -> A) -> Action<Q, A> {
        Action { name, run }
    }
}

impl<Q: Serialize, A: DeserializeOwned> Action<Q, A> {
    /// Prepares to run it inside namespaces of any types, entered in the order given. See
    /// [`lxkns_ops::enter`] for why it matters where the user namespace stands.
    pub fn inside<'a>(&'a self, namespaces: &'a [&'a NamespaceFd]) -> Call<'a, Q, A> {
        Call {
            action: self,
            namespaces,
            time_limit: Duration::from_secs(10),
            variables: Vec::new(),
        }
    }
}

impl<Q, A> fmt::Debug for Action<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Action").field(&self.name).finish()
    }
}

/// An [`Action`] of whatever request and answer.
pub trait Registered: sealed::Registered + Sync + fmt::Debug {}

impl<Q: DeserializeOwned, A: Serialize> Registered for Action<Q, A> {}

mod sealed {
    /// What a copy needs of an action.
    pub trait Registered {
        fn name(&self) -> &'static str;

        /// From the request to the answer, both as JSON, or to a message.
        fn answer(&self, request: &[u8]) -> Result<Vec<u8>, String>;
    }
}

impl<Q: DeserializeOwned, A: Serialize> sealed::Registered for Action<Q, A> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn answer(&self, request: &[u8]) -> Result<Vec<u8>, String> {
        let request = serde_json::from_slice(request)
            .map_err(|error| format!("cannot read the request: {error}"))?;
        let answer = (self.run)(request);
        serde_json::to_vec(&answer).map_err(|error| format!("cannot write the answer: {error}"))
    }
}

/// Registers the actions of this program. Call it once, first of all in `main`, before anything is
/// opened, read or written, and before any thread is started.
///
/// In a copy it does not return: the copy runs its action, and ends. Nobody but this module makes
/// copies; a process that is made to look like one by somebody else can do no more than run an
/// action with its own privileges.
///
/// # Panics
///
/// If two actions have the same name.
pub fn register(actions: &[&'static dyn Registered]) {
    if child::is_copy() {
        child::run(actions);
    }
    let mut names: Vec<&str> = actions.iter().map(|action| action.name()).collect();
    names.sort_unstable();
    assert!(names.is_sorted_by(|a, b| a < b), "two actions have one name: {names:?}");
    // The first thread had the chance to be first in `main`.
    let _ = REGISTERED.set(actions.to_vec());
}

/// An action to be run, see [`Action::inside`].
#[derive(Debug)]
#[must_use = "nothing runs before `run`"]
pub struct Call<'a, Q, A> {
    action: &'a Action<Q, A>,
    namespaces: &'a [&'a NamespaceFd],
    time_limit: Duration,
    variables: Vec<(OsString, OsString)>,
}

impl<Q: Serialize, A: DeserializeOwned> Call<'_, Q, A> {
    /// How long it may take until the answer is there: 10 seconds, if not set.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Adds a variable to the environment of the action, which is empty otherwise.
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Runs the action on this request, and waits for its answer: 1 to 2 ms if there is nothing to
    /// do.
    ///
    /// The calling thread goes nowhere. If it dies, the copy does.
    ///
    /// Minimum kernel: 4.11.
    ///
    /// # Errors
    ///
    /// See [`Error`]. [`Error::Enter`] if a namespace cannot be entered: the action has not run
    /// then.
    pub fn run(self, request: &Q) -> Result<A, Error> {
        let name = self.action.name;
        let registered = REGISTERED.get().is_some_and(|actions| {
            let mut names = actions.iter().map(|action| action.name());
            names.any(|known| known == name)
        });
        if !registered {
            return Err(Error::NotRegistered { action: name });
        }
        let request = wire::request(name, request)?;
        parent::run(self.namespaces, &request, self.time_limit, self.variables)
    }
}
