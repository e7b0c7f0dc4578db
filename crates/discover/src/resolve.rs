//! Asking the kernel about namespaces, once for each.
//!
//! A source that meets a namespace for the first time lends a way to open it. The namespace is
//! opened, checked to be the one that is meant, asked for its owner, parent and creator, and closed
//! again: holding it would keep it alive, and a machine may have more namespaces than a process may
//! have files. Owners and parents that turn up in that way are asked in their turn, so that the
//! hierarchy is complete up to what may be seen.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lxkns_model::{Missing, NamespaceFacts, Part, Reason, Relation};
use lxkns_ops::{Error, Feature, Namespace, Support, mounts};
use lxkns_species::{NamespaceId, NamespaceType};
use rustix::io::Errno;

use crate::gaps::{Gaps, reason, reason_though_there};
use crate::options::{Options, Tier};
use crate::procfs::{Kind, Procfs};
use crate::scan::UidView;

/// What the kernel has told about namespaces so far.
#[derive(Debug)]
pub(crate) struct Resolver {
    /// A tree of files has nobody to ask.
    asks: bool,
    owners: bool,
    parents: bool,
    tier: Tier,
    uids: UidView,
    known: Mutex<HashMap<NamespaceId, Entry>>,
}

#[derive(Debug)]
enum Entry {
    /// Some thread is at it.
    Asking,
    Resolved(Box<Answers>),
    /// It could not be opened, so far.
    Failed(Reason),
}

/// What a namespace has told.
#[derive(Debug)]
struct Answers {
    facts: NamespaceFacts,
    /// Of a mount namespace: how many mounts it had.
    mounts: Option<u32>,
    /// Why it has not told more.
    why: Reason,
}

/// What is known of a namespace without asking it: one that has no parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) owner: NamespaceId,
    pub(crate) unique_id: Option<u64>,
    /// Of a mount namespace: how many mounts it has.
    pub(crate) mounts: Option<u32>,
}

impl Resolver {
    pub(crate) fn new(options: &Options, proc: &Procfs, uids: UidView) -> Resolver {
        Resolver {
            asks: proc.kind() != Kind::Tree,
            owners: options.wants(Part::Ownership),
            parents: options.wants(Part::Hierarchy),
            tier: options.tier_cap(),
            uids,
            known: Mutex::default(),
        }
    }

    /// The feature by which the kernel tells 64-bit ids of this type, if they are to be asked for.
    fn ids(&self, namespace_type: NamespaceType) -> Option<Feature> {
        // Mount namespaces had them first.
        let (tier, feature) = match namespace_type {
            NamespaceType::Mnt => (Tier::Mounts, Feature::MountNamespaceIds),
            _ => (Tier::Ids, Feature::UniqueIds),
        };
        (self.tier >= tier).then_some(feature)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<NamespaceId, Entry>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a namespace has been asked already.
    pub(crate) fn has(&self, id: NamespaceId) -> bool {
        matches!(self.known().get(&id), Some(Entry::Resolved(_)))
    }

    /// The 64-bit id of a mount namespace, and how many mounts it had when it was asked.
    pub(crate) fn mount_table(&self, id: NamespaceId) -> Option<(u64, u32)> {
        match self.known().get(&id) {
            Some(Entry::Resolved(answers)) => Some((answers.facts.unique_id?, answers.mounts?)),
            _ => None,
        }
    }

    /// Takes note of a namespace of which somebody has told all that it would answer. Says whether
    /// that will do: it does not if there may be more to be learnt, or the way to an owner that has
    /// not been met yet.
    pub(crate) fn meet_told(&self, id: NamespaceId, told: Told) -> bool {
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
        let answers = Answers { facts, mounts: told.mounts, why: Reason::Failed };
        known.insert(id, Entry::Resolved(Box::new(answers)));
        true
    }

    /// Takes note of a namespace. If it is new, or could not be opened before, opens it and asks.
    pub(crate) fn meet(&self, id: NamespaceId, open: impl FnOnce() -> Result<OwnedFd, Errno>) {
        if self.begin(id) {
            let namespace = if self.asks {
                open()
                    .map_err(reason)
                    .and_then(|fd| Namespace::expecting(fd, id).map_err(|error| failure(&error)))
            } else {
                Err(Reason::ForeignProc)
            };
            match namespace {
                Ok(namespace) => self.ask(&namespace),
                Err(why) => self.finish(id, Entry::Failed(why)),
            }
        }
    }

    /// Takes note of a namespace that is open.
    pub(crate) fn meet_open(&self, namespace: &Namespace) {
        if self.begin(namespace.id()) {
            self.ask(namespace);
        }
    }

    /// Takes note of a namespace that cannot be opened, for the given reason.
    pub(crate) fn meet_closed(&self, id: NamespaceId, why: Reason) {
        if self.begin(id) {
            self.finish(id, Entry::Failed(why));
        }
    }

    /// Whether it is the caller's turn to ask.
    fn begin(&self, id: NamespaceId) -> bool {
        let mut known = self.known();
        match known.get(&id) {
            Some(Entry::Asking | Entry::Resolved(_)) => false,
            Some(Entry::Failed(_)) | None => {
                known.insert(id, Entry::Asking);
                true
            }
        }
    }

    fn finish(&self, id: NamespaceId, entry: Entry) {
        self.known().insert(id, entry);
    }

    fn ask(&self, namespace: &Namespace) {
        // One after the other, as they may nest deeper than a process may have files. Owners come
        // before parents: the owners on the way up must not wait, open, for the end of it.
        let mut above = self.ask_one(namespace);
        above.reverse();
        while let Some(namespace) = above.pop() {
            if self.begin(namespace.id()) {
                above.extend(self.ask_one(&namespace).into_iter().rev());
            }
        }
    }

    /// Asks a namespace; returns its owner and its parent, in this order.
    fn ask_one(&self, namespace: &Namespace) -> Vec<Namespace> {
        let id = namespace.id();
        let mut facts = NamespaceFacts::new(id);
        let is_user = id.namespace_type() == NamespaceType::User;
        let mut mounts = None;
        if self.ids(id.namespace_type()).is_some() {
            let tells_more = id.namespace_type() == NamespaceType::Mnt
                && Feature::MountNamespaceWalk.supported() == Support::Supported;
            let info = tells_more.then(|| mounts::info(namespace).ok()).flatten();
            mounts = info.map(|info| info.mounts);
            let unique_id = info.map(|info| info.unique_id);
            facts.unique_id = unique_id.or_else(|| namespace.unique_id().ok());
        }
        if self.owners && is_user {
            facts.creator = namespace.creator().ok().and_then(|uid| self.uids.known(uid));
        }
        let (mut above, mut why) = (Vec::new(), Reason::Denied);
        let mut is_above = |asked: Result<Namespace, Error>| match asked {
            Ok(namespace) => {
                let id = namespace.id();
                above.push(namespace);
                Some(id)
            }
            Err(error) => {
                // It is open, so neither it nor what is above has gone.
                why = error.errno().map_or(Reason::Failed, reason_though_there);
                None
            }
        };
        if self.owners && !is_user {
            facts.owner = is_above(namespace.owner());
        }
        if id.namespace_type().is_hierarchical()
            && id.inode() == id.namespace_type().initial_inode()
        {
            facts.parent = Relation::None;
        } else if self.parents && id.namespace_type().is_hierarchical() {
            facts.parent = is_above(namespace.parent()).map_or(Relation::Unknown, Relation::Known);
        }
        let answers = Answers { facts, mounts, why };
        self.finish(id, Entry::Resolved(Box::new(answers)));
        above
    }

    /// The namespaces that nobody could open so far.
    pub(crate) fn unresolved(&self) -> Vec<NamespaceId> {
        let known = self.known();
        let open = known.iter().filter(|(_, entry)| !matches!(entry, Entry::Resolved(_)));
        open.map(|(id, _)| *id).collect()
    }

    /// The 64-bit ids, where known.
    pub(crate) fn unique_ids(&self) -> Vec<(NamespaceId, u64)> {
        let known = self.known();
        let resolved = known.iter().filter_map(|(id, entry)| match entry {
            Entry::Resolved(answers) => Some((*id, answers.facts.unique_id?)),
            Entry::Asking | Entry::Failed(_) => None,
        });
        resolved.collect()
    }

    /// Adds to a set of namespaces all that keep these in being: their parents and owners, and
    /// theirs, and so on.
    pub(crate) fn with_relations(&self, mut set: HashSet<NamespaceId>) -> HashSet<NamespaceId> {
        let known = self.known();
        let mut fresh: Vec<NamespaceId> = set.iter().copied().collect();
        while let Some(id) = fresh.pop() {
            if let Some(Entry::Resolved(answers)) = known.get(&id) {
                let above =
                    [answers.facts.parent.known(), answers.facts.owner].into_iter().flatten();
                fresh.extend(above.filter(|id| set.insert(*id)));
            }
        }
        set
    }

    /// All that has been found out about the `alive` ones. What could not be, and was wanted,
    /// becomes a gap. The others have gone while they were looked at.
    pub(crate) fn into_facts(
        self,
        alive: &HashSet<NamespaceId>,
        gaps: &Gaps,
    ) -> HashMap<NamespaceId, NamespaceFacts> {
        let known = self.known.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut all = HashMap::with_capacity(alive.len());
        for (id, entry) in known.into_iter().filter(|(id, _)| alive.contains(id)) {
            let (facts, why) = match entry {
                Entry::Resolved(answers) => (answers.facts, answers.why),
                Entry::Failed(why) => (NamespaceFacts::new(id), why),
                Entry::Asking => (NamespaceFacts::new(id), Reason::Failed),
            };
            let is_user = id.namespace_type() == NamespaceType::User;
            if self.asks && self.owners && !is_user && facts.owner.is_none() {
                gaps.add(Missing::Owners, why.clone(), id.to_string());
            }
            if self.asks && self.owners && is_user && facts.creator.is_none() {
                gaps.add(Missing::Creators, why.clone(), id.to_string());
            }
            if self.asks && self.parents && facts.parent == Relation::Unknown {
                gaps.add(Missing::Parents, why, id.to_string());
            }
            all.insert(id, facts);
        }
        all
    }
}

/// Why a namespace that was opened could not be taken for the one that was meant.
fn failure(error: &Error) -> Reason {
    // Another namespace, or none: what was there has gone, and something else has come.
    error.errno().map_or(Reason::Gone, reason)
}
