//! What has to happen for a namespace to go away.

use std::io;

use lxkns_model::why::{Action, MountPoint, Never, OpenFile, Plan, Release, Step};
use lxkns_model::{Engine, Process, Snapshot, Text, Voucher};
use lxkns_ops::own_uid;
use lxkns_species::{NamespaceId, NamespaceType, Pid, Uid};

use super::{Answer, Namer, command, entry, listed, said, section};
use crate::render::escape::quoted;
use crate::render::line::Line;
use crate::render::screen::Screen;
use crate::render::shell;

/// Processes that share a file table and are named.
const MOST_SHARERS: usize = 4;

pub(super) fn write(
    namer: &Namer<'_>,
    why: &Answer<'_>,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let plan = match &why.release {
        Release::After(plan) => plan,
        Release::Never(never) => {
            section(screen, "it never goes away", 1)?;
            return entry(screen, "", reason(namer, *never));
        }
        _ => return Ok(()),
    };
    section(screen, "it goes away after", plan.steps.len() + plan.unexplained.len())?;
    let width = plan.steps.len().to_string().len();
    for (number, step) in (1..).zip(&plan.steps) {
        let mark = format!("{number:width$}. ");
        entry(screen, &mark, line(namer, step, plan))?;
        how_to_unmount(namer, step, &mark, screen)?;
        if let Action::End { pid, .. } = step.action
            && let Some(stop) = how_to_stop(namer, pid)
        {
            command(screen, &mark, &stop)?;
        }
    }
    for id in &plan.unexplained {
        let mut line = said("something unseen lets go of ");
        line.append(namer.labels.id(*id));
        entry(screen, &format!("{:>width$}. ", "?"), line)?;
    }
    for mount in &plan.out_of_reach {
        let mut line = said("cannot be unmounted before: ");
        namer.labels.mounted(&mut line, "", &mount.path, mount.mount_namespace, None);
        line.plain(", below a root directory that another mount covers");
        entry(screen, "", line)?;
    }
    if plan.unexplained.is_empty() && !plan.steps.is_empty() {
        let more = match (plan.steps.len(), plan.is_least) {
            (1, _) => "",
            (_, true) => "; each of them is needed",
            (_, false) => "; some of them may turn out not to be needed",
        };
        writeln!(screen.out, "after these steps nothing visible holds it{more}")?;
    }
    Ok(())
}

fn reason(namer: &Namer<'_>, never: Never) -> Line {
    match never {
        Never::KernelThread { pid, namespace } => {
            let mut line = said("the kernel's own ");
            line.append(namer.process(pid)).plain(" is in ");
            line.append(namer.labels.id(namespace));
            line
        }
        _ => said("the kernel booted with it"),
    }
}

fn line(namer: &Namer<'_>, step: &Step, plan: &Plan) -> Line {
    let mut line = match &step.action {
        Action::End { pid, along } => end(namer, *pid, along),
        Action::Reap { pid, parent } => reap(namer, *pid, *parent),
        Action::LetGo { pid, sharers, threads, closes, empties } => {
            let_go(namer, *pid, sharers, threads, closes, empties)
        }
        Action::Receive { sockets } => receive(namer, sockets),
        Action::Unmount { mount_namespace, path, along, .. } => {
            unmount(namer, *mount_namespace, path, along)
        }
        _ => Line::default(),
    };
    // With a single namespace it goes without saying.
    if plan.gone.len() > 1 {
        line.plain(format_args!(" (for {})", listed(step.frees.iter())));
    }
    line
}

fn end(namer: &Namer<'_>, pid: Pid, along: &[Pid]) -> Line {
    let mut line = namer.process(pid);
    line.plain(" ends");
    if !along.is_empty() {
        line.plain(", and with it all in its PID namespace: ");
        line.plain(listed(along.iter()));
    }
    line
}

/// The command by which its engine ends a container, if this is the container's first process, and
/// the caller's engine has it.
fn how_to_stop(namer: &Namer<'_>, pid: Pid) -> Option<String> {
    let workload = namer.snapshot.process(pid)?.workload()?;
    let facts = workload.facts();
    let is_callers = match facts.vouched_by {
        Voucher::Machine => own_uid() == Uid(0),
        Voucher::User(uid) => own_uid() == uid,
        Voucher::Nobody => false,
    };
    let has_stop = matches!(facts.engine, Engine::Docker | Engine::Podman);
    let is_first = workload.first_process().is_some_and(|first| first.pid() == pid);
    // All digits: an engine takes fewer for a name first, and a name is foreign text.
    let id = facts.id.as_ref()?.to_str()?;
    let is_plain = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_callers && has_stop && is_first && is_plain).then(|| format!("{} stop {id}", facts.engine))
}

fn reap(namer: &Namer<'_>, pid: Pid, parent: Option<Pid>) -> Line {
    let dead = namer.labels.process_by_pid(namer.snapshot, pid);
    let is_exiting = namer.snapshot.process(pid).is_some_and(Process::is_exiting);
    let is_waiting =
        is_exiting && namer.snapshot.process(pid).and_then(Process::state) != Some('Z');
    match parent {
        Some(parent) => {
            let mut line = namer.process(parent);
            match is_waiting {
                true => line.plain(" waits for its child ").append(dead).plain(", which is ending"),
                false => line.plain(" waits for its dead child ").append(dead),
            };
            line.plain(", or ends");
            line
        }
        None => {
            let mut line = said("its parent, out of sight, waits for the dead process ");
            line.append(dead);
            line
        }
    }
}

fn let_go(
    namer: &Namer<'_>,
    pid: Pid,
    sharers: &[Pid],
    threads: &[Pid],
    closes: &[OpenFile],
    empties: &[OpenFile],
) -> Line {
    let mut line = namer.process(pid);
    if !threads.is_empty() {
        let tids = listed(threads.iter());
        let noun = if threads.len() == 1 { "thread" } else { "threads" };
        line.plain(format_args!(" ends its {noun} {tids}"));
    }
    let closes = closes.chunk_by(|a, b| a.tid == b.tid).map(|table| ("closes ", table));
    let empties = empties.chunk_by(|a, b| a.tid == b.tid);
    let empties = empties.map(|table| ("receives or drops what waits in its ", table));
    for (at, (what, table)) in closes.chain(empties).enumerate() {
        let is_first = at == 0 && threads.is_empty();
        line.plain(if is_first { " " } else { " and " }).plain(what);
        line.plain(if table.len() == 1 { "fd " } else { "fds " });
        line.plain(listed(table.iter().map(|file| file.fd)));
        if let Some(tid) = table.first().and_then(|file| file.tid) {
            line.plain(format_args!(" of its thread {tid}"));
        }
    }
    if sharers.is_empty() {
        line.plain(", or ends");
        return line;
    }
    line.plain(", or one that shares its files does: ");
    for (at, sharer) in sharers.iter().take(MOST_SHARERS).enumerate() {
        line.plain(if at == 0 { "" } else { ", " }).append(namer.process(*sharer));
    }
    line.plain(if sharers.len() > MOST_SHARERS { ", …" } else { "" });
    line.plain("; or all of them end");
    line
}

/// A queue that several share.
fn receive(namer: &Namer<'_>, sockets: &[(Pid, OpenFile)]) -> Line {
    let mut line = Line::default();
    let Some(((pid, file), others)) = sockets.split_first() else {
        return line;
    };
    line.append(namer.task(*pid, file.tid));
    line.plain(format_args!(" receives what waits in its fd {}", file.fd));
    line.plain(", or one that shares the socket does: ");
    for (at, (pid, file)) in others.iter().take(MOST_SHARERS).enumerate() {
        line.plain(if at == 0 { "" } else { ", " }).append(namer.task(*pid, file.tid));
        line.plain(format_args!(" from its fd {}", file.fd));
    }
    line.plain(if others.len() > MOST_SHARERS { ", …" } else { "" });
    line.plain("; or all of them close it or end");
    line
}

fn unmount(
    namer: &Namer<'_>,
    mount_namespace: Option<NamespaceId>,
    path: &Text,
    along: &[MountPoint],
) -> Line {
    let mut line = said(quoted(path.as_bytes()));
    line.plain(" is unmounted");
    if let Some(id) = elsewhere(namer.snapshot, mount_namespace) {
        line.plain(" in ").append(namer.labels.id(id));
    }
    let mut places: Vec<String> =
        along.iter().filter_map(|it| Some(it.mount_namespace?.to_string())).collect();
    places.sort_unstable();
    places.dedup();
    if !along.is_empty() {
        let copies = match along.len() {
            1 => "1 copy".to_owned(),
            many => format!("{many} copies"),
        };
        line.plain(format_args!(" (takes {copies} with it, in {})", listed(places.iter())));
    }
    line
}

/// The mount namespace, if it is not the scanner's.
fn elsewhere(snapshot: &Snapshot, mount_namespace: Option<NamespaceId>) -> Option<NamespaceId> {
    let own = snapshot.host().scanner_namespaces.get(NamespaceType::Mnt);
    mount_namespace.filter(|id| Some(*id) != own)
}

/// The command of a step that unmounts something, on a line of its own, and what else to know about
/// it.
///
/// Elsewhere it is a command of this program, which takes nothing from the mount namespace: others
/// have chosen the programs there.
fn how_to_unmount(
    namer: &Namer<'_>,
    step: &Step,
    mark: &str,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let Action::Unmount { mount_namespace, path, mount, .. } = &step.action else {
        return Ok(());
    };
    let mut note = |text: Line| entry(screen, &" ".repeat(mark.len()), text);
    let snapshot = namer.snapshot;
    let word = match (mount_namespace, shell::word(path.as_bytes())) {
        (None, _) => Err("the mount namespace is not known"),
        _ if matches!(path.as_bytes(), b"" | b"/") => Err("it ends with the mount namespace"),
        (_, None) => Err("the path cannot be typed; --json has its bytes"),
        (_, Some(word)) => Ok(word),
    };
    let word = match word {
        Ok(word) => word,
        Err(why) => return note(said(format_args!("there is no command for this: {why}"))),
    };
    let Some(id) = elsewhere(snapshot, *mount_namespace) else {
        return command(screen, mark, &format!("umount {word}"));
    };
    if may_be_locked(snapshot, id) {
        let mut text = said("if it is locked there, ");
        text.append(namer.labels.id(id)).plain(" has to go");
        note(text)?;
    }
    // The unique ID where the kernel has such IDs.
    let mount = mount.and_then(|number| snapshot.mount(id, number));
    let option = match mount.map(|mount| mount.unique_id.unwrap_or(mount.id)) {
        Some(mount_id) => format!("--mount-id {mount_id} "),
        None => String::new(),
    };
    command(screen, mark, &format!("lxkns umount {option}mnt:{} {word}", id.inode()))
}

/// Whether a mount may be a copy of one in a mount namespace of another user's: the kernel keeps
/// those that came with the mount namespace in their places, see mount_namespaces(7).
fn may_be_locked(snapshot: &Snapshot, mount_namespace: NamespaceId) -> bool {
    let owner = snapshot.namespace(mount_namespace);
    let owner = owner.and_then(|it| it.owner());
    owner.is_some_and(|owner| owner.is_initial() != Some(true))
}
