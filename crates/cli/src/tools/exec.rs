//! `lxkns exec`: a command, run inside other namespaces.

mod nsenter;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, anyhow};
use lxkns_discover::{Options, discover, open};
use lxkns_model::{Part, Snapshot};
use lxkns_ops::enter::{Credentials, for_good_as};
use lxkns_ops::{Error as OpsError, Namespace, is_secure_execution};
use lxkns_species::{NamespaceId, NamespaceType, Pid};

use super::Run;
use crate::args::noise::Volume;
use crate::args::pid_arg::{self, known_process, unread};
use crate::args::{NamespaceArg, Noise, Show};
use crate::failure::{Exit, Usage, complain};
use crate::render::escape::quoted;

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

    /// Only print the nsenter command that does the same
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
    namespace: Namespace,
    /// A path that leads there, for nsenter.
    path: Option<Vec<u8>>,
}

impl Run for Exec {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        None
    }

    fn run(self) -> anyhow::Result<()> {
        self.run_inside().map_err(|error| Exit::after(error, FAILED).into())
    }
}

impl Exec {
    /// Returns only if nothing was run.
    fn run_inside(&self) -> anyhow::Result<()> {
        if is_secure_execution() {
            // Whoever may run lxkns must not get into namespaces with its privileges.
            return Err(anyhow!(
                "exec is not offered where lxkns has more privileges than the user who runs it"
            ));
        }
        let mut targets = self.targets()?;
        let on_the_way = for_entering(&mut targets);
        if self.show {
            if let Some(namespace) = on_the_way {
                let id = namespace.id();
                return Err(anyhow!(
                    "{id} has to be entered first, and nsenter enters one user namespace only"
                ));
            }
            let line = nsenter::line(&targets, self.preserve_credentials, &self.command)?;
            return self.print(&line);
        }
        let (program, arguments) =
            self.command.split_first().ok_or_else(|| Usage::new("which command?"))?;
        let credentials =
            if self.preserve_credentials { Credentials::Own } else { Credentials::Root };
        let named = targets.iter().map(|it| &it.namespace);
        let namespaces: Vec<&Namespace> = on_the_way.iter().chain(named).collect();
        for_good_as(credentials, &namespaces, |entered| {
            if let Err(error) = entered {
                let hint = match error {
                    OpsError::Enter { id, .. } if error.is_denied() => hint(id.namespace_type()),
                    OpsError::Enter { id, .. } if id.namespace_type() == NamespaceType::Pid => {
                        "; its first process has to be alive"
                    }
                    _ => "",
                };
                complain(&format!("{:#}{hint}", anyhow::Error::from(error)));
                return FAILED.into();
            }
            let error = Command::new(program).args(arguments).exec();
            let program = quoted(program.as_encoded_bytes());
            complain(&format!("cannot run {program}: {error}"));
            match error.kind() {
                io::ErrorKind::NotFound => NOT_FOUND,
                _ => CANNOT_RUN,
            }
        })
    }

    fn print(&self, line: &str) -> anyhow::Result<()> {
        use std::io::Write as _;
        Ok(writeln!(io::stdout().lock(), "{line}")?)
    }

    /// What to enter: what was named, and of the process what is left; not what we are in already.
    fn targets(&self) -> anyhow::Result<Vec<Target>> {
        let mut targets: Vec<Target> = Vec::new();
        let mut snapshot = None;
        for named in &self.namespaces {
            let target = find(named, &mut snapshot)?;
            let id = target.namespace.id();
            let same_type =
                |it: &&Target| it.namespace.id().namespace_type() == id.namespace_type();
            if let Some(other) = targets.iter().find(same_type) {
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
                let is_given = |it: &Target| it.namespace.id().namespace_type() == namespace_type;
                if !targets.iter().any(is_given) {
                    targets.extend(of_process(pid, namespace_type)?);
                }
            }
        }
        targets.retain(|target| {
            let id = target.namespace.id();
            let own = Namespace::of_self(id.namespace_type());
            own.map_or(true, |own| own.id() != id)
        });
        Ok(targets)
    }
}

/// Finds what was named; only if it takes a look at the whole machine, a snapshot is taken.
fn find(named: &NamespaceArg, snapshot: &mut Option<Snapshot>) -> anyhow::Result<Target> {
    match named {
        NamespaceArg::OfProcess(namespace_type, pid) => {
            let opened = Namespace::of_process(*pid, *namespace_type);
            let namespace = opened.map_err(|error| why_not(*pid, *namespace_type, error))?;
            Ok(Target {
                namespace,
                path: Some(format!("/proc/{pid}/{}", namespace_type.proc_file()).into()),
            })
        }
        NamespaceArg::Path(path) => Ok(Target {
            namespace: Namespace::at_path(path)?,
            path: Some(path.as_os_str().as_encoded_bytes().to_vec()),
        }),
        NamespaceArg::Id(_) | NamespaceArg::Inode(_) => {
            if snapshot.is_none() {
                *snapshot = Some(discover(&Options::everything())?);
            }
            let snapshot = snapshot.as_ref().context("no snapshot")?;
            let found = named.find(snapshot, true)?;
            Ok(Target {
                namespace: open(snapshot, found.id())?,
                path: found.reference().map(|path| path.as_bytes().to_vec()),
            })
        }
    }
}

/// Why a namespace of a process could not be opened: there may be no such process, or nothing left of
/// it but its other threads.
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
fn hint(namespace_type: NamespaceType) -> &'static str {
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
    if Namespace::of_self(namespace_type).is_err() {
        if Namespace::of_self(NamespaceType::Mnt).is_err() {
            // Nor would it be known what not to enter, being in it already.
            return Err(anyhow!(
                "--of {pid} takes a /proc of one's own PID namespace, and /proc is none; \
                 name the namespaces, as in net@{pid}"
            ));
        }
        return Ok(None);
    }
    find(&NamespaceArg::OfProcess(namespace_type, pid), &mut None).map(Some)
}

/// Puts namespaces in an order in which they can be entered, and returns the user namespace that has
/// to be entered before all of them, if there is one.
///
/// Entering a namespace takes privileges over the user namespace that owns it. Who enters a user
/// namespace has all of them in there and below, and none above. So it comes first if all others
/// belong there, which is how an unprivileged user gets anywhere, and else last. If they belong to
/// one above it, but below one's own, that is to be entered on the way.
fn for_entering(targets: &mut [Target]) -> Option<Namespace> {
    let is_user = |it: &Target| it.namespace.id().namespace_type() == NamespaceType::User;
    let (users, others): (Vec<_>, Vec<_>) = targets.iter().partition(|it| is_user(it));
    let user = &users.first()?.namespace;
    let owners = others.iter().map(|it| it.namespace.owner());
    let owners: Vec<Vec<NamespaceId>> = owners.map(|it| ids_upwards(it.ok())).collect();
    let own = Namespace::of_self(NamespaceType::User).ok();
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
fn ids_upwards(user: Option<Namespace>) -> Vec<NamespaceId> {
    let upwards = std::iter::successors(user, |it| it.parent().ok());
    upwards.map(|it| it.id()).collect()
}
