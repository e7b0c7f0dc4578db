//! The table of mounts of one mount namespace, and which of its mounts matter.
//!
//! A mount that holds a namespace goes when it is unmounted, or along with another one: then it
//! matters what it is mounted on and who shares that. It cannot be unmounted while another mount
//! lies over its path, or stands on it. All of that follows from the numbers and the places of the
//! mounts; the texts of a table that the kernel lists are only asked for where they are needed.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use lxkns_model::{MountFacts, Text};
use lxkns_species::NamespaceId;

/// What is mounted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mounted {
    Namespace(NamespaceId),
    /// A procfs, which shows a PID namespace.
    Proc,
    /// A file or directory in a procfs.
    PartOfProc,
}

/// A mount, maybe without its path and root yet.
pub(super) struct Row {
    pub(super) mount: MountFacts,
    pub(super) what: Option<Mounted>,
    pub(super) is_described: bool,
}

/// All mounts of a mount namespace, or all that can be seen of it.
pub(super) struct Table<D> {
    rows: Vec<Row>,
    by_number: HashMap<u64, usize>,
    children: HashMap<u64, Vec<usize>>,
    /// Asks for the path and the root of a mount; `None` if it is gone.
    describe: D,
}

impl<D: FnMut(&MountFacts) -> Option<(Text, Text)>> Table<D> {
    pub(super) fn new(rows: Vec<Row>, describe: D) -> Table<D> {
        let by_number = rows.iter().enumerate().map(|(at, row)| (row.mount.id, at)).collect();
        let mut children: HashMap<u64, Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            if row.mount.parent != row.mount.id {
                children.entry(row.mount.parent).or_default().push(at);
            }
        }
        Table { rows, by_number, children, describe }
    }

    /// The mounts with something of interest, and the others that matter for unmounting these.
    ///
    /// To unmount the procfs with this device would end nothing.
    pub(super) fn into_relevant(
        mut self,
        initial_procfs: Option<u64>,
    ) -> (Vec<(MountFacts, Mounted)>, Vec<MountFacts>) {
        let is_of_use = |row: &Row| match row.what {
            Some(Mounted::Proc) => Some(row.mount.device) != initial_procfs,
            what => what.is_some(),
        };
        let of_use = |(at, row): (usize, &Row)| is_of_use(row).then_some(at);
        let holding: Vec<usize> = self.rows.iter().enumerate().filter_map(of_use).collect();
        let relevant = self.relevant(&holding);
        let (mut of_interest, mut others) = (Vec::new(), Vec::new());
        for (at, Row { mount, what, is_described }) in self.rows.into_iter().enumerate() {
            match what {
                Some(what) if is_described => of_interest.push((mount, what)),
                None if relevant.contains(&at) => others.push(mount),
                _ => {}
            }
        }
        (of_interest, others)
    }

    fn relevant(&mut self, holding: &[usize]) -> HashSet<usize> {
        let mut relevant = HashSet::new();
        // What each of these is mounted on, up to the root, and what lies over the way there.
        let mut waiting: Vec<usize> = holding.to_vec();
        let mut below: Vec<usize> = holding.to_vec();
        let mut by_path: HashMap<u64, HashMap<Text, usize>> = HashMap::new();
        while let Some(at) = waiting.pop() {
            if !relevant.insert(at) || !self.is_there(at) {
                continue;
            }
            let Some(row) = self.rows.get(at) else { continue };
            let (parent, path) = (row.mount.parent, row.mount.path.clone());
            let Some(&above) = self.by_number.get(&parent).filter(|above| **above != at) else {
                continue;
            };
            waiting.push(above);
            let siblings = match by_path.entry(parent) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let siblings = self.children.get(&parent).cloned().unwrap_or_default();
                    let mut paths = HashMap::new();
                    for sibling in siblings {
                        if self.is_there(sibling)
                            && let Some(row) = self.rows.get(sibling)
                        {
                            paths.insert(row.mount.path.clone(), sibling);
                        }
                    }
                    new.insert(paths)
                }
            };
            for prefix in prefixes(path.as_bytes()) {
                if let Some(over) = siblings.get(&Text::from(prefix)).filter(|over| **over != at) {
                    waiting.push(*over);
                    below.push(*over);
                }
            }
        }
        // What stands on any of these.
        let mut met = HashSet::new();
        while let Some(at) = below.pop() {
            if !met.insert(at) {
                continue;
            }
            let Some(row) = self.rows.get(at) else { continue };
            let children = self.children.get(&row.mount.id).cloned().unwrap_or_default();
            for child in children {
                if self.is_there(child) {
                    relevant.insert(child);
                    below.push(child);
                }
            }
        }
        relevant
    }

    /// Whether a mount is still there; then its path and root are known.
    fn is_there(&mut self, at: usize) -> bool {
        let Some(row) = self.rows.get_mut(at) else { return false };
        if !row.is_described
            && let Some((path, root)) = (self.describe)(&row.mount)
        {
            row.mount.path = path;
            row.mount.root = root;
            row.is_described = true;
        }
        row.is_described
    }
}

/// A path and all that are above it, with `/` at last.
fn prefixes(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
    let above = slashes.map(|(at, _)| path.get(..at.max(1)).unwrap_or_default());
    std::iter::once(path).chain(above)
}
