//! PIDs in other PID namespaces, one at a time, see ioctl_nsfs(2).
//!
//! *Here* is the PID namespace that the calling process is in. The kernel translates between
//! here and any other PID namespace, up or down. A number may be reused right after. For many
//! processes at once, `NSpid` in their proc_pid_status(5) says more.
//!
//! Minimum kernel: 6.11. No privilege is needed beyond an open PID namespace.
//!
//! All functions fail with [`Error::Ask`]: [`Error::is_gone`] if there is no such process or
//! thread, or if it has no number on the other side; EINVAL if it is no PID namespace;
//! [`Error::is_unsupported`] on older kernels.
//!
//! ```
//! use lxkns_ops::{NamespaceFd, pids};
//! use lxkns_species::{NamespaceType, Pid};
//!
//! let own = NamespaceFd::of_self(NamespaceType::Pid)?;
//! let pid = Pid(std::process::id());
//! match pids::pid_in(&own, pid) {
//!     Ok(same) => assert_eq!(same, pid),
//!     Err(error) => assert!(error.is_unsupported()),
//! }
//! # Ok::<(), lxkns_ops::Error>(())
//! ```

use lxkns_species::Pid;
use rustix::io::Errno;

use crate::sys::nsfs;
use crate::{Error, Feature, NamespaceFd, Support};

/// The PID here of the process or thread that has this PID there.
///
/// # Errors
///
/// See [above](self).
///
/// ```
/// use lxkns_ops::{NamespaceFd, pids};
/// use lxkns_species::{NamespaceType, Pid};
///
/// let here = NamespaceFd::of_self(NamespaceType::Pid)?;
/// let own = Pid(std::process::id());
/// match pids::pid_from(&here, own) {
///     Ok(same) => assert_eq!(same, own),
///     Err(error) => assert!(error.is_unsupported() || error.is_gone()),
/// }
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "NS_GET_PID_FROM_PIDNS")]
pub fn pid_from(there: &NamespaceFd, pid: Pid) -> Result<Pid, Error> {
    answer(there, nsfs::pid_from(there, pid.0).map_err(nobody))
}

/// The PID here of the *process* of the thread that has this PID there.
///
/// # Errors
///
/// See [above](self).
///
/// ```
/// use lxkns_ops::{NamespaceFd, pids};
/// use lxkns_species::{NamespaceType, Pid};
///
/// let here = NamespaceFd::of_self(NamespaceType::Pid)?;
/// let own = Pid(std::process::id());
/// match pids::tgid_from(&here, own) {
///     Ok(same) => assert_eq!(same, own),
///     Err(error) => assert!(error.is_unsupported() || error.is_gone()),
/// }
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "NS_GET_TGID_FROM_PIDNS")]
pub fn tgid_from(there: &NamespaceFd, pid: Pid) -> Result<Pid, Error> {
    answer(there, nsfs::tgid_from(there, pid.0).map_err(nobody))
}

/// The PID there of the process or thread that has this PID here.
///
/// # Errors
///
/// See [above](self).
///
/// ```
/// use lxkns_ops::{NamespaceFd, pids};
/// use lxkns_species::{NamespaceType, Pid};
///
/// let here = NamespaceFd::of_self(NamespaceType::Pid)?;
/// let own = Pid(std::process::id());
/// match pids::pid_in(&here, own) {
///     Ok(same) => assert_eq!(same, own),
///     Err(error) => assert!(error.is_unsupported() || error.is_gone()),
/// }
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "NS_GET_PID_IN_PIDNS")]
pub fn pid_in(there: &NamespaceFd, pid: Pid) -> Result<Pid, Error> {
    answer(there, nsfs::pid_in(there, pid.0))
}

/// The PID there of the *process* of the thread that has this PID here.
///
/// # Errors
///
/// See [above](self).
///
/// ```
/// use lxkns_ops::{NamespaceFd, pids};
/// use lxkns_species::{NamespaceType, Pid};
///
/// let here = NamespaceFd::of_self(NamespaceType::Pid)?;
/// let own = Pid(std::process::id());
/// match pids::tgid_in(&here, own) {
///     Ok(same) => assert_eq!(same, own),
///     Err(error) => assert!(error.is_unsupported() || error.is_gone()),
/// }
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "NS_GET_TGID_IN_PIDNS")]
pub fn tgid_in(there: &NamespaceFd, pid: Pid) -> Result<Pid, Error> {
    answer(there, nsfs::tgid_in(there, pid.0))
}

/// Some kernels (seen: 6.16 to 6.19, not 6.12 nor 7.0) say "no such ioctl" where they mean that
/// nobody over there has that number.
fn nobody(error: Errno) -> Errno {
    let is_ioctl = || Feature::PidTranslation.supported() == Support::Supported;
    match error {
        Errno::NOTTY if is_ioctl() => Errno::SRCH,
        other => other,
    }
}

fn answer(there: &NamespaceFd, result: Result<u32, Errno>) -> Result<Pid, Error> {
    result.map(Pid).map_err(|source| Error::Ask {
        what: "translation of a PID",
        id: there.id(),
        source,
    })
}
