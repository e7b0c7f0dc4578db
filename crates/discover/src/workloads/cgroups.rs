//! The cgroup hierarchies that the scanner sees: who may create cgroups where, and which processes
//! are in one.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use lxkns_model::Voucher;
use lxkns_ops::foreign::{find, mount_id};
use lxkns_species::{NamespaceType, Pid, Uid};
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

use crate::context::Context;
use crate::procfs::mountinfo::{Mount, Table};
use crate::procfs::{Folder, number, read_all};
use crate::timeouts::PATIENCE;

/// Limit for the cgroups below one: many more than a machine in a container has.
const BELOW: usize = 4096;

/// Limit for the length of a list of members.
const LIST_LIMIT: usize = 1024 * 1024;

/// All hierarchies.
pub(super) struct Cgroups<'s> {
    context: &'s Context<'s>,
    /// The root directory of each.
    roots: Vec<OwnedFd>,
    /// Whether UID 0 is root of the machine.
    is_initial: bool,
    /// By directory: the authority behind the names in it.
    vouchers: HashMap<Vec<u8>, Voucher>,
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl<'s> Cgroups<'s> {
    pub(super) fn open(context: &'s Context<'s>) -> Cgroups<'s> {
        let own = context.proc.own_process().ok().filter(|_| context.proc.is_ours());
        let user = own.as_ref().and_then(|own| own.namespace(NamespaceType::User).ok());
        let table = own.and_then(|own| Table::of_task(&own).ok());
        let is_cgroup = |fs_type: &[u8]| matches!(fs_type, b"cgroup" | b"cgroup2");
        let mounts = table.iter().flat_map(Table::mounts);
        let roots = mounts.filter(|mount| is_cgroup(mount.fs_type) && *mount.root == *b"/");
        let open = |mount: Mount<'_>| {
            let found = find(OsStr::from_bytes(&mount.mount_point), PATIENCE).ok()?;
            // Another file system may be mounted over it, even one that does not answer.
            let is_it = mount_id(&found) == Some(mount.id);
            is_it.then(|| openat(&found, c".", DIRECTORY, Mode::empty()).ok()).flatten()
        };
        Cgroups {
            context,
            roots: roots.filter_map(open).collect(),
            is_initial: user.is_some_and(|it| it.inode() == NamespaceType::User.initial_inode()),
            vouchers: HashMap::new(),
        }
    }

    /// The authority behind the last component of a path: the first owner, other than root, of a
    /// directory above it. It has to be the same in all hierarchies that have these directories.
    pub(super) fn voucher(&mut self, path: &[u8]) -> Voucher {
        let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let above = path.get(..end).unwrap_or_default();
        if let Some(voucher) = self.vouchers.get(above) {
            return *voucher;
        }
        let mut vouchers = self.roots.iter().filter_map(|root| self.voucher_in(root, above));
        let voucher = match vouchers.next() {
            Some(first) if vouchers.all(|other| other == first) => first,
            _ => Voucher::Nobody,
        };
        self.vouchers.insert(above.to_vec(), voucher);
        voucher
    }

    /// The same in one hierarchy; `None` if the directories are not there.
    fn voucher_in(&self, root: &OwnedFd, directories: &[u8]) -> Option<Voucher> {
        let root_of_names = match self.is_initial {
            true => Voucher::Machine,
            false => Voucher::User(Uid(0)),
        };
        let mut voucher = None;
        let mut seen = |directory: &OwnedFd| match self.owner(directory) {
            Some(Uid(0)) => true,
            Some(uid) => {
                voucher = voucher.or(Some(Voucher::User(uid)));
                true
            }
            None => false,
        };
        if !seen(root) {
            return Some(Voucher::Nobody);
        }
        let walked =
            walk(
                root,
                directories,
                |directory| {
                    if seen(directory) { Ok(()) } else { Err(Errno::PERM) }
                },
            );
        match walked {
            Ok(_) => Some(voucher.unwrap_or(root_of_names)),
            Err(Errno::NOENT) => None,
            Err(_) => Some(Voucher::Nobody),
        }
    }

    /// The only user, besides root, who may create cgroups in a directory; `None` if others may as
    /// well, or the owner has no UID here.
    fn owner(&self, directory: &OwnedFd) -> Option<Uid> {
        let stat = fstat(directory).ok()?;
        let is_for_others = stat.st_mode & 0o002 != 0;
        let is_for_group = stat.st_mode & 0o020 != 0 && stat.st_gid != 0;
        let uid = self.context.uids.known(Uid(stat.st_uid))?;
        (!is_for_others && !is_for_group).then_some(uid)
    }

    /// The processes in a cgroup and in all below it; `None` if they could not all be read.
    pub(super) fn members(&self, path: &[u8]) -> Option<Vec<Pid>> {
        let found = |root| match walk(root, path, |_| Ok(())) {
            Err(Errno::NOENT) => None,
            found => Some(found.ok()),
        };
        let mut waiting = vec![self.roots.iter().find_map(found)??];
        let (mut pids, mut looked) = (Vec::new(), 0);
        while let Some(directory) = waiting.pop() {
            looked += 1;
            if looked > BELOW {
                return None;
            }
            let folder = Folder { directory: directory.as_fd(), is_tree: false };
            match read_all(folder, c"cgroup.procs", LIST_LIMIT) {
                Ok((_, true)) => return None,
                Ok((list, false)) => {
                    let lines = list.split(|byte| *byte == b'\n');
                    // 0 is a process outside of the scanner's PID namespace.
                    pids.extend(lines.filter_map(number).map(Pid).filter(|pid| *pid != Pid(0)));
                }
                // Gone meanwhile, or a cgroup of threads: their processes are in one above.
                Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => {}
                Err(_) => return None,
            }
            for entry in Dir::read_from(&directory).ok()?.flatten() {
                let name = entry.file_name();
                let is_below = !matches!(name.to_bytes(), b"." | b"..");
                if entry.file_type() == FileType::Directory && is_below {
                    match openat(&directory, name, DIRECTORY, Mode::empty()) {
                        Ok(below) => waiting.push(below),
                        Err(Errno::NOENT) => {}
                        Err(_) => return None,
                    }
                }
                if waiting.len() > BELOW {
                    return None;
                }
            }
        }
        Some(pids)
    }
}

/// Opens one directory after another, from a root, and shows each of them.
fn walk(
    root: &OwnedFd,
    path: &[u8],
    mut show: impl FnMut(&OwnedFd) -> Result<(), Errno>,
) -> Result<OwnedFd, Errno> {
    let mut place = openat(root, c".", DIRECTORY, Mode::empty())?;
    for component in path.split(|byte| *byte == b'/').filter(|it| !it.is_empty()) {
        place = openat(&place, component, DIRECTORY, Mode::empty())?;
        show(&place)?;
    }
    Ok(place)
}
