//! What has changed between two snapshots of one machine.
//!
//! Namespaces are compared, not ids: inodes are reused as soon as a namespace is gone, so the same
//! id may be another namespace later on; `identity` decides. Processes come and go all the time;
//! they count only as leaders. A difference is one of the machine, not one of what two scans were
//! allowed or asked to see: what only one of them looked for is left out of the comparison, a fact
//! that only one of them knows is no change, and where one of them could see much less, that is
//! said.

mod identity;
#[cfg(test)]
#[cfg(feature = "wire")]
mod tests;

use std::collections::HashSet;

use lxkns_species::{NamespaceId, NamespaceTypes, Pid};

use self::identity::{Identities, lacks_holders};
use crate::why::gaps_that_hide;
use crate::{Gap, Holder, Namespace, Part, Parts, Process, Relation, Snapshot};

/// The differences between two snapshots. Lists are in the order of [`Snapshot::namespaces`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diff<'s> {
    /// Namespaces that are only in the later snapshot.
    pub added: Vec<Namespace<'s>>,
    /// Namespaces that are only in the earlier snapshot.
    pub removed: Vec<Namespace<'s>>,
    /// Namespaces that are in both, and not the same in both.
    pub changed: Vec<Change<'s>>,
    /// Namespaces that are in both, and whose leaders are [uncertain](Namespace::leaders_uncertain)
    /// and others than before; they are not compared.
    pub leaders_uncompared: Vec<Namespace<'s>>,
    /// The gaps of the earlier snapshot, as far as the later snapshot has much smaller ones: an
    /// added namespace or holder may have been there before.
    pub unseen_before: Vec<&'s Gap>,
    /// The gaps of the later snapshot, as far as the earlier snapshot has much smaller ones: a
    /// removed namespace or holder may still be there.
    pub unseen_after: Vec<&'s Gap>,
    /// Whether both snapshots tell their boot. If not, they may be of two boots.
    pub same_boot: bool,
    /// What only one of the snapshots looked for, and so was not compared.
    pub uncompared: Parts,
    /// The types that only one of the snapshots looked for.
    pub uncompared_types: NamespaceTypes,
}

/// How one namespace has changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Change<'s> {
    /// As it was.
    pub before: Namespace<'s>,
    /// As it is.
    pub after: Namespace<'s>,
    /// Whether the parent differs. The kernel never does that; a document may.
    pub parent: bool,
    /// Whether the owner differs. The kernel never does that either.
    pub owner: bool,
    /// Who leads it now, and did not before; by seniority.
    pub leaders_added: Vec<Process<'s>>,
    /// Who led it, and does no longer; by seniority.
    pub leaders_removed: Vec<Process<'s>>,
    /// What holds it now, and did not before.
    pub holders_added: Vec<&'s Holder>,
    /// What held it, and does no longer.
    pub holders_removed: Vec<&'s Holder>,
}

/// What does not count as a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ignore {
    /// Other holders.
    pub holders: bool,
    /// Other leaders.
    pub leaders: bool,
}

/// Why two snapshots cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Incomparable {
    /// They were taken during two boots, perhaps of two machines: no namespace is in both.
    #[error("the snapshots are of two boots, {before} and {after}: they have nothing in common")]
    Boots {
        /// The boot id of the earlier one.
        before: String,
        /// The boot id of the later one.
        after: String,
    },
}

impl<'s> Diff<'s> {
    /// Compares two snapshots.
    ///
    /// # Errors
    ///
    /// [`Incomparable::Boots`] if they tell different boots.
    pub fn between(
        before: &'s Snapshot,
        after: &'s Snapshot,
        ignore: Ignore,
    ) -> Result<Diff<'s>, Incomparable> {
        let boots = (&before.host().boot_id, &after.host().boot_id);
        if let (Some(before), Some(after)) = boots
            && before != after
        {
            return Err(Incomparable::Boots { before: before.clone(), after: after.clone() });
        }
        let common = Common::of(before, after);
        let ignore = Ignore {
            holders: ignore.holders || lacks_holders(before) != lacks_holders(after),
            ..ignore
        };
        let identities = Identities::of(before, after);
        let only_in = |this: &'s Snapshot| {
            let there = this.namespaces().filter(|it| common.would_see(*it));
            there.filter(|it| !identities.is_in_both(it.id())).collect::<Vec<_>>()
        };
        let pairs = before.namespaces().filter_map(|before| {
            let id = before.id();
            let compared = common.types.contains(id.namespace_type());
            let after = after.namespace(id)?;
            let is_in_both = compared && identities.is_in_both(id);
            is_in_both.then_some(Pair { before, after, identities: &identities })
        });
        let pairs: Vec<Pair<'_, '_>> = pairs.collect();
        let changed = pairs.iter().filter_map(|pair| pair.change(&common, ignore));
        let are_compared = !ignore.leaders && common.parts.contains(Part::Processes);
        let uncertain = pairs.iter().filter(|pair| are_compared && pair.may_have_other_leaders());
        Ok(Diff {
            added: only_in(after),
            removed: only_in(before),
            changed: changed.collect(),
            leaders_uncompared: uncertain.map(|pair| pair.after).collect(),
            unseen_before: unseen_only_in(before, after),
            unseen_after: unseen_only_in(after, before),
            same_boot: boots.0.is_some() && boots.0 == boots.1,
            uncompared: common.uncompared,
            uncompared_types: common.uncompared_types,
        })
    }

    /// Whether nothing has changed, as far as was compared.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// The gaps of this snapshot that may hide namespaces, and are not there in the other one, or not
/// half as wide: processes come and go, and so do those that cannot be read.
fn unseen_only_in<'s>(this: &'s Snapshot, other: &Snapshot) -> Vec<&'s Gap> {
    let is_wider = |gap: &&Gap| {
        // Gaps are sorted, and there is one for each pair.
        let order = |other: &Gap| (&other.what, &other.why).cmp(&(&gap.what, &gap.why));
        let other = other.gaps().binary_search_by(order).ok().and_then(|at| other.gaps().get(at));
        other.is_none_or(|other| gap.count / 2 > other.count)
    };
    gaps_that_hide(this, NamespaceTypes::ALL).filter(is_wider).collect()
}

/// What both snapshots looked for.
struct Common {
    types: NamespaceTypes,
    parts: Parts,
    uncompared: Parts,
    uncompared_types: NamespaceTypes,
}

impl Common {
    fn of(before: &Snapshot, after: &Snapshot) -> Common {
        let (a, b) = (before.scope(), after.scope());
        let in_both = |part: &Part| a.parts.contains(*part) && b.parts.contains(*part);
        let in_one = |part: &Part| a.parts.contains(*part) != b.parts.contains(*part);
        // Details of processes are not compared anyway.
        let matters = |part: &Part| {
            !matches!(part, Part::Cmdline | Part::Cgroup | Part::Credentials | Part::Names)
        };
        let parts = || Part::ALL.into_iter();
        let all = NamespaceTypes::ALL;
        Common {
            types: all.iter().filter(|it| a.types.contains(*it) && b.types.contains(*it)).collect(),
            parts: parts().filter(in_both).collect(),
            uncompared: parts().filter(in_one).filter(matters).collect(),
            uncompared_types: all
                .iter()
                .filter(|it| a.types.contains(*it) != b.types.contains(*it))
                .collect(),
        }
    }

    /// Whether a namespace would be in the other snapshot as well, if nothing had changed.
    fn would_see(&self, namespace: Namespace<'_>) -> bool {
        let sees = |part| self.parts.contains(part);
        let by_itself = || {
            let mut holders = namespace.holders().iter();
            sees(Part::Processes) && namespace.processes().len() > 0
                || holders.any(|holder| sees(holder.part()))
        };
        let by_others = || {
            sees(Part::Hierarchy) && namespace.children().len() > 0
                || sees(Part::Ownership) && namespace.owned().len() > 0
        };
        self.types.contains(namespace.namespace_type())
            && (self.uncompared == Parts::NONE || by_itself() || by_others())
    }
}

/// One namespace in both snapshots.
struct Pair<'s, 'i> {
    before: Namespace<'s>,
    after: Namespace<'s>,
    identities: &'i Identities<'s>,
}

impl<'s> Pair<'s, '_> {
    fn change(&self, common: &Common, ignore: Ignore) -> Option<Change<'s>> {
        let Pair { before, after, .. } = *self;
        let mut change = Change {
            before,
            after,
            parent: is_other_parent(
                before.parent().map(Namespace::id),
                after.parent().map(Namespace::id),
            ),
            owner: matches!((before.owner(), after.owner()),
                (Some(before), Some(after)) if before.id() != after.id()),
            leaders_added: Vec::new(),
            leaders_removed: Vec::new(),
            holders_added: Vec::new(),
            holders_removed: Vec::new(),
        };
        if !ignore.leaders && self.has_certain_leaders() && common.parts.contains(Part::Processes) {
            change.leaders_removed = self.other_leaders(before, after);
            change.leaders_added = self.other_leaders(after, before);
        }
        if !ignore.holders {
            change.holders_removed = self.other_holders(before, after, common);
            change.holders_added = self.other_holders(after, before, common);
        }
        let is_changed = change.parent
            || change.owner
            || !change.leaders_added.is_empty()
            || !change.leaders_removed.is_empty()
            || !change.holders_added.is_empty()
            || !change.holders_removed.is_empty();
        is_changed.then_some(change)
    }

    fn has_certain_leaders(&self) -> bool {
        !self.before.leaders_uncertain() && !self.after.leaders_uncertain()
    }

    fn may_have_other_leaders(&self) -> bool {
        let (before, after) = (self.before, self.after);
        let differ = || {
            !self.other_leaders(before, after).is_empty()
                || !self.other_leaders(after, before).is_empty()
        };
        !self.has_certain_leaders() && differ()
    }

    /// The leaders here that are none there, but for the scanner.
    fn other_leaders(&self, here: Namespace<'s>, there: Namespace<'s>) -> Vec<Process<'s>> {
        let scanner = here.snapshot.host().scanner_pid;
        let there: HashSet<Pid> = there.leaders().map(Process::pid).collect();
        here.leaders()
            .filter(|leader| {
                let pid = leader.pid();
                let stays = there.contains(&pid) && self.identities.is_same_process(pid);
                !stays && Some(pid) != scanner
            })
            .collect()
    }

    fn other_holders(
        &self,
        here: Namespace<'s>,
        there: Namespace<'s>,
        common: &Common,
    ) -> Vec<&'s Holder> {
        let here = here.holders();
        let there = there.holders();
        here.iter()
            .enumerate()
            .filter(|(_, holder)| common.parts.contains(holder.part()))
            .filter(|(at, holder)| {
                // Holders are sorted. Of several mounts at one place so many stay.
                let staying = there.partition_point(|it| it <= holder)
                    - there.partition_point(|it| it < holder);
                let nth = at - here.partition_point(|it| it < holder);
                !(nth < staying && self.identities.is_same_holder(holder))
            })
            .map(|(_, holder)| holder)
            .collect()
    }
}

fn is_other_parent(before: Relation<NamespaceId>, after: Relation<NamespaceId>) -> bool {
    before != Relation::Unknown && after != Relation::Unknown && before != after
}
