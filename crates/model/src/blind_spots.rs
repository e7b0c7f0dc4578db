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
    /// The kind in words, as a plural that fits a list.
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
    spot("io-uring-file", "files registered with io_uring", ANY),
    spot("detached-mount", "mounts outside of all mount namespaces", ANY),
    spot("watch", "inotify and fanotify marks", ANY),
    spot("busy-socket", "closed sockets that a system call still uses", &[Net]),
    spot("packet-ring", "mapped packet rings of closed sockets", &[Net]),
    spot("orphan", "closed TCP connections with unsent data", &[Net]),
    spot("unaccepted", "connections not accepted yet", &[Net]),
    spot("proc-net-file", "open files below /proc/PID/net", &[Net]),
    spot("macvtap", "open macvtap device files", &[Net]),
    spot("mount-file", "open files such as /proc/PID/mountinfo", &[Mnt]),
    spot("shared-memory", "attached shared memory segments", &[Ipc]),
    spot("cgroup-file", "open files of cgroups", &[Cgroup]),
    spot("dead-pidfd", "pidfds and open /proc/PID directories of dead processes", &[Pid]),
    spot("file-owner", "files with a dead process as owner (F_SETOWN)", &[Pid]),
    spot("detached-procfs", "open files in a procfs mounted nowhere", &[Pid]),
    spot("fuse", "FUSE connections", &[Pid, User]),
    spot("peer", "peer credentials of Unix sockets", &[Pid, User]),
    spot("fs-context", "file systems being configured (fsopen)", &[Net, User]),
    spot("file-credentials", "credentials of open files", &[User]),
    spot("file-system", "mounted file systems", &[User]),
    spot("user-limits", "locked shared memory and inotify or fanotify groups", &[User]),
];

/// The kinds of references that may keep namespaces of these types alive, unseen on any kernel.
///
/// ```
/// use lxkns_model::blind_spots;
/// use lxkns_species::{NamespaceType, NamespaceTypes};
///
/// let spots = blind_spots(NamespaceTypes::of([NamespaceType::Ipc]));
/// assert!(spots.clone().any(|spot| spot.what == "attached shared memory segments"));
/// assert!(spots.clone().all(|spot| spot.name != "orphan"), "holds network namespaces only");
/// ```
pub fn blind_spots(
    types: NamespaceTypes,
) -> impl Iterator<Item = &'static BlindSpot> + Clone + use<> {
    ALL.iter().filter(move |spot| spot.types.iter().any(|it| types.contains(*it)))
}
