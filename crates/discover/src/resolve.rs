//! Asking the kernel about namespaces, once for each.
//!
//! A source that meets a namespace for the first time lends a way to open it. The namespace is
//! opened, checked to be the one that is meant, and asked for its owner, parent and creator. Owners
//! and parents that turn up in that way are asked in their turn, so that the hierarchy is complete
//! up to what may be seen.
//!
//! The kernel gives the number of a dead namespace to the next one. [`proof`] makes sure that all
//! readings of a number were about one namespace.

mod held;
mod proof;
#[cfg(feature = "bpf")]
pub(crate) mod told;

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use lxkns_model::{Joined, Missing, NamespaceFacts, Part, Reason, Relation};
use lxkns_ops::{Error, Feature, NamespaceFd, Support, mounts};
use lxkns_species::{NamespaceId, NamespaceType, NamespaceTypes};
use rustix::io::Errno;

pub(crate) use self::held::is_held;
use self::held::{Held, comparable, room};
use crate::gaps::{Gaps, reason, reason_though_there};
use crate::means::Means;
use crate::options::{Options, Tier};
use crate::procfs::{Kind, Procfs};
use crate::uids::UidView;

/// What the kernel has told about namespaces so far.
#[derive(Debug)]
pub(crate) struct Resolver {
    /// In a tree of files, there is no kernel to ask.
    asks: bool,
    owners: bool,
    parents: bool,
    tier: Tier,
    uids: UidView,
    /// The types that the kernel finds by unique ID, so that they need not be held.
    compares: NamespaceTypes,
    /// How many more namespaces may be held open.
    room: AtomicUsize,
    /// The watches that hold namespaces.
    watches: Mutex<Option<OwnedFd>>,
    /// The folder of the scanner's own open files.
    own_files: Option<PathBuf>,
    known: Mutex<HashMap<NamespaceId, Entry>>,
    /// Wakes those who wait for an answer that another thread asks for.
    answered: Condvar,
    /// Goes on by one whenever something has been learnt.
    clock: AtomicU64,
    /// The sets of namespaces that a process was seen in at one moment, and when that was known.
    sets: Mutex<HashMap<Joined, u64>>,
    /// Whether namespaces are held open that cannot be compared.
    holds: AtomicBool,
    /// Whether all are held open: those of the processes that are read again.
    holds_all: AtomicBool,
    /// The numbers that turned out to mean other namespaces after [`Resolver::doubtful`].
    replaced: Mutex<HashSet<NamespaceId>>,
    /// The namespaces that could neither be held nor compared.
    unproven: Mutex<HashSet<NamespaceId>>,
}

/// A time on the clock of a [`Resolver`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(u64);

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
    /// When this was known.
    met: u64,
    /// It itself, if it has to be held.
    held: Option<Held>,
    /// Whether it was held from then on until all sources were done.
    is_proven: bool,
}

/// How a namespace that is met is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// A task is in it, its file is open, or it is mounted.
    Active,
    /// Perhaps by nothing but a socket or an open table of mounts, or as the owner of such a one:
    /// from Linux 6.19 on, it is not found by its unique ID then.
    Inactive,
}

impl Resolver {
    pub(crate) fn new(options: &Options, means: Means, proc: &Procfs, uids: UidView) -> Resolver {
        let compares =
            if means.sees_all { comparable(options.tier_cap()) } else { NamespaceTypes::NONE };
        let parts = options.scope().parts;
        Resolver {
            asks: proc.kind() != Kind::Tree,
            owners: parts.contains(Part::Ownership),
            parents: parts.contains(Part::Hierarchy),
            tier: options.tier_cap(),
            uids,
            compares,
            room: AtomicUsize::new(room()),
            watches: Mutex::default(),
            own_files: proc.is_ours().then(|| options.proc_path().join("thread-self/fd")),
            known: Mutex::default(),
            answered: Condvar::new(),
            clock: AtomicU64::new(1),
            sets: Mutex::default(),
            holds: AtomicBool::new(false),
            holds_all: AtomicBool::new(false),
            replaced: Mutex::default(),
            unproven: Mutex::default(),
        }
    }

    /// The time before a reading.
    pub(crate) fn now(&self) -> Time {
        Time(self.clock.load(Ordering::SeqCst))
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Whether some process was in just these namespaces at one moment, and they had all been met
    /// by then.
    pub(crate) fn knows_set(&self, set: &Joined, by: Time) -> bool {
        let sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        sets.get(set).is_some_and(|met| *met <= by.0)
    }

    /// Takes note that a process was in just these namespaces at one moment, if they have all been
    /// met.
    pub(crate) fn learn_set(&self, set: &Joined) {
        if !set.iter().all(|id| self.has(id)) {
            return;
        }
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        sets.entry(*set).or_insert_with(|| self.tick());
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

    /// Whether the number that was met means one namespace: it was asked, or cannot be.
    ///
    /// Not so if another namespace, or none, was found in its place: the next to open one of this
    /// number may open another one.
    pub(crate) fn is_settled(&self, id: NamespaceId) -> bool {
        match self.known().get(&id) {
            Some(Entry::Resolved(_)) => true,
            Some(Entry::Failed(why)) => *why != Reason::Gone,
            Some(Entry::Asking) | None => false,
        }
    }

    /// Whether a namespace had been asked by then.
    pub(crate) fn had(&self, id: NamespaceId, by: Time) -> bool {
        match self.known().get(&id) {
            Some(Entry::Resolved(answers)) => answers.met <= by.0,
            _ => false,
        }
    }

    /// The 64-bit id of a mount namespace, and how many mounts it had when it was asked.
    pub(crate) fn mount_table(&self, id: NamespaceId) -> Option<(u64, u32)> {
        match self.known().get(&id) {
            Some(Entry::Resolved(answers)) => Some((answers.facts.unique_id?, answers.mounts?)),
            _ => None,
        }
    }

    /// Takes note of a namespace that a source has read the number of, at this time or later. If it
    /// is new, or could not be opened before, opens it and asks.
    ///
    /// False if the reading may have been about another namespace, which had the number before or
    /// has gone since: what was read is to be read once more.
    pub(crate) fn meet(
        &self,
        id: NamespaceId,
        read: Time,
        open: impl FnOnce() -> Result<OwnedFd, Errno>,
    ) -> bool {
        if !self.is_to_be_confirmed(id) && !self.begin(id) {
            return self.had(id, read);
        }
        let namespace = if self.asks {
            open()
                .map_err(reason)
                .and_then(|fd| NamespaceFd::expecting(fd, id).map_err(|error| failure(&error)))
        } else {
            Err(Reason::ForeignProc)
        };
        match namespace {
            Ok(namespace) if self.confirms(&namespace) => {}
            Ok(namespace) => self.ask(namespace, Use::Active),
            Err(why) => {
                let is_gone = why == Reason::Gone;
                self.fail(id, why);
                return !is_gone;
            }
        }
        true
    }

    /// As [`Resolver::meet`], of an open file. False if it is closed by now, or another one.
    pub(crate) fn meet_file(
        &self,
        id: NamespaceId,
        read: Time,
        open: impl Fn() -> Result<OwnedFd, Errno>,
    ) -> bool {
        if self.meet(id, read, &open) {
            return true;
        }
        let again = open().ok().and_then(|fd| NamespaceFd::expecting(fd, id).ok());
        again.inspect(|namespace| self.meet_open(namespace)).is_some()
    }

    /// Takes note of a namespace that is open.
    pub(crate) fn meet_open(&self, namespace: &NamespaceFd) {
        self.meet_in_use(namespace, Use::Active);
    }

    /// Takes note of a namespace that is open, and that nothing may be in which the kernel looks
    /// for when it is asked by unique ID.
    pub(crate) fn meet_inactive(&self, namespace: &NamespaceFd) {
        self.meet_in_use(namespace, Use::Inactive);
    }

    fn meet_in_use(&self, namespace: &NamespaceFd, by: Use) {
        let id = namespace.id();
        if self.is_to_be_confirmed(id) || self.begin(id) {
            match namespace.try_clone() {
                Ok(namespace) if self.confirms(&namespace) => {}
                Ok(namespace) => self.ask(namespace, by),
                Err(error) => self.fail(id, failure(&error)),
            }
        }
    }

    /// Takes note of a namespace that cannot be opened, for the given reason.
    pub(crate) fn meet_closed(&self, id: NamespaceId, why: Reason) {
        if self.begin(id) {
            self.fail(id, why);
        }
    }

    /// Whether it is the caller's turn to ask. If another thread is at it, waits until that is
    /// done.
    fn begin(&self, id: NamespaceId) -> bool {
        let mut known = self.known();
        loop {
            match known.get(&id) {
                Some(Entry::Asking) => {
                    known = self.answered.wait(known).unwrap_or_else(PoisonError::into_inner);
                }
                Some(Entry::Resolved(_)) => return false,
                Some(Entry::Failed(_)) | None => {
                    known.insert(id, Entry::Asking);
                    return true;
                }
            }
        }
    }

    fn finish(&self, id: NamespaceId, entry: Entry) {
        self.known().insert(id, entry);
        self.answered.notify_all();
    }

    /// The end of asking in vain.
    fn fail(&self, id: NamespaceId, why: Reason) {
        let mut known = self.known();
        if !matches!(known.get(&id), Some(Entry::Resolved(_))) {
            known.insert(id, Entry::Failed(why));
        }
        self.answered.notify_all();
    }

    fn ask(&self, namespace: NamespaceFd, by: Use) {
        // One after the other, as they may nest deeper than a process may have files. Owners come
        // before parents: the owners on the way up must not wait, open, for the end of it.
        let mut above = self.ask_one(namespace, by);
        above.reverse();
        while let Some(namespace) = above.pop() {
            let id = namespace.id();
            let is_known = match self.is_to_be_confirmed(id) {
                true => self.confirms(&namespace),
                false => !self.begin(id),
            };
            if !is_known {
                above.extend(self.ask_one(namespace, by).into_iter().rev());
            }
        }
    }

    /// Asks a namespace; returns its owner and its parent, in this order.
    fn ask_one(&self, namespace: NamespaceFd, by: Use) -> Vec<NamespaceFd> {
        let id = namespace.id();
        let mut facts = NamespaceFacts::new(id);
        let is_user = id.namespace_type() == NamespaceType::User;
        let mut mounts = None;
        if self.ids(id.namespace_type()).is_some() {
            let tells_more = id.namespace_type() == NamespaceType::Mnt
                && Feature::MountNamespaceWalk.supported() == Support::Supported;
            let info = tells_more.then(|| mounts::info(&namespace).ok()).flatten();
            mounts = info.map(|info| info.mounts);
            let unique_id = info.map(|info| info.unique_id);
            facts.unique_id = unique_id.or_else(|| namespace.unique_id().ok());
        }
        if self.owners && is_user {
            facts.creator = namespace.creator().ok().and_then(|uid| self.uids.known(uid));
        }
        let (mut above, mut why) = (Vec::new(), Reason::Denied);
        let mut is_above = |asked: Result<NamespaceFd, Error>| match asked {
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
        let held = self.hold(namespace, by);
        let answers = Answers { facts, mounts, why, met: self.tick(), held, is_proven: false };
        self.finish(id, Entry::Resolved(Box::new(answers)));
        above
    }

    /// The namespaces that no source could open so far.
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
        let unproven = self.unproven.into_inner().unwrap_or_else(PoisonError::into_inner);
        for id in unproven.intersection(alive) {
            gaps.add(Missing::Identity, Reason::Limit, id.to_string());
        }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_number_that_leads_elsewhere_is_not_settled() {
        let options = Options::everything();
        let proc = Procfs::open(Path::new("/proc")).unwrap();
        let resolver =
            Resolver::new(&options, Means::of(&options, &proc), &proc, UidView::of_scanner(&proc));
        let own = proc.own_process().unwrap();
        let id = own.namespace(NamespaceType::Uts).unwrap();
        let (now, other) = (resolver.now(), || own.open_namespace(NamespaceType::Ipc));
        assert!(!resolver.meet(id, now, other));
        assert!(!resolver.is_settled(id));
        assert!(!resolver.meet_file(id, now, other));
        assert!(!resolver.is_settled(id));
        assert!(resolver.meet_file(id, now, || own.open_namespace(NamespaceType::Uts)));
        assert!(resolver.is_settled(id));
    }

    #[test]
    fn what_cannot_be_opened_is_settled() {
        let options = Options::everything();
        let proc = Procfs::open(Path::new("/proc")).unwrap();
        let resolver =
            Resolver::new(&options, Means::of(&options, &proc), &proc, UidView::of_scanner(&proc));
        let id = NamespaceId::new(NamespaceType::Uts, 4_026_000_000).unwrap();
        assert!(resolver.meet(id, resolver.now(), || Err(Errno::ACCESS)));
        assert!(resolver.is_settled(id) && !resolver.has(id));
    }
}
