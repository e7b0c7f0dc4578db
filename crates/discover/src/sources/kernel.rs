//! What the kernel itself lists: all mount namespaces (Linux 6.12), all namespaces (6.19).
//!
//! This is the cross-check of all other sources. A namespace that the kernel lists and nothing that
//! can be seen explains is held by something that cannot be: a file descriptor in flight, a mount
//! tree that is attached nowhere, the kernel. It is believed to be so held only if it was listed
//! *before* the other sources began, and still is *after* them: what is younger they have merely
//! missed.

use std::collections::HashSet;
use std::time::Instant;

use lxkns_model::{Holder, Missing, Part, Reason};
use lxkns_ops::{NamespaceFd, listns, mounts};
use lxkns_species::NamespaceId;

use crate::context::Context;
use crate::gaps::reason;
use crate::sightings::Sightings;
use crate::timeouts::LIST_PATIENCE;

/// The 64-bit ids that the kernel lists before the other sources look.
pub(crate) fn before(context: &Context<'_>) -> HashSet<u64> {
    if !context.wanted.has(Part::Kernel) || !context.proc.is_ours() {
        return HashSet::new();
    }
    if (context.means.lists_namespaces || context.means.walks) && !context.means.sees_all {
        context.gaps.add_uncounted(Missing::KernelList, Reason::Denied, "");
        return HashSet::new();
    }
    list(context, None)
}

/// The 64-bit ids of all namespaces of the types looked at, as far as the kernel lists them; of
/// mount namespaces only those up to the last one that is of interest.
fn list(context: &Context<'_>, last: Option<u64>) -> HashSet<u64> {
    let mut ids = HashSet::new();
    if context.means.lists_namespaces {
        match listns::all(context.wanted.links) {
            Ok(listed) => ids.extend(listed),
            Err(error) => {
                let why = error.errno().map_or(Reason::Failed, reason);
                context.gaps.add_uncounted(Missing::KernelList, why, "");
            }
        }
    }
    // Not all of them are in the list: those that only an open table of mounts keeps are inactive.
    if context.means.walks_all() {
        let (all, start) = (mounts::walk().into_iter().flatten(), Instant::now());
        for (_, info) in all.map_while(Result::ok) {
            // By ascending IDs: neighbours may make new ones faster than the walk goes on.
            if last.is_some_and(|last| info.unique_id > last) {
                break;
            }
            if start.elapsed() > LIST_PATIENCE {
                context.gaps.add_uncounted(Missing::KernelList, Reason::TimedOut, "");
                break;
            }
            ids.insert(info.unique_id);
        }
    }
    ids
}

/// Finds those that nothing explains.
pub(crate) fn after(context: &Context<'_>, before: &HashSet<u64>, sightings: &mut Sightings) {
    // What the scan itself holds open it must not take for held by others.
    context.resolver.release();
    if before.is_empty() {
        return;
    }
    let explained = sightings.explained(&context.resolver);
    let known = context.resolver.unique_ids();
    let is_explained =
        |(id, unique_id): &(NamespaceId, u64)| explained.contains(id).then_some(*unique_id);
    let explained_ids: HashSet<u64> = known.iter().filter_map(is_explained).collect();
    let mut unexplained: HashSet<u64> = before.difference(&explained_ids).copied().collect();
    if unexplained.is_empty() {
        // The usual case: no need to look again.
        return;
    }
    unexplained.retain({
        let still = list(context, before.iter().max().copied());
        move |unique_id| still.contains(unique_id)
    });
    if context.means.lists_namespaces {
        let known: HashSet<u64> = known.iter().map(|(_, unique_id)| *unique_id).collect();
        for unique_id in unexplained.difference(&known) {
            // It may have gone since; then it is not to be reported.
            if let Ok(namespace) = NamespaceFd::by_unique_id(*unique_id, None) {
                context.resolver.meet_open(&namespace);
            }
        }
    }
    let explained = sightings.explained(&context.resolver);
    for (id, unique_id) in context.resolver.unique_ids() {
        if unexplained.contains(&unique_id) && !explained.contains(&id) {
            sightings.holders.push((id, Holder::Unseen));
        }
    }
}
