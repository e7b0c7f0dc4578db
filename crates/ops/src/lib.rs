//! Ask, enter and re-open Linux namespaces.
//!
//! Everything begins with a [`NamespaceFd`]: an open file on nsfs, checked to be one. It can be
//! asked for its type and id, its owner, its parent and its creator ([ioctl_nsfs(2)]), and it keeps
//! the namespace alive as long as it is there. [`NamespaceFd::open`] opens it at a
//! [`Reference`](lxkns_species::Reference).
//!
//! ```
//! use lxkns_ops::NamespaceFd;
//! use lxkns_species::NamespaceType;
//!
//! let net = NamespaceFd::of_self(NamespaceType::Net)?;
//! println!("{} belongs to {}", net.id(), net.owner()?.id());
//! # Ok::<(), lxkns_ops::Error>(())
//! ```
//!
//! All unsafe code of lxkns is in `sys`, one file per kernel interface; the modules in front of it
//! give it types, documentation and errors.
//!
//! [ioctl_nsfs(2)]: https://man7.org/linux/man-pages/man2/ioctl_nsfs.2.html

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("lxkns asks Linux kernels, by the system calls of 64-bit architectures");

mod error;
mod feature;
mod handle;
mod namespace;
mod open;
mod portable;
mod privilege;
mod sys;
mod system;

pub mod bpf;
pub mod enter;
pub mod foreign;
pub mod in_flight;
pub mod listns;
pub mod mounts;
pub mod pidfd;
pub mod pids;
pub mod sock_diag;
pub mod socket;
pub mod unmount;
pub mod visit;

pub use error::Error;
pub use feature::{Feature, Support};
pub use namespace::NamespaceFd;
pub use portable::{Fact, Portable};
pub use privilege::{give_up_privileges, is_secure_execution, may_see_all, with_own_privileges};
/// The error numbers and file types in signatures here.
pub use rustix::{fs::FileType, io::Errno};
pub use system::{Uname, clock_ticks_per_second, most_open_files, own_uid, uname};
