//! The context of one discovery: what is wanted, by which means, and what its sources share.

use std::sync::Mutex;
#[cfg(feature = "bpf")]
use std::sync::PoisonError;
use std::time::Duration;

use lxkns_model::{Missing, Reason};
use lxkns_ops::foreign::identity;
use lxkns_species::{NamespaceId, NamespaceType, Pid};
use rustix::fs::fstat;

#[cfg(feature = "bpf")]
use crate::bpf::Iterators;
use crate::gaps::Gaps;
use crate::means::Means;
use crate::options::{Options, Tier};
use crate::procfs::Procfs;
use crate::resolve::Resolver;
use crate::socket_table::SocketTable;
use crate::timeouts::TOTAL_PATIENCE;
use crate::uids::UidView;
use crate::wanted::Wanted;

/// One discovery on its way.
pub(crate) struct Context<'o> {
    pub(crate) options: &'o Options,
    pub(crate) wanted: Wanted,
    pub(crate) means: Means,
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
    pub(crate) uids: UidView,
    #[cfg(feature = "bpf")]
    pub(crate) iterators: Mutex<Iterators>,
}

impl<'o> Context<'o> {
    pub(crate) fn new(options: &'o Options, proc: Procfs) -> Context<'o> {
        let uids = UidView::of_scanner(&proc);
        let own = if proc.is_ours() { proc.own_process().ok() } else { None };
        let own_pid_namespace = own.as_ref().and_then(|own| own.namespace(NamespaceType::Pid).ok());
        let own_pid = own.as_ref().map(|_| Pid(std::process::id()));
        let is_initial = |id: &NamespaceId| id.inode() == NamespaceType::Pid.initial_inode();
        let initial_procfs = own_pid_namespace.filter(is_initial).and(identity(&proc).ok());
        let gaps = Gaps::default();
        if !proc.is_ours() {
            gaps.add_uncounted(Missing::LiveFacts, Reason::ForeignProc, "");
        }
        let means = Means::of(options, &proc);
        Context {
            options,
            wanted: Wanted::new(*options.scope(), own.as_ref()),
            means,
            gaps,
            resolver: Resolver::new(options, means, &proc, uids.clone()),
            sockets: Mutex::default(),
            visits: Mutex::new(TOTAL_PATIENCE),
            own_pid,
            own_pid_namespace,
            initial_procfs: initial_procfs.map(|(device, _)| device),
            uids,
            #[cfg(feature = "bpf")]
            iterators: Mutex::default(),
            proc,
        }
    }

    /// The scanner's own PID namespace, if this is the device number of the procfs that shows it.
    pub(crate) fn shown_by_own_proc(&self, device: u64) -> Option<NamespaceId> {
        let own = fstat(&self.proc).is_ok_and(|own| own.st_dev == device);
        self.own_pid_namespace.filter(|_| own)
    }

    /// Lends the iterators of an earlier scan, or takes them back.
    #[cfg(feature = "bpf")]
    pub(crate) fn swap_iterators(&self, kept: &mut Iterators) {
        let mut here = self.iterators.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *here, kept);
    }

    /// The best tier that the scan makes use of.
    pub(crate) fn tier(&self) -> Tier {
        let used = |tier: &Tier| *tier <= self.options.tier_cap() && tier.is_supported();
        let best = Tier::ALL.into_iter().rfind(used);
        best.filter(|_| self.proc.is_ours()).unwrap_or(Tier::Proc)
    }
}
