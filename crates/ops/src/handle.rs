//! Opening namespaces by the kernel's 64-bit ids, which needs no path and no holder.

use std::os::fd::OwnedFd;

use lxkns_species::{NamespaceId, NamespaceType, Reference};
use rustix::io::Errno;

use crate::sys::handle;
use crate::{Error, NamespaceFd};

/// Opens the namespace with this 64-bit id, and makes sure that it is the one.
pub(crate) fn open(unique_id: u64, id: Option<NamespaceId>) -> Result<NamespaceFd, Error> {
    let reference = || Reference::UniqueId(unique_id, id);
    let failed = |source| Error::Open { reference: reference(), source };
    let fd = open_file(unique_id, id).map_err(failed)?;
    let namespace = NamespaceFd::checked(fd, reference)?;
    let is_it = namespace.unique_id()? == unique_id && id.is_none_or(|id| id == namespace.id());
    if is_it { Ok(namespace) } else { Err(failed(Errno::STALE)) }
}

/// Whether the kernel finds the namespace that has both this 64-bit id and this number.
pub(crate) fn probe(unique_id: u64, id: NamespaceId) -> Result<(), Error> {
    let failed =
        |source| Error::Open { reference: Reference::UniqueId(unique_id, Some(id)), source };
    open_file(unique_id, Some(id)).map(drop).map_err(failed)
}

fn open_file(unique_id: u64, id: Option<NamespaceId>) -> Result<OwnedFd, Errno> {
    // Also where there are no handles at all, nsfs may have inodes beyond 32 bits some day.
    let inode = u32::try_from(id.map_or(0, NamespaceId::inode)).map_err(|_| Errno::STALE)?;
    let flag = id.map_or(0, |id| id.namespace_type().clone_flag());
    handle::open(unique_id, flag, inode).map_err(|errno| match errno {
        // Before 6.18 the kernel does not know the negative descriptor.
        Errno::BADF | Errno::INVAL => Errno::OPNOTSUPP,
        // On 6.18 any id on its own is stale.
        Errno::STALE if id.is_none() && !opens_by_id_only() => Errno::OPNOTSUPP,
        errno => errno,
    })
}

/// Whether the kernel needs no more than the 64-bit id, tried with one that certainly exists.
fn opens_by_id_only() -> bool {
    NamespaceFd::of_self(NamespaceType::User)
        .and_then(|own| own.unique_id())
        .is_ok_and(|id| handle::open(id, 0, 0).is_ok())
}
