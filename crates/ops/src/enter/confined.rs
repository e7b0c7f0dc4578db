//! Programs of others: a process that runs one elsewhere, and keeps it off what is the caller's
//! own.

use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lxkns_species::NamespaceType;
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Pid, fchdir, getpid, getppid, set_dumpable_behavior, setpgid, setsid,
};
use rustix::termios::tcsetpgrp;
use rustix::thread::{
    CapabilitySet, Gid, Uid, capabilities, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};

use super::for_good::{PANICKED, be_only_thread};
use super::relay::relay;
use super::terminal::{ProgramSide, Terminal};
use super::{Credentials, Identity, Limits, any, enter};
use crate::sys::enter::keep_capabilities;
use crate::sys::files::OpenFiles;
use crate::sys::fork::{Forked, die_with_parent, fork};
use crate::sys::keyring;
use crate::sys::stand_in::{Session, act_for};
use crate::{Error, NamespaceFd};

/// How a program is confined, besides what [`confined`] always does.
#[derive(Debug)]
pub struct Confinement {
    /// Whom to become before anything is entered; `None`: the caller's own user.
    pub identity: Option<Identity>,
    /// Who to be after a user namespace has been entered. As its root the program has the
    /// supplementary groups of `identity`.
    pub credentials: Credentials,
    /// What the program gets at most; `None`: all that its user gets.
    pub limits: Option<Limits>,
    /// The working directory; `None`: the root directory of the mount namespace, if one is entered.
    /// That one is taken as well if the program may not go there.
    pub directory: Option<OwnedFd>,
}

/// As [`for_good_as`](super::for_good_as), for programs that a stranger may have chosen or may
/// look into: those in others' mount namespaces, and all in others' user namespaces.
///
/// The closure, which executes the program, runs in a child process that
///
/// - is who, and may do what, `confinement` says. If a user namespace is entered that has no root,
///   the program has all capabilities in there, but never the caller's own UID, unless that is an
///   ordinary user's or `confinement` says so;
/// - is in a session of its own. Standard files that are terminals are replaced by a
///   pseudoterminal, and this process passes on what is written and typed, sizes and signals;
/// - has no other open files at exec, and an empty session keyring;
/// - cannot be traced until it executes something; and ends if this process does.
///
/// This process, outside, ends as the program does, and stops when it stops. Environment and
/// standard files that are no terminals are left as they are.
///
/// ```no_run
/// use std::os::unix::process::CommandExt;
/// use std::process::Command;
///
/// use lxkns_ops::NamespaceFd;
/// use lxkns_ops::enter::{Confinement, Credentials, Identity, Limits, confined};
/// use lxkns_species::{NamespaceType, Pid};
///
/// let mounts = NamespaceFd::of_process(Pid(812), NamespaceType::Mnt)?;
/// let confinement = Confinement {
///     identity: Some(Identity::nobody()),
///     credentials: Credentials::Own,
///     limits: Some(Limits::NOTHING),
///     directory: None,
/// };
/// confined(confinement, &[&mounts], |entered| {
///     let error = entered.map(|()| Command::new("ls").env_clear().exec());
///     eprintln!("{error:?}");
///     1
/// })
/// # ; #[allow(unreachable_code)] Ok::<(), lxkns_ops::Error>(())
/// ```
pub fn confined(
    confinement: Confinement,
    namespaces: &[&NamespaceFd],
    f: impl FnOnce(Result<(), Error>) -> i32,
) -> ! {
    // Unwinding would lead back into the caller.
    let inside = AssertUnwindSafe(|| f(go_inside(confinement, namespaces)));
    std::process::exit(catch_unwind(inside).unwrap_or(PANICKED))
}

/// Returns in the process that is to execute the program, or where it has failed.
fn go_inside(confinement: Confinement, namespaces: &[&NamespaceFd]) -> Result<(), Error> {
    be_only_thread().map_err(failed("enter namespaces with other threads around"))?;
    // While the files below /proc are still the caller's.
    let files = OpenFiles::note();
    let terminal = Terminal::for_standard_files().map_err(failed("open a pseudoterminal"))?;
    let (terminal, side) = terminal.unzip();
    let outside = getpid();
    match fork().map_err(failed("start a process"))? {
        Forked::Child(_) => drop(terminal),
        Forked::Parent(child) => {
            drop(side);
            relay(child, terminal, files)
        }
    }
    files.close_at_exec();
    // Who may trace processes in a user namespace must not get hold of this one.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("be undumpable"))?;
    setsid().map_err(failed("start a session"))?;
    let terminal = side.map(ProgramSide::adopt).transpose().map_err(failed("use a terminal"))?;
    let directory = take_place(confinement, namespaces)?;
    if let Some(directory) = directory {
        // Otherwise it is in the root directory.
        let _ = fchdir(directory);
    }
    keyring::join_new_session().map_err(failed("get a session keyring"))?;
    die_with(outside)?;
    lead_group_in_child(terminal, files).map_err(failed("start a process"))
}

fn failed(what: &'static str) -> impl Fn(Errno) -> Error {
    move |source| Error::Call { what, source }
}

/// Enters the namespaces, and becomes who is to be in there. Returns the working directory.
fn take_place(
    confinement: Confinement,
    namespaces: &[&NamespaceFd],
) -> Result<Option<OwnedFd>, Error> {
    let Confinement { identity, credentials, limits, directory } = confinement;
    let enters_user = any(namespaces, NamespaceType::User);
    let own = capabilities(None).map_err(failed("get the own capabilities"))?;
    let assumed = identity.as_ref().map(Identity::assume);
    // As root of a user namespace it does not matter who was to be root there.
    let denied = assumed.and_then(Result::err);
    if let Some(source) = denied.filter(|_| !enters_user || credentials == Credentials::Own) {
        return Err(failed("become another user")(source));
    }
    enter(namespaces)?;
    let mut has_root = true;
    if enters_user && credentials == Credentials::Root {
        has_root = become_root(identity.is_some() && denied.is_none())?;
        // An ordinary user gets into what is that user's own only.
        let is_ordinary = !own.effective.contains(CapabilitySet::SYS_ADMIN);
        if let Some(source) = denied.filter(|_| !has_root && !is_ordinary) {
            return Err(failed("become another user in a user namespace without root")(source));
        }
    }
    if let Some(limits) = limits {
        limits.apply().map_err(failed("give up capabilities"))?;
    }
    if !has_root {
        keep_capabilities().map_err(failed("keep capabilities"))?;
    }
    Ok(directory)
}

/// Becomes root of the user namespace just entered; whether it has one.
fn become_root(keep_groups: bool) -> Result<bool, Error> {
    if !keep_groups {
        // Denied where the user namespace was made without privileges.
        let _ = set_thread_groups(&[]);
    }
    let is_mapped = |result| match result {
        Ok(()) => Ok(true),
        Err(Errno::INVAL) => Ok(false),
        Err(source) => Err(failed("become root of a user namespace")(source)),
    };
    let group = is_mapped(set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT))?;
    let user = is_mapped(set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT))?;
    Ok(group && user)
}

/// Has this process killed when its parent ends, which may have been before.
fn die_with(parent: Pid) -> Result<(), Error> {
    die_with_parent().map_err(failed("end with the parent process"))?;
    match getppid() {
        Some(now) if now == parent => Ok(()),
        _ => Err(failed("find the parent process")(Errno::SRCH)),
    }
}

/// Goes on in a child that leads the foreground process group of the session, while this process
/// watches it: so the terminal can stop it.
fn lead_group_in_child(terminal: Option<OwnedFd>, files: OpenFiles) -> rustix::io::Result<()> {
    let signals = match fork()? {
        Forked::Child(signals) => signals,
        Forked::Parent(child) => {
            // It does so itself; but signals may be for its group before.
            let _ = setpgid(Some(child), Some(child));
            act_for(child, files, Some(Session { terminal }))
        }
    };
    die_with_parent()?;
    setpgid(None, None)?;
    if let Some(terminal) = &terminal {
        tcsetpgrp(terminal, getpid())?;
    }
    drop(signals);
    Ok(())
}
