//! Where else something is mounted: the question behind "device or resource busy".
//!
//! A file system stays in use as long as any mount namespace has a mount of it, and a new mount
//! namespace begins with copies of all mounts. So the tables of all mount namespaces are read, of
//! those without processes as well.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::{fs, io};

use lxkns_model::{Namespace, Snapshot, Text};
use lxkns_ops::foreign::{TIMEOUT, device_behind, file_type, find, path_of};
use lxkns_ops::visit::MountView;
use lxkns_ops::with_own_privileges;
use lxkns_species::{NamespaceId, NamespaceType, Pid};
use rustix::fs::{FileType, makedev};
use rustix::io::Errno;

use crate::Error;
use crate::open::open;
use crate::procfs::Procfs;
use crate::procfs::mountinfo::{Mount, Table};
use crate::timeouts::PATIENCE;
use lxkns_ops::foreign::mount_id;

/// So many members of a mount namespace are asked for its table.
const MEMBERS: usize = 3;

/// What is mounted at a place, and all the places where it is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mounted {
    /// Major and minor device number of the file system.
    pub device: (u32, u32),
    /// What of it is mounted there, as a path below its root directory; `None` if a block device
    /// was asked about.
    pub root: Option<Text>,
    /// Where it is mounted in the caller's mount namespace: the path asked about, or one above it.
    /// `None` if it is not (a block device).
    pub mount_point: Option<Text>,
    /// Whether it is mounted at the very path asked about, or that is a block device.
    pub is_mount_point: bool,
    /// The type of the file system, where it is mounted there.
    pub fs_type: Option<Text>,
    /// All mount namespaces that have a mount of this file system, by inode; those that are not
    /// known by name come last.
    pub places: Vec<MountedIn>,
    /// Mount namespaces whose mounts could not be read, by inode.
    pub unread: Vec<NamespaceId>,
}

/// The mounts of a file system in one mount namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MountedIn {
    /// The mount namespace. `None` if it could not be told which one it is.
    pub mount_namespace: Option<NamespaceId>,
    /// Who is in it as far as only their tables of mounts tell, by PID: their own mount namespace
    /// could not be read.
    pub processes: Vec<Pid>,
    /// The mounts, in the order of their mount points.
    pub mounts: Vec<MountPoint>,
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct MountPoint {
    /// Where, as seen from the root directory of the mount namespace; or of the process that was
    /// asked, if that has changed its own.
    pub path: Text,
    /// What of the file system, as a path below its root directory.
    pub root: Text,
}

/// Finds all mounts of the file system that is mounted at a path of the caller's, or that is on a
/// block device, in the mount namespaces of a snapshot of this machine that was taken just now.
///
/// # Errors
///
/// [`Error::NoPath`] if there is nothing at the path, [`Error::NoProc`] without a procfs at
/// `/proc`.
pub fn mounted(snapshot: &Snapshot, path: impl AsRef<Path>) -> Result<Mounted, Error> {
    let path = path.as_ref();
    let no_path = |source| Error::NoPath { path: path.into(), source };
    let no_proc = |errno: Errno| Error::NoProc { path: "/proc".into(), source: errno.into() };
    let proc = Procfs::open(Path::new("/proc"))
        .map_err(|source| Error::NoProc { path: "/proc".into(), source })?;
    let own = proc.own_process().map_err(no_proc)?;
    let own = Table::of_task(&own).map_err(no_proc)?;
    // With the rights of the user, who must not learn more about a path than they may.
    let what = with_own_privileges(|| What::at(path, &own));
    let what = what.map_err(io::Error::other).and_then(|found| found).map_err(no_path)?;

    let mut places = Places::default();
    let mut unread = Vec::new();
    for namespace in snapshot.namespaces_of(NamespaceType::Mnt) {
        match table(&proc, snapshot, namespace) {
            Some(table) => {
                places.add(Some(namespace.id()), &table, what.mounts_in(&table));
            }
            None => unread.push(namespace.id()),
        }
    }
    in_unknown_namespaces(&proc, snapshot, &what, &mut places);
    Ok(Mounted {
        device: (rustix::fs::major(what.device), rustix::fs::minor(what.device)),
        root: what.root,
        mount_point: what.mount_point,
        is_mount_point: what.is_mount_point,
        fs_type: what.fs_type,
        places: places.with_mounts(),
        unread,
    })
}

/// Mount namespaces, found one after the other, and who has which mount.
///
/// The number of a mount is its own, and no mount is in two mount namespaces.
#[derive(Default)]
struct Places {
    places: Vec<MountedIn>,
    homes: HashMap<u64, usize>,
}

impl Places {
    fn add(&mut self, id: Option<NamespaceId>, table: &Table, mounts: Vec<MountPoint>) -> usize {
        let home = self.places.len();
        self.places.push(MountedIn { mount_namespace: id, processes: Vec::new(), mounts });
        self.homes.extend(table.mounts().map(|mount| (mount.id, home)));
        home
    }

    /// The one that a table is of, in full or in part. The first mount in it tells: those after it
    /// come and go, and another may have got their number meanwhile.
    fn find(&self, table: &Table) -> Option<usize> {
        let first = table.mounts().next()?;
        self.homes.get(&first.id).copied()
    }

    /// Those that have a mount of what was asked for.
    fn with_mounts(mut self) -> Vec<MountedIn> {
        self.places.retain(|place| !place.mounts.is_empty());
        for place in &mut self.places {
            place.processes.sort_unstable();
        }
        // Those with a name are in order already.
        let name_or_first = |place: &MountedIn| {
            let first = place.processes.first().copied();
            place.mount_namespace.is_none().then_some(first)
        };
        self.places.sort_by_key(name_or_first);
        self.places
    }
}

/// What to look for.
struct What {
    device: u64,
    root: Option<Text>,
    /// Whether other roots are something else: all namespaces are on one device.
    is_namespace: bool,
    mount_point: Option<Text>,
    is_mount_point: bool,
    fs_type: Option<Text>,
    /// If it is a block device: the numbers of all devices that the file system on it is on.
    members: Vec<u64>,
    /// Sources that have been asked which device they are.
    sources: RefCell<HashMap<Vec<u8>, bool>>,
}

impl What {
    fn at(path: &Path, own_table: &Table) -> io::Result<What> {
        // A mount point is found in the table without touching it: it may be that of a dead file
        // server.
        let exact = path.as_os_str().as_encoded_bytes();
        let is_named = own_table.mounts().any(|mount| *mount.mount_point == *exact);
        let (path, on_top) = if is_named {
            (path.to_owned(), find(path, PATIENCE).ok().and_then(mount_id))
        } else {
            let file = find(path, TIMEOUT)?;
            if file_type(&file)? == FileType::BlockDevice {
                let device = device_behind(&file)?;
                return Ok(What {
                    device,
                    root: None,
                    is_namespace: false,
                    mount_point: None,
                    is_mount_point: true,
                    fs_type: None,
                    members: members(device),
                    sources: RefCell::default(),
                });
            }
            (path_of(&file)?, mount_id(&file))
        };
        let on_top = own_table.mounts().find(|mount| Some(mount.id) == on_top);
        // Else the longest one that leads there; of several at one place the last.
        let above = || {
            let above = own_table
                .mounts()
                .filter(|mount| path.starts_with(OsStr::from_bytes(&mount.mount_point)));
            above.max_by_key(|mount| mount.mount_point.len())
        };
        let mount = on_top.or_else(above);
        let mount = mount.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(What {
            device: mount.device,
            root: Some(Text::from(&*mount.root)),
            is_namespace: mount.fs_type == b"nsfs",
            is_mount_point: *mount.mount_point == *path.as_os_str().as_bytes(),
            fs_type: Some(Text::from(mount.fs_type)),
            mount_point: Some(Text::from(&*mount.mount_point)),
            members: Vec::new(),
            sources: RefCell::default(),
        })
    }

    /// Whether a mount of a file system without a device number of its own is on the block device
    /// asked about: the kernel names one of its devices as the source.
    fn is_on(&self, mount: &Mount<'_>) -> bool {
        if self.members.is_empty() || !MANY_DEVICES.contains(&mount.fs_type) {
            return false;
        }
        let mut sources = self.sources.borrow_mut();
        *sources.entry(mount.source.to_vec()).or_insert_with(|| {
            // Several devices are separated by colons.
            let mut paths = mount.source.split(|byte| *byte == b':');
            paths.any(|path| device_at(path).is_some_and(|it| self.members.contains(&it)))
        })
    }

    /// The mounts of it in a table.
    fn mounts_in(&self, table: &Table) -> Vec<MountPoint> {
        let is_it = |mount: &Mount<'_>| {
            self.is_on(mount)
                || mount.device == self.device
                    && (!self.is_namespace
                        || self.root.as_ref().map(Text::as_bytes) == Some(&*mount.root))
        };
        let mounts = table.mounts().filter(is_it);
        let mut mounts: Vec<_> = mounts
            .map(|mount| MountPoint {
                path: Text::from(&*mount.mount_point),
                root: Text::from(&*mount.root),
            })
            .collect();
        mounts.sort();
        mounts
    }
}

/// The number of the block device at a path that a table of mounts gives as a source.
fn device_at(path: &[u8]) -> Option<u64> {
    if !path.starts_with(b"/dev/") {
        return None;
    }
    let file = find(OsStr::from_bytes(path), PATIENCE).ok()?;
    let is_block_device = file_type(&file) == Ok(FileType::BlockDevice);
    is_block_device.then(|| device_behind(&file).ok()).flatten()
}

/// Types of file systems on block devices whose mounts have device numbers of no device.
const MANY_DEVICES: [&[u8]; 2] = [b"btrfs", b"bcachefs"];

/// The numbers of all devices of the file system that is on a block device.
fn members(device: u64) -> Vec<u64> {
    let number = |text: String| {
        let (major, minor) = text.trim().split_once(':')?;
        Some(makedev(major.parse().ok()?, minor.parse().ok()?))
    };
    let of_one = |folder: fs::DirEntry| -> Option<Vec<u64>> {
        let devices = fs::read_dir(folder.path().join("devices")).ok()?.flatten();
        let texts = devices.map(|device| fs::read_to_string(device.path().join("dev")));
        Some(texts.flatten().filter_map(number).collect())
    };
    let all = fs::read_dir("/sys/fs/btrfs").into_iter().flatten().flatten();
    let found = all.filter_map(of_one).find(|devices| devices.contains(&device));
    found.unwrap_or_else(|| vec![device])
}

/// The table of a mount namespace: of a member that sees its root directory, or through a visit.
fn table(proc: &Procfs, snapshot: &Snapshot, namespace: Namespace<'_>) -> Option<Table> {
    let members = namespace.leaders().chain(namespace.processes());
    let mut of_chrooted = None;
    for member in members.take(MEMBERS) {
        let Ok(task) = proc.process(member.pid()) else {
            continue;
        };
        let Ok(table) = Table::of_member(&task, namespace.id()) else {
            continue;
        };
        if table.has_root() {
            return Some(table);
        }
        of_chrooted = Some(table);
    }
    visited(proc, snapshot, namespace.id()).or(of_chrooted)
}

fn visited(proc: &Procfs, snapshot: &Snapshot, id: NamespaceId) -> Option<Table> {
    let namespace = open(snapshot, id).ok()?;
    let view = MountView::of(&namespace, proc).ok()?;
    Table::of_file(&view.mountinfo).ok()
}

/// The table of any process can be read, even if not which mount namespace it is of.
fn in_unknown_namespaces(proc: &Procfs, snapshot: &Snapshot, what: &What, places: &mut Places) {
    let mut tables: BTreeMap<Table, Vec<Pid>> = BTreeMap::new();
    let unknown =
        snapshot.processes().filter(|process| process.joined().get(NamespaceType::Mnt).is_none());
    for process in unknown {
        let table = proc.process(process.pid());
        let table = table.and_then(|task| Table::of_task(&task));
        if let Ok(table) = table
            && !table.text.is_empty()
        {
            tables.entry(table).or_default().push(process.pid());
        }
    }
    // A process with another root directory sees only a part of the mounts.
    let mut tables: Vec<_> = tables.into_iter().collect();
    tables.sort_by_key(|(table, _)| Reverse(table.text.len()));
    for (table, pids) in tables {
        let known = places.find(&table);
        let home = known.unwrap_or_else(|| places.add(None, &table, what.mounts_in(&table)));
        if let Some(place) = places.places.get_mut(home) {
            place.processes.extend(pids);
        }
    }
}
