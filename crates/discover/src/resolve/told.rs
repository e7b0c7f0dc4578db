//! Namespaces of which a source tells so much that they need not be asked: BPF does.

use std::sync::PoisonError;

use lxkns_model::{NamespaceFacts, Reason};
use lxkns_ops::{Feature, Support};
use lxkns_species::NamespaceId;

use super::{Answers, Entry, Resolver};

/// What is known of a namespace without asking it: one that has no parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) owner: NamespaceId,
    pub(crate) unique_id: Option<u64>,
    /// Of a mount namespace: how many mounts it has.
    pub(crate) mounts: Option<u32>,
}

impl Resolver {
    /// Whether a namespace that has been asked already may have this unique ID; `None` if it has
    /// not been asked.
    pub(crate) fn agrees(&self, id: NamespaceId, unique_id: Option<u64>) -> Option<bool> {
        match self.known().get(&id) {
            Some(Entry::Resolved(answers)) => {
                let both = answers.facts.unique_id.zip(unique_id);
                Some(both.is_none_or(|(known, unique_id)| known == unique_id))
            }
            _ => None,
        }
    }

    /// Takes note of a namespace of which a source has told all that it would answer. Says whether
    /// that will do: it does not if there may be more to be learnt, or the way to an owner that has
    /// not been met yet.
    pub(crate) fn meet_told(&self, id: NamespaceId, told: Told) -> bool {
        // Else it has to be held.
        self.compares.contains(id.namespace_type()) && self.believe(id, told)
    }

    /// As [`Resolver::meet_told`], of a namespace that the scanner may neither open nor compare
    /// later.
    pub(crate) fn meet_unproven(&self, id: NamespaceId, told: Told) {
        let is_denied = matches!(self.known().get(&id), Some(Entry::Failed(Reason::Denied)));
        if is_denied && self.believe(id, told) {
            self.unproven.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        }
    }

    fn believe(&self, id: NamespaceId, told: Told) -> bool {
        let mut known = self.known();
        if let Some(Entry::Asking | Entry::Resolved(_)) = known.get(&id) {
            return true;
        }
        let knows_owner = matches!(known.get(&told.owner), Some(Entry::Resolved(_)));
        if !self.asks || self.owners && !knows_owner {
            return false;
        }
        let mut facts = NamespaceFacts::new(id);
        facts.owner = Some(told.owner).filter(|_| self.owners);
        // What the kernel has in its structures is an id only if it calls it so.
        match self.ids(id.namespace_type()).map(Feature::supported) {
            None | Some(Support::Unsupported) => {}
            Some(Support::Supported) if told.unique_id.is_some() => {
                facts.unique_id = told.unique_id;
            }
            Some(_) => return false,
        }
        let answers = Answers {
            facts,
            mounts: told.mounts,
            why: Reason::Failed,
            met: self.tick(),
            held: None,
            is_proven: false,
        };
        known.insert(id, Entry::Resolved(Box::new(answers)));
        true
    }
}
