//! What the caller is allowed to see, and what it should not do.

use lxkns_species::{NamespaceId, NamespaceType};
use rustix::fs::{CWD, readlinkat_raw};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgid, getuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_thread_res_gid,
    set_thread_res_uid,
};

use crate::Error;
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

/// Runs a closure with no more rights than the user who has started the program, on the calling
/// thread only: in secure-execution mode, without capabilities, and with the real user and group
/// where files are concerned. Otherwise there is nothing to take away.
///
/// # Errors
///
/// [`Error::Call`] if the rights cannot be taken away: the closure has not run then.
///
/// ```
/// let passwd = lxkns_ops::with_own_privileges(|| std::fs::File::open("/etc/passwd"))?;
/// println!("{passwd:?}");
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "setfsuid")]
#[doc(alias = "capset")]
pub fn with_own_privileges<T>(f: impl FnOnce() -> T) -> Result<T, Error> {
    if !is_secure_execution() {
        return Ok(f());
    }
    let lent = Lent::new().map_err(failed)?;
    let result = f();
    drop(lent);
    Ok(result)
}

/// Gives up, for good, what the user who has started the program has not: for the calling thread,
/// and those that it starts from now on. Only in secure-execution mode is there anything to give
/// up.
///
/// # Errors
///
/// [`Error::Call`] if that fails.
///
/// ```
/// // Before anything is done with what the user has named.
/// lxkns_ops::give_up_privileges()?;
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "setresuid")]
pub fn give_up_privileges() -> Result<(), Error> {
    if !is_secure_execution() {
        return Ok(());
    }
    let (user, group) = (getuid(), getgid());
    set_thread_res_gid(group, group, group).map_err(failed)?;
    set_thread_res_uid(user, user, user).map_err(failed)?;
    let mut sets = capabilities(None).map_err(failed)?;
    sets.effective = CapabilitySet::empty();
    sets.permitted = CapabilitySet::empty();
    set_capabilities(None, sets).map_err(failed)
}

fn failed(source: Errno) -> Error {
    Error::Call { what: "do without privileges", source }
}

/// The privileges of this thread, put away until this is dropped.
struct Lent {
    sets: CapabilitySets,
}

impl Lent {
    fn new() -> Result<Lent, Errno> {
        let sets = capabilities(None)?;
        let lent = Lent { sets };
        set_capabilities(None, CapabilitySets { effective: CapabilitySet::empty(), ..sets })?;
        // These say nothing of whether they worked; a second question does.
        let (user, group) = (getuid(), getgid());
        process::set_fs_gid(group.as_raw())?;
        process::set_fs_uid(user.as_raw())?;
        Ok(lent)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Where something stays away, the thread can do less than it should, and gaps tell.
        let _ = process::set_fs_uid(geteuid().as_raw());
        let _ = process::set_fs_gid(getegid().as_raw());
        let _ = set_capabilities(None, self.sets);
    }
}
