//! The mounts of a mount namespace, asked of the kernel from outside: listmount(2), statmount(2),
//! and the ioctls that walk from one mount namespace to the next.
//!
//! Nothing is entered here, and no process needs to be in the mount namespace. A table of mounts is
//! long and mostly dull, so it is read in steps: [`list`] gives ids only, [`superblock`] and
//! [`outline`] tell cheaply what file system a mount is of and where it stands (no text is made
//! up), and [`describe`] gives details of those that matter (0.3 to 0.7 µs per mount).
//!
//! Mounts come and go meanwhile: a mount that was listed may be gone when it is asked about. Until
//! Linux 6.19, in a mount namespace other than the caller's, only the tree of the first mount on
//! its root is listed. That is all of it where something is mounted over the root, as is usual on
//! machines that boot from an initial ramdisk; else the number of mounts that [`info`] tells shows
//! that some are missing.
//!
//! Left out: mount options, and changing anything.

mod walk;

use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd};

use linux_raw_sys::general::{
    STATMOUNT_FS_TYPE, STATMOUNT_MNT_BASIC, STATMOUNT_MNT_POINT, STATMOUNT_MNT_ROOT,
    STATMOUNT_SB_BASIC,
};
use rustix::fs::makedev;
use rustix::io::Errno;

use crate::Error;
use crate::sys::mounts::{Answer, HEAD_ONLY, Request, listmount, statmount};
use crate::sys::{process, room_for};

pub use walk::{Info, Walk, info, next, previous, walk};

/// `LSMT_ROOT`: all that is below the root.
const ROOT: u64 = u64::MAX;

/// Which mount namespace is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Of<'fd> {
    /// That of the calling thread, as far as it is below its root directory. Minimum kernel: 6.8.
    Own,
    /// The one with this 64-bit id, see [`NamespaceFd::unique_id`](crate::NamespaceFd::unique_id).
    /// Minimum kernel: 6.12. Needs `CAP_SYS_ADMIN` in the user namespace that owns it.
    Id(u64),
    /// The one that is open here. Minimum kernel: 6.18. Needs no more than that to list; to
    /// describe what is outside of its root mount, `CAP_SYS_ADMIN` as well.
    ///
    /// The kernel takes descriptor 0 for "none", so that one cannot be used (EBADF).
    Fd(BorrowedFd<'fd>),
}

impl Of<'_> {
    fn request(self) -> Result<Request, Errno> {
        Ok(match self {
            Of::Own => Request::new(0, 0),
            Of::Id(id) => Request::new(id, 0),
            Of::Fd(fd) => match fd.as_raw_fd().cast_unsigned() {
                0 => return Err(Errno::BADF),
                number => Request::new(0, number),
            },
        })
    }
}

/// The kernel's 64-bit id of a mount, never reused until reboot. It is not the small number that is
/// in mountinfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountId(pub u64);

impl fmt::Display for MountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The file system of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Superblock {
    /// The magic number, as statfs(2) has it in `f_type`.
    pub magic: u64,
    /// The device number, as stat(2) has it in `st_dev`.
    pub device: u64,
}

/// The magic number of nsfs.
pub const NSFS_MAGIC: u64 = process::NSFS_MAGIC;

/// The magic number of procfs.
pub const PROC_MAGIC: u64 = 0x9fa0;

/// What the kernel tells of a mount without making up any text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outline {
    /// Its id.
    pub id: MountId,
    /// The mount that it is mounted on; its own id at the very root.
    pub parent: MountId,
    /// Its number in mountinfo, which another mount may get once this one is gone.
    pub number: u64,
    /// The number of the mount that it is mounted on.
    pub parent_number: u64,
    /// Its file system.
    pub superblock: Superblock,
    /// Its peer group: `shared:N` in mountinfo, see mount_namespaces(7).
    pub peer_group: Option<u64>,
    /// The peer group that it is a slave of: `master:N` in mountinfo.
    pub master: Option<u64>,
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mount {
    /// Its id.
    pub id: MountId,
    /// The mount that it is mounted on; its own id at the very root.
    pub parent: MountId,
    /// Its file system.
    pub superblock: Superblock,
    /// The file system's type, such as `nsfs`.
    pub fs_type: Vec<u8>,
    /// What of the file system is mounted: a path in it, or the text `net:[4026531840]` of a
    /// namespace.
    pub root: Vec<u8>,
    /// Where it is mounted, seen from the root directory of the mount namespace; `None` if it
    /// cannot be reached from there. Nothing in it is escaped.
    pub point: Option<Vec<u8>>,
}

/// Lists all mounts of a mount namespace, in ascending order of their ids.
///
/// Minimum kernel: see [`Of`].
///
/// # Errors
///
/// [`Error::Call`]: EPERM or ENOENT without the privilege; ENOENT if there is no such mount
/// namespace; on kernels that lack it ENOSYS, E2BIG or EINVAL: see [`crate::Feature`] for how to
/// find out beforehand. In containers, EPERM may be the sandbox that knows nothing of the call.
///
/// ```
/// use lxkns_ops::mounts::{self, Of};
///
/// match mounts::list(Of::Own) {
///     Ok(ids) => assert!(ids.is_sorted()),
///     Err(error) => println!("{error}: {:?}", error.errno()),
/// }
/// ```
#[doc(alias = "listmount")]
pub fn list(of: Of<'_>) -> Result<Vec<MountId>, Error> {
    const CHUNK: usize = 512;
    let mut request = of.request().map_err(about_list)?;
    request.mount = ROOT;
    let mut mounts = Vec::new();
    let mut chunk = [0; CHUNK];
    loop {
        let count = listmount(&request, &mut chunk).map_err(about_list)?;
        let new = chunk.get(..count).unwrap_or_default();
        mounts.try_reserve(new.len()).map_err(|_| about_list(Errno::NOMEM))?;
        mounts.extend(new.iter().copied().map(MountId));
        match new.last() {
            Some(last) if count == CHUNK => request.param = *last,
            _ => return Ok(mounts),
        }
    }
}

/// Asks for the first mount of a mount namespace only: whether there is such a namespace.
///
/// Minimum kernel: see [`Of`].
///
/// # Errors
///
/// As [`list`].
///
/// ```
/// use lxkns_ops::mounts::{self, Of};
///
/// assert!(mounts::probe(Of::Own).is_ok() || mounts::list(Of::Own).is_err());
/// ```
#[doc(alias = "listmount")]
pub fn probe(of: Of<'_>) -> Result<(), Error> {
    let ask = || {
        let mut request = of.request()?;
        request.mount = ROOT;
        listmount(&request, &mut [0])
    };
    ask().map(drop).map_err(about_list)
}

/// What file system a mount is of.
///
/// Minimum kernel: see [`Of`].
///
/// # Errors
///
/// [`Error::Call`]: ENOENT if the mount is gone; and as [`list`].
///
/// ```
/// use lxkns_ops::mounts::{self, Of};
///
/// for mount in mounts::list(Of::Own).unwrap_or_default() {
///     if let Ok(superblock) = mounts::superblock(Of::Own, mount) {
///         println!("{mount}: {:#x}", superblock.magic);
///     }
/// }
/// ```
#[doc(alias = "statmount")]
pub fn superblock(of: Of<'_>, mount: MountId) -> Result<Superblock, Error> {
    let ask = || {
        let mut request = of.request()?;
        request.mount = mount.0;
        request.param = STATMOUNT_SB_BASIC.into();
        let mut buffer = HEAD_ONLY;
        superblock_in(&statmount(&request, &mut buffer)?)
    };
    ask().map_err(about_mount)
}

/// Where a mount stands among the others, and what file system it is of.
///
/// Minimum kernel: see [`Of`].
///
/// # Errors
///
/// [`Error::Call`]: ENOENT if the mount is gone; and as [`list`].
///
/// ```
/// use lxkns_ops::mounts::{self, Of};
///
/// for mount in mounts::list(Of::Own).unwrap_or_default() {
///     if let Ok(outline) = mounts::outline(Of::Own, mount) {
///         println!("{mount} on {}: peer group {:?}", outline.parent, outline.peer_group);
///     }
/// }
/// ```
#[doc(alias = "statmount")]
pub fn outline(of: Of<'_>, mount: MountId) -> Result<Outline, Error> {
    let ask = || {
        let mut request = of.request()?;
        request.mount = mount.0;
        request.param = (STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC).into();
        let mut buffer = HEAD_ONLY;
        outline_in(&statmount(&request, &mut buffer)?)
    };
    ask().map_err(about_mount)
}

/// Describes a mount.
///
/// Minimum kernel: see [`Of`].
///
/// # Errors
///
/// [`Error::Call`]: ENOENT if the mount is gone; and as [`list`].
///
/// ```
/// use lxkns_ops::mounts::{self, NSFS_MAGIC, Of};
///
/// // All bind mounts of namespaces.
/// for id in mounts::list(Of::Own).unwrap_or_default() {
///     if mounts::superblock(Of::Own, id).is_ok_and(|superblock| superblock.magic == NSFS_MAGIC)
///         && let Ok(mount) = mounts::describe(Of::Own, id)
///     {
///         println!("{} at {:?}", mount.root.escape_ascii(), mount.point);
///     }
/// }
/// ```
#[doc(alias = "statmount")]
pub fn describe(of: Of<'_>, mount: MountId) -> Result<Mount, Error> {
    const WANTED: u32 = STATMOUNT_SB_BASIC
        | STATMOUNT_MNT_BASIC
        | STATMOUNT_MNT_ROOT
        | STATMOUNT_MNT_POINT
        | STATMOUNT_FS_TYPE;
    // The kernel makes up to three texts; no path is longer than a page or two.
    const LARGEST: usize = 1024 * 1024 / size_of::<u64>();
    let ask = || {
        let mut request = of.request()?;
        request.mount = mount.0;
        request.param = WANTED.into();
        let mut small = [0u64; 128];
        let mut large;
        let mut buffer = small.as_mut_slice();
        loop {
            let size = buffer.len();
            match statmount(&request, buffer) {
                Ok(answer) => return mount_in(&answer),
                Err(Errno::OVERFLOW) if size < LARGEST => {
                    large = room_for(size * 4)?;
                    buffer = &mut large;
                }
                Err(errno) => return Err(errno),
            }
        }
    };
    ask().map_err(about_mount)
}

fn about_list(source: Errno) -> Error {
    Error::Call { what: "list the mounts of a mount namespace", source }
}

fn about_mount(source: Errno) -> Error {
    Error::Call { what: "ask about a mount", source }
}

/// Whether the kernel has told all of this.
fn told(answer: &Answer<'_>, what: u32) -> bool {
    answer.head.mask & u64::from(what) == u64::from(what)
}

fn superblock_in(answer: &Answer<'_>) -> Result<Superblock, Errno> {
    if !told(answer, STATMOUNT_SB_BASIC) {
        return Err(Errno::OPNOTSUPP);
    }
    let head = &answer.head;
    Ok(Superblock { magic: head.sb_magic, device: makedev(head.sb_dev_major, head.sb_dev_minor) })
}

fn outline_in(answer: &Answer<'_>) -> Result<Outline, Errno> {
    let superblock = superblock_in(answer)?;
    if !told(answer, STATMOUNT_MNT_BASIC) {
        return Err(Errno::OPNOTSUPP);
    }
    let head = &answer.head;
    let group = |number: u64| Some(number).filter(|number| *number != 0);
    Ok(Outline {
        id: MountId(head.mnt_id),
        parent: MountId(head.mnt_parent_id),
        number: head.mnt_id_old.into(),
        parent_number: head.mnt_parent_id_old.into(),
        superblock,
        peer_group: group(head.mnt_peer_group),
        master: group(head.mnt_master),
    })
}

fn mount_in(answer: &Answer<'_>) -> Result<Mount, Errno> {
    let Outline { id, parent, superblock, .. } = outline_in(answer)?;
    // The kernel does not mark a text as told if it is empty.
    let text = |what, offset| {
        let text = told(answer, what).then(|| answer.text(offset)).flatten();
        text.map(<[u8]>::to_vec)
    };
    let head = &answer.head;
    Ok(Mount {
        id,
        parent,
        superblock,
        fs_type: text(STATMOUNT_FS_TYPE, head.fs_type).unwrap_or_default(),
        root: text(STATMOUNT_MNT_ROOT, head.mnt_root).unwrap_or_default(),
        point: text(STATMOUNT_MNT_POINT, head.mnt_point),
    })
}
