//! An open namespace, and what it tells of itself.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use lxkns_species::{NamespaceId, NamespaceType, Pid, Reference, Uid};
use rustix::fs::{fstat, fstatfs, stat, statfs};
use rustix::io::Errno;

use crate::Error;
use crate::foreign::{self, TIMEOUT};
use crate::sys::nsfs;
use crate::sys::process::NSFS_MAGIC;

/// An open namespace: a file on nsfs, verified to be one. It keeps the namespace alive.
///
/// Its id cannot change under it: inodes are reused only after the namespace is gone.
#[derive(Debug)]
pub struct NamespaceFd {
    fd: OwnedFd,
    id: NamespaceId,
    device: u64,
}

impl NamespaceFd {
    /// Opens the namespace that a file on nsfs stands for: a bind mount, a `/proc/PID/ns` link.
    ///
    /// What else may be at that path is neither read nor waited for.
    ///
    /// # Errors
    ///
    /// [`Error::Open`], [`Error::NotNamespace`].
    ///
    /// ```
    /// use lxkns_ops::{Error, NamespaceFd};
    ///
    /// println!("{}", NamespaceFd::at_path("/proc/self/ns/net")?.id());
    /// let error = NamespaceFd::at_path("/dev/null").unwrap_err();
    /// assert!(matches!(error, Error::NotNamespace { .. }));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn at_path(path: impl AsRef<Path>) -> Result<NamespaceFd, Error> {
        NamespaceFd::open(&Reference::Path(path.as_ref().into()))
    }

    /// Opens the namespace of this type that a process is joined to.
    ///
    /// # Errors
    ///
    /// [`Error::Open`]: gone; or denied, without `PTRACE_MODE_READ_FSCREDS` over it, see ptrace(2).
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::{NamespaceType, Pid};
    ///
    /// match NamespaceFd::of_process(Pid(1), NamespaceType::Net) {
    ///     Ok(net) => println!("process 1 is in {}", net.id()),
    ///     Err(error) => assert!(error.is_denied() || error.is_gone()),
    /// }
    /// ```
    pub fn of_process(pid: Pid, namespace_type: NamespaceType) -> Result<NamespaceFd, Error> {
        NamespaceFd::open(&Reference::Process(pid, namespace_type))
    }

    /// Opens the namespace of this type that one thread of a process is joined to.
    ///
    /// # Errors
    ///
    /// As for [`NamespaceFd::of_process`].
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// use lxkns_species::Pid;
    ///
    /// let own = Pid(std::process::id());
    /// // The main thread goes by the number of its process.
    /// let net = NamespaceFd::of_thread(own, own, NamespaceType::Net)?;
    /// assert_eq!(net.id().namespace_type(), NamespaceType::Net);
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn of_thread(
        pid: Pid,
        tid: Pid,
        namespace_type: NamespaceType,
    ) -> Result<NamespaceFd, Error> {
        NamespaceFd::open(&Reference::Thread { pid, tid, namespace_type })
    }

    /// Opens the namespace of this type that the calling thread is joined to.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] without a `/proc`, or without this type of namespace in the kernel.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// let user = NamespaceFd::of_self(NamespaceType::User)?;
    /// assert_eq!(user.id().namespace_type(), NamespaceType::User);
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn of_self(namespace_type: NamespaceType) -> Result<NamespaceFd, Error> {
        NamespaceFd::open(&Reference::Own(namespace_type))
    }

    /// Opens the namespace with this 64-bit id, wherever it is and whatever holds it.
    ///
    /// Type and inode, if known, are verified. Minimum kernel: 6.18; 6.19 without type and inode.
    /// Needs `CAP_SYS_ADMIN` in the initial user namespace and the initial PID namespace, except
    /// for the caller's own.
    ///
    /// # Errors
    ///
    /// [`Error::Open`]; [`Error::is_gone`] if there is none (any more), also if type and inode
    /// are not its own; [`Error::is_unsupported`] on older kernels.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// let net = NamespaceFd::of_self(NamespaceType::Net)?;
    /// if let Ok(unique_id) = net.unique_id() {
    ///     let same = NamespaceFd::by_unique_id(unique_id, Some(net.id()));
    ///     assert!(same.is_ok_and(|same| same.id() == net.id()));
    /// }
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    #[doc(alias = "open_by_handle_at")]
    pub fn by_unique_id(unique_id: u64, id: Option<NamespaceId>) -> Result<NamespaceFd, Error> {
        NamespaceFd::open(&Reference::UniqueId(unique_id, id))
    }

    /// Whether there is still a namespace with this 64-bit id and this inode: cheaper than
    /// [`NamespaceFd::by_unique_id`].
    ///
    /// Minimum kernel: 6.18.
    ///
    /// # Errors
    ///
    /// As [`NamespaceFd::by_unique_id`]: [`Error::is_gone`] if it has ended.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// let own = NamespaceFd::of_self(NamespaceType::Uts)?;
    /// if let Ok(unique_id) = own.unique_id() {
    ///     let found = NamespaceFd::probe(unique_id, own.id());
    ///     assert!(found.is_ok() || !found.unwrap_err().is_gone());
    /// }
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn probe(unique_id: u64, id: NamespaceId) -> Result<(), Error> {
        crate::handle::probe(unique_id, id)
    }

    /// Takes over an open file.
    ///
    /// # Errors
    ///
    /// [`Error::NotNamespace`] if it is not on nsfs, [`Error::Open`] if it was opened with
    /// `O_PATH`.
    ///
    /// ```
    /// use lxkns_ops::{Error, NamespaceFd};
    ///
    /// let file = std::fs::File::open("/proc/self/ns/uts").unwrap();
    /// assert!(NamespaceFd::from_fd(file.into()).is_ok());
    /// let file = std::fs::File::open("/dev/null").unwrap();
    /// assert!(matches!(NamespaceFd::from_fd(file.into()), Err(Error::NotNamespace { .. })));
    /// ```
    pub fn from_fd(fd: OwnedFd) -> Result<NamespaceFd, Error> {
        let number = fd.as_raw_fd();
        NamespaceFd::checked(fd, || Reference::Fd(number))
    }

    /// Takes over an open file that should be this namespace: cheaper than
    /// [`NamespaceFd::from_fd`], as the answer to "what are you?" is known.
    ///
    /// # Errors
    ///
    /// [`Error::OtherNamespace`] or [`Error::NotNamespace`] if it is something else.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// let uts = NamespaceFd::of_self(NamespaceType::Uts)?;
    /// let again = NamespaceFd::of_self(NamespaceType::Uts)?;
    /// assert_eq!(NamespaceFd::expecting(again.into(), uts.id())?.id(), uts.id());
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn expecting(fd: OwnedFd, expected: NamespaceId) -> Result<NamespaceFd, Error> {
        let failed = |source| Error::Ask { what: "inode", id: expected, source };
        let stat = fstat(&fd).map_err(failed)?;
        // All namespaces share one range of inodes, so device and inode tell the type, too.
        if Some(stat.st_dev) == NamespaceFd::nsfs_device() && stat.st_ino == expected.inode() {
            return Ok(NamespaceFd { fd, id: expected, device: stat.st_dev });
        }
        // Without `/proc`, that device is unknown.
        let found = NamespaceFd::from_fd(fd)?;
        if found.id() == expected {
            return Ok(found);
        }
        let found = found.id();
        Err(Error::OtherNamespace { expected, found })
    }

    /// The device number of nsfs: every file with it is a namespace. `None` if the caller cannot
    /// find out, for lack of a `/proc`.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// let uts = NamespaceFd::of_self(NamespaceType::Uts)?;
    /// assert_eq!(NamespaceFd::nsfs_device(), Some(uts.device()));
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn nsfs_device() -> Option<u64> {
        static DEVICE: OnceLock<u64> = OnceLock::new();
        DEVICE.get().copied().or_else(|| {
            // Without opening it: that works also with as many open files as there may be.
            let own = Reference::Own(NamespaceType::User).path()?;
            if statfs(&own).ok()?.f_type as u64 != NSFS_MAGIC {
                return None;
            }
            let device = stat(&own).ok()?.st_dev;
            Some(*DEVICE.get_or_init(|| device))
        })
    }

    /// Whether a file, opened in whatever way, is on nsfs.
    pub(crate) fn is_nsfs(fd: impl AsFd) -> bool {
        // Only the device number is known without a question to a file server.
        if let Some(device) = NamespaceFd::nsfs_device() {
            return foreign::identity(fd).is_ok_and(|(found, _)| found == device);
        }
        let fd = fd.as_fd();
        let is_nsfs = |fd: BorrowedFd<'_>| Ok(fstatfs(fd)?.f_type as u64 == NSFS_MAGIC);
        foreign::answer_about(fd, TIMEOUT, is_nsfs).unwrap_or(false)
    }

    pub(crate) fn checked(
        fd: OwnedFd,
        reference: impl Fn() -> Reference,
    ) -> Result<NamespaceFd, Error> {
        if !NamespaceFd::is_nsfs(&fd) {
            return Err(Error::NotNamespace { reference: reference() });
        }
        let failed = |source| Error::Open { reference: reference(), source };
        // Every file on nsfs is a namespace, which says of which type.
        let flag = nsfs::namespace_type(&fd).map_err(failed)?;
        let namespace_type = NamespaceType::from_clone_flag(flag)
            .ok_or_else(|| Error::NotNamespace { reference: reference() })?;
        NamespaceFd::of_type(fd, namespace_type).map_err(failed)
    }

    /// For a file of which it is certain what type of namespace it is.
    pub(crate) fn of_type(
        fd: OwnedFd,
        namespace_type: NamespaceType,
    ) -> Result<NamespaceFd, Errno> {
        let stat = fstat(&fd)?;
        let id = NamespaceId::new(namespace_type, stat.st_ino).ok_or(Errno::BADF)?;
        Ok(NamespaceFd { fd, id, device: stat.st_dev })
    }

    /// Opens it once more, independently of this one.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] if there are too many open files.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// let uts = NamespaceFd::of_self(NamespaceType::Uts)?;
    /// assert_eq!(uts.try_clone()?.id(), uts.id());
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn try_clone(&self) -> Result<NamespaceFd, Error> {
        let fd = rustix::io::fcntl_dupfd_cloexec(&self.fd, 0)
            .map_err(|source| Error::Call { what: "duplicate a file descriptor", source })?;
        Ok(NamespaceFd { fd, ..*self })
    }

    /// Type and inode.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// println!("{}", NamespaceFd::of_self(NamespaceType::Net)?.id()); // net:[4026531840]
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn id(&self) -> NamespaceId {
        self.id
    }

    /// The device number of nsfs.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// let net = NamespaceFd::of_self(NamespaceType::Net)?;
    /// let ipc = NamespaceFd::of_self(NamespaceType::Ipc)?;
    /// assert_eq!(net.device(), ipc.device());
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn device(&self) -> u64 {
        self.device
    }

    /// The user namespace that owns it; of a user namespace, the parent.
    ///
    /// Minimum kernel: 4.9.
    ///
    /// # Errors
    ///
    /// [`Error::Without`] for the initial user namespace; [`Error::Beyond`] if the owner is not the
    /// caller's user namespace or below that.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// match NamespaceFd::of_self(NamespaceType::Net)?.owner() {
    ///     Ok(user) => assert_eq!(user.id().namespace_type(), NamespaceType::User),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    #[doc(alias = "NS_GET_USERNS")]
    pub fn owner(&self) -> Result<NamespaceFd, Error> {
        nsfs::owner(&self.fd)
            .and_then(|fd| NamespaceFd::of_type(fd, NamespaceType::User))
            .map_err(|source| self.no_relation("owner", source))
    }

    /// The namespace that it nests in; PID and user namespaces have one.
    ///
    /// Minimum kernel: 4.9.
    ///
    /// # Errors
    ///
    /// [`Error::Without`] for the initial ones, and for the other types; [`Error::Beyond`] if the
    /// parent is not the caller's own PID or user namespace or below that.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// let mut user = NamespaceFd::of_self(NamespaceType::User)?;
    /// let error = loop {
    ///     match user.parent() {
    ///         Ok(parent) => user = parent,
    ///         Err(error) => break error,
    ///     }
    /// };
    /// assert!(error.is_none() || error.is_denied(), "at the top, or at the end of the view");
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    #[doc(alias = "NS_GET_PARENT")]
    pub fn parent(&self) -> Result<NamespaceFd, Error> {
        nsfs::parent(&self.fd)
            .and_then(|fd| NamespaceFd::of_type(fd, self.id.namespace_type()))
            .map_err(|source| self.no_relation("parent", source))
    }

    /// The user who created this user namespace, as seen from the caller's user namespace: one
    /// that has no mapping there is the overflow UID (`/proc/sys/kernel/overflowuid`).
    ///
    /// Minimum kernel: 4.11.
    ///
    /// # Errors
    ///
    /// [`Error::Without`] for the other types.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// match NamespaceFd::of_self(NamespaceType::User)?.creator() {
    ///     Ok(uid) => println!("created by {uid}"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    #[doc(alias = "NS_GET_OWNER_UID")]
    pub fn creator(&self) -> Result<Uid, Error> {
        nsfs::owner_uid(&self.fd).map(Uid).map_err(|source| self.no_relation("creator", source))
    }

    /// The kernel says EPERM both if there is nothing and if there is something that it does not
    /// show: but only the initial user and PID namespaces have nothing above them, and their inodes
    /// are known. (The initial PID namespace has an owner.)
    fn no_relation(&self, what: &'static str, source: Errno) -> Error {
        let ns_type = self.id.namespace_type();
        let is_top = self.id.inode() == ns_type.initial_inode()
            && (ns_type == NamespaceType::User || what == "parent");
        match source {
            Errno::INVAL => Error::Without { what, id: self.id },
            Errno::PERM if is_top => Error::Without { what, id: self.id },
            Errno::PERM => Error::Beyond { what, id: self.id },
            source => self.ask(what, source),
        }
    }

    /// The kernel's 64-bit id, never reused until reboot.
    ///
    /// Minimum kernel: 6.18; for mount namespaces 6.12.
    ///
    /// # Errors
    ///
    /// [`Error::Ask`]; [`Error::is_unsupported`] on older kernels.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    /// use lxkns_species::NamespaceType;
    ///
    /// match NamespaceFd::of_self(NamespaceType::Mnt)?.unique_id() {
    ///     Ok(id) => assert!(id > 0),
    ///     Err(error) => assert!(error.is_unsupported()),
    /// }
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    #[doc(alias = "NS_GET_ID")]
    #[doc(alias = "NS_GET_MNTNS_ID")]
    pub fn unique_id(&self) -> Result<u64, Error> {
        nsfs::unique_id(&self.fd)
            .or_else(|unsupported| match self.id.namespace_type() {
                NamespaceType::Mnt => nsfs::mount_namespace_id(&self.fd),
                _ => Err(unsupported),
            })
            .map_err(|source| self.ask("64-bit id", source))
    }

    fn ask(&self, what: &'static str, source: Errno) -> Error {
        Error::Ask { what, id: self.id, source }
    }
}

impl AsFd for NamespaceFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<NamespaceFd> for OwnedFd {
    fn from(namespace: NamespaceFd) -> OwnedFd {
        namespace.fd
    }
}
