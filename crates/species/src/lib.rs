//! The vocabulary of Linux namespaces: the eight types, sets of them, namespace ids, and the plain
//! ids (PIDs, UIDs, capabilities) that every crate of lxkns talks in.
//!
//! Nothing here does any I/O or asks the kernel; see `lxkns-ops` for that. What the kernel's
//! interfaces need to know of a type (its file below `/proc/PID/ns`, its clone flag, the inode of
//! the initial namespace) stands once, in the table behind [`NamespaceType`].
//!
//! ```
//! use lxkns_species::{NamespaceId, NamespaceType, NamespaceTypes};
//!
//! // The text of a /proc/PID/ns link, and the id in it.
//! let id: NamespaceId = "net:[4026532281]".parse()?;
//! assert_eq!(id.namespace_type(), NamespaceType::Net);
//! assert_eq!(id.inode(), 4026532281);
//! assert_eq!(id.to_string(), "net:[4026532281]");
//!
//! // Sets of types, in the order in which lxkns lists everything.
//! let some = NamespaceTypes::of([NamespaceType::User, NamespaceType::Net]);
//! assert_eq!(some.to_string(), "net,user");
//! # Ok::<(), lxkns_species::ParseError>(())
//! ```
//!
//! With the feature `serde`, types of namespaces, IDs and single capabilities serialise as text,
//! PIDs and UIDs as numbers.

#[macro_use]
mod set;

mod capability;
mod id;
mod namespace_type;
mod pid;
mod reference;
#[cfg(feature = "serde")]
mod serde_text;

pub use capability::{Capabilities, Capability};
pub use id::{NamespaceId, ParseError};
pub use namespace_type::{NamespaceType, NamespaceTypes};
pub use pid::{Pid, Uid};
pub use reference::Reference;
