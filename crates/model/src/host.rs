//! Where and when a snapshot was taken, and by whom.

use std::time::SystemTime;

use lxkns_species::{Capabilities, Capability, Pid};

use crate::{Joined, Text};

/// The circumstances of a snapshot. Anything may be unknown.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Host {
    /// The node name, as uname(2) has it.
    pub name: Option<Text>,
    /// `/proc/sys/kernel/random/boot_id`: differs after each boot.
    pub boot_id: Option<String>,
    /// The kernel release.
    pub kernel: Option<Text>,
    /// When the scan began.
    pub taken_at: Option<SystemTime>,
    /// Name and version of the tool.
    pub tool: Option<String>,
    /// The kernel interfaces that the scan made use of, best last: `proc`, `mounts`, `ids`,
    /// `listns`, and `bpf` where it read the tasks, as in `listns+bpf`.
    pub tier: Option<String>,
    /// The scanner itself.
    pub scanner_pid: Option<Pid>,
    /// What it was allowed to do.
    pub scanner_capabilities: Option<Capabilities>,
    /// The namespaces that it was in.
    pub scanner_namespaces: Joined,
    /// The highest capability that the kernel knows (`/proc/sys/kernel/cap_last_cap`).
    pub last_capability: Option<Capability>,
    /// The device number of nsfs, the same for all namespaces of one boot.
    pub nsfs_device: Option<u64>,
}
