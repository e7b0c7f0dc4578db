//! Trying out what kernel and user can do.

#![expect(unsafe_code, reason = "system calls that rustix does not offer")]

use std::ffi::{OsStr, c_int};
use std::fs::File;
use std::os::fd::AsRawFd;

use lxkns_species::NamespaceType::{self, Pid, Time, User};
use lxkns_species::{Capabilities, Capability};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::ioctl::opcode;
use rustix::process::PidfdFlags;

use crate::cgroups::cgroup_root;
use crate::namespaces::own_namespace;
use crate::script::Script;
use crate::syscall::{Errno, Result, call};
use crate::tool::in_path;

/// The group of ioctls of nsfs, include/uapi/linux/nsfs.h.
const NSIO: u8 = 0xb7;

/// The capabilities of the calling thread.
fn effective() -> Capabilities {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let bits = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    Capabilities::from_bits(bits.unwrap_or(0))
}

pub(super) fn root() -> bool {
    let capabilities = effective();
    rustix::process::geteuid().is_root()
        && own_namespace(User).inode() == User.initial_inode()
        && [
            Capability::SYS_ADMIN,
            Capability::SYS_PTRACE,
            Capability::SYS_CHROOT,
            Capability::DAC_READ_SEARCH,
            Capability::NET_ADMIN,
        ]
        .into_iter()
        .all(|needed| capabilities.contains(needed))
}

pub(super) fn user_namespaces() -> bool {
    Script::new().user_namespace().spawn().is_ok()
}

pub(super) fn time_namespaces() -> bool {
    [Script::new(), Script::new().user_namespace()]
        .into_iter()
        .any(|script| script.unshare([Time]).fork("inside", Script::new()).spawn().is_ok())
}

pub(super) fn initial_pid_namespace() -> bool {
    own_namespace(Pid).inode() == Pid.initial_inode()
}

pub(super) fn program(name: &str) -> bool {
    in_path(OsStr::new(name)).is_some()
}

pub(super) fn tun() -> bool {
    device("/dev/net/tun")
}

pub(super) fn cgroups() -> bool {
    let Some(root) = cgroup_root() else { return false };
    let probe = root.join(format!("lxkns-probe-{}", std::process::id()));
    std::fs::create_dir(&probe).and_then(|()| std::fs::remove_dir(&probe)).is_ok()
}

pub(super) fn fuse() -> bool {
    device("/dev/fuse")
}

fn device(path: &str) -> bool {
    File::options().read(true).write(true).open(path).is_ok()
}

pub(super) fn btf() -> bool {
    File::open("/sys/kernel/btf/vmlinux").is_ok()
}

/// Whether an array map of one element can be made.
pub(super) fn bpf() -> bool {
    const BPF_MAP_CREATE: c_int = 0;
    const BPF_MAP_TYPE_ARRAY: u32 = 2;
    let attributes: [u32; 4] = [BPF_MAP_TYPE_ARRAY, 4, 4, 1];
    let privileged = effective().contains(Capability::SYS_ADMIN)
        || effective().contains(Capability::BPF) && effective().contains(Capability::PERFMON);
    // An unprivileged user may be allowed to make maps, and still no more than that.
    privileged
        && closing(call!(
            libc::SYS_bpf,
            BPF_MAP_CREATE,
            attributes.as_ptr(),
            size_of_val(&attributes)
        ))
        .is_ok()
}

/// Closes what a call has opened.
fn closing(opened: Result<i64>) -> Result {
    opened.and_then(|fd| call!(libc::SYS_close, fd)).map(drop)
}

pub(super) fn cached_open() -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match rustix::fs::openat2(CWD, "/", flags, Mode::empty(), ResolveFlags::CACHED) {
        Ok(_) | Err(rustix::io::Errno::AGAIN) => true,
        Err(_) => false,
    }
}

pub(super) fn loopback() -> bool {
    let listener = std::net::TcpListener::bind("127.0.0.1:0");
    let address = listener.as_ref().ok().and_then(|listener| listener.local_addr().ok());
    address.is_some_and(|address| std::net::TcpStream::connect(address).is_ok())
}

pub(super) fn thread_pidfds() -> bool {
    let thread = PidfdFlags::from_bits_retain(OFlags::EXCL.bits());
    rustix::process::pidfd_open(rustix::thread::gettid(), thread).is_ok()
}

pub(super) fn listmount() -> bool {
    const LISTMOUNT: i64 = 458;
    const ROOT_OF_OWN_NAMESPACE: u64 = u64::MAX;
    let request: [u64; 3] = [24, ROOT_OF_OWN_NAMESPACE, 0];
    let mut mounts = [0u64; 1];
    call!(LISTMOUNT, request.as_ptr(), mounts.as_mut_ptr(), mounts.len(), 0).is_ok()
}

fn own(ns_type: NamespaceType) -> Option<File> {
    File::open(format!("/proc/thread-self/{}", ns_type.proc_file())).ok()
}

/// Whether an ioctl of this number reads a 64-bit id from the own namespace.
fn reads_id(ns_type: NamespaceType, number: u8) -> bool {
    own(ns_type).is_some_and(|namespace| {
        let mut id = 0u64;
        let request = opcode::read::<u64>(NSIO, number);
        call!(libc::SYS_ioctl, namespace.as_raw_fd(), request, &raw mut id).is_ok()
    })
}

/// `NS_GET_MNTNS_ID`
pub(super) fn mount_namespace_ids() -> bool {
    reads_id(NamespaceType::Mnt, 5)
}

/// `NS_GET_ID`
pub(super) fn namespace_ids() -> bool {
    reads_id(NamespaceType::Net, 13)
}

/// `NS_MNT_GET_NEXT`
pub(super) fn mount_namespace_walk() -> bool {
    own(NamespaceType::Mnt).is_some_and(|namespace| {
        // struct mnt_ns_info; its first member is its size.
        let mut information: [u32; 4] = [16, 0, 0, 0];
        let request = opcode::read::<[u32; 4]>(NSIO, 11);
        let address = information.as_mut_ptr();
        match call!(libc::SYS_ioctl, namespace.as_raw_fd(), request, address) {
            // Ours may be the last one.
            Err(Errno(libc::ENOENT)) => true,
            next => closing(next).is_ok(),
        }
    })
}

/// `NS_GET_PID_FROM_PIDNS`
pub(super) fn pid_translation() -> bool {
    own(Pid).is_some_and(|namespace| {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let request = opcode::read::<c_int>(NSIO, 6);
        call!(libc::SYS_ioctl, namespace.as_raw_fd(), request, pid).is_ok()
    })
}

/// Whether a namespace's file handle can be had, and be opened again.
pub(super) fn namespace_handles() -> bool {
    const FD_NSFS_ROOT: c_int = -10003;
    own(NamespaceType::Net).is_some_and(|namespace| {
        let mut mount_id: c_int = 0;
        // struct file_handle: size, type, and that many bytes.
        let mut handle: [u32; 6] = [16, 0, 0, 0, 0, 0];
        call!(
            libc::SYS_name_to_handle_at,
            namespace.as_raw_fd(),
            c"".as_ptr(),
            handle.as_mut_ptr(),
            &raw mut mount_id,
            libc::AT_EMPTY_PATH
        )
        .is_ok()
            && closing(call!(
                libc::SYS_open_by_handle_at,
                FD_NSFS_ROOT,
                handle.as_mut_ptr(),
                libc::O_RDONLY | libc::O_CLOEXEC
            ))
            .is_ok()
    })
}

pub(super) fn listns() -> bool {
    const LISTNS: i64 = 470;
    let request: [u64; 4] = [32, 0, 0, 0];
    let mut ids = [0u64; 8];
    call!(LISTNS, request.as_ptr(), ids.as_mut_ptr(), ids.len(), 0).is_ok()
}

/// Whether a program may get privileges by being executed: not on a `nosuid` mount, nor where this
/// process was told to do without (`no_new_privs`).
pub(super) fn set_user_id() -> bool {
    let Ok(dir) = crate::Dir::new() else {
        return false;
    };
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let no_suid = rustix::fs::statvfs(dir.path())
        .is_ok_and(|fs| fs.f_flag.contains(rustix::fs::StatVfsMountFlags::NOSUID));
    root() && !no_suid && status.lines().any(|line| line == "NoNewPrivs:\t0")
}

pub(super) fn file_capabilities() -> bool {
    let Ok(dir) = crate::Dir::new() else {
        return false;
    };
    let file = dir.join("file");
    set_user_id()
        && std::fs::write(&file, "").is_ok()
        && crate::give_capabilities(&file, Capabilities::from_bits(1)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::Probe;
    use super::*;

    #[test]
    fn what_came_later_implies_what_came_before() {
        let implied: [(Probe, Probe); 5] = [
            (listns, namespace_ids),
            (namespace_ids, mount_namespace_ids),
            (mount_namespace_ids, pid_translation),
            (pid_translation, listmount),
            (listmount, cached_open),
        ];
        for (index, (later, earlier)) in implied.into_iter().enumerate() {
            assert!(!later() || earlier(), "{index}");
        }
    }
}
