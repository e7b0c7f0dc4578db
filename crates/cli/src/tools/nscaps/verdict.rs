//! The rules by which a process has capabilities in a namespace, see user_namespaces(7).
//!
//! Let P be the user namespace of the process, T the target if that is a user namespace, else the
//! one that owns the target:
//!
//! 1. P is T: the process has its effective capabilities.
//! 2. P is no ancestor of T: it has none.
//! 3. Let C be the child of P on the way down to T. If the process's effective UID created C, the
//!    process has all capabilities there.
//! 4. Otherwise its effective capabilities carry over to what is below P.
//!
//! A fact that is missing makes the verdict unknown, never a guess. What the rules leave out: that
//! having a capability need not suffice (LSMs, seccomp), nor need lacking it be the last word
//! (a set-user-ID program may gain it).

use std::collections::{HashMap, HashSet};
use std::{fmt, iter};

use lxkns_model::{Namespace, Part, Process, Relation, Snapshot};
use lxkns_species::{Capabilities, NamespaceId, NamespaceType, Pid, Uid};

/// Which capabilities a process has in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// None.
    None,
    /// Those that are effective in its own user namespace.
    Effective(Capabilities),
    /// All that there are; `None` if it is not known which ones the kernel knows.
    All(Option<Capabilities>),
    /// Nobody can tell.
    Unknown(Missing),
}

impl Verdict {
    /// The name in documents.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Verdict::None => "none",
            Verdict::Effective(_) => "effective",
            Verdict::All(_) => "all",
            Verdict::Unknown(_) => "unknown",
        }
    }

    /// The capabilities, if it is known which ones.
    pub(super) fn capabilities(&self) -> Option<Capabilities> {
        match *self {
            Verdict::None => Some(Capabilities::NONE),
            Verdict::Effective(set) => Some(set),
            Verdict::All(set) => set,
            Verdict::Unknown(_) => None,
        }
    }
}

/// The fact that stands in the way of a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The user namespace of the process.
    UserNamespace(Pid),
    /// Capabilities and user IDs of processes, all of them.
    Credentials(Pid),
    /// The effective capabilities of the process.
    Capabilities(Pid),
    /// The effective UID of the process.
    Euid(Pid),
    /// The owner of the target.
    Owner(NamespaceId),
    /// What is above this user namespace.
    Parent(NamespaceId),
    /// Who created this user namespace.
    Creator(NamespaceId),
    /// Whether two UIDs are the same that the scanner's user namespace has no mapping for.
    Unmapped,
}

/// What the kernel shows for users that have no UID in the reader's user namespace.
const OVERFLOW_UID: Uid = Uid(65534);

/// Judges about one process, in any number of namespaces: what is above one is only looked at once.
pub(super) struct Judge<'s> {
    snapshot: &'s Snapshot,
    process: Process<'s>,
    /// The user namespace of the process and those above it.
    above: HashSet<NamespaceId>,
    /// Whether every user has a UID of its own in the user namespace of the scan.
    maps_all: bool,
    /// The ways from the process's user namespace down that have been found so far.
    ways: HashMap<NamespaceId, Way<'s>>,
}

/// The child of the process's user namespace from which another one descends; none if it does not
/// descend from that.
type Way<'s> = Result<Option<Namespace<'s>>, Missing>;

/// The user namespace that counts for a target: itself, or its owner.
pub(super) fn user_namespace_of(target: Namespace<'_>) -> Option<Namespace<'_>> {
    match target.namespace_type() {
        NamespaceType::User => Some(target),
        _ => target.owner(),
    }
}

impl<'s> Judge<'s> {
    pub(super) fn of(snapshot: &'s Snapshot, process: Process<'s>) -> Judge<'s> {
        let own = process.namespace(NamespaceType::User);
        let above = own.into_iter().flat_map(|own| iter::once(own).chain(own.ancestors()));
        let reader = snapshot.host().scanner_namespaces.get(NamespaceType::User);
        let reader = reader.and_then(|id| snapshot.namespace(id));
        Judge {
            snapshot,
            process,
            above: above.map(Namespace::id).collect(),
            maps_all: reader.is_some_and(maps_all),
            ways: HashMap::new(),
        }
    }

    /// Which capabilities the process has in the target.
    pub(super) fn verdict(&mut self, target: Namespace<'s>) -> Verdict {
        self.judge(target).unwrap_or_else(Verdict::Unknown)
    }

    fn judge(&mut self, target: Namespace<'s>) -> Result<Verdict, Missing> {
        let Judge { snapshot, process, .. } = *self;
        let pid = process.pid();
        let own = process.namespace(NamespaceType::User);
        let own = own.ok_or(Missing::UserNamespace(pid))?;
        let target_user = user_namespace_of(target).ok_or(Missing::Owner(target.id()))?;
        let unread = |what: Missing| match snapshot.scope().parts.contains(Part::Credentials) {
            true => what,
            false => Missing::Credentials(pid),
        };
        let effective = || {
            let capabilities = process.effective_capabilities();
            capabilities.ok_or_else(|| unread(Missing::Capabilities(pid))).map(Verdict::Effective)
        };
        if own == target_user {
            return effective();
        }
        let Some(child) = self.way_down(own, target_user)? else {
            return Ok(Verdict::None);
        };
        let creator = child.creator().ok_or(Missing::Creator(child.id()))?;
        let euid = process.euid().ok_or_else(|| unread(Missing::Euid(pid)))?;
        if creator != euid {
            return effective();
        }
        if euid == OVERFLOW_UID && !self.maps_all {
            return Err(Missing::Unmapped);
        }
        let last = snapshot.host().last_capability;
        Ok(Verdict::All(last.map(Capabilities::up_to)))
    }

    /// The way from `own` down to `target`.
    fn way_down(&mut self, own: Namespace<'s>, target: Namespace<'s>) -> Way<'s> {
        let mut passed = Vec::new();
        let mut at = target;
        let way = loop {
            if let Some(known) = self.ways.get(&at.id()) {
                break known.clone();
            }
            passed.push(at.id());
            match at.parent() {
                Relation::Known(parent) if parent == own => break Ok(Some(at)),
                Relation::Known(parent) => at = parent,
                Relation::None => break Ok(None),
                // What is beyond reach cannot be below what is within.
                Relation::Unknown if self.above.contains(&at.id()) => break Ok(None),
                Relation::Unknown => break Err(Missing::Parent(at.id())),
            }
        };
        self.ways.extend(passed.into_iter().map(|id| (id, way.clone())));
        way
    }
}

/// Whether every user has a UID of its own in this user namespace.
fn maps_all(user: Namespace<'_>) -> bool {
    let counts = user.uid_map().unwrap_or_default().iter();
    let mapped: u64 = counts.map(|mapping| u64::from(mapping.count)).sum();
    // There is no UID 4,294,967,295.
    user.is_initial() == Some(true) || mapped >= u64::from(u32::MAX)
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::UserNamespace(pid) => {
                write!(f, "the user namespace of process {pid} could not be read")
            }
            Missing::Credentials(pid) => {
                write!(f, "the credentials of process {pid} were not looked for")
            }
            Missing::Capabilities(pid) => {
                write!(f, "the capabilities of process {pid} could not be read")
            }
            Missing::Euid(pid) => {
                write!(f, "the effective UID of process {pid} could not be read")
            }
            Missing::Owner(id) => write!(f, "the owner of {id} is not known"),
            Missing::Parent(id) => write!(f, "the parent of {id} is not known"),
            Missing::Creator(id) => write!(f, "the creator of {id} is not known"),
            Missing::Unmapped => f.write_str(
                "UID 65534 may stand for several users that have no UID in the user namespace \
                 of the scan",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use lxkns_model::{Facts, IdMapping, Joined, NamespaceFacts, ProcessFacts};
    use lxkns_species::Capability;

    use super::*;

    const SOME: Capabilities = Capabilities::from_bits(0b1011);
    const ALL: Capabilities = Capabilities::from_bits(0x1ff_ffff_ffff);

    fn id(namespace_type: NamespaceType, inode: u64) -> NamespaceId {
        NamespaceId::new(namespace_type, inode).unwrap()
    }

    fn user(inode: u64) -> NamespaceId {
        id(NamespaceType::User, inode)
    }

    /// User namespaces 1 ─ 2 ─ 3 ─ 4 and 1 ─ 5, created by the users 0, 1000, 2000, 3000, 1000; one
    /// net namespace 10n owned by each namespace n.
    fn facts() -> Facts {
        let mut facts = Facts::default();
        facts.host.last_capability = Capability::new(40);
        facts.host.scanner_namespaces = Joined::of([user(1)]);
        let users = [(1, None, 0), (2, Some(1), 1000), (3, Some(2), 2000), (4, Some(3), 3000)];
        for (inode, parent, creator) in users.into_iter().chain([(5, Some(1), 1000)]) {
            facts.namespaces.push(NamespaceFacts {
                parent: parent.map_or(Relation::None, |parent| Relation::Known(user(parent))),
                creator: Some(Uid(creator)),
                initial: Some(inode == 1),
                ..NamespaceFacts::new(user(inode))
            });
            facts.namespaces.push(NamespaceFacts {
                owner: Some(user(inode)),
                ..NamespaceFacts::new(id(NamespaceType::Net, 100 + inode))
            });
        }
        facts
    }

    fn process(euid: u32, namespace: u64) -> ProcessFacts {
        ProcessFacts {
            euid: Some(Uid(euid)),
            effective_capabilities: Some(SOME),
            namespaces: Joined::of([user(namespace)]),
            ..ProcessFacts::new(Pid(7))
        }
    }

    /// Checks what a process may do in a user namespace, and in what that one owns.
    fn check(mut facts: Facts, process: ProcessFacts, target: u64, expected: Verdict) {
        facts.processes.push(process);
        let snapshot = Snapshot::assemble(facts);
        let process = snapshot.process(Pid(7)).unwrap();
        for target in [user(target), id(NamespaceType::Net, 100 + target)] {
            let target = snapshot.namespace(target).unwrap();
            let mut judge = Judge::of(&snapshot, process);
            assert_eq!(judge.verdict(target), expected, "{target:?}");
            // It remembers the way there.
            assert_eq!(judge.verdict(target), expected, "{target:?}");
        }
    }

    #[test]
    fn effective_ones_in_the_own_user_namespace() {
        check(facts(), process(1000, 2), 2, Verdict::Effective(SOME));
        // Also for whoever created it, once inside.
        check(facts(), process(0, 1), 1, Verdict::Effective(SOME));
    }

    #[test]
    fn none_in_siblings_and_ancestors() {
        check(facts(), process(1000, 5), 2, Verdict::None);
        check(facts(), process(1000, 5), 4, Verdict::None);
        check(facts(), process(0, 2), 1, Verdict::None);
        check(facts(), process(0, 4), 2, Verdict::None);
    }

    #[test]
    fn effective_ones_carry_over_to_descendants() {
        check(facts(), process(4711, 1), 2, Verdict::Effective(SOME));
        check(facts(), process(4711, 1), 4, Verdict::Effective(SOME));
        // Not the creator of 2, though of 3 and 4.
        check(facts(), process(2000, 1), 3, Verdict::Effective(SOME));
        check(facts(), process(3000, 1), 4, Verdict::Effective(SOME));
    }

    #[test]
    fn all_for_the_creator_in_the_parent() {
        check(facts(), process(1000, 1), 2, Verdict::All(Some(ALL)));
        check(facts(), process(1000, 1), 5, Verdict::All(Some(ALL)));
        check(facts(), process(2000, 2), 3, Verdict::All(Some(ALL)));
    }

    #[test]
    fn all_for_the_creator_further_down() {
        check(facts(), process(1000, 1), 3, Verdict::All(Some(ALL)));
        check(facts(), process(1000, 1), 4, Verdict::All(Some(ALL)));
        check(facts(), process(2000, 2), 4, Verdict::All(Some(ALL)));
    }

    #[test]
    fn all_are_those_of_the_running_kernel() {
        let mut facts = facts();
        facts.host.last_capability = None;
        check(facts, process(1000, 1), 2, Verdict::All(None));
    }

    #[test]
    fn missing_credentials_are_no_guess() {
        let unknown = |missing| Verdict::Unknown(missing);
        let anonymous = ProcessFacts { euid: None, ..process(0, 1) };
        check(facts(), anonymous.clone(), 1, Verdict::Effective(SOME));
        check(facts(), anonymous, 2, unknown(Missing::Euid(Pid(7))));
        let powerless = ProcessFacts { effective_capabilities: None, ..process(0, 1) };
        check(facts(), powerless.clone(), 1, unknown(Missing::Capabilities(Pid(7))));
        check(facts(), powerless.clone(), 2, unknown(Missing::Capabilities(Pid(7))));
        let creator = ProcessFacts { euid: Some(Uid(1000)), ..powerless };
        check(facts(), creator, 2, Verdict::All(Some(ALL)));
        let nowhere = ProcessFacts { namespaces: Joined::default(), ..process(0, 1) };
        check(facts(), nowhere, 1, unknown(Missing::UserNamespace(Pid(7))));
    }

    #[test]
    fn an_unknown_creator_is_no_guess() {
        let mut facts = facts();
        for namespace in &mut facts.namespaces {
            namespace.creator = None;
        }
        let missing = |inode| Verdict::Unknown(Missing::Creator(user(inode)));
        check(facts.clone(), process(0, 1), 3, missing(2));
        check(facts.clone(), process(0, 2), 3, missing(3));
        check(facts.clone(), process(0, 2), 2, Verdict::Effective(SOME));
        check(facts, process(0, 2), 1, Verdict::None);
    }

    #[test]
    fn an_unknown_owner_is_no_guess() {
        let mut facts = facts();
        let orphan = id(NamespaceType::Net, 999);
        facts.namespaces.push(NamespaceFacts::new(orphan));
        facts.processes.push(process(0, 1));
        let snapshot = Snapshot::assemble(facts);
        let target = snapshot.namespace(orphan).unwrap();
        let mut judge = Judge::of(&snapshot, snapshot.process(Pid(7)).unwrap());
        assert_eq!(judge.verdict(target), Verdict::Unknown(Missing::Owner(orphan)));
    }

    #[test]
    fn disjoint_trees() {
        // The tree of 2 is cut off: what is above is unknown.
        let mut facts = facts();
        for namespace in &mut facts.namespaces {
            if namespace.id == user(2) {
                namespace.parent = Relation::Unknown;
            }
        }
        // 1 may well be above, 5 as well.
        let missing = Verdict::Unknown(Missing::Parent(user(2)));
        check(facts.clone(), process(0, 1), 2, missing.clone());
        check(facts.clone(), process(0, 5), 4, missing);
        // But nothing that is below, nor can 1 be below anything.
        check(facts.clone(), process(0, 3), 2, Verdict::None);
        check(facts.clone(), process(0, 3), 1, Verdict::None);
        check(facts.clone(), process(0, 2), 5, Verdict::None);
        check(facts, process(2000, 2), 3, Verdict::All(Some(ALL)));
    }

    #[test]
    fn users_without_a_uid_cannot_be_told_apart() {
        let mut facts = facts();
        for namespace in &mut facts.namespaces {
            namespace.creator = Some(OVERFLOW_UID);
        }
        // In the initial user namespace, 65534 is just another user.
        check(facts.clone(), process(65534, 1), 2, Verdict::All(Some(ALL)));
        facts.host.scanner_namespaces = Joined::of([user(2)]);
        let mut all_mapped = facts.clone();
        for namespace in all_mapped.namespaces.iter_mut().filter(|it| it.id == user(2)) {
            let (inside, outside, count) = (0, 0, u32::MAX);
            namespace.uid_map = Some(vec![IdMapping { inside, outside, count }]);
        }
        check(all_mapped, process(65534, 2), 3, Verdict::All(Some(ALL)));
        check(facts.clone(), process(65534, 2), 3, Verdict::Unknown(Missing::Unmapped));
        check(facts, process(0, 2), 3, Verdict::Effective(SOME));
    }
}
