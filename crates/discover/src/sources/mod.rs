//! Where namespaces are looked for: one source of sightings per file.
//!
//! A source reports "this namespace is held by that", lends the resolver a way to open what is new,
//! and takes note of what it could not see. It decides nothing else. A look at a process or thread
//! goes into one of the two lists here, which are walked for all processes that BPF has not told
//! everything about.

#[cfg(feature = "bpf")]
mod by_bpf;
mod by_proc;
pub(crate) mod fds;
pub(crate) mod in_flight;
pub(crate) mod kernel;
pub(crate) mod mounts;
pub(crate) mod pending;
mod process;
pub(crate) mod processes;
pub(crate) mod sockets;
pub(crate) mod threads;

use self::process::{Found, OpenProcess, OpenThread};
use crate::context::Context;

/// A source that looks at one process, while its directory is open.
type OfProcess = fn(&Context<'_>, &OpenProcess<'_>, &mut Found);

/// A source that looks at one further thread of a process, while its directory is open.
type OfThread = fn(&Context<'_>, &OpenProcess<'_>, &OpenThread, &mut Found);

pub(crate) const OF_PROCESS: [OfProcess; 2] = [pending::of_process, fds::of_process];

pub(crate) const OF_THREAD: [OfThread; 3] =
    [threads::of_thread, pending::of_thread, fds::of_thread];
