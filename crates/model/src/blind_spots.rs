//! References that keep a namespace alive, and that no scan sees on any kernel.
//!
//! The kernel counts them, and shows them nowhere. A plan that ends all visible holders is no proof
//! that the namespace ends: one of these may still hold it. The table in `docs/discovery.md`
//! explains each of them; a test compares the two.

use lxkns_species::NamespaceType::{Cgroup, Ipc, Mnt, Net, Pid, User};
use lxkns_species::{NamespaceType, NamespaceTypes};

/// A kind of reference to a namespace that no scan sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlindSpot {
    /// The name in documents.
    pub name: &'static str,
    /// The kind in a few words that fit a list.
    pub what: &'static str,
    types: &'static [NamespaceType],
}

impl BlindSpot {
    /// The types of namespaces that it keeps alive.
    pub fn types(&self) -> NamespaceTypes {
        NamespaceTypes::of(self.types.iter().copied())
    }
}

const ANY: &[NamespaceType] = &NamespaceType::ALL;

const fn spot(
    name: &'static str,
    what: &'static str,
    types: &'static [NamespaceType],
) -> BlindSpot {
    BlindSpot { name, what, types }
}

/// In the order of the table in `docs/discovery.md`.
const ALL: [BlindSpot; 21] = [
    spot("io-uring-file", "io_uring files", ANY),
    spot("detached-mount", "detached mounts", ANY),
    spot("watch", "inotify and fanotify marks", ANY),
    spot("busy-socket", "sockets closed during a call", &[Net]),
    spot("packet-ring", "packet rings", &[Net]),
    spot("orphan", "orphaned TCP connections", &[Net]),
    spot("unaccepted", "unaccepted connections", &[Net]),
    spot("proc-net-file", "/proc/PID/net files", &[Net]),
    spot("macvtap", "macvtap devices", &[Net]),
    spot("mount-file", "/proc/PID/mountinfo files", &[Mnt]),
    spot("shared-memory", "shared memory", &[Ipc]),
    spot("cgroup-file", "cgroup files", &[Cgroup]),
    spot("dead-pidfd", "pidfds of dead processes", &[Pid]),
    spot("file-owner", "dead file owners", &[Pid]),
    spot("detached-procfs", "detached procfs files", &[Pid]),
    spot("fuse", "FUSE connections", &[Pid, User]),
    spot("peer", "peer credentials", &[Pid, User]),
    spot("fs-context", "fsopen contexts", &[Net, User]),
    spot("file-credentials", "file credentials", &[User]),
    spot("file-system", "file systems", &[User]),
    spot("user-limits", "user limits", &[User]),
];

/// The kinds of references that may keep namespaces of these types alive, unseen on any kernel.
///
/// ```
/// use lxkns_model::blind_spots;
/// use lxkns_species::{NamespaceType, NamespaceTypes};
///
/// let spots = blind_spots(NamespaceTypes::of([NamespaceType::Ipc]));
/// assert!(spots.clone().any(|spot| spot.what == "shared memory"));
/// assert!(spots.clone().all(|spot| spot.name != "orphan"), "holds network namespaces only");
/// ```
pub fn blind_spots(
    types: NamespaceTypes,
) -> impl Iterator<Item = &'static BlindSpot> + Clone + use<> {
    ALL.iter().filter(move |spot| spot.types.iter().any(|it| types.contains(*it)))
}
