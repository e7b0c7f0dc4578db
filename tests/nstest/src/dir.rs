//! A directory for the files and mounts of one test.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mount::UnmountFlags;

/// A new empty directory that everybody may look into; on drop it is removed, after everything
/// mounted below it in the test's own mount namespace.
///
/// Declare it before the [`Child`](crate::Child) that uses it, so that it is dropped after it.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
}

impl Dir {
    /// Creates the directory below that for temporary files.
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    pub fn new() -> io::Result<Dir> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = std::env::temp_dir().canonicalize()?;
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("lxkns-nstest-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                // The remains of a killed test whose PID has come round again.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created.map(|()| Dir { path }),
            }
        }
    }

    /// Its path, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

impl AsRef<Path> for Dir {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // The directory itself may be a mount point, several times over.
        let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        for mount_point in mount_points(&mounts).rev().filter(|path| path.starts_with(&self.path)) {
            _ = rustix::mount::unmount(&mount_point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
        }
        let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        if !mount_points(&mounts).any(|path| path.starts_with(&self.path)) {
            _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The mount points of a mountinfo file, see proc_pid_mountinfo(5).
fn mount_points(mountinfo: &[u8]) -> impl DoubleEndedIterator<Item = PathBuf> {
    mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(unescape)
}

/// Blanks, tabs, newlines and backslashes are octal numbers of three digits.
fn unescape(text: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        rest = after;
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = rest.get(3..).unwrap_or_default();
            }
            None => bytes.push(*first),
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_unescaped() {
        let mountinfo = b"36 35 98:0 / /mnt/a\\040b\\134c rw - ext4 /dev/x rw\n\
                          37 36 98:0 / / rw - ext4 /dev/x rw\n";
        let points: Vec<PathBuf> = mount_points(mountinfo).collect();
        assert_eq!(points, [Path::new("/mnt/a b\\c"), Path::new("/")]);
    }
}
