//! One step of a script, ready to be carried out without allocating.

use std::ffi::{CString, c_long};
use std::fmt;
use std::io;
use std::os::fd::RawFd;

use lxkns_species::{NamespaceType, NamespaceTypes};
use rustix::process::Resource;

use crate::actor::kernel;
use crate::command::Executable;

/// The ID mappings of a new user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdMap {
    /// None at all: everybody is the overflow user.
    Nothing,
    /// UID and GID 0 are the child's own ones outside.
    Root,
    /// The child's own UID and GID are mapped to themselves.
    Own,
    /// All IDs are mapped to themselves. Needs root in the initial user namespace.
    Everything,
}

/// A system call for [`Script::answer`](crate::Script::answer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are called as the system calls are")]
pub enum Call {
    Clone,
    CloseRange,
    Getdents64,
    Ioctl,
    Openat2,
    PidfdGetfd,
    PidfdOpen,
    Ppoll,
    Prctl,
    Sendmsg,
    Setns,
    Socketpair,
    Statmount,
    Uname,
}

impl Call {
    pub(crate) fn number(self) -> c_long {
        match self {
            Call::Clone => libc::SYS_clone,
            Call::CloseRange => libc::SYS_close_range,
            Call::Getdents64 => libc::SYS_getdents64,
            Call::Ioctl => libc::SYS_ioctl,
            Call::Openat2 => libc::SYS_openat2,
            Call::PidfdGetfd => libc::SYS_pidfd_getfd,
            Call::PidfdOpen => libc::SYS_pidfd_open,
            Call::Ppoll => libc::SYS_ppoll,
            Call::Prctl => libc::SYS_prctl,
            Call::Sendmsg => libc::SYS_sendmsg,
            Call::Setns => libc::SYS_setns,
            Call::Socketpair => libc::SYS_socketpair,
            Call::Statmount => linux_raw_sys::general::__NR_statmount.into(),
            Call::Uname => libc::SYS_uname,
        }
    }
}

/// Has a system call of the calling thread, and of those that it starts, fail with this error from
/// here on, as [`Script::answer`](crate::Script::answer) does.
///
/// # Errors
///
/// If the kernel takes no filter.
pub fn answer_on_this_thread(call: Call, errno: i32) -> io::Result<()> {
    kernel::answer(call.number(), errno)
        .map_err(|kernel::Errno(errno)| io::Error::from_raw_os_error(errno))
}

/// What carries out a part of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Process,
    Thread,
    /// A process that shares its starter's fds.
    Sharer,
    /// A process that shares its starter's fds, and ends at the end of its script.
    Errand,
}

/// Flags of unshare(2) and setns(2).
#[derive(Clone, Copy)]
pub(crate) struct Flags(pub(crate) u32);

impl Flags {
    pub(crate) const FILES: Flags = Flags(libc::CLONE_FILES.cast_unsigned());

    pub(crate) fn of(types: NamespaceTypes) -> Flags {
        Flags(types.iter().fold(0, |flags, ns_type| flags | ns_type.clone_flag()))
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types =
            NamespaceType::ALL.into_iter().filter(|ns_type| self.0 & ns_type.clone_flag() != 0);
        match self.0 == Flags::FILES.0 {
            true => f.write_str("fd table"),
            false => fmt::Display::fmt(&NamespaceTypes::of(types), f),
        }
    }
}

#[derive(Debug)]
pub(crate) enum Step {
    Unshare(Flags),
    UserNamespace(IdMap),
    Setns {
        fd: RawFd,
        flags: Flags,
    },
    BecomeUser {
        uid: u32,
        gid: u32,
    },
    Name(CString),
    Mkdir(CString),
    Mknod {
        path: CString,
        mode: u32,
        device: u64,
    },
    Symlink {
        target: CString,
        path: CString,
    },
    Remove(CString),
    Write {
        path: CString,
        content: Box<[u8]>,
    },
    Mount {
        source: Option<CString>,
        target: CString,
        fs_type: Option<CString>,
        flags: u64,
        options: Option<CString>,
    },
    Unmount(CString),
    Chroot(CString),
    Chdir(CString),
    Open {
        path: CString,
        flags: i32,
        fd: RawFd,
    },
    OpenTree {
        path: CString,
        fd: RawFd,
    },
    TcpSocket(RawFd),
    Tun {
        name: CString,
        fd: RawFd,
    },
    SendFd {
        fd: RawFd,
        ends: (RawFd, RawFd),
    },
    Close(RawFd),
    Limit {
        resource: Resource,
        most: u64,
    },
    Fill(RawFd),
    /// A system call, by its number, and what it answers from then on.
    Answer(c_long, i32),
    Note {
        label: String,
        link: CString,
    },
    /// `actor` counts the parts of its script, and once planned the actors of the plan.
    Start {
        actor: usize,
        copies: usize,
    },
    Reap,
    /// `output` are the files for stdout and stderr, once planned.
    Run {
        label: String,
        executable: Executable,
        output: Option<(RawFd, RawFd)>,
    },
    Pause,
    Churn(Flags),
    Exit,
    ExitThread,
}
