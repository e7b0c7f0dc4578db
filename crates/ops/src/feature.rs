//! What the running kernel can do, found out by trying.
//!
//! Version numbers say little: distributions port features back, configurations leave them out, and
//! a container's sandbox may refuse what the kernel could do. So each [`Feature`] is tried in the
//! most harmless way there is, on the caller's own namespaces where possible, so that lack of
//! privileges does not look like lack of the feature.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::OnceLock;

use lxkns_species::{NamespaceType, NamespaceTypes};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::mounts::{self, Of};
use crate::{Error, NamespaceFd, handle, listns, pidfd, pids, socket};

/// Something that not every kernel can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// Time namespaces.
    TimeNamespaces,
    /// Getting hold of the files of other processes, [`pidfd::get_fd`].
    FilesOfOthers,
    /// Opening a path without any risk to wait for a file server, see [`crate::visit::open_in`].
    CachedOpen,
    /// The cookie of a socket's network namespace, [`socket::cookie`].
    SocketCookies,
    /// Listing and describing the own mounts, [`Of::Own`].
    Mounts,
    /// pidfds of threads, [`pidfd::of_thread`].
    ThreadPidfds,
    /// Translating PIDs between PID namespaces, [`pids`].
    PidTranslation,
    /// 64-bit ids of mount namespaces, [`NamespaceFd::unique_id`].
    MountNamespaceIds,
    /// Listing and describing the mounts of other mount namespaces by id, [`Of::Id`].
    MountsById,
    /// Going from one mount namespace to the next, [`mounts::walk`].
    MountNamespaceWalk,
    /// The same by file descriptor, [`Of::Fd`].
    MountsByFd,
    /// 64-bit ids of all namespaces, [`NamespaceFd::unique_id`].
    UniqueIds,
    /// Opening namespaces by 64-bit id, type and inode, [`NamespaceFd::by_unique_id`].
    Handles,
    /// Opening namespaces by 64-bit id alone.
    HandlesByIdOnly,
    /// The kernel's own list of namespaces, [`listns`].
    Listns,
}

/// Whether there is a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Support {
    /// It was tried, and works. For others than the caller it may still need privileges.
    Supported,
    /// The kernel does not know it.
    Unsupported,
    /// It could not be tried. With EPERM, maybe a sandbox knows nothing of it.
    Unknown(Errno),
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Support::Supported => f.pad("yes"),
            Support::Unsupported => f.pad("no"),
            Support::Unknown(Errno::PERM | Errno::ACCESS) => f.pad("denied"),
            Support::Unknown(_) => f.pad("unknown"),
        }
    }
}

struct Row {
    name: &'static str,
    since: &'static str,
    needs: &'static str,
    probe: fn() -> Result<(), Error>,
}

const NOTHING: &str = "nothing";

impl Feature {
    /// All of them, in the order in which they came into the kernel.
    pub const ALL: [Feature; 15] = [
        Feature::TimeNamespaces,
        Feature::FilesOfOthers,
        Feature::CachedOpen,
        Feature::SocketCookies,
        Feature::Mounts,
        Feature::ThreadPidfds,
        Feature::PidTranslation,
        Feature::MountNamespaceIds,
        Feature::MountsById,
        Feature::MountNamespaceWalk,
        Feature::MountsByFd,
        Feature::UniqueIds,
        Feature::Handles,
        Feature::HandlesByIdOnly,
        Feature::Listns,
    ];

    #[rustfmt::skip]
    fn row(self) -> Row {
        let row = |name, since, needs, probe| Row { name, since, needs, probe };
        const ADMIN: &str = "CAP_SYS_ADMIN in the owning user namespace";
        const INITIAL: &str = "CAP_SYS_ADMIN in the initial user namespace, the initial PID namespace";
        match self {
            Feature::TimeNamespaces => row("time namespaces", "5.6", NOTHING, time_namespaces),
            Feature::FilesOfOthers => row("files of other processes", "5.6", "CAP_SYS_PTRACE", files_of_others),
            Feature::CachedOpen => row("opening without waiting", "5.12", NOTHING, cached_open),
            Feature::SocketCookies => row("socket cookies", "5.14", NOTHING, socket_cookies),
            Feature::Mounts => row("listing mounts", "6.8", NOTHING, own_mounts),
            Feature::ThreadPidfds => row("pidfds of threads", "6.9", NOTHING, thread_pidfds),
            Feature::PidTranslation => row("PID translation", "6.11", NOTHING, pid_translation),
            Feature::MountNamespaceIds => row("mount namespace ids", "6.12", NOTHING, mount_namespace_ids),
            Feature::MountsById => row("mounts by namespace id", "6.12", ADMIN, mounts_by_id),
            Feature::MountNamespaceWalk => row("walking mount namespaces", "6.12", INITIAL, mount_namespace_walk),
            Feature::MountsByFd => row("mounts by namespace fd", "6.18", NOTHING, mounts_by_fd),
            Feature::UniqueIds => row("64-bit namespace ids", "6.18", NOTHING, unique_ids),
            Feature::Handles => row("namespace handles", "6.18", INITIAL, handles),
            Feature::HandlesByIdOnly => row("namespace handles by id only", "6.19", INITIAL, handles_by_id_only),
            Feature::Listns => row("listing namespaces", "6.19", INITIAL, kernels_list),
        }
    }

    /// What it is, in a few words.
    ///
    /// ```
    /// assert_eq!(lxkns_ops::Feature::TimeNamespaces.name(), "time namespaces");
    /// ```
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The version of Linux that brought it, such as `6.12`.
    ///
    /// ```
    /// assert_eq!(lxkns_ops::Feature::TimeNamespaces.since(), "5.6");
    /// ```
    pub fn since(self) -> &'static str {
        self.row().since
    }

    /// What one needs to make full use of it; mere support is found out without.
    ///
    /// ```
    /// assert_eq!(lxkns_ops::Feature::TimeNamespaces.needs(), "nothing");
    /// ```
    pub fn needs(self) -> &'static str {
        self.row().needs
    }

    /// Whether the running kernel has it. Tried when first asked; an answer other than
    /// [`Support::Unknown`] holds for the rest of the process.
    ///
    /// ```
    /// use lxkns_ops::Feature;
    ///
    /// for feature in Feature::ALL {
    ///     println!("{feature} ({}): {}", feature.since(), feature.supported());
    /// }
    /// ```
    pub fn supported(self) -> Support {
        static KNOWN: [OnceLock<Support>; Feature::ALL.len()] =
            [const { OnceLock::new() }; Feature::ALL.len()];
        let known = KNOWN.get(self as usize);
        if let Some(support) = known.and_then(OnceLock::get) {
            return *support;
        }
        let support = judged((self.row().probe)());
        if let Some(known) = known
            && !matches!(support, Support::Unknown(_))
        {
            return *known.get_or_init(|| support);
        }
        support
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the outcome of a try says. These are the errors by which kernels refuse calls, ioctls,
/// flags and longer structures that they do not know.
fn judged(tried: Result<(), Error>) -> Support {
    match tried {
        Ok(()) => Support::Supported,
        Err(error) => match error.errno() {
            Some(
                Errno::NOSYS
                | Errno::NOTTY
                | Errno::OPNOTSUPP
                | Errno::INVAL
                | Errno::TOOBIG
                | Errno::NOPROTOOPT
                | Errno::STALE,
            ) => Support::Unsupported,
            Some(errno) => Support::Unknown(errno),
            None => Support::Unsupported,
        },
    }
}

fn own(namespace_type: NamespaceType) -> Result<NamespaceFd, Error> {
    NamespaceFd::of_self(namespace_type)
}

fn myself() -> lxkns_species::Pid {
    lxkns_species::Pid(std::process::id())
}

fn time_namespaces() -> Result<(), Error> {
    // What a kernel without them lacks is the link.
    match own(NamespaceType::Time) {
        Err(error) if error.errno() == Some(Errno::NOENT) => {
            own(NamespaceType::User)?;
            Err(Error::Call { what: "find time namespaces", source: Errno::OPNOTSUPP })
        }
        other => other.map(drop),
    }
}

fn files_of_others() -> Result<(), Error> {
    let pidfd = pidfd::of_process(myself())?;
    pidfd::get_fd(&pidfd, pidfd.as_raw_fd().cast_unsigned()).map(drop)
}

fn cached_open() -> Result<(), Error> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match openat2(CWD, c"/", flags, Mode::empty(), ResolveFlags::CACHED) {
        Ok(_) | Err(Errno::AGAIN) => Ok(()),
        Err(source) => Err(Error::Call { what: "open a path without waiting", source }),
    }
}

fn socket_cookies() -> Result<(), Error> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    let socket = socket.map_err(|source| Error::Call { what: "create a socket", source })?;
    socket::cookie(&socket).map(drop)
}

fn own_mounts() -> Result<(), Error> {
    mounts::probe(Of::Own)
}

fn thread_pidfds() -> Result<(), Error> {
    pidfd::of_thread(myself()).map(drop)
}

fn pid_translation() -> Result<(), Error> {
    pids::pid_in(&own(NamespaceType::Pid)?, myself()).map(drop)
}

fn mount_namespace_ids() -> Result<(), Error> {
    own(NamespaceType::Mnt)?.unique_id().map(drop)
}

fn mounts_by_id() -> Result<(), Error> {
    mounts::probe(Of::Id(own(NamespaceType::Mnt)?.unique_id()?))
}

fn mount_namespace_walk() -> Result<(), Error> {
    mounts::info(&own(NamespaceType::Mnt)?).map(drop)
}

fn mounts_by_fd() -> Result<(), Error> {
    let own = own(NamespaceType::Mnt)?;
    mounts::probe(Of::Fd(own.as_fd()))
}

fn unique_ids() -> Result<(), Error> {
    own(NamespaceType::Net)?.unique_id().map(drop)
}

fn handles() -> Result<(), Error> {
    let own = own(NamespaceType::Net)?;
    handle::open(own.unique_id()?, Some(own.id())).map(drop)
}

fn handles_by_id_only() -> Result<(), Error> {
    let own = own(NamespaceType::Net)?;
    handle::open(own.unique_id()?, None).map(drop)
}

fn kernels_list() -> Result<(), Error> {
    listns::all(NamespaceTypes::of([NamespaceType::Time])).map(drop)
}
