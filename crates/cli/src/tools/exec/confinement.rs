//! What is done about a command that is not the caller's own.
//!
//! A mount namespace other than one's own is a stranger's: who made it, or fills it, chooses the
//! program that a name or path stands for in there, its loader and its libraries. In a user
//! namespace other than one's own, strangers may look into any program. So the program gets nothing
//! that they do not have: no rights outside of the user namespace that owns the mount namespace,
//! not the caller's terminal, open files, environment and keys. In none but namespaces of other
//! types it is the caller's own program, and nothing is done.
//!
//! | the mount namespace is owned by | the program is | and may do |
//! |---|---|---|
//! | a user namespace below | root in that | what root may there |
//! | …, `--of` | root in that | what root may there, but no more than the process |
//! | the own one, `--of` | the user of the process | what the process may |
//! | the own one | UID and GID 65534 | nothing |

use std::env;
use std::io::{self, Write as _};
use std::process::Command;

use anyhow::{Context as _, anyhow, bail};
use lxkns_ops::NamespaceFd;
use lxkns_ops::enter::{Confinement, Identity, Limits, directory_of, rights_of};
use lxkns_species::NamespaceType::{Mnt, User};
use lxkns_species::{NamespaceId, Pid};

use super::{Exec, Target, find, ids_upwards};
use crate::args::NamespaceArg;

/// What a stranger's program gets of the environment.
const HARMLESS: [&str; 3] = ["TERM", "LANG", "PATH"];

/// Where confining the program has failed.
pub(super) const HINT: &str = "; --keep-privileges does without, see 'lxkns exec --help'";

/// How to confine the command; `None` if it is the caller's own. Adds the user namespace that owns
/// the mount namespace to what is entered.
pub(super) fn of(exec: &Exec, targets: &mut Vec<Target>) -> anyhow::Result<Option<Confinement>> {
    let mount = targets.iter().find(|it| it.is(Mnt));
    if mount.is_none() && !targets.iter().any(|it| it.is(User)) {
        return Ok(None);
    }
    // A process says nothing about the program of a mount namespace that it is not in.
    let process = exec.of.filter(|_| mount.is_none_or(|mount| mount.of_process));
    let directory = process.filter(|_| mount.is_some()).and_then(|pid| directory_of(pid).ok());
    let mut confinement =
        Confinement { identity: None, credentials: exec.credentials(), limits: None, directory };
    if exec.keep_privileges {
        return Ok(Some(confinement));
    }
    if let Some(owner) = owner_to_enter(targets)? {
        targets.push(target(owner, exec.show)?);
    }
    // Nor does a process say what is left to those of a user namespace that it is not in.
    let is_inside = targets.iter().all(|it| !it.is(User) || it.of_process);
    let of_process = process.filter(|_| is_inside).map(rights).transpose()?;
    (confinement.identity, confinement.limits) = if targets.iter().any(|it| it.is(User)) {
        in_user_namespace(of_process)
    } else if exec.preserve_credentials {
        // All that a process may do, and be the caller as well, would be more than either.
        (None, Some(Limits::NOTHING))
    } else {
        let (identity, limits) =
            of_process.unwrap_or_else(|| (Identity::nobody(), Limits::NOTHING));
        (Some(identity), Some(limits))
    };
    if exec.preserve_credentials {
        confinement.identity = None;
    }
    Ok(Some(confinement))
}

/// Root in there must be no particular user outside.
fn in_user_namespace(of_process: Option<(Identity, Limits)>) -> (Option<Identity>, Option<Limits>) {
    let nobody = Identity::nobody();
    match of_process {
        Some((Identity { groups, .. }, limits)) => {
            (Some(Identity { groups, ..nobody }), Some(limits))
        }
        None => (Some(nobody), None),
    }
}

/// The user namespace that owns the mount namespace, unless it is the own one, or one is entered
/// anyway.
fn owner_to_enter(targets: &[Target]) -> anyhow::Result<Option<NamespaceFd>> {
    let Some(mount) = targets.iter().find(|it| it.is(Mnt)) else {
        return Ok(None);
    };
    let user = targets.iter().find(|it| it.is(User)).map(|it| &it.namespace);
    let owner = mount.namespace.owner()?;
    let Some(user) = user else {
        let own = NamespaceFd::of_self(User).map(|own| own.id());
        return Ok(Some(owner).filter(|owner| own.is_ok_and(|own| own != owner.id())));
    };
    let below: Vec<NamespaceId> = ids_upwards(user.try_clone().ok());
    if !below.contains(&owner.id()) {
        let (mount, owner, user) = (mount.namespace.id(), owner.id(), user.id());
        bail!("a program of {mount}, owned by {owner}, would get rights in {user}{HINT}");
    }
    Ok(None)
}

/// For nsenter, a path has to lead there.
fn target(owner: NamespaceFd, with_path: bool) -> anyhow::Result<Target> {
    if with_path {
        return find(&NamespaceArg::Id(owner.id()), &mut None);
    }
    Ok(Target { namespace: owner, path: None, of_process: false })
}

fn rights(pid: Pid) -> anyhow::Result<(Identity, Limits)> {
    rights_of(pid).with_context(|| format!("cannot tell what process {pid} may do"))
}

/// Leaves the command nothing of the environment but what says how to write to the terminal, and
/// where programs are.
pub(super) fn leave_environment(command: &mut Command) {
    command.env_clear();
    for name in HARMLESS {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// Nsenter confines nothing. It enters the user namespace, though, if there is one: then the
/// program has no capabilities outside.
pub(super) fn warn_of_nsenter(targets: &[Target], keep_privileges: bool) -> anyhow::Result<()> {
    if !keep_privileges && !targets.iter().any(|it| it.is(User)) {
        let mount = targets.iter().find(|it| it.is(Mnt));
        let mount = mount.map(|it| it.namespace.id()).context("no mount namespace")?;
        return Err(anyhow!(
            "nsenter would run a program of {mount} with all your rights; with --keep-privileges \
             the command for that is shown"
        ));
    }
    let text = "note: nsenter leaves the program your terminal, environment, open files and keys\n";
    // Where standard error is gone, nobody can be told.
    let _ = io::stderr().lock().write_all(text.as_bytes());
    Ok(())
}
