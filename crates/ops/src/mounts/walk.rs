//! From one mount namespace to the next, in the kernel's own list of them.

use lxkns_species::NamespaceType;
use rustix::io::Errno;

use crate::sys::nsfs::{self, Neighbour};
use crate::{Error, NamespaceFd};

/// What the kernel tells of a mount namespace as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Its 64-bit id, as [`NamespaceFd::unique_id`].
    pub unique_id: u64,
    /// How many mounts it has.
    pub mounts: u32,
}

fn info_from(info: nsfs::MountNamespaceInfo) -> Info {
    Info { unique_id: info.id, mounts: info.mounts }
}

/// Asks a mount namespace for its id and the number of its mounts.
///
/// Minimum kernel: 6.12.
///
/// # Errors
///
/// [`Error::Ask`]; EINVAL for the other types, [`Error::is_unsupported`] on older kernels.
///
/// ```
/// use lxkns_ops::{NamespaceFd, mounts};
/// use lxkns_species::NamespaceType;
///
/// match mounts::info(&NamespaceFd::of_self(NamespaceType::Mnt)?) {
///     Ok(info) => assert!(info.mounts > 0),
///     Err(error) => assert!(error.is_unsupported()),
/// }
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "NS_MNT_GET_INFO")]
pub fn info(mount_namespace: &NamespaceFd) -> Result<Info, Error> {
    nsfs::mount_namespace_info(mount_namespace).map(info_from).map_err(|source| Error::Ask {
        what: "number of mounts",
        id: mount_namespace.id(),
        source,
    })
}

/// The mount namespace with the next higher id among those that the caller may see, in whatever way
/// it is held; `None` at the last one.
///
/// Minimum kernel: 6.12. One may see those owned by a user namespace in which one has
/// `CAP_SYS_ADMIN`; newer kernels want `CAP_SYS_ADMIN` in the initial user namespace, and the
/// initial PID namespace, and else answer EPERM: see [`may_see_all`](crate::may_see_all).
///
/// # Errors
///
/// [`Error::Ask`]; [`Error::is_unsupported`] on older kernels.
///
/// ```
/// use lxkns_ops::{NamespaceFd, mounts};
/// use lxkns_species::NamespaceType;
///
/// let own = NamespaceFd::of_self(NamespaceType::Mnt)?;
/// match mounts::next(&own) {
///     Ok(Some((other, _))) => assert_ne!(other.id(), own.id()),
///     Ok(None) => println!("there is none"),
///     Err(error) => println!("{error}"),
/// }
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "NS_MNT_GET_NEXT")]
pub fn next(mount_namespace: &NamespaceFd) -> Result<Option<(NamespaceFd, Info)>, Error> {
    neighbour(mount_namespace, Neighbour::Next)
}

/// As [`next()`], in the other direction.
///
/// # Errors
///
/// As [`next()`].
///
/// ```
/// use lxkns_ops::{NamespaceFd, mounts};
/// use lxkns_species::NamespaceType;
///
/// let own = NamespaceFd::of_self(NamespaceType::Mnt)?;
/// match mounts::previous(&own) {
///     Ok(Some((other, _))) => assert_ne!(other.id(), own.id()),
///     Ok(None) => println!("there is none"),
///     Err(error) => println!("{error}"),
/// }
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "NS_MNT_GET_PREV")]
pub fn previous(mount_namespace: &NamespaceFd) -> Result<Option<(NamespaceFd, Info)>, Error> {
    neighbour(mount_namespace, Neighbour::Previous)
}

fn neighbour(
    mount_namespace: &NamespaceFd,
    which: Neighbour,
) -> Result<Option<(NamespaceFd, Info)>, Error> {
    match nsfs::neighbour(mount_namespace, which) {
        Ok((fd, info)) => {
            let namespace = NamespaceFd::of_type(fd, NamespaceType::Mnt)
                .map_err(|source| Error::Call { what: "open the neighbour", source })?;
            Ok(Some((namespace, info_from(info))))
        }
        Err(Errno::NOENT) => Ok(None),
        Err(source) => Err(Error::Ask {
            what: match which {
                Neighbour::Next => "next mount namespace",
                Neighbour::Previous => "previous mount namespace",
            },
            id: mount_namespace.id(),
            source,
        }),
    }
}

/// All mount namespaces that the caller may see, each open while it is in the caller's hands, in
/// ascending order of their 64-bit ids. On Linux 6.18 that is not the order of their creation.
///
/// One that is created meanwhile may be missed. After an error the walk ends.
///
/// Minimum kernel and privileges: see [`next()`].
///
/// # Errors
///
/// As [`next()`].
///
/// ```
/// use lxkns_ops::mounts;
///
/// for (namespace, info) in mounts::walk().into_iter().flatten().flatten() {
///     println!("{}: {} mounts", namespace.id(), info.mounts);
/// }
/// ```
pub fn walk() -> Result<Walk, Error> {
    let own = NamespaceFd::of_self(NamespaceType::Mnt)?;
    let mut first = (info(&own)?, own);
    while let Some((before, info)) = previous(&first.1)? {
        first = (info, before);
    }
    Ok(Walk { upcoming: Some(Ok((first.1, first.0))) })
}

/// See [`walk`].
#[derive(Debug)]
pub struct Walk {
    upcoming: Option<Result<(NamespaceFd, Info), Error>>,
}

impl Iterator for Walk {
    type Item = Result<(NamespaceFd, Info), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let current = self.upcoming.take()?;
        if let Ok((namespace, _)) = &current {
            self.upcoming = next(namespace).transpose();
        }
        Some(current)
    }
}
