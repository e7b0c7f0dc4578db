//! `lxkns exec`: a command, run inside other namespaces.

mod confinement;
mod nsenter;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, anyhow};
use lxkns_discover::{Options, discover, open};
use lxkns_model::{Part, Snapshot};
use lxkns_ops::enter::Confinement;
use lxkns_ops::enter::{Credentials, confined, for_good_as, from_sealed_copy};
use lxkns_ops::{Error as OpsError, NamespaceFd, pidfd};
use lxkns_species::{NamespaceId, NamespaceType, Pid};

use super::{Run, refuse_with_privileges};
use crate::args::noise::Volume;
use crate::args::pid_arg::{self, known_process, unread};
use crate::args::{NamespaceArg, Noise, Show};
use crate::failure::{Exit, Usage, complain};
use crate::render::escape::quoted;
use crate::view::View;

/// lxkns has failed, not the command.
pub(super) const FAILED: u8 = 125;
/// The command could not be run.
const CANNOT_RUN: i32 = 126;
/// There is no such command.
const NOT_FOUND: i32 = 127;

/// What `lxkns exec` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Exec {
    /// The namespaces to run the command in
    #[arg(value_name = "NAMESPACE", required_unless_present = "of")]
    namespaces: Vec<NamespaceArg>,

    /// All namespaces of this process, but for those types that are given
    #[arg(long, value_name = "PID", value_parser = pid_arg::pid)]
    of: Option<Pid>,

    /// Stay the same user in a user namespace, instead of becoming its root
    #[arg(long)]
    preserve_credentials: bool,

    /// Keep all your rights, even if the program comes from a mount namespace that is not yours:
    /// its makers chose the program, and can do with these rights as they please
    #[arg(long)]
    keep_privileges: bool,

    /// Keep your environment, even if the program comes from a mount namespace that is not yours
    #[arg(long)]
    keep_env: bool,

    /// Only print the nsenter command that enters the same namespaces
    #[arg(long)]
    show: bool,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,

    #[command(flatten)]
    noise: Noise,
}

/// A namespace to enter.
struct Target {
    namespace: NamespaceFd,
    /// A path that leads there, for nsenter.
    path: Option<Vec<u8>>,
    /// Whether it is one of `--of`.
    of_process: bool,
}

impl Target {
    fn is(&self, namespace_type: NamespaceType) -> bool {
        self.namespace.id().namespace_type() == namespace_type
    }
}

impl Run for Exec {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        None
    }

    fn run(self) -> anyhow::Result<View> {
        self.run_inside().map_err(|error| Exit::after(error, FAILED))?;
        Ok(View::of_nothing())
    }
}

impl Exec {
    /// Returns only if nothing was run.
    fn run_inside(&self) -> anyhow::Result<()> {
        // A user must not enter namespaces with its privileges.
        refuse_with_privileges("exec")?;
        let (mut targets, confinement) = self.targets_and_confinement()?;
        let on_the_way = for_entering(&mut targets);
        if self.show {
            if let Some(namespace) = on_the_way {
                let id = namespace.id();
                return Err(anyhow!(
                    "{id} has to be entered first, and nsenter enters one user namespace only"
                ));
            }
            return self.print(&targets, confinement.is_some());
        }
        if confinement.is_some() && !self.keep_privileges {
            from_sealed_copy().map_err(|error| {
                anyhow!("{:#}{}", anyhow::Error::from(error), confinement::HINT)
            })?;
        }
        let (program, arguments) =
            self.command.split_first().ok_or_else(|| Usage::new("which command?"))?;
        let mut command = Command::new(program);
        command.args(arguments);
        if confinement.is_some() && !self.keep_env {
            confinement::leave_environment(&mut command);
        }
        let named = targets.iter().map(|it| &it.namespace);
        let namespaces: Vec<&NamespaceFd> = on_the_way.iter().chain(named).collect();
        let inside = |entered| execute(entered, command);
        match confinement {
            Some(confinement) => confined(confinement, &namespaces, inside),
            None => for_good_as(self.credentials(), &namespaces, inside),
        }
    }

    fn credentials(&self) -> Credentials {
        if self.preserve_credentials { Credentials::Own } else { Credentials::Root }
    }

    fn print(&self, targets: &[Target], is_strangers: bool) -> anyhow::Result<()> {
        use std::io::Write as _;
        if is_strangers {
            confinement::warn_of_nsenter(targets, self.keep_privileges)?;
        }
        let line = nsenter::line(targets, self.preserve_credentials, &self.command)?;
        Ok(writeln!(io::stdout().lock(), "{line}")?)
    }

    /// What to enter, and how to confine a command that is not the caller's own, all of it read
    /// while the process of `--of` was there.
    fn targets_and_confinement(&self) -> anyhow::Result<(Vec<Target>, Option<Confinement>)> {
        // Before Linux 5.3 there is none.
        let process = self.of.and_then(|pid| pidfd::of_process(pid).ok());
        let mut targets = self.targets()?;
        let confinement = confinement::of(self, &mut targets)?;
        if let (Some(pid), Some(process)) = (self.of, process)
            && pidfd::namespace(process, NamespaceType::Mnt).is_err_and(|error| error.is_gone())
        {
            return Err(anyhow!("process {pid} has just ended"));
        }
        Ok((targets, confinement))
    }

    /// What to enter: what was named, and of the process what is left; not what we are in already.
    fn targets(&self) -> anyhow::Result<Vec<Target>> {
        let mut targets: Vec<Target> = Vec::new();
        let mut snapshot = None;
        for named in &self.namespaces {
            let target = find(named, &mut snapshot)?;
            let id = target.namespace.id();
            if let Some(other) = targets.iter().find(|it| it.is(id.namespace_type())) {
                let other = other.namespace.id();
                if other == id {
                    continue;
                }
                let text = format!("a command cannot be both in {other} and in {id}");
                return Err(Usage::new(text).into());
            }
            targets.push(target);
        }
        if let Some(pid) = self.of {
            for namespace_type in NamespaceType::ALL {
                if !targets.iter().any(|it| it.is(namespace_type)) {
                    targets.extend(of_process(pid, namespace_type)?);
                }
            }
        }
        targets.retain(|target| {
            let id = target.namespace.id();
            let own = NamespaceFd::of_self(id.namespace_type());
            own.map_or(true, |own| own.id() != id)
        });
        Ok(targets)
    }
}

/// Executes the command; the exit status if that fails.
fn execute(entered: Result<(), OpsError>, mut command: Command) -> i32 {
    if let Err(error) = entered {
        let hint = match error {
            OpsError::Enter { id, .. } if error.is_denied() => hint(id.namespace_type()),
            OpsError::Enter { id, .. } if id.namespace_type() == NamespaceType::Pid => {
                "; its first process has to be alive"
            }
            OpsError::Enter { .. } => "",
            _ => confinement::HINT,
        };
        complain(&format!("{:#}{hint}", anyhow::Error::from(error)));
        return FAILED.into();
    }
    let error = command.exec();
    let program = quoted(command.get_program().as_encoded_bytes());
    complain(&format!("cannot run {program}: {error}"));
    match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        _ => CANNOT_RUN,
    }
}

/// Opens what was named.
pub(super) fn open_named(named: &NamespaceArg) -> anyhow::Result<NamespaceFd> {
    find(named, &mut None).map(|target| target.namespace)
}

/// Finds what was named; only if it takes a look at the whole machine, a snapshot is taken.
fn find(named: &NamespaceArg, snapshot: &mut Option<Snapshot>) -> anyhow::Result<Target> {
    match named {
        NamespaceArg::OfProcess(namespace_type, pid) => {
            let opened = NamespaceFd::of_process(*pid, *namespace_type);
            let namespace = opened.map_err(|error| why_not(*pid, *namespace_type, error))?;
            Ok(Target {
                namespace,
                path: Some(format!("/proc/{pid}/{}", namespace_type.proc_file()).into()),
                of_process: false,
            })
        }
        NamespaceArg::Path(path) => Ok(Target {
            namespace: NamespaceFd::at_path(path)?,
            path: Some(path.as_os_str().as_encoded_bytes().to_vec()),
            of_process: false,
        }),
        NamespaceArg::Id(_) | NamespaceArg::Inode(_) | NamespaceArg::OfWorkload(..) => {
            if snapshot.is_none() {
                *snapshot = Some(discover(&Options::everything())?);
            }
            let snapshot = snapshot.as_ref().context("no snapshot")?;
            let found = named.find(snapshot, true)?;
            Ok(Target {
                namespace: open(snapshot, found.id())?,
                path: found.path().map(|path| path.as_bytes().to_vec()),
                of_process: false,
            })
        }
    }
}

/// Why a namespace of a process could not be opened: there may be no such process, or nothing left
/// of it but its other threads.
fn why_not(pid: Pid, namespace_type: NamespaceType, error: OpsError) -> anyhow::Error {
    if !error.is_gone() {
        return error.into();
    }
    let processes = Options::nothing().with(Part::Processes).with(Part::Threads);
    let snapshot = match discover(&processes) {
        Ok(snapshot) => snapshot,
        Err(error) => return error.into(),
    };
    match known_process(&snapshot, pid) {
        Ok(process) if process.joined().get(namespace_type).is_some() => error.into(),
        Ok(process) => unread(&snapshot, process, Some(namespace_type)),
        Err(there_is_none) => there_is_none,
    }
}

/// What it takes to enter a namespace, see setns(2).
pub(super) fn hint(namespace_type: NamespaceType) -> &'static str {
    match namespace_type {
        NamespaceType::User => "; it takes CAP_SYS_ADMIN in it",
        NamespaceType::Mnt => {
            "; it takes CAP_SYS_ADMIN in the user namespace that owns it, and CAP_SYS_ADMIN and \
             CAP_SYS_CHROOT in one's own"
        }
        _ => "; it takes CAP_SYS_ADMIN in the user namespace that owns it, and in one's own",
    }
}

/// The namespace of a process; `None` where the kernel has none of this type.
fn of_process(pid: Pid, namespace_type: NamespaceType) -> anyhow::Result<Option<Target>> {
    if NamespaceFd::of_self(namespace_type).is_err() {
        if NamespaceFd::of_self(NamespaceType::Mnt).is_err() {
            // Nor would it be known what not to enter, being in it already.
            return Err(anyhow!(
                "--of {pid} takes a /proc of one's own PID namespace, and /proc is none; \
                 name the namespaces, as in net@{pid}"
            ));
        }
        return Ok(None);
    }
    let found = find(&NamespaceArg::OfProcess(namespace_type, pid), &mut None)?;
    Ok(Some(Target { of_process: true, ..found }))
}

/// Puts namespaces in an order in which they can be entered, and returns the user namespace that
/// has to be entered before all of them, if there is one.
///
/// Entering a namespace takes privileges over the user namespace that owns it. Who enters a user
/// namespace has all of them in there and below, and none above. So it comes first if all others
/// belong there, which is how an unprivileged user gets anywhere, and else last. If they belong to
/// one above it, but below one's own, that is to be entered on the way.
fn for_entering(targets: &mut [Target]) -> Option<NamespaceFd> {
    let is_user = |it: &Target| it.is(NamespaceType::User);
    let (users, others): (Vec<_>, Vec<_>) = targets.iter().partition(|it| is_user(it));
    let user = &users.first()?.namespace;
    let owners = others.iter().map(|it| it.namespace.owner());
    let owners: Vec<Vec<NamespaceId>> = owners.map(|it| ids_upwards(it.ok())).collect();
    let own = NamespaceFd::of_self(NamespaceType::User).ok();
    let mut above = user.try_clone().ok();
    while let Some(it) = above.take_if(|it| own.as_ref().is_some_and(|own| own.id() != it.id())) {
        if owners.iter().all(|owner| owner.contains(&it.id())) {
            let is_target = it.id() == user.id();
            targets.sort_by_key(|it| is_user(it) != is_target);
            return (!is_target).then_some(it);
        }
        above = it.parent().ok();
    }
    targets.sort_by_key(is_user);
    None
}

/// A user namespace and all above it, as far as they can be seen.
fn ids_upwards(user: Option<NamespaceFd>) -> Vec<NamespaceId> {
    let upwards = std::iter::successors(user, |it| it.parent().ok());
    upwards.map(|it| it.id()).collect()
}
