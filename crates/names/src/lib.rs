//! Names of containers, pods, units and machines: what cgroup paths, command lines of supervisors
//! and state files of engines say.
//!
//! Nothing here does any I/O: bytes in, statements out. The caller decides whom to believe, and
//! `lxkns-discover` does: it looks at the owners of cgroups and files, and at the processes that
//! the command lines are of.
//!
//! ```
//! use lxkns_model::{Engine, WorkloadKind};
//!
//! let id = "0123456789abcdef".repeat(4);
//! let mark = lxkns_names::cgroup::mark(format!("/docker/{id}").as_bytes()).unwrap();
//! assert_eq!((mark.engine, mark.kind), (Engine::Docker, WorkloadKind::Container));
//! assert_eq!(mark.id.unwrap().to_str(), Some(id.as_str()));
//! ```

pub mod cgroup;
pub mod state;
pub mod supervisor;
