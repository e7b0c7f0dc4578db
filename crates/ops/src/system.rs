//! The machine that the caller runs on.

use std::ffi::CString;

use lxkns_species::Uid;

use crate::Error;
use crate::sys::{files, system};

/// The names of the machine and its kernel, see [`uname`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Uname {
    /// The node name, also known as host name. Absent if there is none, or no answer.
    pub node: Option<CString>,
    /// The release of the kernel, such as `6.18.1`. Absent if there is no answer.
    pub release: Option<CString>,
}

/// The names of the machine, in the caller's UTS namespace, and of its kernel.
///
/// # Errors
///
/// [`Error::Call`] if a sandbox refuses uname(2).
///
/// ```
/// let names = lxkns_ops::uname()?;
/// println!("{:?} runs Linux {:?}", names.node, names.release);
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
pub fn uname() -> Result<Uname, Error> {
    let failed = |source| Error::Call { what: "get the name of this machine", source };
    let names = system::uname().map_err(failed)?;
    Ok(Uname { node: names.node().map(Into::into), release: names.release().map(Into::into) })
}

/// The clock ticks in a second, the unit of start times in proc_pid_stat(5).
///
/// ```
/// assert!(lxkns_ops::clock_ticks_per_second() > 0);
/// ```
#[doc(alias = "AT_CLKTCK")]
pub fn clock_ticks_per_second() -> u64 {
    system::clock_ticks_per_second()
}

/// The number of files that the caller may have open; `None` if there is no limit, or no answer.
///
/// ```
/// assert_ne!(lxkns_ops::most_open_files(), Some(0));
/// ```
#[doc(alias = "RLIMIT_NOFILE")]
pub fn most_open_files() -> Option<u64> {
    files::most_open_files()
}

/// The real UID of the caller: that of the user, also in a program that is set-user-ID.
///
/// ```
/// println!("{}", lxkns_ops::own_uid());
/// ```
#[doc(alias = "getuid")]
pub fn own_uid() -> Uid {
    Uid(rustix::process::getuid().as_raw())
}
