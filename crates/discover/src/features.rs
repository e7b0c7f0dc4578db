//! What the running kernel offers to a discovery, and what the caller's privileges make of it.

use lxkns_species::{Capabilities, Capability};

use crate::options::Tier;

pub use lxkns_ops::{Feature, Support};

impl Tier {
    /// The kernel's features that this tier adds to the ones before it.
    pub fn adds(self) -> &'static [Feature] {
        match self {
            Tier::Proc => &[],
            Tier::Mounts => &[Feature::MountsById, Feature::MountNamespaceWalk],
            Tier::Ids => &[Feature::UniqueIds, Feature::Handles],
            Tier::Listns => &[Feature::Listns, Feature::HandlesByIdOnly],
        }
    }

    /// Whether the running kernel has all that this tier adds.
    ///
    /// ```
    /// use lxkns_discover::Tier;
    ///
    /// let best = Tier::ALL.into_iter().rfind(|tier| tier.is_supported());
    /// println!("{}", best.map_or("none", Tier::name));
    /// assert!(Tier::Proc.is_supported());
    /// ```
    pub fn is_supported(self) -> bool {
        self.adds().iter().all(|feature| feature.supported() == Support::Supported)
    }
}

/// Whether the kernel's BPF task iterator can be had.
///
/// # Errors
///
/// Why not, in words: the kernel is too old or built without BTF, the privileges are missing, the
/// kernel is locked down.
#[cfg(feature = "bpf")]
pub fn bpf() -> Result<(), String> {
    use crate::bpf::{self, TaskIterator, Threads};

    let tried = || {
        let types = lxkns_ops::bpf::KernelTypes::open()?;
        TaskIterator::new(&bpf::scan(&types)?, Threads::Deviating)?.read()
    };
    tried().map(drop).map_err(|why: bpf::Unavailable| {
        let source = std::error::Error::source(&why).map(|source| format!(": {source}"));
        format!("{why}{}", source.unwrap_or_default())
    })
}

/// Whether the kernel's BPF task iterator can be had: not by a program that was built without it.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "bpf"))]
pub fn bpf() -> Result<(), String> {
    Err("built without the feature bpf".into())
}

/// A capability that lets a discovery see more.
#[derive(Clone, Copy, Debug)]
pub struct Privilege {
    /// The capability.
    pub capability: Capability,
    /// Whether the caller has it, in its own user namespace.
    pub held: bool,
    /// What one sees with it.
    pub shows: &'static str,
}

/// The capabilities that let a discovery see more, in the order in which they matter.
///
/// ```
/// for privilege in lxkns_discover::features::privileges() {
///     println!("{}: {}", privilege.capability, privilege.held);
/// }
/// ```
pub fn privileges() -> [Privilege; 7] {
    let held = rustix::thread::capabilities(None)
        .map_or(Capabilities::NONE, |sets| Capabilities::from_bits(sets.effective.bits()));
    [
        (Capability::SYS_PTRACE, "the namespaces of other users' processes, their sockets"),
        (Capability::DAC_READ_SEARCH, "what other users' processes have open"),
        (Capability::SYS_ADMIN, "the inside of mount namespaces; what the kernel lists"),
        (Capability::SYS_CHROOT, "the inside of mount namespaces"),
        (Capability::NET_ADMIN, "the network namespaces that only sockets hold"),
        (Capability::BPF, "all tasks at once (with cap_perfmon, or cap_sys_admin alone)"),
        (Capability::PERFMON, "all tasks at once"),
    ]
    .map(|(capability, shows)| Privilege {
        capability,
        held: held.contains(capability),
        shows,
    })
}
