//! Discovery of real namespaces: what is found, what holds it, and what is said of the rest.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod fds;
mod mounts;
mod processes;
mod sockets;
mod threads;
