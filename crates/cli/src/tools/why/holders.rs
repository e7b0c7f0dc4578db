//! Everything that holds a namespace, kind by kind.

use std::io;

use lxkns_model::{FileKind, Holder, MountKind, Namespace};
use lxkns_species::Pid;

use super::{Answer, Namer, entry, listed, said, section};
use crate::render::screen::Screen;

pub(super) fn write(
    namer: &Namer<'_>,
    why: &Answer<'_>,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let namespace = why.namespace;
    let mut line = namer.labels.id(namespace.id());
    let is_held =
        !namespace.is_hidden() || namespace.children().len() > 0 || namespace.owned().len() > 0;
    line.plain(match (is_held, why.released) {
        (true, _) => " is held by",
        (false, true) => " is held by nothing but lxkns itself",
        (false, false) => " is held by nothing that can be seen",
    });
    line.write(screen.out, &screen.palette)?;
    writeln!(screen.out)?;
    members(namer, why, screen)?;
    for holders in namespace.holders().chunk_by(|a, b| a.kind() == b.kind()) {
        let mut holders = holders.to_vec();
        // The numbers of mount namespaces are given out anew: they do not make an order.
        holders.sort_by_key(|holder| namer.is_elsewhere(holder));
        group(namer, namespace, &holders, screen)?;
    }
    let children = namespace.children();
    section(screen, &count(children.len(), "child namespace"), children.len())?;
    for child in children {
        entry(screen, "", namer.labels.namespace(namer.snapshot, child))?;
    }
    let owned = namespace.owned();
    section(screen, &count(owned.len(), "owned namespace"), owned.len())?;
    for owned in owned {
        entry(screen, "", namer.labels.namespace(namer.snapshot, owned))?;
    }
    Ok(())
}

fn members(namer: &Namer<'_>, why: &Answer<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let processes = why.namespace.processes().len();
    let heading = match processes {
        1 => "1 process".to_owned(),
        _ => format!("{processes} processes"),
    };
    section(screen, &heading, processes)?;
    leaders(namer, why, screen)
}

/// Those who lead processes in a namespace, and how many.
pub(super) fn leaders(
    namer: &Namer<'_>,
    why: &Answer<'_>,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    for members in &why.members {
        let mut line = namer.process(members.leader.pid());
        if members.count > 1 {
            line.plain(format_args!(" and {} below it", members.count - 1));
        }
        line.append(namer.details(members.leader));
        entry(screen, "", line)?;
    }
    Ok(())
}

/// Holders of one kind.
fn group(
    namer: &Namer<'_>,
    held: Namespace<'_>,
    holders: &[Holder],
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let Some(first) = holders.first() else {
        return Ok(());
    };
    let what = match first {
        Holder::Thread { .. } => "thread",
        Holder::PendingChildren { .. } => "namespace for children to come",
        Holder::File { kind: FileKind::Namespace, .. } => "file descriptor",
        Holder::File { kind: FileKind::Socket, .. } => "socket",
        Holder::File { kind: FileKind::Tun, .. } => "tun device",
        Holder::File { kind: FileKind::InFlight { .. }, .. } => "file in flight",
        Holder::Mount { kind: MountKind::Bind, .. } => "bind mount",
        Holder::Mount { kind: MountKind::Proc, .. } => "procfs mount",
        _ => {
            writeln!(screen.out, "something unseen:")?;
            let text =
                "perhaps a file registered with io_uring, a detached mount, or the kernel itself";
            return entry(screen, "", said(text));
        }
    };
    section(screen, &count(holders.len(), what), holders.len())?;
    for files in holders.chunk_by(|a, b| table(a).is_some() && table(a) == table(b)) {
        let Some(first) = files.first() else { continue };
        let mut line = match table(first) {
            Some((pid, tid)) => {
                let fds: Vec<u32> = files.iter().filter_map(number).collect();
                let mut line = said(format_args!("fd {} of ", listed(fds.iter())));
                line.append(namer.task(pid, tid));
                line
            }
            None => namer.labels.holder(namer.snapshot, held, first),
        };
        if let Some(pid) = first.pid() {
            line.append(namer.details_of(pid));
        }
        entry(screen, "", line)?;
    }
    Ok(())
}

/// Whose table of files the holder is in, if it is a file.
fn table(holder: &Holder) -> Option<(Pid, Option<Pid>)> {
    match *holder {
        Holder::File { pid, tid, .. } => Some((pid, tid)),
        _ => None,
    }
}

/// The number of the file descriptor.
fn number(holder: &Holder) -> Option<u32> {
    match *holder {
        Holder::File { fd, .. } => Some(fd),
        _ => None,
    }
}

/// `1 bind mount`, `2 bind mounts`.
fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => match what.split_once(' ') {
            Some((first, rest)) if rest.starts_with("for ") || rest.starts_with("in ") => {
                format!("{number} {first}s {rest}")
            }
            _ => format!("{number} {what}s"),
        },
    }
}
