//! What one discovery works with, and what its sources report.

use std::sync::Mutex;
use std::time::Duration;

use lxkns_model::{Missing, Part, Reason};
use lxkns_ops::{Feature, Support, may_see_all};
use lxkns_species::{NamespaceId, NamespaceType, NamespaceTypes, Pid};

use rustix::fs::fstat;

use crate::gaps::Gaps;
use crate::options::{Options, Tier};
use crate::procfs::Procfs;
use crate::resolve::Resolver;
use crate::socket_table::SocketTable;
use crate::timeouts::TOTAL_PATIENCE;
use crate::uids::UidView;
use lxkns_ops::foreign::identity;

/// One discovery on its way: what was asked for, and what all sources share.
pub(crate) struct Scan<'o> {
    pub(crate) options: &'o Options,
    pub(crate) proc: Procfs,
    pub(crate) gaps: Gaps,
    pub(crate) resolver: Resolver,
    pub(crate) sockets: Mutex<SocketTable>,
    /// The time left for visits to mount namespaces that do not come back.
    pub(crate) visits: Mutex<Duration>,
    /// The scanner, if the procfs shows it.
    pub(crate) own_pid: Option<Pid>,
    pub(crate) own_pid_namespace: Option<NamespaceId>,
    /// The device of the procfs of the initial PID namespace, if it is the scanner's own.
    pub(crate) initial_procfs: Option<u64>,
    sought: NamespaceTypes,
    /// The types of namespace links to read: those sought, and those needed on the way.
    pub(crate) link_types: NamespaceTypes,
    pub(crate) uids: UidView,
    /// Whether the kernel lists the mounts of any mount namespace.
    pub(crate) lists_mounts: bool,
    /// Whether the kernel can go from one mount namespace to the next.
    pub(crate) can_walk: bool,
    /// Whether it may do so for this scanner, through all of them.
    pub(crate) walks_mount_namespaces: bool,
    /// Whether the kernel lists all namespaces.
    pub(crate) has_kernel_list: bool,
}

impl<'o> Scan<'o> {
    pub(crate) fn new(options: &'o Options, proc: Procfs) -> Scan<'o> {
        let uids = UidView::of_scanner(&proc);
        let own = if proc.is_ours() { proc.own_process().ok() } else { None };
        let own_pid_namespace = own.as_ref().and_then(|own| own.namespace(NamespaceType::Pid).ok());
        let own_pid = own.as_ref().map(|_| Pid(std::process::id()));
        let is_initial = |id: &NamespaceId| id.inode() == NamespaceType::Pid.initial_inode();
        let initial_procfs = own_pid_namespace.filter(is_initial).and(identity(&proc).ok());
        let sought = sought(options);
        let mut link_types = sought;
        if options.wants(Part::Mounts) {
            // Whatever is asked for, it may hide in any mount namespace.
            link_types.insert(NamespaceType::Mnt);
        }
        // A type that this kernel was built without has no link; that is no gap.
        if let Some(own) = &own {
            let here = own.namespaces(link_types);
            link_types = link_types.iter().filter(|t| !here.absent.contains(*t)).collect();
        }
        // Only the scanner's own PID namespace is what system calls are about.
        let offers = |tier: Tier, feature: Feature| {
            proc.is_ours()
                && options.tier_cap() >= tier
                && feature.supported() == Support::Supported
        };
        let can_walk = offers(Tier::Mounts, Feature::MountNamespaceWalk);
        let gaps = Gaps::default();
        if !proc.is_ours() {
            gaps.add_uncounted(Missing::LiveFacts, Reason::ForeignProc, "");
        }
        Scan {
            lists_mounts: offers(Tier::Mounts, Feature::MountsById),
            can_walk,
            walks_mount_namespaces: can_walk && may_see_all(),
            has_kernel_list: offers(Tier::Listns, Feature::Listns)
                && offers(Tier::Listns, Feature::HandlesByIdOnly),
            options,
            gaps,
            resolver: Resolver::new(options, &proc, uids.clone()),
            sockets: Mutex::default(),
            visits: Mutex::new(TOTAL_PATIENCE),
            own_pid,
            own_pid_namespace,
            initial_procfs: initial_procfs.map(|(device, _)| device),
            sought,
            link_types,
            uids,
            proc,
        }
    }

    /// The scanner's own PID namespace, if this is the device number of the procfs that shows it.
    pub(crate) fn shown_by_own_proc(&self, device: u64) -> Option<NamespaceId> {
        let own = fstat(&self.proc).is_ok_and(|own| own.st_dev == device);
        self.own_pid_namespace.filter(|_| own)
    }

    pub(crate) fn wants(&self, part: Part) -> bool {
        self.options.wants(part)
    }

    /// The best tier that the scan makes use of.
    pub(crate) fn tier(&self) -> Tier {
        let used = |tier: &Tier| *tier <= self.options.tier_cap() && tier.is_supported();
        let best = Tier::ALL.into_iter().rfind(used);
        best.filter(|_| self.proc.is_ours()).unwrap_or(Tier::Proc)
    }

    /// Whether namespaces of this type are to be shown.
    pub(crate) fn wants_type(&self, namespace_type: NamespaceType) -> bool {
        self.options.scope().types.contains(namespace_type)
    }

    /// Whether namespaces of this type are looked for, be it only for the sake of their owners.
    pub(crate) fn seeks_type(&self, namespace_type: NamespaceType) -> bool {
        self.sought.contains(namespace_type)
    }
}

/// The types to look for: those wanted. But anything, of whatever type, may be all that keeps its
/// owner in being.
fn sought(options: &Options) -> NamespaceTypes {
    let wanted = options.scope().types;
    match options.wants(Part::Ownership) && wanted.contains(NamespaceType::User) {
        true => NamespaceTypes::ALL,
        false => wanted,
    }
}
