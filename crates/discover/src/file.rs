//! Files of strangers: what an open one is, asked in the form that waits for no file server, and how
//! long one may wait where it takes that.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::fs::{AtFlags, Statx, StatxFlags, makedev, statx};
use rustix::io::Errno;

/// So long a single path, or the files of one process, may take if a file server does not answer.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// So long all of one kind together may take.
pub(crate) const TOTAL_PATIENCE: Duration = Duration::from_secs(2);

/// Device and inode of an open file.
pub(crate) fn identity(file: impl AsFd) -> Result<(u64, u64), Errno> {
    let stat = ask(file, StatxFlags::empty())?;
    Ok((makedev(stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino))
}

/// The number of the mount that an open file is in (Linux 5.8).
pub(crate) fn mount_id(file: impl AsFd) -> Option<u64> {
    let stat = ask(file, StatxFlags::MNT_ID).ok()?;
    (stat.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(stat.stx_mnt_id)
}

fn ask(file: impl AsFd, what: StatxFlags) -> Result<Statx, Errno> {
    statx(file, c"", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, what)
}
