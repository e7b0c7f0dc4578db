//! The format of the Go lxkns project.
//!
//! Written is what lxkns 0.15.5 writes, with exactly its three top-level keys, because its decoder
//! refuses any other. Inodes tell namespaces apart, foreign text is made UTF-8 by replacement, and
//! what the format has no place for (sockets, gaps, capabilities, …) is left out.
//!
//! Read is that, and what newer ones up to 0.46 write: references that are lists, `tasks`, other
//! names for options and cgroups, and more top-level keys, which are ignored. Children,
//! possessions, and most senior leaders follow from the rest and are worked out anew. A reference
//! is read back into the holder behind it. A process that is named as a leader and not listed is
//! one of which only that is known.
//!
//! Two things cannot be told in this format: a parent that does not exist from one that is not
//! known (here it is unknown unless the inode is that of the initial namespace), and an empty
//! command line from that of a program started with a single empty argument.

mod documents;
mod options;
mod read;
mod write;

pub use read::read;
pub(super) use read::read_document;
pub use write::write;
