//! Whether a namespace in one snapshot is the same one as that with its id in another.
//!
//! Where the kernel gives 64-bit ids (to all types from Linux 6.18 on), these decide, as they are
//! never reused. Elsewhere there is evidence only. A namespace never changes its owner, parent or
//! creator: if one of these is another one, so is the namespace. A process that was in it then
//! and is now, told by PID and start time, shows that it is the same; so does a namespace below
//! it, which would have kept it alive; so does a file descriptor of the same process, or a mount
//! at the same place. Without any of these nothing has kept it alive meanwhile, as far as can be
//! seen, and its inode has been reused.
//!
//! What evidence cannot tell: a namespace that was replaced, at the same mount point, by one that
//! got its inode.

use std::collections::HashMap;

use lxkns_species::{NamespaceId, NamespaceType, Pid};

use crate::{Holder, Missing, Namespace, Relation, Snapshot};

/// Which ids in two snapshots stand for the same namespaces.
pub(super) struct Identities<'s> {
    before: &'s Snapshot,
    after: &'s Snapshot,
    /// Of the ids that are in both.
    is_same: HashMap<NamespaceId, bool>,
}

impl<'s> Identities<'s> {
    pub(super) fn of(before: &'s Snapshot, after: &'s Snapshot) -> Identities<'s> {
        let mut identities = Identities { before, after, is_same: HashMap::new() };
        let pairs: Vec<_> = before
            .namespaces()
            .filter_map(|then| Some((then, after.namespace(then.id())?)))
            .collect();
        for (then, now) in &pairs {
            if let Some(is_same) = identities.by_itself(*then, *now) {
                identities.is_same.insert(then.id(), is_same);
            }
        }
        identities.spread(&pairs);
        // Mounts say little by themselves, and nothing in a mount namespace that is another one.
        for (then, now) in &pairs {
            let mut shared = then.holders().iter();
            let is_open = !identities.is_same.contains_key(&then.id());
            if is_open && shared.any(|it| identities.is_kept(it, *now)) {
                identities.is_same.insert(then.id(), true);
            }
        }
        identities.spread(&pairs);
        for (then, now) in &pairs {
            let is_open = !identities.is_same.contains_key(&then.id());
            if is_open {
                let nobody_can_tell = is_unseen(*then) && is_unseen(*now)
                    || lacks_holders(before) != lacks_holders(after);
                identities.is_same.insert(then.id(), nobody_can_tell);
            }
        }
        identities
    }

    /// Whether this id is in both snapshots, and stands for the same namespace.
    pub(super) fn is_in_both(&self, id: NamespaceId) -> bool {
        self.is_same.get(&id) == Some(&true)
    }

    /// Whether this PID, which is in both snapshots, stands for the same process, as far as known.
    pub(super) fn is_same_process(&self, pid: Pid) -> bool {
        let start = |snapshot: &Snapshot| snapshot.process(pid)?.start_time();
        match (start(self.before), start(self.after)) {
            (Some(before), Some(after)) => before == after,
            _ => true,
        }
    }

    /// Whether a holder that is in both snapshots is the same one.
    pub(super) fn is_same_holder(&self, holder: &Holder) -> bool {
        match holder.mount_namespace() {
            Some(mount_namespace) => self.is_same.get(&mount_namespace) != Some(&false),
            None => holder.pid().is_none_or(|pid| self.is_same_process(pid)),
        }
    }

    /// What a namespace's own facts tell.
    fn by_itself(&self, then: Namespace<'_>, now: Namespace<'_>) -> Option<bool> {
        if let (Some(then), Some(now)) = (then.unique_id(), now.unique_id()) {
            return Some(then == now);
        }
        if let (Some(then), Some(now)) = (then.is_initial(), now.is_initial())
            && (then || now)
        {
            return Some(then == now);
        }
        let parents = (then.parent().map(Namespace::id), now.parent().map(Namespace::id));
        let owners = (then.owner(), now.owner());
        if matches!(parents, (Relation::Known(then), Relation::Known(now)) if then != now)
            || matches!(owners, (Some(then), Some(now)) if then.id() != now.id())
            || self.is_other_creator(then, now)
        {
            return Some(false);
        }
        let mut members = now.processes().map(|process| process.pid());
        let stayed = |pid: Pid| {
            let process = self.before.process(pid);
            process.is_some_and(|it| it.joined().get(then.namespace_type()) == Some(then.id()))
        };
        members.any(|pid| stayed(pid) && self.is_same_process(pid)).then_some(true)
    }

    /// Creators are seen from the scanner's user namespace, and comparable only from the same one.
    fn is_other_creator(&self, then: Namespace<'_>, now: Namespace<'_>) -> bool {
        let from =
            |snapshot: &Snapshot| snapshot.host().scanner_namespaces.get(NamespaceType::User);
        let (from_then, from_now) = (from(self.before), from(self.after));
        let comparable = from_then.is_some() && from_then == from_now;
        let creators = (then.creator(), now.creator());
        comparable && matches!(creators, (Some(then), Some(now)) if then != now)
    }

    /// Whether something that held a namespace then still holds it. Being unseen is no evidence.
    fn is_kept(&self, holder: &Holder, now: Namespace<'_>) -> bool {
        *holder != Holder::Unseen
            && now.holders().binary_search(holder).is_ok()
            && self.is_same_holder(holder)
    }

    /// Above what is the same, everything is; below what is another one, everything is, too.
    fn spread(&mut self, pairs: &[(Namespace<'_>, Namespace<'_>)]) {
        let mut fresh: Vec<_> = pairs
            .iter()
            .filter_map(|(then, _)| Some((*then, *self.is_same.get(&then.id())?)))
            .collect();
        while let Some((namespace, is_same)) = fresh.pop() {
            let above = || namespace.parent().known().into_iter().chain(namespace.owner());
            let near: Vec<_> = if is_same {
                above().collect()
            } else {
                namespace.children().chain(namespace.owned()).collect()
            };
            for near in near {
                let is_in_both = self.after.namespace(near.id()).is_some();
                if is_in_both && !self.is_same.contains_key(&near.id()) {
                    self.is_same.insert(near.id(), is_same);
                    fresh.push((near, is_same));
                }
            }
        }
    }
}

fn is_unseen(namespace: Namespace<'_>) -> bool {
    let mut holders = namespace.holders().iter();
    namespace.processes().len() == 0 && holders.all(|holder| *holder == Holder::Unseen)
}

/// Whether a snapshot knows only some holders of each namespace, whatever was looked for.
pub(super) fn lacks_holders(snapshot: &Snapshot) -> bool {
    snapshot.gaps().iter().any(|gap| gap.what == Missing::Holders)
}
