//! Processes that have nothing else to do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use lxkns_species::NamespaceType;
use rustix::process::{parent_process_death_signal, set_parent_process_death_signal};

use super::{any, enter};
use crate::sys::enter as sys;
use crate::sys::files::OpenFiles;
use crate::sys::fork::{go_on_in_child, is_only_thread};
use crate::{Error, NamespaceFd};

/// Enters namespaces, of all types, for the rest of the life of this process, which must have no
/// other thread, and ends the process with what the closure returns as exit status.
///
/// The closure is told whether all have been entered. If a PID namespace is among them, a child
/// process runs the closure, and this one does nothing but end as the child does; the child is
/// killed if this one is. After entering a user namespace the process is root in there, if there is
/// a root; if not, programs that it executes have all capabilities nevertheless (from Linux 4.3
/// on).
///
/// This is for programs, or copies of programs, whose whole purpose is to do something elsewhere.
/// No destructors of the caller run. If the closure panics, the process ends with status 101.
///
/// ```no_run
/// use lxkns_ops::{NamespaceFd, enter};
/// use lxkns_species::{NamespaceType, Pid};
///
/// let user = NamespaceFd::of_process(Pid(812), NamespaceType::User)?;
/// let pid = NamespaceFd::of_process(Pid(812), NamespaceType::Pid)?;
/// enter::for_good(&[&user, &pid], |entered| match entered {
///     Ok(()) => 0,
///     Err(_) => 1,
/// })
/// # ; #[allow(unreachable_code)] Ok::<(), lxkns_ops::Error>(())
/// ```
pub fn for_good(namespaces: &[&NamespaceFd], f: impl FnOnce(Result<(), Error>) -> i32) -> ! {
    for_good_as(Credentials::Root, namespaces, f)
}

/// Who to be after entering a user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Credentials {
    /// Its root (UID and GID 0, no supplementary groups), as far as it has one.
    #[default]
    Root,
    /// The same user and groups as before, whatever they are called in there. Programs executed
    /// then have no capabilities, unless that is root.
    Own,
}

/// As [`for_good`], and as a certain user, if a user namespace is entered.
///
/// ```no_run
/// use std::os::unix::process::CommandExt;
/// use std::process::Command;
///
/// use lxkns_ops::enter::{Credentials, for_good_as};
/// use lxkns_ops::NamespaceFd;
/// use lxkns_species::{NamespaceType, Pid};
///
/// let user = NamespaceFd::of_process(Pid(812), NamespaceType::User)?;
/// for_good_as(Credentials::Own, &[&user], |entered| {
///     let error = entered.map(|()| Command::new("id").exec());
///     eprintln!("{error:?}");
///     1
/// })
/// # ; #[allow(unreachable_code)] Ok::<(), lxkns_ops::Error>(())
/// ```
pub fn for_good_as(
    credentials: Credentials,
    namespaces: &[&NamespaceFd],
    f: impl FnOnce(Result<(), Error>) -> i32,
) -> ! {
    // Unwinding would lead back into the caller.
    let inside = AssertUnwindSafe(|| f(enter_for_good(credentials, namespaces)));
    std::process::exit(catch_unwind(inside).unwrap_or(PANICKED))
}

/// What a program that panics ends with.
pub(super) const PANICKED: i32 = 101;

fn enter_for_good(credentials: Credentials, namespaces: &[&NamespaceFd]) -> Result<(), Error> {
    let failed = |what| move |source| Error::Call { what, source };
    be_only_thread().map_err(failed("enter namespaces with other threads around"))?;
    // Forgotten when a user namespace is entered.
    let death_signal = parent_process_death_signal().unwrap_or(None);
    // While the files below /proc are still the caller's.
    let files = OpenFiles::note();
    enter(namespaces)?;
    if any(namespaces, NamespaceType::User) {
        if credentials == Credentials::Root {
            sys::become_root().map_err(failed("become root of a user namespace"))?;
        }
        let _ = set_parent_process_death_signal(death_signal);
    }
    let is_pid = |it: &&&NamespaceFd| it.id().namespace_type() == NamespaceType::Pid;
    if let Some(pid_namespace) = namespaces.iter().rfind(is_pid) {
        go_on_in_child(files).map_err(|source| Error::Enter { id: pid_namespace.id(), source })?;
    }
    Ok(())
}

/// Waits for threads that have been joined, but not left the process yet.
pub(super) fn be_only_thread() -> rustix::io::Result<()> {
    const TRIES: usize = 1000;
    const PAUSE: Duration = Duration::from_micros(100);
    let alone = (1..TRIES).any(|_| {
        let alone = is_only_thread().is_ok();
        if !alone {
            thread::sleep(PAUSE);
        }
        alone
    });
    if alone { Ok(()) } else { is_only_thread() }
}
