//! Why a namespace is alive: carrying out a release plan makes it go away, and leaving out any one
//! step does not. And what the tools say about it.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod held;
mod mounts;
mod plans;
mod tools;
mod unmount;
