//! Which mount namespaces still have what is mounted somewhere: why a device is busy.

use std::io;
use std::path::Path;

use lxkns_discover::{Mounted, MountedIn};
use lxkns_model::{Gap, Text};
use lxkns_species::{NamespaceId, NamespaceType};
use serde::Serialize;

use super::holders::leaders;
use super::{Namer, entry, listed, said, section};
use crate::notes;
use crate::render::escape::{one_line, quoted};
use crate::render::screen::Screen;

pub(super) fn write(
    namer: &Namer<'_>,
    asked: &Path,
    mounted: &Mounted,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let (major, minor) = mounted.device;
    if let (false, Some(mount_point)) = (mounted.is_mount_point, &mounted.mount_point) {
        let mut line = said(quoted(asked.as_os_str().as_encoded_bytes()));
        line.plain(" is not a mount point; it lies on ");
        if let Some(fs_type) = &mounted.fs_type {
            line.plain(one_line(&fs_type.to_string_lossy())).plain(", ");
        }
        line.plain("mounted at ").plain(quoted(mount_point.as_bytes()));
        line.write(screen.out, &screen.palette)?;
        writeln!(screen.out)?;
    }
    let mut line = said(format_args!("device {major}:{minor}"));
    if let Some(mount_point) = &mounted.mount_point {
        line.plain(", mounted at ").plain(quoted(mount_point.as_bytes()));
    }
    line.plain(match mounted.places.len() {
        0 => " is mounted nowhere that can be seen".to_owned(),
        1 => " is in 1 mount namespace".to_owned(),
        many => format!(" is in {many} mount namespaces"),
    });
    line.write(screen.out, &screen.palette)?;
    writeln!(screen.out)?;
    for place in &mounted.places {
        in_one(namer, mounted, place, screen)?;
    }
    let unread = &mounted.unread;
    section(screen, "mounts that could not be read", unread.len())?;
    for id in unread {
        entry(screen, "", namer.labels.id(*id))?;
    }
    let gaps = || gaps(namer);
    section(screen, "more may have it, unseen", gaps().count())?;
    for gap in gaps() {
        entry(screen, "", said(one_line(&notes::in_full(gap))))?;
    }
    Ok(())
}

/// What could not be seen and may hide mounts.
fn gaps<'s>(namer: &Namer<'s>) -> impl Iterator<Item = &'s Gap> {
    namer.snapshot.gaps().iter().filter(|gap| gap.may_hide(NamespaceType::Mnt))
}

fn in_one(
    namer: &Namer<'_>,
    mounted: &Mounted,
    place: &MountedIn,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    match place.mount_namespace {
        Some(id) => {
            let mut line = namer.labels.id(id);
            line.plain(":");
            line.write(screen.out, &screen.palette)?;
            writeln!(screen.out)?;
        }
        None => section(screen, "a mount namespace that could not be told", 1)?,
    }
    for mount in &place.mounts {
        let mut line = said("mounted at ");
        line.plain(quoted(mount.path.as_bytes()));
        if Some(&mount.root) != mounted.root.as_ref() {
            let root = quoted(mount.root.as_bytes());
            line.plain(format_args!(" ({root} of it)"));
        }
        entry(screen, "", line)?;
    }
    let namespace = place.mount_namespace;
    match namespace.and_then(|id| namer.snapshot.why(id)) {
        Some(why) if why.members.is_empty() && place.processes.is_empty() => {
            let line = namer.labels.reason(namer.snapshot, why.namespace);
            entry(screen, "", line)?;
        }
        Some(why) => leaders(namer, &why, screen)?,
        None => {}
    }
    if !place.processes.is_empty() {
        let pids = listed(place.processes.iter());
        let text = match place.processes.len() {
            1 => format!("process {pids}"),
            _ => format!("processes {pids}"),
        };
        entry(screen, "", said(text))?;
    }
    Ok(())
}

/// What `lxkns why --mount --json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct MountedDoc {
    /// Major and minor number.
    device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mount_point: Option<String>,
    is_mount_point: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fs_type: Option<String>,
    places: Vec<PlaceDoc>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<NamespaceId>,
    /// What could not be seen and may hide mounts.
    gaps: Vec<MountGapDoc>,
}

#[derive(Serialize)]
struct MountGapDoc {
    what: String,
    why: String,
    count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct PlaceDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    mount_namespace: Option<NamespaceId>,
    processes: Vec<u32>,
    mounts: Vec<MountDoc>,
}

#[derive(Serialize)]
struct MountDoc {
    path: String,
    root: String,
}

impl MountedDoc {
    pub(super) fn of(namer: &Namer<'_>, mounted: &Mounted) -> MountedDoc {
        let text = |text: &Text| text.to_string_lossy().into_owned();
        let (major, minor) = mounted.device;
        let place = |place: &MountedIn| {
            let namespace = place.mount_namespace;
            let namespace = namespace.and_then(|id| namer.snapshot.namespace(id));
            let members = namespace.into_iter().flat_map(|it| it.processes());
            let by_mounts = place.processes.iter().copied();
            let mut processes: Vec<u32> =
                members.map(|process| process.pid()).chain(by_mounts).map(|pid| pid.0).collect();
            processes.sort_unstable();
            PlaceDoc {
                mount_namespace: place.mount_namespace,
                processes,
                mounts: place
                    .mounts
                    .iter()
                    .map(|mount| MountDoc { path: text(&mount.path), root: text(&mount.root) })
                    .collect(),
            }
        };
        MountedDoc {
            device: format!("{major}:{minor}"),
            root: mounted.root.as_ref().map(text),
            mount_point: mounted.mount_point.as_ref().map(text),
            is_mount_point: mounted.is_mount_point,
            fs_type: mounted.fs_type.as_ref().map(text),
            places: mounted.places.iter().map(place).collect(),
            gaps: gaps(namer)
                .map(|gap| MountGapDoc {
                    what: gap.what.to_string(),
                    why: gap.why.to_string(),
                    count: gap.count,
                })
                .collect(),
            unread: mounted.unread.clone(),
        }
    }
}
