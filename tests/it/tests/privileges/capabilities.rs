//! What is seen with which capabilities: the table in docs/security.md, row by row, as an ordinary
//! user sees it through a copy with these capabilities and no others.

use lxkns_it::{snapshot_of, tool_snapshot};
use lxkns_model::Snapshot;
use lxkns_nstest::{Child, Dir, Script, need};
use lxkns_species::NamespaceType::{Ipc, Mnt, Net, Uts};
use lxkns_species::{Capabilities, Capability};

use crate::{as_nobody, capable_copy};

const DOCUMENT: &str = include_str!("../../../../docs/security.md");

/// The columns of the table, and whether what they promise is there.
const COLUMNS: [(&str, fn(&Snapshot, &Child) -> bool); 6] = [
    ("processes", |snapshot, child| {
        let process = snapshot.process(child.pid());
        process.is_some_and(|process| process.joined().get(Uts) == Some(child.namespace(Uts)))
    }),
    ("owners", |snapshot, child| {
        let uts = snapshot.namespace(child.namespace(Uts));
        uts.is_some_and(|uts| uts.owner().is_some())
    }),
    ("open files", |snapshot, child| holds(snapshot, child, "fd")),
    ("sockets", |snapshot, child| {
        holds(snapshot, child, "socket")
    }),
    ("bind mounts", |snapshot, child| {
        snapshot.namespace(child.noted("mounted")).is_some()
    }),
    ("hidden mounts", |snapshot, child| {
        snapshot.namespace(child.noted("hidden")).is_some()
    }),
];

fn holds(snapshot: &Snapshot, child: &Child, label: &str) -> bool {
    let namespace = snapshot.namespace(child.noted(label));
    namespace.is_some_and(|namespace| {
        let mut pids = namespace.holders().iter().filter_map(|holder| holder.pid());
        pids.any(|pid| pid == child.pid())
    })
}

/// The rows of the table: capabilities, and what is seen.
fn rows() -> Vec<(Capabilities, Vec<bool>)> {
    let header = format!("| with | {} |", COLUMNS.map(|(name, _)| name).join(" | "));
    let mut lines = DOCUMENT.lines().skip_while(|line| **line != header);
    assert_eq!(
        lines.next(),
        Some(header.as_str()),
        "the table is not there"
    );
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let names = cells.next().unwrap();
        let capabilities = names.split(", ").filter(|name| *name != "nothing");
        let named = |name: &str| {
            let name = name.trim_matches('`').to_ascii_lowercase();
            name.parse::<Capability>().unwrap()
        };
        let seen = cells.map(|cell| match cell {
            "yes" => true,
            "" => false,
            other => panic!("{other:?} in the table"),
        });
        (capabilities.map(named).collect(), seen.collect())
    })
    .collect()
}

#[test]
fn the_table_of_capabilities_is_true() {
    need!(root, filecaps, bpf, btf, mntns_walk);
    let dir = Dir::new().unwrap();
    let place = Script::new().unshare([Mnt]).in_new(Ipc, |ipc| {
        ipc.note("mounted", Ipc)
            .bind_namespace(Ipc, dir.join("ipc"))
    });
    let child = Script::new()
        .unshare([Uts])
        .in_new(Net, |net| net.note("fd", Net).open_namespace(Net, 3))
        .in_new(Net, |net| net.note("socket", Net).tcp_socket(4))
        .fork("place", place)
        .in_new(Mnt, |mnt| {
            mnt.in_new(Uts, |uts| {
                uts.note("hidden", Uts).bind_namespace(Uts, dir.join("uts"))
            })
            .open_namespace(Mnt, 5)
        })
        .spawn()
        .unwrap();
    let rows = rows();
    assert!(rows.len() > 3);
    let mut wrong = Vec::new();
    for (capabilities, expected) in rows {
        let copy = capable_copy(&dir, "lxkns", capabilities);
        let mut command = as_nobody(copy);
        command
            .args(tool_snapshot().get_args())
            .args(["--bpf", "on"]);
        let snapshot = snapshot_of(&command.output().unwrap());
        let seen: Vec<bool> = COLUMNS.map(|(_, is)| is(&snapshot, &child)).into();
        if seen != expected {
            wrong.push(format!("{capabilities:?}: {seen:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
