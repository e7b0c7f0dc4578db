//! The proof that one number was one namespace.
//!
//! The kernel gives the inode number of a dead namespace to the next one, at once. Sources read
//! numbers, so two readings of one number are about one namespace only if that lived in between.
//! The resolver proves it:
//!
//! - Each reading that counts comes after the namespace was opened. [`Resolver::now`] is the clock:
//!   a source takes the time, reads, and [`Resolver::meet`] answers whether the namespace had been
//!   met by then. If not, the source reads once more.
//! - In the end the kernel opens each namespace by its unique ID (Linux 6.18). If that succeeds,
//!   the namespace lived all the time, and so each reading was about it. Nothing is held meanwhile,
//!   but for those that nothing but sockets keeps: from Linux 6.19 on, they are not found by ID.
//! - Mount namespaces have had such IDs earlier (Linux 6.12): then the kernel lists their mounts by
//!   ID.
//! - Where the kernel has no such IDs, or does not find namespaces by them for this scanner, the
//!   resolver holds each namespace open while processes are read: a number in use is not reused.
//!
//! A namespace that did not live until the end is [`Resolver::doubtful`]: nothing that was read of
//! its number counts. The processes concerned, as a rule few and soon read, are read again, and
//! this time their namespaces are held open.

use std::collections::HashSet;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use lxkns_model::Missing;
use lxkns_ops::mounts::{self, Of};
use lxkns_ops::{Error, NamespaceFd};
use lxkns_species::{NamespaceId, NamespaceType, NamespaceTypes};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::held::{Descriptor, Held};
use super::{Entry, Resolver, Use, failure};
use crate::gaps::Gaps;

impl Resolver {
    /// Whether this one is known, but not held, while the others are: then its number may mean
    /// another namespace by now.
    pub(super) fn is_to_be_confirmed(&self, id: NamespaceId) -> bool {
        self.compares.contains(id.namespace_type())
            && self.holds_all.load(Ordering::Relaxed)
            && id.inode() != id.namespace_type().initial_inode()
            && matches!(self.known().get(&id), Some(Entry::Resolved(known)) if known.held.is_none())
    }

    /// Whether a namespace is the known one, which is held from now on. If the known one is another
    /// one, that is forgotten, and it is the caller's turn to ask; as it is if none is known.
    pub(super) fn confirms(&self, namespace: &NamespaceFd) -> bool {
        let id = namespace.id();
        let mut known = self.known();
        let Some(Entry::Resolved(answers)) = known.get_mut(&id) else {
            return false;
        };
        if answers.held.is_some() {
            return true;
        }
        if answers.facts.unique_id == namespace.unique_id().ok() {
            answers.held = namespace.try_clone().ok().and_then(|it| self.hold(it, Use::Active));
            answers.met = self.tick();
            return true;
        }
        known.insert(id, Entry::Asking);
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        false
    }

    /// Keeps a namespace open, if nothing else tells later that it is still the same.
    pub(super) fn hold(&self, namespace: NamespaceFd, by: Use) -> Option<Held> {
        let id = namespace.id();
        let holds = match self.compares.contains(id.namespace_type()) {
            true => by == Use::Inactive || self.holds_all.load(Ordering::Relaxed),
            false => self.holds.load(Ordering::Relaxed),
        };
        if !holds || id.inode() == id.namespace_type().initial_inode() {
            return None;
        }
        if self.watch(&namespace).is_ok() {
            return Some(Held::Watched);
        }
        let take = |room: usize| room.checked_sub(1);
        if self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            return Some(Held::Open(Descriptor::new(namespace)));
        }
        self.unproven.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        None
    }

    /// Watches the file of a namespace, see inotify(7): as long as the watch is there, so is the
    /// namespace. All watches take one file descriptor.
    fn watch(&self, namespace: &NamespaceFd) -> Result<(), Errno> {
        let directory = self.own_files.as_ref().ok_or(Errno::NOSYS)?;
        let path = directory.join(namespace.as_fd().as_raw_fd().to_string());
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let watches = match &mut *watches {
            Some(watches) => watches,
            none => none.insert(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?),
        };
        // What is watched for does not matter; this never happens.
        inotify::add_watch(&*watches, path, WatchFlags::DELETE_SELF).map(drop)
    }

    /// From now on, holds what it meets, where nothing else proves that it is still the same later.
    ///
    /// Not before the scanner's own files have been read: they are no sightings. What was met
    /// before that is alive without being held: the scanner is in it.
    pub(crate) fn begin_to_hold(&self) {
        self.holds.store(true, Ordering::Relaxed);
    }

    /// Lets go of all that is held.
    pub(crate) fn release(&self) {
        for entry in self.known().values_mut() {
            let Entry::Resolved(answers) = entry else { continue };
            let held = answers.held.take();
            answers.is_proven |= held.is_some();
            if let Some(Held::Open(_)) = held {
                self.room.fetch_add(1, Ordering::Relaxed);
            }
        }
        *self.watches.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether all namespaces can be compared. If not, those that cannot are held, and all is
    /// proven before they are let go.
    pub(crate) fn compares_all(&self) -> bool {
        self.compares == NamespaceTypes::ALL
    }

    /// The namespaces that have not lived until now. They are forgotten, and from now on namespaces
    /// are held open, until [`Resolver::release`].
    ///
    /// Those that nothing proves the same throughout become gaps.
    pub(crate) fn doubtful(&self, gaps: &Gaps) -> HashSet<NamespaceId> {
        let mut doubtful = HashSet::new();
        for (id, unique_id) in self.to_be_compared() {
            match find(unique_id, id) {
                Ok(()) => {}
                Err(error) if error.is_gone() => _ = doubtful.insert(id),
                Err(error) => gaps.add(Missing::Identity, failure(&error), id.to_string()),
            }
        }
        if doubtful.is_empty() {
            return doubtful;
        }
        self.holds_all.store(true, Ordering::Relaxed);
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.known().retain(|id, _| !doubtful.contains(id));
        // The owners and parents of the living live. If one is among these, its number means
        // another namespace by now.
        let above = |id: Option<NamespaceId>| id.is_some_and(|id| doubtful.contains(&id));
        let below: Vec<(NamespaceId, Option<u64>)> = (self.known().iter())
            .filter_map(|(id, entry)| match entry {
                Entry::Resolved(known) => Some((*id, &known.facts)),
                Entry::Asking | Entry::Failed(_) => None,
            })
            .filter(|(id, _)| self.compares.contains(id.namespace_type()))
            .filter(|(_, facts)| above(facts.owner) || above(facts.parent.known()))
            .map(|(id, facts)| (id, facts.unique_id))
            .collect();
        for (id, unique_id) in below {
            self.known().remove(&id);
            let opened = unique_id.map(|it| NamespaceFd::by_unique_id(it, Some(id)));
            match opened {
                Some(Ok(namespace)) if self.begin(id) => self.ask(namespace, Use::Active),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => _ = doubtful.insert(id),
            }
        }
        doubtful
    }

    /// The 64-bit ids of the namespaces that are to be found by them.
    fn to_be_compared(&self) -> Vec<(NamespaceId, u64)> {
        let is_compared = |id: NamespaceId| {
            let namespace_type = id.namespace_type();
            id.inode() != namespace_type.initial_inode() && self.compares.contains(namespace_type)
        };
        let known = self.known();
        let compared = known.iter().filter_map(|(id, entry)| match entry {
            Entry::Resolved(answers) if is_compared(*id) && !answers.is_proven => {
                Some((*id, answers.facts.unique_id?))
            }
            _ => None,
        });
        compared.collect()
    }

    /// The numbers that turned out to mean other namespaces since [`Resolver::doubtful`].
    pub(crate) fn replaced(&self) -> HashSet<NamespaceId> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Asks the kernel for a namespace by its unique ID.
///
/// # Errors
///
/// If it has ended, or the kernel does not say.
fn find(unique_id: u64, id: NamespaceId) -> Result<(), Error> {
    match id.namespace_type() {
        NamespaceType::Mnt => mounts::probe(Of::Id(unique_id)),
        _ => NamespaceFd::probe(unique_id, id),
    }
}
