//! Opening what a discovery has found, also where no process is in it and no path leads to it.
//!
//! A snapshot tells who holds a namespace, and each holder is a way to get at it: directly, by
//! duplicating a process's socket, through a mount namespace that itself has to be opened first, or
//! by asking a namespace below for the one above. The kernel's handles need no holder at all, where
//! there are any (Linux 6.18). Whatever is opened is believed only if it is what was looked for:
//! since the snapshot was taken, numbers may have changed hands.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::{AsRawFd as _, OwnedFd};

use lxkns_model::{FileKind, Holder, MountKind, Namespace, Snapshot, Text};
use lxkns_ops::socket::Asker;
use lxkns_ops::visit::{open_in, root_of};
use lxkns_ops::{Error as OpsError, NamespaceFd, pidfd};
use lxkns_species::{NamespaceId, NamespaceType, Pid, Reference};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::Error;
use crate::timeouts::PATIENCE;

/// So many processes are asked for a namespace that they are joined to.
const MEMBERS: usize = 3;

/// So deep mount namespaces are opened within mount namespaces, and parents through their children.
const MAX_DEPTH: usize = 16;

/// Opens a namespace of a snapshot of this machine that was taken just now, whatever holds it.
///
/// It is looked up in the procfs at `/proc`.
///
/// # Errors
///
/// [`Error::Unreachable`] if it is not in the snapshot, gone meanwhile, held by nothing that can be
/// opened, or if the caller lacks the privileges.
///
/// ```
/// use lxkns_discover::{Options, discover, open};
/// use lxkns_species::NamespaceType;
///
/// let snapshot = discover(&Options::everything())?;
/// let own = snapshot.host().scanner_namespaces.get(NamespaceType::Net).unwrap();
/// assert_eq!(open(&snapshot, own)?.id(), own);
/// # Ok::<(), lxkns_discover::Error>(())
/// ```
pub fn open(snapshot: &Snapshot, id: NamespaceId) -> Result<NamespaceFd, Error> {
    let mut search = Search { snapshot, met: HashSet::new(), depth: 0, failure: None };
    search.open(id).ok_or(Error::Unreachable { id, source: search.failure })
}

struct Search<'s> {
    snapshot: &'s Snapshot,
    /// What has been tried, or is being.
    met: HashSet<NamespaceId>,
    depth: usize,
    failure: Option<OpsError>,
}

impl Search<'_> {
    fn open(&mut self, id: NamespaceId) -> Option<NamespaceFd> {
        let namespace = self.snapshot.namespace(id)?;
        if self.depth >= MAX_DEPTH || !self.met.insert(id) {
            return None;
        }
        self.depth += 1;
        let opened = self
            .by_handle(namespace)
            .or_else(|| self.by_members(namespace))
            .or_else(|| self.by_holders(namespace))
            .or_else(|| self.by_those_below(namespace));
        self.depth -= 1;
        opened
    }

    /// Takes what was opened, if it is the right one.
    fn right(
        &mut self,
        id: NamespaceId,
        opened: Result<NamespaceFd, OpsError>,
    ) -> Option<NamespaceFd> {
        match opened {
            Ok(open) if open.id() == id => Some(open),
            Ok(_) => None,
            Err(error) => {
                self.failure = Some(error);
                None
            }
        }
    }

    fn by_handle(&mut self, namespace: Namespace<'_>) -> Option<NamespaceFd> {
        let id = namespace.id();
        NamespaceFd::by_unique_id(namespace.unique_id()?, Some(id)).ok()
    }

    fn by_members(&mut self, namespace: Namespace<'_>) -> Option<NamespaceFd> {
        let id = namespace.id();
        let members = namespace.leaders().chain(namespace.processes());
        members.take(MEMBERS).find_map(|process| {
            let opened = NamespaceFd::of_process(process.pid(), id.namespace_type());
            self.right(id, opened)
        })
    }

    fn by_holders(&mut self, namespace: Namespace<'_>) -> Option<NamespaceFd> {
        let id = namespace.id();
        namespace.holders().iter().find_map(|holder| {
            let opened = match holder {
                Holder::File { kind: FileKind::Socket | FileKind::Tun, pid, tid, fd } => {
                    of_socket(*pid, *tid, *fd)?
                }
                Holder::Mount { kind: MountKind::Bind, mount_namespace, path } => {
                    self.mounted((*mount_namespace)?, path)?
                }
                holder => NamespaceFd::open(&holder.reference(id.namespace_type())?),
            };
            self.right(id, opened)
        })
    }

    /// A namespace that is bind-mounted in a mount namespace, perhaps in one without processes.
    fn mounted(
        &mut self,
        mount_namespace: NamespaceId,
        path: &Text,
    ) -> Option<Result<NamespaceFd, OpsError>> {
        let path = CString::new(path.as_bytes()).ok()?;
        let own = &self.snapshot.host().scanner_namespaces;
        let root = if own.get(NamespaceType::Mnt) == Some(mount_namespace) {
            directory("/")
        } else {
            let there = self.open(mount_namespace)?;
            root_of(&there)
        };
        let place = root.and_then(|root| open_in(root, &path, PATIENCE));
        Some(place.and_then(|place| {
            // Opened for its place only; a namespace has to be opened for real.
            NamespaceFd::at_path(format!("/proc/self/fd/{}", place.as_raw_fd()))
        }))
    }

    fn by_those_below(&mut self, namespace: Namespace<'_>) -> Option<NamespaceFd> {
        let id = namespace.id();
        for child in namespace.children() {
            let parent = self.open(child.id()).map(|child| child.parent());
            if let Some(open) = parent.and_then(|parent| self.right(id, parent)) {
                return Some(open);
            }
        }
        for owned in namespace.owned() {
            let owner = self.open(owned.id()).map(|owned| owned.owner());
            if let Some(open) = owner.and_then(|owner| self.right(id, owner)) {
                return Some(open);
            }
        }
        None
    }
}

fn of_socket(pid: Pid, tid: Option<Pid>, fd: u32) -> Option<Result<NamespaceFd, OpsError>> {
    let ask = || {
        let process = match tid {
            Some(tid) => pidfd::of_thread(tid)?,
            None => pidfd::of_process(pid)?,
        };
        let mut told = Asker::start()?.ask(process, &[fd], PATIENCE);
        let told = told.pop().transpose()?;
        Ok(told.and_then(|told| told.namespace))
    };
    ask().transpose()
}

fn directory(path: &str) -> Result<OwnedFd, OpsError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
        .map_err(|source: Errno| OpsError::Open { reference: Reference::Path(path.into()), source })
}
