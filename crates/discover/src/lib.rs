//! Discover every Linux kernel namespace of a machine, wherever it hides: in processes, threads,
//! file descriptors, sockets, bind mounts in any mount namespace, or as a mere parent or owner.
//!
//! One call does it:
//!
//! ```
//! use lxkns_discover::{Options, discover};
//! use lxkns_species::NamespaceType;
//!
//! let snapshot = discover(&Options::everything())?;
//! for net in snapshot.namespaces_of(NamespaceType::Net) {
//!     let leader = net.senior_leader().map(|process| process.pid());
//!     println!("{} led by {leader:?}, {} holders", net.id(), net.holders().len());
//! }
//! for gap in snapshot.gaps() {
//!     println!("not seen: {} {} ({})", gap.count, gap.what, gap.why);
//! }
//! # Ok::<(), lxkns_discover::Error>(())
//! ```
//!
//! A discovery needs no privileges, but sees more the more it has; what it could not see it says
//! ([`lxkns_model::Gap`]). It never enters a namespace on a thread of the caller, leaves no file
//! open and no process behind, and does not find itself.
//!
//! Data flows one way: the sources report sightings, the resolver asks the kernel once about each
//! namespace that they meet, and [`lxkns_model::Snapshot::assemble`] puts the facts in order.

#[cfg(feature = "bpf")]
mod bpf;
mod context;
mod describe;
mod error;
pub mod features;
mod file_tables;
mod gaps;
mod host;
mod leak_check;
mod means;
mod mounted;
mod open;
mod options;
mod passwd;
mod pipeline;
mod procfs;
mod resolve;
mod settle;
mod sightings;
mod socket_table;
mod sources;
mod thread_credentials;
mod timeouts;
mod uids;
mod wanted;
mod workers;
mod workloads;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "reexec")]
pub mod reexec;

pub use error::Error;
pub use leak_check::{LeakCheck, Leaks};
pub use mounted::{MountPoint, Mounted, MountedIn, mounted};
pub use open::open;
pub use options::{Bpf, Options, Tier};
pub use pipeline::{Scanner, discover};
pub use thread_credentials::{ThreadCredentials, thread_credentials};
