//! Which PID a process has in which PID namespace.
//!
//! A process has a PID in its own PID namespace and in each one above it, up to the initial one
//! (pid_namespaces(7)). A [`PidMap`] is a view over a snapshot that translates between them, in
//! both directions; [`json`] is the form in which the Go lxkns project exchanges such maps.
//! Nothing here asks the kernel.
//!
//! ```
//! use lxkns_model::{Facts, Joined, NamespaceFacts, ProcessFacts, Relation, Snapshot};
//! use lxkns_pidmap::PidMap;
//! use lxkns_species::{NamespaceId, Pid};
//!
//! let host: NamespaceId = "pid:[4026531836]".parse()?;
//! let container: NamespaceId = "pid:[4026532177]".parse()?;
//! let init = ProcessFacts {
//!     pids: Some(vec![Pid(1)]),
//!     namespaces: Joined::of([host]),
//!     ..ProcessFacts::new(Pid(1))
//! };
//! let contained = ProcessFacts {
//!     pids: Some(vec![Pid(812), Pid(7)]),
//!     namespaces: Joined::of([container]),
//!     ..ProcessFacts::new(Pid(812))
//! };
//! let snapshot = Snapshot::assemble(Facts {
//!     namespaces: vec![NamespaceFacts {
//!         parent: Relation::Known(host),
//!         ..NamespaceFacts::new(container)
//!     }],
//!     processes: vec![init, contained],
//!     ..Facts::default()
//! });
//!
//! let map = PidMap::new(&snapshot);
//! assert_eq!(map.translate(Pid(7), container, host), Some(Pid(812)));
//! assert_eq!(map.translate(Pid(812), host, container), Some(Pid(7)));
//! assert_eq!(map.translate(Pid(1), host, container), None, "not in the container");
//! # Ok::<(), lxkns_species::ParseError>(())
//! ```

#[cfg(feature = "wire")]
pub mod json;
mod map;

pub use map::PidMap;
