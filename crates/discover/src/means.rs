//! The means by which a discovery finds things, besides reading files.

use lxkns_ops::{Feature, Support, may_see_all};

use crate::options::{Options, Tier};
use crate::procfs::Procfs;

/// The kernel's enumerations that this discovery can use. None of them is about another procfs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    /// Whether they are complete for this scanner.
    pub(crate) sees_all: bool,
    /// Whether the kernel lists the mounts of any mount namespace.
    pub(crate) lists_mounts: bool,
    /// Whether the kernel can go from one mount namespace to the next.
    pub(crate) walks: bool,
    /// Whether the kernel lists all namespaces.
    pub(crate) lists_namespaces: bool,
}

impl Means {
    pub(crate) fn of(options: &Options, proc: &Procfs) -> Means {
        // Only the scanner's own PID namespace is what system calls are about.
        let is_ours = proc.is_ours();
        let offers = |tier: Tier, feature: Feature| {
            is_ours && options.tier_cap() >= tier && feature.supported() == Support::Supported
        };
        Means {
            sees_all: is_ours && may_see_all(),
            lists_mounts: offers(Tier::Mounts, Feature::MountsById),
            walks: offers(Tier::Mounts, Feature::MountNamespaceWalk),
            lists_namespaces: offers(Tier::Listns, Feature::Listns)
                && offers(Tier::Listns, Feature::HandlesByIdOnly),
        }
    }

    /// Whether the kernel leads this scanner through all mount namespaces.
    pub(crate) fn walks_all(&self) -> bool {
        self.walks && self.sees_all
    }
}
