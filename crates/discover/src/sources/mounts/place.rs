//! One mount namespace: what is mounted in it, and a way to get there.
//!
//! Three ways lead to its table of mounts, the best first:
//!
//! 1. the kernel lists the mounts of any mount namespace (listmount(2), from Linux 6.12 on for
//!    those of others), also those that cannot be reached from its root;
//! 2. a short-lived child looks into it ([`MountView`]);
//! 3. a process that is joined to it has it in its mountinfo, as far as its own root directory
//!    goes: a chrooted one hides the rest, and only sometimes shows that it does.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::PoisonError;
use std::time::Instant;

use lxkns_model::{Missing, MountFacts, Reason, Text};
use lxkns_ops::mounts::{self, MountId, NSFS_MAGIC, Of, PROC_MAGIC};
use lxkns_ops::visit::{MountView, root_of};
use lxkns_ops::{Error, NamespaceFd};
use lxkns_species::{NamespaceId, NamespaceType, Pid};
use rustix::io::Errno;

use super::table::{Mounted, Row, Table};
use super::target::Target;
use crate::context::Context;
use crate::gaps::reason;
use crate::procfs::mountinfo::is_member;
use crate::procfs::{Kind, mountinfo};
use crate::resolve::Time;
use lxkns_ops::foreign::mount_id;

/// A mount namespace that is being walked through.
pub(super) struct Place<'t> {
    pub(super) id: NamespaceId,
    root: Root<'t>,
    pub(super) entries: std::vec::IntoIter<Entry>,
    /// The mounts that hold nothing, but matter for unmounting those that do.
    pub(super) others: Vec<MountFacts>,
    /// Whether the mounts have been noted already.
    pub(super) is_known: bool,
    /// Before the table was read.
    pub(super) time: Time,
}

/// A mount of interest.
pub(super) struct Entry {
    pub(super) mount: MountFacts,
    pub(super) what: Mounted,
}

/// The mounts of interest, and the others that matter for unmounting them.
type Mounts = (Vec<(MountFacts, Mounted)>, Vec<MountFacts>);

/// The root directory of a mount namespace.
enum Root<'t> {
    Open(OwnedFd),
    /// Not needed so far: most namespaces that are mounted somewhere have been met elsewhere.
    Unvisited {
        way: Way<'t>,
        root: OnceCell<Result<OwnedFd, Reason>>,
    },
    Unreachable,
}

/// How to get to a mount namespace that has not been visited yet.
enum Way<'t> {
    /// It is open, and may have a member: the way in for a scanner that may not visit it.
    Open(NamespaceFd, Option<Pid>),
    /// It was not even needed to open it.
    Closed(&'t Target),
}

impl Way<'_> {
    fn root(&self, context: &Context<'_>) -> Result<OwnedFd, Reason> {
        match self {
            Way::Open(namespace, member) => root_directory(context, namespace, *member),
            Way::Closed(target) => {
                let member = target.members.first().copied();
                let mut outcome = Err(Reason::Gone);
                for namespace in target.handles(context) {
                    outcome = namespace.and_then(|open| root_directory(context, &open, member));
                    if !matches!(outcome, Err(Reason::Gone)) {
                        break;
                    }
                }
                outcome
            }
        }
    }
}

impl<'t> Place<'t> {
    /// The root directory, opened with `O_PATH`.
    pub(super) fn root(&self, context: &Context<'_>) -> Result<&OwnedFd, Reason> {
        match &self.root {
            Root::Open(root) => Ok(root),
            Root::Unvisited { way, root } => {
                root.get_or_init(|| way.root(context)).as_ref().map_err(Clone::clone)
            }
            Root::Unreachable => Err(Reason::Denied),
        }
    }

    /// Whether its table is known, but no handle has led there.
    pub(super) fn is_lost(&self) -> bool {
        let Root::Unvisited { way: Way::Closed(_), root } = &self.root else { return false };
        root.get().is_some_and(Result::is_err)
    }

    /// A mount namespace that needs not be opened: its 64-bit id is known, and the kernel lists all
    /// of its mounts by that.
    pub(super) fn listed(context: &Context<'_>, target: &'t Target) -> Option<Place<'t>> {
        let time = context.resolver.now();
        let (unique_id, count) = context.resolver.mount_table(target.id)?;
        let mounts =
            context.means.lists_mounts.then(|| listed(context, target.id, unique_id, count))?;
        Some(Place::unvisited(target.id, Way::Closed(target), mounts.ok()??, time))
    }

    fn unvisited(id: NamespaceId, way: Way<'t>, mounts: Mounts, time: Time) -> Place<'t> {
        Place::new(id, Root::Unvisited { way, root: OnceCell::new() }, mounts, time)
    }

    fn new(id: NamespaceId, root: Root<'t>, mounts: Mounts, time: Time) -> Place<'t> {
        let (of_interest, others) = mounts;
        let entries = of_interest.into_iter().map(|(mount, what)| Entry { mount, what });
        let entries = entries.collect::<Vec<_>>().into_iter();
        Place { id, root, entries, others, is_known: false, time }
    }

    /// The mount namespace that is open here, and that maybe a process is known to be joined to.
    pub(super) fn of(
        context: &Context<'_>,
        namespace: NamespaceFd,
        member: Option<Pid>,
    ) -> Result<Place<'t>, Reason> {
        let (id, time) = (namespace.id(), context.resolver.now());
        if context.means.lists_mounts {
            let info = mounts::info(&namespace);
            match info.and_then(|info| listed(context, id, info.unique_id, info.mounts)) {
                Ok(Some(mounts)) => {
                    return Ok(Place::unvisited(id, Way::Open(namespace, member), mounts, time));
                }
                Ok(None) => tracing::debug!("{id}: incomplete list of mounts, visiting it"),
                Err(error) => tracing::debug!("{id}: {error}, visiting it"),
            }
        }
        let view = view(context, &namespace)?;
        let table = mountinfo::Table::of_file(&view.mountinfo).map_err(reason)?;
        Ok(Place::from_table(context, id, Root::Open(view.root), &table, time))
    }

    /// The mount namespace that this process is joined to, as it sees it.
    pub(super) fn of_member(
        context: &Context<'_>,
        id: NamespaceId,
        member: Pid,
    ) -> Result<Place<'t>, Errno> {
        let time = context.resolver.now();
        let task = context.proc.process(member)?;
        let table = mountinfo::Table::of_member(&task, id)?;
        let is_tree = context.proc.kind() == Kind::Tree;
        let root = if is_tree { None } else { task.root().ok() };
        is_member(&task, id)?;
        if !table.has_root() {
            // Chrooted to a plain directory.
            return Err(Errno::SRCH);
        }
        let root = root.map_or(Root::Unreachable, Root::Open);
        Ok(Place::from_table(context, id, root, &table, time))
    }

    /// Forgets all mounts but those of these namespaces and at these paths: the others have been
    /// taken note of.
    pub(super) fn keep_only(&mut self, namespaces: &HashSet<NamespaceId>, paths: &HashSet<&[u8]>) {
        let wanted = |entry: &Entry| match entry.what {
            Mounted::Namespace(id) if namespaces.contains(&id) => true,
            _ => paths.contains(entry.mount.path.as_bytes()),
        };
        let entries: Vec<Entry> = mem::take(&mut self.entries).filter(wanted).collect();
        self.entries = entries.into_iter();
        self.others = Vec::new();
        self.is_known = true;
    }

    /// Adds what only this member sees, if it stands on another root directory than a visitor does.
    ///
    /// A file system may have been mounted over the root directory. Then a visitor comes to stand
    /// on that, and what it sees ends there, while those who were there before go on below it.
    pub(super) fn add_unreachable(&mut self, context: &Context<'_>, member: Pid) {
        // Where the kernel has listed the mounts, it has listed all of them.
        let Root::Open(root) = &self.root else { return };
        let task = context.proc.process(member);
        let Ok(members) = task.and_then(|task| task.root()) else {
            return;
        };
        if mount_id(root) == mount_id(members) {
            return;
        }
        let Ok(place) = Place::of_member(context, self.id, member) else {
            return;
        };
        let entries = self.entries.as_slice().iter().map(|entry| &entry.mount);
        let known: HashSet<_> = entries.chain(&self.others).map(|mount| mount.id).collect();
        self.others.extend(place.others.into_iter().filter(|it| !known.contains(&it.id)));
        let more = place.entries.filter(|it| !known.contains(&it.mount.id));
        let entries: Vec<Entry> = mem::take(&mut self.entries).chain(more).collect();
        self.entries = entries.into_iter();
    }

    fn from_table(
        context: &Context<'_>,
        id: NamespaceId,
        root: Root<'t>,
        table: &mountinfo::Table,
        time: Time,
    ) -> Place<'t> {
        if table.is_cut {
            context.gaps.add(Missing::Mounts, Reason::Limit, id.to_string());
        }
        let row = |mount: mountinfo::Mount<'_>| {
            let what = match mount.fs_type {
                b"nsfs" => of_nsfs(context, &mount.root),
                b"proc" => of_proc(context, &mount.root),
                _ => None,
            };
            let facts = MountFacts {
                path: Text::from(&*mount.mount_point),
                device: mount.device,
                root: Text::from(&*mount.root),
                peer_group: mount.peer_group,
                master: mount.master,
                ..MountFacts::new(id, mount.id, mount.parent)
            };
            Row { mount: facts, what, is_described: true }
        };
        let rows = table.mounts().map(row).collect();
        let mounts = Table::new(rows, |_| None).into_relevant(context.initial_procfs);
        Place::new(id, root, mounts, time)
    }
}

/// The mounts of interest as the kernel lists them; `None` if it does not list all: until Linux
/// 6.19 it shows only a part of a mount namespace whose root is not mounted over.
///
/// It should list at least `count`.
fn listed(
    context: &Context<'_>,
    id: NamespaceId,
    unique_id: u64,
    count: u32,
) -> Result<Option<Mounts>, Error> {
    let of = Of::Id(unique_id);
    let list = mounts::list(of)?;
    if list.len() < count as usize {
        return Ok(None);
    }
    let (mut rows, mut gone) = (Vec::with_capacity(list.len()), Vec::new());
    for mount in list {
        let Some(outline) = unless_gone(mounts::outline(of, mount))? else {
            gone.push(mount);
            continue;
        };
        let mut mount = MountFacts {
            unique_id: Some(outline.id.0),
            device: outline.superblock.device,
            peer_group: outline.peer_group,
            master: outline.master,
            ..MountFacts::new(id, outline.number, outline.parent_number)
        };
        let mut what = None;
        let is_of_interest = matches!(outline.superblock.magic, NSFS_MAGIC | PROC_MAGIC);
        if is_of_interest {
            let Some(described) = unless_gone(mounts::describe(of, outline.id))? else {
                gone.push(outline.id);
                continue;
            };
            what = match outline.superblock.magic {
                NSFS_MAGIC => of_nsfs(context, &described.root),
                _ => of_proc(context, &described.root),
            };
            (mount.path, mount.root) = texts(described);
        }
        rows.push(Row { mount, what, is_described: is_of_interest });
    }
    if !gone.is_empty() {
        // An id is never another mount's.
        let still_there = mounts::list(of)?;
        if gone.iter().any(|mount| still_there.binary_search(mount).is_ok()) {
            return Ok(None);
        }
    }
    if rows.iter().all(|row| row.what.is_none()) {
        return Ok(Some(Mounts::default()));
    }
    let describe = |mount: &MountFacts| {
        let described = mounts::describe(of, MountId(mount.unique_id?)).ok()?;
        Some(texts(described))
    };
    Ok(Some(Table::new(rows, describe).into_relevant(context.initial_procfs)))
}

/// The path and the root of a mount.
fn texts(mount: mounts::Mount) -> (Text, Text) {
    let root = match mount.fs_type.as_slice() {
        // As mountinfo has it.
        b"nsfs" => mount.root.strip_prefix(b"/").unwrap_or(&mount.root),
        _ => &mount.root,
    };
    (Text::from(mount.point.unwrap_or_default()), Text::from(root))
}

/// What has been unmounted meanwhile holds nothing.
fn unless_gone<T>(asked: Result<T, Error>) -> Result<Option<T>, Error> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_gone() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is mounted from nsfs, if it is wanted.
fn of_nsfs(context: &Context<'_>, root: &[u8]) -> Option<Mounted> {
    // The kernel's list gives the text as a path below the root of nsfs.
    let id = NamespaceId::from_link(root.strip_prefix(b"/").unwrap_or(root))?;
    let namespace_type = id.namespace_type();
    // Whatever is wanted may hide in a mount namespace.
    let wanted = namespace_type == NamespaceType::Mnt || context.wanted.seeks(namespace_type);
    wanted.then_some(Mounted::Namespace(id))
}

/// What is mounted from a procfs, if it is wanted.
fn of_proc(context: &Context<'_>, root: &[u8]) -> Option<Mounted> {
    let what = match root {
        b"/" => Mounted::Proc,
        _ => Mounted::PartOfProc,
    };
    context.wanted.seeks(NamespaceType::Pid).then_some(what)
}

/// The root directory of a mount namespace, by a visit, or from this member.
fn root_directory(
    context: &Context<'_>,
    namespace: &NamespaceFd,
    member: Option<Pid>,
) -> Result<OwnedFd, Reason> {
    let visited = match context.proc.is_ours() {
        true => visit(context, || root_of(namespace)),
        false => Err(Reason::ForeignProc),
    };
    visited.or_else(|why| {
        let lent = member.map(|pid| root_of_member(context, namespace.id(), pid));
        lent.and_then(Result::ok).ok_or(why)
    })
}

/// The root directory of a process, if that is joined to this mount namespace.
fn root_of_member(context: &Context<'_>, id: NamespaceId, member: Pid) -> Result<OwnedFd, Errno> {
    let task = context.proc.process(member)?;
    is_member(&task, id)?;
    let root = task.root()?;
    is_member(&task, id)?;
    Ok(root)
}

/// Looks into a mount namespace with the help of a child.
fn view(context: &Context<'_>, namespace: &NamespaceFd) -> Result<MountView, Reason> {
    if !context.proc.is_ours() {
        return Err(Reason::ForeignProc);
    }
    visit(context, || MountView::of(namespace, &context.proc))
}

/// Visits a mount namespace. A child in a user namespace of others can be stopped there: once that
/// has used up the time for all visits together, there are no more.
fn visit<T>(context: &Context<'_>, visit: impl FnOnce() -> Result<T, Error>) -> Result<T, Reason> {
    let left = || context.visits.lock().unwrap_or_else(PoisonError::into_inner);
    if left().is_zero() {
        return Err(Reason::TimedOut);
    }
    let start = Instant::now();
    visit().map_err(|error| {
        let why = error.errno().map_or(Reason::Failed, reason);
        if why == Reason::TimedOut {
            let mut left = left();
            *left = left.saturating_sub(start.elapsed());
        }
        why
    })
}
