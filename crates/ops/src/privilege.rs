//! What the caller is allowed to see, and what it should not do.

use lxkns_species::{NamespaceId, NamespaceType};
use rustix::fs::{CWD, readlinkat_raw};
use rustix::thread::{CapabilitySet, capabilities};

use crate::sys::process;

/// Whether the kernel lets the calling thread see all namespaces, by [`listns`](crate::listns) and
/// the walk through [`mounts`](crate::mounts): it must be in the initial PID namespace, and have
/// `CAP_SYS_ADMIN` in the initial user namespace.
///
/// False if the caller cannot find out, for lack of a `/proc`.
///
/// ```
/// if !lxkns_ops::may_see_all() {
///     println!("the kernel's list will be short");
/// }
/// ```
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

/// Whether the program runs in secure-execution mode: with more privileges than the user who has
/// started it, by a set-user-ID or set-group-ID bit, by file capabilities, or as a security module
/// says.
///
/// Nothing that the user controls (environment, paths, standard files) should decide then what is
/// done with these privileges. See `AT_SECURE` in getauxval(3).
///
/// ```
/// assert!(!lxkns_ops::is_secure_execution());
/// ```
#[doc(alias = "AT_SECURE")]
pub fn is_secure_execution() -> bool {
    process::is_secure_execution()
}
