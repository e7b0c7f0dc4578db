//! Discovery of real namespaces: what is found, what holds it, and what is said of the rest.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod blind_spots;
mod fake;
mod fds;
mod foreign;
mod harmless;
mod hostile;
mod in_flight;
mod moments;
mod mounts;
mod options;
mod processes;
mod restricted;
mod sandboxed;
mod scanner;
mod sockets;
mod threads;
mod traps;
mod unseen;
mod ways;
mod workloads;
