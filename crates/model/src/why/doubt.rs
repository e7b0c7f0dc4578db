//! What might make an answer incomplete: gaps and parts left out that could hide a holder.

use lxkns_species::{NamespaceType, NamespaceTypes};

use crate::{Gap, Missing, Part, Reason, Snapshot};

/// The gaps behind which there may be holders of namespaces of these types.
pub(crate) fn gaps(
    snapshot: &Snapshot,
    types: NamespaceTypes,
) -> impl Iterator<Item = &Gap> + use<'_> {
    // What is gone holds nothing.
    let hides = move |gap: &&Gap| gap.why != Reason::Gone && may_hide_holders(&gap.what, types);
    snapshot.gaps().iter().filter(hides)
}

pub(crate) fn may_hide_holders(what: &Missing, types: NamespaceTypes) -> bool {
    use NamespaceType::{Net, Pid, Time, User};
    match what {
        Missing::ProcessDetails | Missing::Creators | Missing::Identity | Missing::Names => false,
        Missing::Threads => types.iter().any(|it| !matches!(it, User | Pid)),
        Missing::PendingChildren => types.contains(Pid) || types.contains(Time),
        Missing::Sockets | Missing::TunDevices => types.contains(Net),
        Missing::ProcMounts | Missing::Parents => types.contains(Pid),
        Missing::Owners => types.contains(User),
        // Anything may be behind these, and behind what this version knows no name for.
        Missing::ProcessNamespaces
        | Missing::Processes
        | Missing::Fds
        | Missing::InFlight
        | Missing::Mounts
        | Missing::BindMounts
        | Missing::MountNamespaces
        | Missing::KernelList
        | Missing::Holders
        | Missing::LiveFacts
        | Missing::Other(_) => true,
    }
}

/// The parts of a scan that show holders of namespaces of these types.
pub(super) fn parts_that_matter(types: NamespaceTypes) -> impl Iterator<Item = Part> {
    use NamespaceType::{Net, Pid, User};
    Part::ALL.into_iter().filter(move |part| match part {
        Part::Processes | Part::Threads | Part::Fds | Part::Mounts | Part::Kernel => true,
        Part::Sockets => types.contains(Net),
        Part::Hierarchy => types.contains(Pid),
        Part::Ownership => types.contains(User),
        Part::Cmdline | Part::Cgroup | Part::Credentials | Part::Names => false,
    })
}
