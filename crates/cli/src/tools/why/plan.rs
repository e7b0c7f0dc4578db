//! What has to happen for a namespace to go away.

use std::io;

use lxkns_model::Text;
use lxkns_model::why::{Action, Never, OpenFile, Plan, Release, Step};
use lxkns_species::{NamespaceId, NamespaceType, Pid};

use super::{Answer, Namer, entry, listed, said, section};
use crate::render::escape::quoted;
use crate::render::line::Line;
use crate::render::screen::Screen;
use crate::render::shell;

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
    section(
        screen,
        "it goes away after",
        plan.steps.len() + plan.unexplained.len(),
    )?;
    let width = plan.steps.len().to_string().len();
    for (number, step) in (1..).zip(&plan.steps) {
        entry(
            screen,
            &format!("{number:width$}. "),
            line(namer, step, plan),
        )?;
    }
    for id in &plan.unexplained {
        let mut line = said("something unseen lets go of ");
        line.append(namer.labels.id(*id));
        entry(screen, &format!("{:>width$}. ", "?"), line)?;
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
        Action::LetGo {
            pid,
            threads,
            closes,
        } => let_go(namer, *pid, threads, closes),
        Action::Unmount {
            mount_namespace,
            path,
        } => unmount(namer, *mount_namespace, path),
        _ => Line::default(),
    };
    // With a single namespace there is nothing else to free.
    if plan.gone.len() > 1 {
        line.plain(format_args!(" (frees {})", listed(step.frees.iter())));
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
    match parent {
        Some(parent) => {
            let mut line = namer.process(parent);
            line.plain(" waits for its dead child ").append(dead);
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

fn let_go(namer: &Namer<'_>, pid: Pid, threads: &[Pid], closes: &[OpenFile]) -> Line {
    let mut line = namer.process(pid);
    if !threads.is_empty() {
        let tids = listed(threads.iter());
        let noun = if threads.len() == 1 {
            "thread"
        } else {
            "threads"
        };
        line.plain(format_args!(" ends its {noun} {tids}"));
    }
    for (at, table) in closes.chunk_by(|a, b| a.tid == b.tid).enumerate() {
        let is_first = at == 0 && threads.is_empty();
        line.plain(if is_first { " closes " } else { " and closes " });
        line.plain(if table.len() == 1 { "fd " } else { "fds " });
        line.plain(listed(table.iter().map(|file| file.fd)));
        if let Some(tid) = table.first().and_then(|file| file.tid) {
            line.plain(format_args!(" of its thread {tid}"));
        }
    }
    line.plain(", or ends");
    line
}

fn unmount(namer: &Namer<'_>, mount_namespace: Option<NamespaceId>, path: &Text) -> Line {
    let mut line = said(quoted(path.as_bytes()));
    line.plain(" is unmounted");
    let own = namer.snapshot.host().scanner_namespaces;
    let own = own.get(NamespaceType::Mnt);
    let enter = match mount_namespace {
        Some(id) if Some(id) != own => {
            line.plain(" in ").append(namer.labels.id(id));
            format!("lxkns exec mnt:{} -- ", id.inode())
        }
        _ => String::new(),
    };
    if let Some(path) = shell::word(path.as_bytes()) {
        line.plain(format_args!(": {enter}umount {path}"));
    }
    line
}
