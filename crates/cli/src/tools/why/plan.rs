//! What has to happen for a namespace to go away.

use std::io;

use lxkns_model::why::{Action, MountPoint, Never, OpenFile, Plan, Release, Step};
use lxkns_model::{Holder, Process, Snapshot, Text};
use lxkns_species::{Capabilities, Capability, NamespaceId, NamespaceType, Pid};

use super::{Answer, Namer, entry, listed, said, section};
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
        entry(screen, &format!("{number:width$}. "), line(namer, step, plan))?;
    }
    for id in &plan.unexplained {
        let mut line = said("something unseen lets go of ");
        line.append(namer.labels.id(*id));
        entry(screen, &format!("{:>width$}. ", "?"), line)?;
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
        Action::Unmount { mount_namespace, path, along, .. } => {
            unmount(namer, *mount_namespace, path, along)
        }
        _ => Line::default(),
    };
    // With a single namespace it goes without saying.
    if plan.gone.len() > 1 {
        line.plain(format_args!(" (for {})", listed(step.frees.iter())));
    }
    if let Action::Unmount { mount_namespace, path, .. } = &step.action {
        line.append(how_to_unmount(namer, *mount_namespace, path));
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
            let mut line = said("somebody waits for the dead process ");
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

/// The command, and what else to do where the kernel may refuse it.
fn how_to_unmount(namer: &Namer<'_>, mount_namespace: Option<NamespaceId>, path: &Text) -> Line {
    let snapshot = namer.snapshot;
    let elsewhere = elsewhere(snapshot, mount_namespace);
    let mut line = Line::default();
    if let Some(path) = shell::word(path.as_bytes()) {
        let enter = elsewhere.map_or_else(String::new, |id| {
            format!("lxkns exec {} -- ", to_unmount_in(snapshot, id))
        });
        line.plain(format_args!(": {enter}umount {path}"));
    }
    if let Some(id) = elsewhere
        && may_be_locked(snapshot, id)
    {
        line.plain("; if that is refused, ").append(namer.labels.id(id));
        line.plain(format_args!(" has to go: lxkns why mnt:{}", id.inode()));
    }
    line
}

/// What umount(8) has to be in so that it works in a mount namespace.
fn to_unmount_in(snapshot: &Snapshot, id: NamespaceId) -> String {
    let mut words = vec![format!("mnt:{}", id.inode())];
    let host = snapshot.host();
    let is_admin = |own: Capabilities| own.contains(Capability::SYS_ADMIN);
    if !host.scanner_capabilities.is_some_and(is_admin) {
        // Whoever owns it is mighty there, but only there.
        let owner = snapshot.namespace(id).and_then(|it| it.owner());
        let owner = owner.map(|owner| owner.id());
        let others =
            owner.filter(|id| Some(*id) != host.scanner_namespaces.get(NamespaceType::User));
        words.extend(others.map(|id| format!("user:{}", id.inode())));
    }
    // It looks into /proc/self, which others' procfs does not have.
    let own = host.scanner_namespaces.get(NamespaceType::Pid);
    let proc = Holder::ProcMount { mount_namespace: Some(id), path: Text::from("/proc") };
    let shown = snapshot
        .namespaces_of(NamespaceType::Pid)
        .find(|it| Some(it.id()) != own && it.holders().contains(&proc));
    words.extend(shown.map(|it| format!("pid:{}", it.id().inode())));
    words.join(" ")
}

/// Whether a mount may be a copy of one in a mount namespace of another user's: the kernel keeps those
/// that came with the mount namespace in their places, see mount_namespaces(7).
fn may_be_locked(snapshot: &Snapshot, mount_namespace: NamespaceId) -> bool {
    let owner = snapshot.namespace(mount_namespace);
    let owner = owner.and_then(|it| it.owner());
    owner.is_some_and(|owner| owner.is_initial() != Some(true))
}
