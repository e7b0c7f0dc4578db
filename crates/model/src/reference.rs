//! Paths that open a namespace.
//!
//! A namespace is entered through a file that refers to it. Which files do so follows from who
//! holds it, so a path is not stored anywhere; it is derived here, and where a document has nothing
//! but the path, read back into the holder.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::os::unix::ffi::OsStrExt as _;

#[cfg(feature = "wire")]
use lxkns_species::Pid;
use lxkns_species::{NamespaceId, NamespaceType, Reference};

use crate::{FileKind, Holder, MountKind, Namespace, NamespaceFacts, Snapshot, Text};

impl<'s> Namespace<'s> {
    /// A path that opens this namespace, as seen by the scanner in its mount namespace, as long as
    /// the process, descriptor or mount behind it is there.
    ///
    /// In order of preference: the most senior leader, a thread, a process whose next child will
    /// be in it, a file descriptor, a bind mount in the scanner's mount namespace, a bind mount in
    /// a mount namespace that some process is in (`/proc/PID/root`, which is exact unless that
    /// process has changed its root directory). A mount that another namespace is mounted over, or
    /// under, is none of them. `None` if none of these hold it, as with hidden namespaces, and with
    /// those that only sockets hold.
    pub fn path(self) -> Option<Text> {
        let namespace_type = self.namespace_type();
        if let Some(leader) = self.senior_leader() {
            return text(Reference::Process(leader.pid(), namespace_type));
        }
        let best = self
            .holders()
            .iter()
            .filter_map(|holder| Some((self.rank(holder)?, holder)))
            .min_by_key(|(rank, _)| *rank)?
            .1;
        Some(match best {
            Holder::Mount { kind: MountKind::Bind, mount_namespace, path }
                if *mount_namespace == self.scanners_mount_namespace() =>
            {
                path.clone()
            }
            Holder::Mount { kind: MountKind::Bind, mount_namespace, path } => {
                let inside = self.snapshot.namespace((*mount_namespace)?)?;
                let mut root = format!("/proc/{}/root", inside.senior_leader()?.pid()).into_bytes();
                root.extend_from_slice(path.as_bytes());
                root.into()
            }
            holder => return text(holder.reference(namespace_type)?),
        })
    }

    /// How good a reference this holder makes, lower being better.
    fn rank(self, holder: &Holder) -> Option<u8> {
        match holder {
            mount if self.snapshot.is_stacked(mount) => None,
            Holder::Thread { .. } => Some(0),
            Holder::PendingChildren { .. } => {
                self.namespace_type().proc_file_for_children().map(|_| 1)
            }
            Holder::File { kind: FileKind::Namespace, .. } => Some(2),
            Holder::Mount { kind: MountKind::Bind, mount_namespace, .. }
                if *mount_namespace == self.scanners_mount_namespace() =>
            {
                Some(3)
            }
            Holder::Mount { kind: MountKind::Bind, mount_namespace, .. } => {
                let inside = self.snapshot.namespace((*mount_namespace)?)?;
                inside.senior_leader().map(|_| 4)
            }
            _ => None,
        }
    }

    fn scanners_mount_namespace(self) -> Option<NamespaceId> {
        let scanner = &self.snapshot.host().scanner_namespaces;
        scanner.get(NamespaceType::Mnt)
    }
}

impl Snapshot {
    /// Whether this holder is a mount, and more than one namespace is mounted at its very place.
    /// Only the one on top can be reached there, and nothing tells which that is.
    pub fn is_stacked(&self, holder: &Holder) -> bool {
        place(holder).is_some_and(|place| self.stacked.contains(&place))
    }
}

/// A mount namespace, if it is known, and a path in there.
pub(crate) type Place = (Option<NamespaceId>, Text);

/// The places at which more than one of these namespaces is mounted.
pub(crate) fn stacked<'f>(namespaces: impl Iterator<Item = &'f NamespaceFacts>) -> BTreeSet<Place> {
    let mut first = HashMap::new();
    let mut stacked = BTreeSet::new();
    for namespace in namespaces {
        for place in namespace.holders.iter().filter_map(place) {
            match first.entry(place) {
                Entry::Vacant(free) => _ = free.insert(namespace.id),
                Entry::Occupied(taken) if *taken.get() != namespace.id => {
                    stacked.insert(taken.key().clone());
                }
                Entry::Occupied(_) => {}
            }
        }
    }
    stacked
}

/// Where a holder is mounted, if it is a mount.
fn place(holder: &Holder) -> Option<Place> {
    match holder {
        Holder::Mount { mount_namespace, path, .. } => Some((*mount_namespace, path.clone())),
        _ => None,
    }
}

/// The holder behind a path such as [`Namespace::path`] gives.
///
/// `None` for a process that is joined to the namespace, which is no holder of its own, and for
/// paths of any other form.
#[cfg(feature = "wire")]
pub(crate) fn holder_behind(
    path: &str,
    mount_namespace_of: impl Fn(Pid) -> Option<NamespaceId>,
) -> Option<Holder> {
    let bind_mount = |mount_namespace, path: &str| Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace,
        path: path.into(),
    };
    let Some(below_proc) = path.strip_prefix("/proc/") else {
        // The mount namespace is the scanner's, whichever that was.
        return path.starts_with('/').then(|| bind_mount(None, path));
    };
    let (pid, file) = below_proc.split_once('/')?;
    let pid: Pid = pid.parse().ok()?;
    if let Some(inside) = file.strip_prefix("root/") {
        let path = format!("/{inside}");
        return Some(bind_mount(Some(mount_namespace_of(pid)?), &path));
    }
    let (tid, file) = match file.strip_prefix("task/") {
        Some(task) => {
            let (tid, file) = task.split_once('/')?;
            (Some(tid.parse().ok()?), file)
        }
        None => (None, file),
    };
    if let Some(fd) = file.strip_prefix("fd/") {
        let fd = fd.parse().ok()?;
        return Some(Holder::File { kind: FileKind::Namespace, pid, tid, fd });
    }
    let mut types = NamespaceType::ALL.into_iter();
    if types.any(|its| its.proc_file_for_children() == Some(file)) {
        return Some(Holder::PendingChildren { pid, tid });
    }
    let tid = tid.filter(|_| file.starts_with("ns/"))?;
    Some(Holder::Thread { pid, tid })
}

fn text(reference: Reference) -> Option<Text> {
    Some(Text::from(reference.path()?.as_os_str().as_bytes()))
}

#[cfg(test)]
#[cfg(feature = "wire")]
mod tests;
