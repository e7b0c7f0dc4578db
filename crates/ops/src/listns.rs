//! The kernel's own list of namespaces: listns(2).
//!
//! It lists *active* namespaces: those held by tasks, file descriptors, bind mounts, or as parent
//! or owner of an active one. What only a socket, or the credentials of a file, keep alive exists
//! but is inactive, and not in the list. Ids are those of [`NamespaceFd::unique_id`], which
//! [`NamespaceFd::by_unique_id`] opens; one that died meanwhile is gone then.
//!
//! [`NamespaceFd::unique_id`]: crate::NamespaceFd::unique_id
//! [`NamespaceFd::by_unique_id`]: crate::NamespaceFd::by_unique_id

use lxkns_species::NamespaceTypes;
use rustix::io::Errno;

use crate::Error;
use crate::sys::listns::{Request, listns};
use crate::sys::room_for;

/// Lists the 64-bit ids of all active namespaces of these types, in ascending order.
///
/// Who is not allowed to see all (see [`may_see_all`](crate::may_see_all)) gets an incomplete list:
/// little more than the caller's own namespaces.
///
/// Minimum kernel: 6.19.
///
/// # Errors
///
/// [`Error::Call`]; EOVERFLOW if there are a million; [`Error::is_unsupported`] on older kernels.
/// In containers, denied may mean the same: the sandbox knows nothing of the call.
///
/// ```
/// use lxkns_species::NamespaceTypes;
///
/// match lxkns_ops::listns::all(NamespaceTypes::ALL) {
///     Ok(ids) => println!("{} namespaces", ids.len()),
///     Err(error) => println!("{error}"),
/// }
/// ```
#[doc(alias = "listns")]
pub fn all(types: NamespaceTypes) -> Result<Vec<u64>, Error> {
    // No flags would mean all types.
    if types.is_empty() {
        return Ok(Vec::new());
    }
    complete(&Request::new(types.clone_flags()))
        .map_err(|source| Error::Call { what: "list the namespaces", source })
}

/// Going on after a last id leaves some out (seen on 6.19 to 7.2), so all ids have to come at once.
fn complete(request: &Request) -> Result<Vec<u64>, Errno> {
    /// What the kernel takes at most.
    const LIMIT: usize = 1_000_000;
    let mut ids = room_for(1024)?;
    loop {
        let count = match listns(request, &mut ids) {
            // Where there is nothing to list, some kernels say so in this way.
            Err(Errno::NOENT) => 0,
            count => count?,
        };
        if count < ids.len() {
            ids.truncate(count);
            ids.sort_unstable();
            return Ok(ids);
        }
        if ids.len() == LIMIT {
            return Err(Errno::OVERFLOW);
        }
        ids = room_for(LIMIT.min(ids.len() * 2))?;
    }
}
