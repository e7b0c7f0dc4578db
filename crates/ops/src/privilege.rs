//! What the caller is allowed to see.

use lxkns_species::{NamespaceId, NamespaceType};
use rustix::fs::{CWD, readlinkat_raw};
use rustix::thread::{CapabilitySet, capabilities};

/// Whether the kernel lets the calling thread see all namespaces, by [`listns`](crate::listns) and
/// the walk through [`mounts`](crate::mounts): it must be in the initial PID namespace, and have
/// `CAP_SYS_ADMIN` in the initial user namespace.
///
/// False if the caller cannot find out, for lack of a `/proc`.
pub fn may_see_all() -> bool {
    let is_initial = |namespace_type: NamespaceType| {
        let link = format!("/proc/thread-self/{}", namespace_type.proc_file());
        let mut text = [0; 64];
        let length = readlinkat_raw(CWD, link, &mut text).unwrap_or(0);
        text.get(..length)
            .and_then(NamespaceId::from_link)
            .is_some_and(|id| id.inode() == namespace_type.initial_inode())
    };
    capabilities(None).is_ok_and(|own| own.effective.contains(CapabilitySet::SYS_ADMIN))
        && is_initial(NamespaceType::User)
        && is_initial(NamespaceType::Pid)
}
