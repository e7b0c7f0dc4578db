//! Which mounts have to be unmounted, and in which order, such that others go along.
//!
//! Unmounting a mount takes with it whatever is mounted at the same directory entry on all mounts
//! that receive propagation from the one that it is mounted on: its peers, their slaves, and so on
//! (mount_namespaces(7)). So one unmount is enough for each tree of them, and only at its top. A
//! copy with something mounted below it stays; one that is merely covered by another mount goes
//! from under it. The mount that is unmounted itself has to be bare, and its path must lead to it:
//! what is mounted on it or over its path comes first.
//!
//! A copy in a mount namespace of another user namespace may be locked there. Linux 6.18 takes it
//! along all the same, earlier kernels may not: it counts as one that stays, and then the plan is
//! not known to be the least.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::iter::successors;

use lxkns_species::{NamespaceId, NamespaceType};

use super::MountPoint;
use crate::{Holder, MountFacts, Namespace, Snapshot, Text};

/// Looks at the mounts of trees that a plan takes at most, a second or two. Trees are found anew
/// when a copy stays, so a document could make the time grow with the square of its size.
const MAX_LOOKS: usize = 1 << 24;

/// One mount to be unmounted.
pub(super) struct Unmount<'s> {
    pub(super) mount: &'s MountFacts,
    /// The other mounts that go with it.
    pub(super) along: Vec<MountPoint>,
    /// The namespaces that it is about: those held by mounts that go, or by one that it is in the
    /// way of.
    pub(super) frees: BTreeSet<NamespaceId>,
}

/// Mounts at one directory entry of which one unmount reaches all.
#[derive(Default)]
struct Tree {
    /// Those that have to go, on the peers at the top: with each of them, all others go.
    tops: Vec<usize>,
    others: Vec<usize>,
}

/// The trees at one directory entry, by the peer group at the top, and which one each is in.
#[derive(Default)]
struct Trees {
    of: HashMap<u64, Tree>,
    top: HashMap<usize, u64>,
}

/// Where something is mounted, and that is all that counts: device, and path in the file system.
type Entry = (u64, Vec<u8>);

/// What would happen to the mounts of a snapshot.
pub(super) struct Mounts<'s> {
    snapshot: &'s Snapshot,
    mounts: &'s [MountFacts],
    /// By what they hold, and where.
    holding: HashMap<(NamespaceId, NamespaceId, &'s Text), VecDeque<usize>>,
    is_there: Vec<bool>,
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    /// The mount on another at a path.
    by_path: HashMap<(usize, &'s [u8]), usize>,
    /// The number of the directory entry that each is mounted at, if that is known.
    entries: Vec<Option<usize>>,
    at_entry: Vec<Vec<usize>>,
    /// The peer group that each peer group is a slave of; `None` for that of a master.
    masters: HashMap<u64, Option<u64>>,
    /// The mounts that have to go, and what they are about.
    wanted: HashMap<usize, NamespaceId>,
    /// By directory entry, as far as they were needed.
    trees: HashMap<usize, Trees>,
    /// Whether nothing lies over the path of a mount, nor over that of any mount below it. This
    /// stays so, as mounts only go.
    is_clear: Vec<bool>,
    /// Looks left, see [`MAX_LOOKS`]. Once there are none, each mount is a tree of its own.
    looks: usize,
    /// Whether it is sure that no fewer unmounts are enough.
    pub(super) is_least: bool,
}

impl<'s> Mounts<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, goes: impl Fn(NamespaceId) -> bool) -> Mounts<'s> {
        let mounts = snapshot.mounts();
        let numbers: HashMap<(NamespaceId, u64), usize> =
            mounts.iter().enumerate().map(|(at, it)| ((it.mount_namespace, it.id), at)).collect();
        let mut this = Mounts {
            snapshot,
            mounts,
            holding: HashMap::new(),
            is_there: vec![true; mounts.len()],
            parents: vec![None; mounts.len()],
            children: vec![Vec::new(); mounts.len()],
            by_path: HashMap::new(),
            entries: vec![None; mounts.len()],
            at_entry: Vec::new(),
            masters: HashMap::new(),
            wanted: HashMap::new(),
            trees: HashMap::new(),
            is_clear: vec![false; mounts.len()],
            looks: MAX_LOOKS,
            is_least: true,
        };
        let mut entries: HashMap<Entry, usize> = HashMap::new();
        for (at, mount) in mounts.iter().enumerate() {
            if goes(mount.mount_namespace) {
                set(&mut this.is_there, at, false);
                continue;
            }
            if let Some(held) = mount.holds {
                let key = (held, mount.mount_namespace, &mount.path);
                this.holding.entry(key).or_default().push_back(at);
            }
            if let Some(group) = mount.peer_group {
                this.masters.insert(group, mount.master);
            }
            let parent = numbers.get(&(mount.mount_namespace, mount.parent));
            let Some(&parent) = parent.filter(|parent| **parent != at) else { continue };
            set(&mut this.parents, at, Some(parent));
            if let Some(children) = this.children.get_mut(parent) {
                children.push(at);
            }
            this.by_path.insert((parent, mount.path.as_bytes()), at);
            let entry = mounts.get(parent).and_then(|parent| entry(parent, mount));
            if let Some(entry) = entry {
                let number = *entries.entry(entry).or_insert_with(|| {
                    this.at_entry.push(Vec::new());
                    this.at_entry.len() - 1
                });
                set(&mut this.entries, at, Some(number));
                if let Some(there) = this.at_entry.get_mut(number) {
                    there.push(at);
                }
            }
        }
        this
    }

    /// Takes note of a mount that has to go. Each of several at one place is another one.
    ///
    /// `false` if it is not known which mount that is.
    pub(super) fn want(&mut self, held: NamespaceId, holder: &'s Holder) -> bool {
        let mount = match holder {
            Holder::Mount { mount_namespace: Some(mount_namespace), path, .. } => {
                self.holding.get_mut(&(held, *mount_namespace, path)).and_then(VecDeque::pop_front)
            }
            _ => None,
        };
        if let Some(mount) = mount {
            self.wanted.insert(mount, held);
        }
        mount.is_some()
    }

    /// What to unmount, in this order.
    pub(super) fn plan(&mut self) -> Vec<Unmount<'s>> {
        let mut steps = Vec::new();
        let mut wanted: Vec<usize> = self.wanted.keys().copied().collect();
        let own = self.snapshot.host().scanner_namespaces.get(NamespaceType::Mnt);
        let elsewhere = |at: usize| self.mount(at).map(|it| Some(it.mount_namespace) != own);
        wanted.sort_unstable_by_key(|at| (elsewhere(*at), *at));
        let mut met = HashSet::new();
        for first in wanted {
            let mut waiting = vec![first];
            while let Some(&at) = waiting.last() {
                if !self.is_there(at) {
                    waiting.pop();
                    continue;
                }
                let tree = self.tree(at);
                let (top, obstacles) = self.easiest(at, &tree);
                let obstacles: Vec<usize> =
                    obstacles.into_iter().filter(|obstacle| met.insert(*obstacle)).collect();
                if obstacles.is_empty() {
                    waiting.pop();
                    steps.extend(self.unmount(top, &tree));
                    if self.is_there(at) {
                        waiting.push(at);
                    }
                    continue;
                }
                let about = self.wanted.get(&at).copied();
                for obstacle in obstacles {
                    if let Some(about) = about
                        && !self.wanted.contains_key(&obstacle)
                    {
                        self.wanted.insert(obstacle, about);
                        self.forget_trees(obstacle);
                    }
                    waiting.push(obstacle);
                }
            }
        }
        steps
    }

    fn is_there(&self, at: usize) -> bool {
        self.is_there.get(at).copied().unwrap_or_default()
    }

    fn parent(&self, at: usize) -> Option<usize> {
        self.parents.get(at).copied().flatten()
    }

    fn mount(&self, at: usize) -> Option<&'s MountFacts> {
        self.mounts.get(at)
    }

    fn children(&self, at: usize) -> impl Iterator<Item = usize> {
        let children = self.children.get(at).map(Vec::as_slice).unwrap_or_default();
        children.iter().copied().filter(|child| self.is_there(*child))
    }

    /// The mounts that one unmount reaches together with this one.
    fn tree(&mut self, at: usize) -> Tree {
        let alone = Tree { tops: vec![at], others: Vec::new() };
        let Some(parent) = self.parent(at).and_then(|parent| self.mount(parent)) else {
            return alone;
        };
        if (parent.peer_group, parent.master) == (None, None) {
            return alone;
        }
        let Some(entry) = self.entries.get(at).copied().flatten() else {
            self.is_least = false;
            return alone;
        };
        let size = self.at_entry.get(entry).map_or(0, Vec::len);
        let Some(looks) = self.looks.checked_sub(size) else {
            self.is_least = false;
            return alone;
        };
        self.looks = looks;
        if !self.trees.contains_key(&entry) {
            let trees = self.trees_at(entry);
            self.trees.insert(entry, trees);
        }
        let trees = self.trees.get(&entry);
        let Some(tree) = trees.and_then(|trees| trees.of.get(trees.top.get(&at)?)) else {
            return alone;
        };
        let left = |list: &[usize]| -> Vec<usize> {
            list.iter().copied().filter(|it| self.is_there(*it)).collect()
        };
        Tree { tops: left(&tree.tops), others: left(&tree.others) }
    }

    /// The trees of all that is mounted at a directory entry, by what has to go of it.
    fn trees_at(&mut self, entry: usize) -> Trees {
        let there: Vec<(usize, &MountFacts)> = self
            .at_entry
            .get(entry)
            .into_iter()
            .flatten()
            .filter(|it| self.is_there(**it))
            .filter_map(|it| Some((*it, self.mount(self.parent(*it)?)?)))
            .collect();
        let is_wanted = |it: &usize| self.wanted.contains_key(it);
        let wanted = || there.iter().filter(|(it, _)| is_wanted(it)).map(|(_, parent)| *parent);
        let groups: HashSet<u64> = wanted().filter_map(|parent| parent.peer_group).collect();
        let mut known = HashMap::new();
        let mut trees = Trees::default();
        for (it, parent) in &there {
            let from = parent.master.and_then(|master| self.top(master, &groups, &mut known));
            let Some(top) = from.or(parent.peer_group.filter(|own| groups.contains(own))) else {
                continue;
            };
            trees.top.insert(*it, top);
            let tree = trees.of.entry(top).or_default();
            match parent.peer_group == Some(top) && is_wanted(it) {
                true => tree.tops.push(*it),
                false => tree.others.push(*it),
            }
        }
        // Of a master that no known mount is in, it is not known whether it is a slave itself.
        let is_open = |it: &MountFacts| it.master.is_some_and(|it| !self.masters.contains_key(&it));
        let alone = wanted().count() - trees.of.values().map(|it| it.tops.len()).sum::<usize>();
        if trees.of.len() + alone > 1 && !groups.is_empty() && wanted().any(is_open) {
            self.is_least = false;
        }
        trees
    }

    /// The uppermost of these peer groups from which a group receives propagation, itself included.
    fn top(
        &self,
        group: u64,
        groups: &HashSet<u64>,
        known: &mut HashMap<u64, Option<u64>>,
    ) -> Option<u64> {
        let mut way = Vec::new();
        let mut at = Some(group);
        let mut top = None;
        while let Some(group) = at {
            if let Some(found) = known.get(&group) {
                top = *found;
                break;
            }
            // In a circle, which only a document can have, the way ends where it began.
            known.insert(group, None);
            way.push(group);
            at = self.masters.get(&group).copied().flatten();
        }
        for group in way.into_iter().rev() {
            top = top.or(groups.contains(&group).then_some(group));
            known.insert(group, top);
        }
        top
    }

    /// The mount at the top of a tree with the least in its way, and what has to be unmounted
    /// before it.
    fn easiest(&mut self, at: usize, tree: &Tree) -> (usize, Vec<usize>) {
        let own = self.snapshot.host().scanner_namespaces.get(NamespaceType::Mnt);
        let mut rank = |it: usize| {
            let in_the_way = self.in_the_way(it);
            self.looks = self.looks.saturating_sub(in_the_way.len());
            let elsewhere = self.mount(it).map(|it| Some(it.mount_namespace) != own);
            (in_the_way.len(), elsewhere, it, in_the_way)
        };
        let easiest = tree.tops.iter().map(|it| rank(*it)).min();
        let (_, _, top, mut obstacles) = easiest.unwrap_or_else(|| rank(at));
        for other in tree.tops.iter().chain(&tree.others).filter(|other| **other != top) {
            if self.wanted.contains_key(other) && !self.goes_along(*other) {
                obstacles.extend(self.children(*other));
            }
        }
        (top, obstacles)
    }

    /// What is mounted on a mount, and what lies over its path.
    fn in_the_way(&mut self, at: usize) -> Vec<usize> {
        let mut found: Vec<usize> = self.children(at).collect();
        let on_it = found.len();
        let mut way = Vec::new();
        let mut link = at;
        while let Some(parent) = self.parent(link)
            && !self.is_clear.get(link).copied().unwrap_or_default()
            // A way that is longer than there are mounts goes round in a circle.
            && way.len() < self.mounts.len()
        {
            way.push((link, parent));
            link = parent;
        }
        // From the lowest mount up: one that is clear makes the next one so.
        for (link, parent) in way.into_iter().rev() {
            found.extend(self.over(link, parent));
            if found.len() == on_it {
                set(&mut self.is_clear, link, true);
            }
        }
        found
    }

    /// What lies over the path of a mount on the mount that it is on.
    fn over(&self, at: usize, parent: usize) -> impl Iterator<Item = usize> {
        let path = |at: usize| self.mount(at).map_or(&b""[..], |it| it.path.as_bytes());
        let least = path(parent).len();
        let prefixes = prefixes(path(at)).take_while(move |path| path.len() >= least);
        let over = prefixes.filter_map(move |path| self.by_path.get(&(parent, path)).copied());
        over.filter(move |over| *over != at && self.is_there(*over))
    }

    /// Whether a copy goes along with what it is a copy of: nothing is mounted below it. What is
    /// mounted right on it does not matter.
    fn goes_along(&self, at: usize) -> bool {
        let path = self.mount(at).map(|it| &it.path);
        let mut children = self.children(at);
        match (children.next(), children.next()) {
            (None, _) => true,
            (Some(child), None) => self.mount(child).map(|it| &it.path) == path,
            (Some(_), Some(_)) => false,
        }
    }

    /// Whether a copy may be locked where it is, as seen from where another one is unmounted.
    fn may_be_locked(&self, copy: &MountFacts, unmounted: &MountFacts) -> bool {
        let owner =
            |it: &MountFacts| Some(self.snapshot.namespace(it.mount_namespace)?.owner()?.id());
        copy.mount_namespace != unmounted.mount_namespace && owner(copy) != owner(unmounted)
    }

    fn unmount(&mut self, top: usize, tree: &Tree) -> Option<Unmount<'s>> {
        let mount = self.mount(top)?;
        let mut frees: BTreeSet<NamespaceId> = self.wanted.get(&top).copied().into_iter().collect();
        let mut along = Vec::new();
        for &copy in tree.tops.iter().chain(&tree.others).filter(|copy| **copy != top) {
            let Some(it) = self.mount(copy) else { continue };
            let is_wanted = self.wanted.contains_key(&copy);
            if self.may_be_locked(it, mount) {
                self.is_least &= !is_wanted;
            } else if self.goes_along(copy) {
                frees.extend(self.wanted.get(&copy));
                along.push(MountPoint {
                    mount_namespace: Some(it.mount_namespace),
                    path: it.path.clone(),
                });
                self.take_away(copy);
                continue;
            }
            // It is a tree of its own from now on.
            self.forget_trees(copy);
        }
        self.take_away(top);
        Some(Unmount { mount, along, frees })
    }

    fn forget_trees(&mut self, at: usize) {
        if let Some(entry) = self.entries.get(at).copied().flatten() {
            self.trees.remove(&entry);
        }
    }

    /// A mount is gone; what was mounted right on it comes to stand where it was.
    fn take_away(&mut self, at: usize) {
        set(&mut self.is_there, at, false);
        let (parent, entry) = (self.parent(at), self.entries.get(at).copied().flatten());
        let orphans: Vec<usize> = self.children(at).collect();
        for orphan in orphans {
            set(&mut self.parents, orphan, parent);
            set(&mut self.entries, orphan, entry);
            if let Some(siblings) = parent.and_then(|parent| self.children.get_mut(parent)) {
                siblings.push(orphan);
            }
            if let Some(there) = entry.and_then(|entry| self.at_entry.get_mut(entry)) {
                there.push(orphan);
            }
            self.forget_trees(orphan);
            if let (Some(parent), Some(mount)) = (parent, self.mount(orphan)) {
                self.by_path.insert((parent, mount.path.as_bytes()), orphan);
            }
        }
    }
}

/// The mounts that hold any of these, and that nothing but the end of their mount namespace
/// unmounts: another mount covers the root directory of the one that they are on, or of one above.
/// No path leads below it, and the cover itself, once entered, is the root directory of whoever
/// would unmount it (umount2(2) makes that one read-only instead).
pub(super) fn out_of_reach(snapshot: &Snapshot, held: &[Namespace<'_>]) -> Vec<MountPoint> {
    let mounts = snapshot.mounts();
    let is_cover = |it: &&MountFacts| it.path.as_bytes() == b"/" && it.parent != it.id;
    let covered: HashSet<(NamespaceId, u64)> =
        mounts.iter().filter(is_cover).map(|it| (it.mount_namespace, it.parent)).collect();
    if covered.is_empty() {
        return Vec::new();
    }
    let held: HashSet<NamespaceId> = held.iter().map(|it| it.id()).collect();
    let by_id: HashMap<(NamespaceId, u64), &MountFacts> =
        mounts.iter().map(|it| ((it.mount_namespace, it.id), it)).collect();
    let above = |it: &&MountFacts| {
        let parent = by_id.get(&(it.mount_namespace, it.parent)).copied();
        parent.filter(|parent| parent.id != it.id)
    };
    let is_below_cover = |it: &MountFacts| {
        it.path.as_bytes() != b"/" && covered.contains(&(it.mount_namespace, it.parent))
    };
    mounts
        .iter()
        .filter(|it| it.holds.is_some_and(|holds| held.contains(&holds)))
        // In a circle, which only a document can have, the way up has no end.
        .filter(|it| successors(Some(*it), above).take(mounts.len()).any(is_below_cover))
        .map(|it| MountPoint { mount_namespace: Some(it.mount_namespace), path: it.path.clone() })
        .collect()
}

fn set<T>(list: &mut [T], at: usize, value: T) {
    if let Some(place) = list.get_mut(at) {
        *place = value;
    }
}

/// The directory entry that a mount is mounted at, in the file system of the one that it is on.
fn entry(parent: &MountFacts, mount: &MountFacts) -> Option<Entry> {
    let (above, path) = (parent.path.as_bytes(), mount.path.as_bytes());
    let below = path.strip_prefix(if above == b"/" { &b""[..] } else { above })?;
    if path.is_empty() || !matches!(below.first(), None | Some(b'/')) {
        return None;
    }
    let mut entry = parent.root.as_bytes().to_vec();
    if below.len() > 1 {
        if entry.ends_with(b"/") {
            entry.pop();
        }
        entry.extend_from_slice(below);
    }
    Some((parent.device, entry))
}

/// A path and all that are above it, the longest first, with `/` at last.
fn prefixes(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
    let above = slashes.map(|(at, _)| path.get(..at.max(1)).unwrap_or_default());
    std::iter::once(path).chain(above)
}
