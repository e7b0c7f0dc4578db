//! Support for tests with Linux namespaces: real ones, on the real kernel.
//!
//! - A [`Script`] says what a child process is to do (unshare, mount, fork, hold an fd, pause …).
//!   [`Script::spawn`] starts it and yields a [`Child`], which tells PIDs and namespaces, lets
//!   the script go on after a pause, and cleans up on drop.
//! - A [`Dir`] is a place for a test's files and mounts.
//! - [`Neighbours`] do as they please, and keep a diary that scans can be judged by.
//! - [`need!`] ends a test early, and says so, where the kernel or the user cannot do something.
//! - [`tool()`] finds the binaries under test.
//! - [`type_into_terminal`] and [`session_keyring`] show what a program has got from whoever has
//!   started it.
//! - [`own_namespace`], [`namespace_of`] and [`linked`] ask /proc what is true, and
//!   [`assert_same_namespaces`] says what is not.
//! - [`cgroup_root`] says where cgroups are made.
//! - [`differences`] says in what two snapshots do not agree.
//!
//! The child is forked from a test process that has many threads, so between the fork and its end
//! it may only make plain system calls: whatever a script needs is prepared before. That is why a
//! script is data. PIDs of children in other PID namespaces come from the kernel, which translates
//! the owner of an open file (`F_SETOWN_EX`) for whoever asks.
//!
//! Left out: running a whole test as another user, which is the test runner's business, and all
//! knowledge of what lxkns makes of the namespaces built here.

mod actor;
mod cgroups;
mod child;
mod command;
mod compare;
mod dir;
mod error;
mod file_capabilities;
mod namespaces;
mod need;
mod neighbours;
mod plan;
mod report;
mod script;
mod step;
mod syscall;
mod terminal;
mod tool;
mod unix_sockets;

pub use cgroups::cgroup_root;
pub use child::Child;
pub use compare::differences;
pub use dir::Dir;
pub use error::Error;
pub use file_capabilities::give_capabilities;
pub use namespaces::{assert_same_namespaces, linked, namespace_of, own_namespace};
#[doc(hidden)]
pub use need::is_met;
pub use neighbours::{Entry, Fact, Neighbours};
pub use script::Script;
pub use step::{Call, IdMap, answer_on_this_thread};
pub use terminal::{session_keyring, type_into_terminal};
pub use tool::tool;
pub use unix_sockets::{StuckReceiver, set_peek_offset};
