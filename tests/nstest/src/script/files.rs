//! The steps that deal with files: paths, mounts, and fds of all kinds.

use std::path::Path;

use lxkns_species::NamespaceType;

use super::{Script, c_path, own_link};
use crate::command::c_text;
use crate::step::Step;

/// Files, mounts and fds.
impl Script {
    /// Creates a directory.
    pub fn mkdir(self, path: impl AsRef<Path>) -> Script {
        self.step(Step::Mkdir(c_path(path)))
    }

    /// Creates an empty file, such as bind-mounting a namespace needs.
    pub fn touch(self, path: impl AsRef<Path>) -> Script {
        self.step(Step::Mknod { path: c_path(path), mode: libc::S_IFREG, device: 0 })
    }

    /// Creates a FIFO.
    pub fn mkfifo(self, path: impl AsRef<Path>) -> Script {
        self.step(Step::Mknod { path: c_path(path), mode: libc::S_IFIFO, device: 0 })
    }

    /// Creates a character device, `device` being its major and minor number. Takes root.
    pub fn character_device(self, path: impl AsRef<Path>, device: (u32, u32)) -> Script {
        self.step(Step::Mknod {
            path: c_path(path),
            mode: libc::S_IFCHR,
            device: rustix::fs::makedev(device.0, device.1),
        })
    }

    /// Creates a symbolic link at `path`.
    pub fn symlink(self, target: impl AsRef<Path>, path: impl AsRef<Path>) -> Script {
        self.step(Step::Symlink { target: c_path(target), path: c_path(path) })
    }

    /// Removes a file.
    pub fn remove(self, path: impl AsRef<Path>) -> Script {
        self.step(Step::Remove(c_path(path)))
    }

    /// Writes to a file that exists, such as `/proc/self/timens_offsets`.
    pub fn write(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Script {
        self.step(Step::Write { path: c_path(path), content: content.as_ref().into() })
    }

    /// Mounts a new file system of this type, such as `tmpfs` or `proc`, with these options.
    pub fn mount(self, fs_type: &str, path: impl AsRef<Path>, options: &str) -> Script {
        self.step(Step::Mount {
            source: Some(c_text(fs_type.as_ref())),
            target: c_path(path),
            fs_type: Some(c_text(fs_type.as_ref())),
            flags: 0,
            options: (!options.is_empty()).then(|| c_text(options.as_ref())),
        })
    }

    /// Bind-mounts a file or directory, without the mounts below it.
    pub fn bind(self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Script {
        self.bind_with(from, to, libc::MS_BIND)
    }

    /// Bind-mounts a directory with all mounts below it.
    pub fn bind_tree(self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Script {
        self.bind_with(from, to, libc::MS_BIND | libc::MS_REC)
    }

    /// Creates an empty file and bind-mounts the own namespace of this type on it.
    pub fn bind_namespace(self, ns_type: NamespaceType, to: impl AsRef<Path>) -> Script {
        self.touch(&to).bind(own_link(ns_type), to)
    }

    /// Creates an empty file and bind-mounts on it what this fd refers to, such as a namespace.
    pub fn bind_fd(self, fd: i32, to: impl AsRef<Path>) -> Script {
        self.touch(&to).bind(format!("/proc/self/fd/{fd}"), to)
    }

    fn bind_with(self, from: impl AsRef<Path>, to: impl AsRef<Path>, flags: u64) -> Script {
        self.step(Step::Mount {
            source: Some(c_path(from)),
            target: c_path(to),
            fs_type: None,
            flags,
            options: None,
        })
    }

    /// Makes a directory a mount point that neither sends nor receives mounts, as it must be to
    /// hold bind mounts of mount namespaces.
    pub fn private_mount_point(self, path: impl AsRef<Path>) -> Script {
        self.bind(&path, &path).change_propagation(path, libc::MS_PRIVATE)
    }

    /// Makes a mount point shared: its copies in other mount namespaces are its peers or slaves.
    #[doc(alias = "MS_SHARED")]
    pub fn share_mounts(self, path: impl AsRef<Path>) -> Script {
        self.change_propagation(path, libc::MS_SHARED)
    }

    pub(super) fn change_propagation(self, path: impl AsRef<Path>, propagation: u64) -> Script {
        self.step(Step::Mount {
            source: None,
            target: c_path(path),
            fs_type: None,
            flags: propagation | libc::MS_REC,
            options: None,
        })
    }

    /// Unmounts the top mount at a path lazily: gone at once, even while in use.
    pub fn unmount(self, path: impl AsRef<Path>) -> Script {
        self.step(Step::Unmount(c_path(path)))
    }

    /// Makes a directory the root directory, and the working directory.
    pub fn chroot(self, path: impl AsRef<Path>) -> Script {
        self.step(Step::Chroot(c_path(path)))
    }

    /// Makes a directory the working directory.
    pub fn chdir(self, path: impl AsRef<Path>) -> Script {
        self.step(Step::Chdir(c_path(path)))
    }

    /// Opens a file for reading as fd number `fd`.
    pub fn open(self, path: impl AsRef<Path>, fd: i32) -> Script {
        self.step(Step::Open { path: c_path(path), flags: libc::O_RDONLY, fd })
    }

    /// Opens a device for reading and writing as fd number `fd`.
    pub fn open_device(self, path: impl AsRef<Path>, fd: i32) -> Script {
        self.step(Step::Open { path: c_path(path), flags: libc::O_RDWR, fd })
    }

    /// Opens a file with `O_PATH` as fd number `fd`.
    #[doc(alias = "O_PATH")]
    pub fn open_path(self, path: impl AsRef<Path>, fd: i32) -> Script {
        self.step(Step::Open { path: c_path(path), flags: libc::O_PATH, fd })
    }

    /// Opens the own namespace of this type as fd number `fd`.
    pub fn open_namespace(self, ns_type: NamespaceType, fd: i32) -> Script {
        self.open(own_link(ns_type), fd)
    }

    /// Clones the mount tree at a path, detached from every mount namespace, as fd number `fd`; see
    /// open_tree(2).
    pub fn open_tree(self, path: impl AsRef<Path>, fd: i32) -> Script {
        self.step(Step::OpenTree { path: c_path(path), fd })
    }

    /// Creates a TCP socket as fd number `fd`.
    pub fn tcp_socket(self, fd: i32) -> Script {
        self.step(Step::TcpSocket(fd))
    }

    /// Opens /dev/net/tun as fd number `fd` and makes a tun device of this name.
    #[doc(alias = "TUNSETIFF")]
    pub fn tun(self, name: &str, fd: i32) -> Script {
        self.step(Step::Tun { name: c_text(name.as_ref()), fd })
    }

    /// Creates a pair of Unix sockets as fds `ends` and sends `fd` into it, where nobody receives
    /// it. The socket pair holds its own network namespace.
    #[doc(alias = "SCM_RIGHTS")]
    pub fn send_fd(self, fd: i32, ends: (i32, i32)) -> Script {
        self.step(Step::SendFd { fd, ends })
    }

    /// Duplicates an fd until there are as many as the limit allows.
    pub fn duplicate_until_full(self, fd: i32) -> Script {
        self.step(Step::Fill(fd))
    }

    /// Closes an fd.
    pub fn close(self, fd: i32) -> Script {
        self.step(Step::Close(fd))
    }
}
