//! Bind-mounted namespaces and procfs mounts, in every mount namespace.
//!
//! The table of mounts of a mount namespace ([`Place`]) says which namespaces are mounted there:
//! the root of a mount on nsfs reads `net:[4026532281]`. What is new is opened through the mount
//! point, and believed only if it is the inode that the table names: another mount may lie over it,
//! or anything else that the owner of the place likes.
//!
//! A mount namespace that is itself only bind-mounted is looked into when it is met, and so on
//! until nothing new turns up. Where the kernel can enumerate all mount namespaces (Linux 6.12),
//! those that nothing at all leads to come last.

mod place;
mod table;
mod target;

use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lxkns_model::{Holder, Missing, MountFacts, MountKind, Part, Reason};
use lxkns_ops::visit::open_in;
use lxkns_ops::{NamespaceFd, mounts};
use lxkns_species::{NamespaceId, NamespaceType};
use rustix::fs::readlinkat_raw;
use rustix::io::Errno;

use self::place::{Entry, Place};
use self::table::Mounted;
use self::target::{Target, targets};
use crate::context::Context;
use crate::gaps::reason;
use crate::procfs::ROOT_INODE;
use crate::sightings::Sightings;
use crate::timeouts::{PATIENCE, TOTAL_PATIENCE};
use crate::workers::share_out;
use lxkns_ops::foreign::identity;

pub(crate) fn scan(context: &Context<'_>, listed_before: &HashSet<u64>, sightings: &mut Sightings) {
    if !context.wanted.has(Part::Mounts) {
        return;
    }
    let mut targets = targets(context, sightings);
    let mut walk = Walk {
        context,
        with_handles: targets.iter().map(|target| target.id).collect(),
        only: HashSet::new(),
        shared: Mutex::new(Shared { patience: TOTAL_PATIENCE, ..Shared::default() }),
    };
    let mut found = Found::default();
    walk.begin_at_all(&targets, &mut found);
    while walk.has_lost_some() {
        targets.retain(|target| walk.with_handles.contains(&target.id));
        walk.begin_at_all(&targets, &mut found);
    }
    if context.wanted.has(Part::Kernel) && context.means.walks_all() {
        walk.all_others(listed_before, &mut found);
    }
    walk.give_up_lost();
    walk.give_up_unopened();
    walk.parts_of_proc(&mut found);
    sightings.holders.append(&mut found.holders);
    sightings.mounts = found.mounts;
}

/// The walk through all mount namespaces.
struct Walk<'s> {
    context: &'s Context<'s>,
    /// The mount namespaces with which the walk begins: they need no bind mount to get there.
    with_handles: HashSet<NamespaceId>,
    /// If it is not the first walk: where these are mounted, and nothing else is of interest.
    only: HashSet<NamespaceId>,
    shared: Mutex<Shared>,
}

/// What the workers share.
#[derive(Default)]
struct Shared {
    /// Mount namespaces found on the way and looked into.
    seen: HashSet<NamespaceId>,
    /// Mount namespaces whose handles did not lead there when they were needed, and why.
    lost: HashMap<NamespaceId, Reason>,
    /// By mount namespace: the mounts in lost ones that could not be opened.
    put_off: HashMap<NamespaceId, Vec<PutOff>>,
    /// The bind mounts that could not be opened, with the namespaces that they hold.
    unopened: Vec<(NamespaceId, Reason, MountFacts)>,
    /// Mount namespaces met on the way and left alone, because they have handles.
    passed: HashSet<NamespaceId>,
    /// Mount namespaces whose tables of mounts have been read.
    read: HashSet<NamespaceId>,
    /// Which PID namespace a procfs shows, by its device number.
    proc_shows: HashMap<u64, NamespaceId>,
    /// Why that could not be told.
    proc_failed: HashMap<u64, Reason>,
    /// Where only a part of a procfs is mounted.
    proc_parts: Vec<MountFacts>,
    /// The time left for waiting for file servers.
    patience: Duration,
}

/// A mount that is tried again if its mount namespace can be reached in another way.
struct PutOff {
    why: Reason,
    /// The namespace that is bind-mounted; `None` of a procfs.
    held: Option<NamespaceId>,
    mount: MountFacts,
}

/// What a walk has found: mounts that hold namespaces, and those that matter for unmounting them.
#[derive(Default)]
struct Found {
    holders: Vec<(NamespaceId, Holder)>,
    mounts: Vec<MountFacts>,
}

impl Found {
    fn bind_mount(&mut self, held: NamespaceId, mount: &MountFacts) {
        let (mount_namespace, path) = (Some(mount.mount_namespace), mount.path.clone());
        self.holders.push((held, Holder::Mount { kind: MountKind::Bind, mount_namespace, path }));
        self.mounts.push(MountFacts { holds: Some(held), ..mount.clone() });
    }

    fn proc_mount(&mut self, shown: NamespaceId, mount: MountFacts) {
        let (mount_namespace, path) = (Some(mount.mount_namespace), mount.path.clone());
        self.holders.push((shown, Holder::Mount { kind: MountKind::Proc, mount_namespace, path }));
        self.mounts.push(MountFacts { holds: Some(shown), ..mount });
    }
}

impl Walk<'_> {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a part of a procfs is mounted, PID 1 is not to be found; but maybe the whole was
    /// somewhere else.
    fn parts_of_proc(&self, found: &mut Found) {
        let parts = mem::take(&mut self.shared().proc_parts);
        for mount in parts {
            let device = mount.device;
            let (shown, failed) = {
                let shared = self.shared();
                let shown = shared.proc_shows.get(&device).copied();
                (shown, shared.proc_failed.get(&device).cloned())
            };
            if let Some(id) = shown.or_else(|| self.context.shown_by_own_proc(device)) {
                found.proc_mount(id, mount);
            } else {
                let why = failed.unwrap_or(Reason::Partial);
                self.gap(Missing::ProcMounts, why, &mount);
                found.mounts.push(mount);
            }
        }
    }

    fn begin_at_all(&self, targets: &[Target], found: &mut Found) {
        let workers = self.context.options.worker_count();
        for mut part in share_out(targets, workers, |target, found| self.begin_at(target, found)) {
            found.holders.append(&mut part.holders);
            found.mounts.append(&mut part.mounts);
        }
    }

    fn begin_at(&self, target: &Target, found: &mut Found) {
        match self.look_into(target) {
            Ok(place) => self.walk(self.what_is_left_of(place), found),
            // The handles may be files of a process that ends, or that has just become private;
            // another way may lead there.
            Err(why) => _ = self.shared().lost.insert(target.id, why),
        }
    }

    /// Whether mount namespaces have been lost since the walk began that are mounted somewhere, but
    /// were left alone for the sake of their handles. From now on they count as having none.
    fn has_lost_some(&mut self) -> bool {
        let shared = self.shared.get_mut().unwrap_or_else(PoisonError::into_inner);
        let before = self.with_handles.len();
        self.with_handles.retain(|id| !shared.lost.contains_key(id));
        let is_missed = |id: &&NamespaceId| shared.passed.contains(id) && !shared.seen.contains(id);
        self.only = shared.lost.keys().filter(is_missed).copied().collect();
        self.with_handles.len() < before && !self.only.is_empty()
    }

    /// Reports the lost mount namespaces to which no other way has led.
    fn give_up_lost(&self) {
        let mut shared = self.shared();
        let mut lost: Vec<_> = mem::take(&mut shared.lost).into_iter().collect();
        lost.retain(|(id, _)| !shared.seen.contains(id));
        for (id, why) in &lost {
            for put_off in shared.put_off.remove(id).into_iter().flatten() {
                match put_off.held {
                    Some(held) => shared.unopened.push((held, put_off.why, put_off.mount)),
                    None => self.gap(Missing::ProcMounts, put_off.why, &put_off.mount),
                }
            }
            if *why != Reason::Gone && !shared.read.contains(id) {
                self.context.gaps.add(Missing::Mounts, why.clone(), id.to_string());
            }
        }
    }

    /// Reports the bind mounts that could not be opened. A namespace that another way has led to is
    /// no gap: which of the ways comes first is chance.
    fn give_up_unopened(&self) {
        let unopened = mem::take(&mut self.shared().unopened);
        for (id, why, mount) in unopened {
            let is_looked_into = id.namespace_type() != NamespaceType::Mnt
                || self.with_handles.contains(&id)
                || self.shared().seen.contains(&id);
            if !is_looked_into || !self.context.resolver.has(id) {
                self.gap(Missing::BindMounts, why, &mount);
            }
        }
    }

    /// Whether a mount that could not be opened will be tried again, because no handle has led to
    /// its mount namespace.
    fn is_put_off(
        &self,
        place: &Place<'_>,
        held: Option<NamespaceId>,
        why: &Reason,
        entry: &Entry,
    ) -> bool {
        if !place.is_lost() {
            return false;
        }
        let mut shared = self.shared();
        shared.lost.insert(place.id, why.clone());
        let put_off = PutOff { why: why.clone(), held, mount: entry.mount.clone() };
        shared.put_off.entry(place.id).or_default().push(put_off);
        true
    }

    /// A mount namespace, without those mounts in it of which note has been taken.
    fn what_is_left_of<'t>(&self, mut place: Place<'t>) -> Place<'t> {
        let mut shared = self.shared();
        if !shared.read.insert(place.id) {
            let put_off = shared.put_off.get(&place.id).into_iter().flatten();
            let paths = put_off.map(|it| it.mount.path.as_bytes()).collect();
            place.keep_only(&self.only, &paths);
        }
        place
    }

    /// Those that nothing leads to: the kernel knows them all.
    ///
    /// Only those that it knew before the scan began: while one is looked into others may be made,
    /// and so on for ever.
    fn all_others(&self, listed_before: &HashSet<u64>, found: &mut Found) {
        if self.has_been_in_all(listed_before) {
            return;
        }
        let last = listed_before.iter().max();
        let Ok(all) = mounts::walk() else { return };
        // The walk ends early if it meets one that is just going.
        for (namespace, info) in all.map_while(Result::ok) {
            let id = namespace.id();
            if last.is_none_or(|last| info.unique_id > *last) {
                // By ascending IDs: all that follow are younger than the scan.
                break;
            }
            if !listed_before.contains(&info.unique_id)
                || self.with_handles.contains(&id)
                || !self.shared().seen.insert(id)
            {
                continue;
            }
            self.context.resolver.meet_inactive(&namespace);
            match Place::of(self.context, namespace, None) {
                Ok(place) => self.walk(self.what_is_left_of(place), found),
                Err(Reason::Gone) => {}
                Err(why) => self.context.gaps.add(Missing::Mounts, why, id.to_string()),
            }
        }
    }

    /// Whether none of the namespaces with these 64-bit ids is a mount namespace left to look into.
    fn has_been_in_all(&self, unique_ids: &HashSet<u64>) -> bool {
        let known = self.context.resolver.unique_ids();
        let shared = self.shared();
        let is_done = |(id, unique_id): (NamespaceId, u64)| {
            let is_done = id.namespace_type() != NamespaceType::Mnt
                || self.with_handles.contains(&id)
                || shared.seen.contains(&id);
            is_done.then_some(unique_id)
        };
        let done: HashSet<u64> = known.into_iter().filter_map(is_done).collect();
        unique_ids.is_subset(&done)
    }

    /// Through one mount namespace, and through those that are bind-mounted in it and that nothing
    /// else leads to.
    fn walk(&self, start: Place<'_>, found: &mut Found) {
        let mut places = vec![start];
        while let Some(place) = places.last_mut() {
            found.mounts.append(&mut place.others);
            match place.entries.next() {
                Some(entry) => {
                    let inner = self.enter(place, &entry, found);
                    places.extend(inner);
                }
                None => drop(places.pop()),
            }
        }
    }

    /// Takes note of a mount. If a mount namespace is behind it that has not been seen yet, returns
    /// it.
    fn enter<'t>(&self, place: &Place<'_>, entry: &Entry, found: &mut Found) -> Option<Place<'t>> {
        let mount = &entry.mount;
        let id = match entry.what {
            Mounted::Namespace(id) => id,
            Mounted::Proc => {
                match self.pid_namespace_shown(place, entry) {
                    Ok(id) => found.proc_mount(id, mount.clone()),
                    Err(why) if self.is_put_off(place, None, &why, entry) => {}
                    Err(why) => {
                        let mut shared = self.shared();
                        shared.proc_failed.insert(mount.device, why.clone());
                        drop(shared);
                        self.gap(Missing::ProcMounts, why, mount);
                        found.mounts.push(mount.clone());
                    }
                }
                return None;
            }
            Mounted::PartOfProc => {
                self.shared().proc_parts.push(mount.clone());
                return None;
            }
        };
        if !place.is_known {
            found.bind_mount(id, mount);
        }
        let unseen = id.namespace_type() == NamespaceType::Mnt && self.is_new(id);
        if self.context.resolver.had(id, place.time) && !unseen {
            return None;
        }
        match self.open(place, entry, id) {
            Ok(namespace) => {
                self.context.resolver.meet_open(&namespace);
                if !unseen {
                    return None;
                }
                match Place::of(self.context, namespace, None) {
                    Ok(inner) => return Some(self.what_is_left_of(inner)),
                    Err(why) => self.context.gaps.add(Missing::Mounts, why, id.to_string()),
                }
            }
            Err(why) => {
                if unseen {
                    // Another mount of it may be accessible.
                    self.shared().seen.remove(&id);
                }
                self.context.resolver.meet_closed(id, why.clone());
                if !self.is_put_off(place, Some(id), &why, entry) {
                    self.shared().unopened.push((id, why, mount.clone()));
                }
            }
        }
        None
    }

    /// Whether a mount namespace is to be looked into, now that it has been met.
    fn is_new(&self, id: NamespaceId) -> bool {
        let mut shared = self.shared();
        if self.with_handles.contains(&id) {
            shared.passed.insert(id);
            return false;
        }
        shared.seen.insert(id)
    }

    fn gap(&self, what: Missing, why: Reason, mount: &MountFacts) {
        let mut example = mount.path.as_bytes().to_vec();
        example.extend_from_slice(format!(" in {}", mount.mount_namespace).as_bytes());
        self.context.gaps.add(what, why, example);
    }

    /// Opens what is mounted at an entry, and makes sure that it is what the table says.
    fn open(
        &self,
        place: &Place<'_>,
        entry: &Entry,
        id: NamespaceId,
    ) -> Result<NamespaceFd, Reason> {
        let file = self.open_path(place, entry)?;
        let (device, inode) = identity(&file).map_err(reason)?;
        if (Some(device), inode) != (self.context.proc.nsfs_device(), id.inode()) {
            return Err(Reason::Covered);
        }
        let fd = self.context.proc.reopen(&file).map_err(reason)?;
        NamespaceFd::expecting(fd, id).map_err(|_| Reason::Covered)
    }

    fn open_path(&self, place: &Place<'_>, entry: &Entry) -> Result<OwnedFd, Reason> {
        if entry.mount.path.is_empty() {
            return Err(Reason::Covered);
        }
        let root = place.root(self.context)?;
        let path = CString::new(entry.mount.path.as_bytes()).map_err(|_| Reason::Malformed)?;
        let limit = self.shared().patience.min(PATIENCE);
        let start = Instant::now();
        let opened = open_in(root, &path, limit);
        opened.map_err(|error| {
            let why = match error.errno() {
                // The table lists it, and the way leads elsewhere.
                Some(Errno::NOENT | Errno::NOTDIR) => Reason::Covered,
                errno => errno.map_or(Reason::Failed, reason),
            };
            if why == Reason::TimedOut {
                let mut shared = self.shared();
                shared.patience = shared.patience.saturating_sub(start.elapsed());
            }
            why
        })
    }

    /// Which PID namespace a mounted procfs shows: that of its PID 1.
    fn pid_namespace_shown(&self, place: &Place<'_>, entry: &Entry) -> Result<NamespaceId, Reason> {
        let known = self.shared().proc_shows.get(&entry.mount.device).copied();
        if let Some(id) = known {
            return Ok(id);
        }
        let mount = self.open_path(place, entry)?;
        // Anything but the root directory of this very procfs may be a trap.
        let found = identity(&mount).map_err(reason)?;
        if found != (entry.mount.device, ROOT_INODE) {
            return Err(Reason::Covered);
        }
        let mut buffer = [0; 64];
        let shown = match readlinkat_raw(&mount, c"1/ns/pid", &mut buffer) {
            Ok(length) => {
                let id = buffer.get(..length).and_then(NamespaceId::from_link);
                id.ok_or(Reason::Malformed)
            }
            // PID 1 may be beyond reach even in the scanner's own PID namespace.
            Err(errno) => match self.context.own_pid_namespace {
                Some(own) if crate::procfs::shows_own_pid_namespace(mount.as_fd()) => Ok(own),
                _ if errno == Errno::NOENT => Err(Reason::NobodyToAsk),
                _ => Err(reason(errno)),
            },
        }?;
        self.shared().proc_shows.insert(entry.mount.device, shown);
        Ok(shown)
    }

    fn look_into<'t>(&self, target: &'t Target) -> Result<Place<'t>, Reason> {
        if let Some(place) = Place::listed(self.context, target) {
            return Ok(place);
        }
        let mut why = Reason::Gone;
        let member = target.members.first().copied();
        for opened in target.handles(self.context) {
            match opened.and_then(|namespace| Place::of(self.context, namespace, member)) {
                Ok(mut place) => {
                    if let Some(witness) = target.witness {
                        place.add_unreachable(self.context, witness);
                    }
                    return Ok(place);
                }
                Err(failure) => why = failure,
            }
            if why != Reason::Gone {
                break;
            }
        }
        for member in &target.members {
            match Place::of_member(self.context, target.id, *member) {
                Ok(place) => return Ok(place),
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(errno) => why = reason(errno),
            }
        }
        Err(why)
    }
}
