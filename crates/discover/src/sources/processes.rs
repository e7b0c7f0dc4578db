//! Processes, and the namespaces that they are joined to.
//!
//! Every process is kept, readable or not. BPF describes many at once, `/proc` the rest.
//!
//! The scanner's own process is read first, before there are workers or open namespaces, so that
//! the scan does not see itself.

use std::collections::HashSet;

use lxkns_model::{Holder, Missing, Part, ProcessFacts, Reason};
use lxkns_species::{NamespaceId, NamespaceType, Pid};

#[cfg(feature = "bpf")]
use super::by_bpf;
use super::by_proc::{self, THREAD_PARTS};
use super::sockets;
use crate::context::Context;
use crate::gaps::reason_though_there;
use crate::sightings::Sightings;

/// Reads all processes, and says whether BPF iterators described them.
pub(crate) fn scan(context: &Context<'_>, sightings: &mut Sightings) -> bool {
    let mut needed = [Part::Processes].into_iter().chain(THREAD_PARTS);
    if !needed.any(|part| context.wanted.has(part)) {
        return false;
    }
    if let Some(own) = context.own_pid {
        sightings.counts.listed += 1;
        by_proc::look(context, own, sightings);
    }
    context.resolver.begin_to_hold();
    let mut pids = match context.proc.pids() {
        Ok(pids) => pids,
        Err(errno) => {
            let why = reason_though_there(errno);
            context.gaps.add_uncounted(Missing::Processes, why, "");
            return false;
        }
    };
    if context.proc.is_ours() && pids.first() != Some(&Pid(1)) {
        // Every PID namespace has a PID 1 as long as another process lives in it.
        context.gaps.add_uncounted(Missing::Processes, Reason::Restricted, "");
    }
    let initial = NamespaceType::Pid.initial_inode();
    if context.own_pid_namespace.is_some_and(|own| own.inode() != initial) {
        context.gaps.add_uncounted(Missing::Processes, Reason::Outside, "");
    }
    pids.retain(|pid| Some(*pid) != context.own_pid);
    #[cfg(feature = "bpf")]
    let is_by_bpf = by_bpf::scan(context, &mut pids, sightings);
    #[cfg(not(feature = "bpf"))]
    let is_by_bpf = false;
    sightings.counts.listed += pids.len() as u64;

    by_proc::scan(context, &pids, sightings);
    is_by_bpf
}

/// Settles doubts while the namespaces that cannot be compared are still held, and lets them go.
pub(crate) fn settle_held(context: &Context<'_>, sightings: &mut Sightings) {
    if !context.resolver.compares_all() {
        settle_doubts(context, sightings);
    }
    context.resolver.release();
}

/// Settles doubts in the end, where all namespaces can be compared.
pub(crate) fn settle_compared(context: &Context<'_>, sightings: &mut Sightings) {
    if context.resolver.compares_all() {
        settle_doubts(context, sightings);
        context.resolver.release();
    }
}

/// Removes all that was said of namespaces that did not live until the end: their numbers may have
/// meant others before or afterwards. The processes concerned are read again.
fn settle_doubts(context: &Context<'_>, sightings: &mut Sightings) {
    let doubtful = context.resolver.doubtful(&context.gaps);
    if doubtful.is_empty() {
        return;
    }
    let concerned: HashSet<Pid> = (sightings.processes.iter())
        .filter(|process| namespaces_of(process).any(|id| doubtful.contains(&id)))
        .map(|process| process.pid)
        .chain(
            (sightings.holders.iter())
                .filter(|(id, _)| doubtful.contains(id))
                .filter_map(|(_, holder)| holder.pid()),
        )
        // Of itself, the scan would see what it has opened since.
        .filter(|pid| Some(*pid) != context.own_pid)
        .collect();
    let mut again = HashSet::new();
    sightings.processes.retain(|process| {
        let is_left = namespaces_of(process).next().is_none() || !concerned.contains(&process.pid);
        if !is_left {
            again.insert(process.pid);
        }
        is_left
    });
    sightings.counts.listed -= again.len() as u64;
    sightings.counts.read -= again.len() as u64;
    sightings.holders.retain(|(id, holder)| {
        !is_of_any(*id, holder, &doubtful) && holder.pid().is_none_or(|pid| !again.contains(&pid))
    });
    let is_doubtful = |id: NamespaceId| doubtful.contains(&id);
    sightings.mounts.retain(|mount| {
        !is_doubtful(mount.mount_namespace) && !mount.holds.is_some_and(is_doubtful)
    });
    tracing::debug!(namespaces = doubtful.len(), processes = again.len(), "read again");
    let mut again: Vec<Pid> = again.into_iter().collect();
    again.sort_unstable();
    let mut seen = Sightings::default();
    seen.counts.listed = again.len() as u64;
    by_proc::scan(context, &again, &mut seen);
    sockets::scan(context, &mut seen);

    // Hardly ever, a number has changed hands that was in order before.
    let replaced = context.resolver.replaced();
    for process in &mut sightings.processes {
        let changed: Vec<NamespaceId> =
            namespaces_of(process).filter(|id| replaced.contains(id)).collect();
        if !changed.is_empty() {
            let example = format!("pid {}", process.pid);
            context.gaps.add(Missing::ProcessNamespaces, Reason::Changing, example);
        }
        for id in changed {
            process.namespaces.clear(id.namespace_type());
            process.threads.retain(|thread| !thread.namespaces.iter().any(|it| it == id));
        }
    }
    sightings.holders.retain(|(id, holder)| !is_of_any(*id, holder, &replaced));
    sightings.append(seen);
}

/// Whether a holder holds one of these, or is mounted in one.
fn is_of_any(id: NamespaceId, holder: &Holder, of: &HashSet<NamespaceId>) -> bool {
    of.contains(&id) || holder.mount_namespace().is_some_and(|place| of.contains(&place))
}

/// The namespaces of a process and of its threads.
fn namespaces_of(process: &ProcessFacts) -> impl Iterator<Item = NamespaceId> {
    let threads = process.threads.iter().flat_map(|thread| thread.namespaces.iter());
    process.namespaces.iter().chain(threads)
}
