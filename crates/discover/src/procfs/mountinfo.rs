//! `/proc/PID/mountinfo`, see proc_pid_mountinfo(5).

use std::borrow::Cow;
use std::os::fd::OwnedFd;

use lxkns_species::{NamespaceId, NamespaceType};
use rustix::io::Errno;

use super::task::TaskDir;
use super::{number, read_all, read_open};

/// Limit for the length of a table: more than 100,000 mounts.
const LIMIT: usize = 64 * 1024 * 1024;

/// A table of mounts as the kernel writes it, not parsed yet.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Table {
    pub(crate) text: Vec<u8>,
    /// Whether it is longer than [`LIMIT`], and the end is missing.
    pub(crate) is_cut: bool,
}

impl Table {
    /// The table of a task, as far as its root directory goes.
    pub(crate) fn of_task(task: &TaskDir) -> Result<Table, Errno> {
        let (text, is_cut) = read_all(task.folder(), c"mountinfo", LIMIT)?;
        Ok(Table { text, is_cut })
    }

    /// The table of a task that is in this mount namespace before and after the reading; ESRCH if
    /// it is not.
    pub(crate) fn of_member(task: &TaskDir, id: NamespaceId) -> Result<Table, Errno> {
        is_member(task, id)?;
        let table = Table::of_task(task)?;
        is_member(task, id)?;
        Ok(table)
    }

    /// The table in a file that is open already.
    pub(crate) fn of_file(file: &OwnedFd) -> Result<Table, Errno> {
        let (text, is_cut) = read_open(file, LIMIT)?;
        Ok(Table { text, is_cut })
    }

    /// The mounts, in the kernel's order; malformed lines are left out.
    pub(crate) fn mounts(&self) -> impl Iterator<Item = Mount<'_>> {
        parse(&self.text)
    }

    /// Whether the root directory is a mount of the table. It is none for a task that is chrooted
    /// to a plain directory: the table misses the mounts outside of that.
    pub(crate) fn has_root(&self) -> bool {
        self.mounts().any(|mount| *mount.mount_point == *b"/")
    }
}

/// Fails with ESRCH if a task is not in this mount namespace.
pub(crate) fn is_member(task: &TaskDir, id: NamespaceId) -> Result<(), Errno> {
    if task.namespace(NamespaceType::Mnt)? == id { Ok(()) } else { Err(Errno::SRCH) }
}

/// One mount.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mount<'t> {
    /// Its own number: no other mount has it, in no mount namespace, until this one is gone.
    pub(crate) id: u64,
    /// The number of the mount that it is mounted on, which need not be in the table.
    pub(crate) parent: u64,
    /// The device number of its file system.
    pub(crate) device: u64,
    /// What of the file system is mounted; of nsfs that is a text such as `net:[4026532281]`.
    pub(crate) root: Cow<'t, [u8]>,
    /// Where it is mounted, below the root directory of whom the file belongs to.
    pub(crate) mount_point: Cow<'t, [u8]>,
    /// Its peer group, see mount_namespaces(7).
    pub(crate) peer_group: Option<u64>,
    /// The peer group that it is a slave of.
    pub(crate) master: Option<u64>,
    /// The type of file system, such as `nsfs`.
    pub(crate) fs_type: &'t [u8],
    /// The source of the mount, as given to mount(2): a device, a name, any text.
    pub(crate) source: Cow<'t, [u8]>,
}

/// The mounts in a mountinfo text, in its order; malformed lines are left out.
pub(crate) fn parse(text: &[u8]) -> impl Iterator<Item = Mount<'_>> {
    text.split(|&byte| byte == b'\n').filter_map(mount)
}

fn mount(line: &[u8]) -> Option<Mount<'_>> {
    // id parent major:minor root mount-point options [tag…] - fs-type source super-options
    let mut fields = line.split(|&byte| byte == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let mut numbers = fields.next()?.splitn(2, |&byte| byte == b':');
    let (major, minor) = (number(numbers.next()?)?, number(numbers.next()?)?);
    let root = unescape(fields.next()?);
    let mount_point = unescape(fields.next()?);
    let (mut peer_group, mut master) = (None, None);
    let tags = fields.by_ref().skip(1).take_while(|field| *field != b"-");
    for tag in tags {
        if let Some(group) = tag.strip_prefix(b"shared:") {
            peer_group = number(group);
        } else if let Some(group) = tag.strip_prefix(b"master:") {
            master = number(group);
        }
    }
    let fs_type = fields.next()?;
    let source = unescape(fields.next().unwrap_or_default());
    let device = rustix::fs::makedev(major, minor);
    Some(Mount { id, parent, device, root, mount_point, peer_group, master, fs_type, source })
}

/// Undoes the kernel's escaping of blank, tab, newline, backslash (and `#`) as `\040` and so on.
fn unescape(field: &[u8]) -> Cow<'_, [u8]> {
    if !field.contains(&b'\\') {
        return Cow::Borrowed(field);
    }
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = |digit: &u8| (b'0'..=b'7').contains(digit).then(|| u32::from(digit - b'0'));
        let escaped = match tail {
            [a, b, c, ..] if byte == b'\\' => {
                octal(a).zip(octal(b)).zip(octal(c)).map(|((a, b), c)| a * 64 + b * 8 + c)
            }
            _ => None,
        };
        match escaped.and_then(|code| u8::try_from(code).ok()) {
            Some(code) => {
                plain.push(code);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let text = b"22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw\n\
            garbage\n\
            901 27 0:4 net:[4026532281] /run/a\\040b\\134c\\1z rw master:1 shared:2 - nsfs nsfs rw\n";
        let mounts: Vec<_> = parse(text).collect();
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0].id, 22);
        assert_eq!(mounts[0].fs_type, b"proc");
        assert_eq!((mounts[0].peer_group, mounts[0].master), (Some(5), None));
        assert_eq!((mounts[1].peer_group, mounts[1].master), (Some(2), Some(1)));
        assert_eq!((mounts[1].parent, &*mounts[1].source), (27, &b"nsfs"[..]));
        assert_eq!(mounts[1].fs_type, b"nsfs");
        assert_eq!(&*mounts[1].root, b"net:[4026532281]");
        assert_eq!(&*mounts[1].mount_point, b"/run/a b\\c\\1z");
        assert_eq!(mounts[1].device, 4);
    }

    #[test]
    fn own_mounts_are_read() {
        let text = std::fs::read("/proc/self/mountinfo").unwrap();
        assert_eq!(parse(&text).count(), text.iter().filter(|byte| **byte == b'\n').count());
        assert!(parse(&text).any(|mount| mount.fs_type == b"proc"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            parse(&bytes).count();
        }

        #[test]
        fn escapes_are_undone(plain: Vec<u8>) {
            let escaped: Vec<u8> = plain.iter().flat_map(|byte| match byte {
                b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
                other => vec![*other],
            }).collect();
            prop_assert_eq!(unescape(&escaped).into_owned(), plain);
        }
    }
}
