//! The lxkns information model: what one discovery found out about the namespaces of a machine.
//!
//! A [`Snapshot`] is immutable, `Send + Sync` and cheap to walk: arenas inside, borrowed views
//! ([`Namespace`], [`Process`]) outside. It is put together by [`Snapshot::assemble`] from plain
//! [`Facts`], by pure code, without system calls: leaders, nesting and owners all follow from the
//! facts. Whether these come from a live kernel (`lxkns-discover`), from a
//! document ([`wire`]) or from a literal in a test makes no difference.
//!
//! Three rules hold throughout:
//!
//! - **Unknown is unknown.** A fact that could not be read is `None` or [`Relation::Unknown`];
//!   never zero, never root, never "there is none".
//! - **What was not seen is said.** Every [`Gap`] tells what is missing, why, and how often.
//! - **Order is defined.** Namespaces come by type, then inode; processes by PID.
//!
//! ```
//! use lxkns_model::{Facts, Joined, NamespaceFacts, ProcessFacts, Relation, Snapshot};
//! use lxkns_species::{NamespaceId, NamespaceType, Pid};
//!
//! let outer: NamespaceId = "user:[4026531837]".parse()?;
//! let inner: NamespaceId = "user:[4026532177]".parse()?;
//! let mut facts = Facts::default();
//! facts.namespaces.push(NamespaceFacts { parent: Relation::None, ..NamespaceFacts::new(outer) });
//! facts.namespaces.push(NamespaceFacts {
//!     parent: Relation::Known(outer),
//!     ..NamespaceFacts::new(inner)
//! });
//! facts.processes.push(ProcessFacts {
//!     ppid: Some(Pid(0)),
//!     namespaces: Joined::of([inner]),
//!     ..ProcessFacts::new(Pid(42))
//! });
//!
//! let snapshot = Snapshot::assemble(facts);
//! let inner = snapshot.namespace(inner).unwrap();
//! assert_eq!(inner.senior_leader().unwrap().pid(), Pid(42));
//! let outer = snapshot.roots(NamespaceType::User).next().unwrap();
//! assert!(outer.is_hidden(), "known only as a parent");
//! assert_eq!(outer.children().next(), Some(inner));
//! # Ok::<(), lxkns_species::ParseError>(())
//! ```

mod assemble;
mod blind_spots;
pub mod diff;
mod facts;
mod gap;
mod held_by;
mod holder;
mod host;
mod initials;
mod leaders;
mod mount;
mod namespace;
mod process;
mod reference;
mod relation;
mod restrict;
mod scope;
mod snapshot;
mod text;
pub mod why;
#[cfg(feature = "wire")]
pub mod wire;
mod workload;

pub use blind_spots::{BlindSpot, blind_spots};
pub use diff::{Diff, Ignore};
pub use facts::{Cmdline, Facts, IdMapping, Joined, NamespaceFacts, ProcessFacts, ThreadFacts};
pub use gap::{Counts, Gap, Missing, Reason};
pub use held_by::HeldBy;
pub use holder::{FileKind, Holder, MountKind};
pub use host::Host;
pub use initials::Initials;
pub use mount::MountFacts;
pub use namespace::Namespace;
pub use process::Process;
pub use relation::Relation;
pub use scope::{Details, Part, Parts, Scope, UnknownPart};
pub use snapshot::Snapshot;
pub use text::Text;
pub use why::Why;
pub use workload::{Engine, Evidence, Voucher, Workload, WorkloadFacts, WorkloadKind};
