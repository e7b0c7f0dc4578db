//! What is seen with which capabilities: the table in docs/security.md, row by row, as an ordinary
//! user sees it through a copy with these capabilities and no others.

use std::process::{Command, Output};

use lxkns_it::{snapshot_of, tool_snapshot};
use lxkns_model::Snapshot;
use lxkns_nstest::{Child, Dir, Script, need};
use lxkns_ops::{Feature, Support};
use lxkns_species::NamespaceType::{Ipc, Mnt, Net, Uts};
use lxkns_species::{Capabilities, Capability};

use crate::{as_nobody, capable_copy, copy};

const DOCUMENT: &str = include_str!("../../../../docs/security.md");

type IsThere = fn(&Snapshot, &Child) -> bool;

/// The columns of the table, and whether what they promise is there.
const COLUMNS: [(&str, IsThere); 6] = [
    ("processes", |snapshot, child| {
        let process = snapshot.process(child.pid());
        process.is_some_and(|process| process.joined().get(Uts) == Some(child.namespace(Uts)))
    }),
    ("owners", |snapshot, child| {
        let uts = snapshot.namespace(child.namespace(Uts));
        uts.is_some_and(|uts| uts.owner().is_some())
    }),
    ("open files", |snapshot, child| holds(snapshot, child, "fd")),
    ("sockets", |snapshot, child| holds(snapshot, child, "socket")),
    ("bind mounts", |snapshot, child| snapshot.namespace(child.noted("mounted")).is_some()),
    ("hidden mounts", |snapshot, child| snapshot.namespace(child.noted("hidden")).is_some()),
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
    assert_eq!(lines.next(), Some(header.as_str()), "the table is not there");
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
            "from 6.12" => Feature::MountsById.supported() == Support::Supported,
            other => panic!("{other:?} in the table"),
        });
        (capabilities.map(named).collect(), seen.collect())
    })
    .collect()
}

/// Something in every column.
fn scene(dir: &Dir) -> Child {
    let place = Script::new()
        .unshare([Mnt])
        .in_new(Ipc, |ipc| ipc.note("mounted", Ipc).bind_namespace(Ipc, dir.join("ipc")));
    Script::new()
        .unshare([Uts])
        .in_new(Net, |net| net.note("fd", Net).open_namespace(Net, 3))
        .in_new(Net, |net| net.note("socket", Net).tcp_socket(4))
        .fork("place", place)
        .in_new(Mnt, |mnt| {
            mnt.in_new(Uts, |uts| uts.note("hidden", Uts).bind_namespace(Uts, dir.join("uts")))
                .open_namespace(Mnt, 5)
        })
        .spawn()
        .unwrap()
}

fn seen(output: &Output, child: &Child) -> Vec<bool> {
    let snapshot = snapshot_of(output);
    COLUMNS.map(|(_, is)| is(&snapshot, child)).into()
}

#[test]
fn the_table_of_capabilities_is_true() {
    need!(root, filecaps, bpf, btf, mntns_walk);
    let dir = Dir::new().unwrap();
    let child = scene(&dir);
    let rows = rows();
    assert!(rows.len() > 3);
    let mut wrong = Vec::new();
    for (capabilities, expected) in rows {
        let copy = capable_copy(&dir, "lxkns", capabilities);
        let mut command = as_nobody(copy);
        command.args(tool_snapshot().get_args()).args(["--bpf", "on"]);
        let seen = seen(&command.output().unwrap(), &child);
        if seen != expected {
            wrong.push(format!("{capabilities:?}: {seen:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The capabilities in the example of a systemd unit.
fn of_the_unit() -> Vec<String> {
    let line = DOCUMENT.lines().find_map(|line| line.strip_prefix("AmbientCapabilities="));
    let names = line.unwrap().split(' ');
    names.map(|name| name.trim_start_matches("CAP_").to_ascii_lowercase()).collect()
}

/// As the service manager does it, with what the unit asks for: namespaces of its own of four
/// types, a /proc that hides others' processes, another user, ambient capabilities, no new
/// privileges; and that openat2(2) is refused, as a filter of files with the set-user-ID bit does
/// it.
#[test]
fn the_sandbox_of_the_unit_hides_nothing() {
    need!(root, setpriv, mntns_walk);
    let dir = Dir::new().unwrap();
    let child = scene(&dir);
    let capabilities: Vec<String> = of_the_unit().iter().map(|name| format!("+{name}")).collect();
    let capabilities = capabilities.join(",");
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--no-new-privs", "--inh-caps", &capabilities])
        .args(["--ambient-caps", &capabilities, "--"])
        .arg(copy(&dir, "lxkns", "lxkns"))
        .args(tool_snapshot().get_args());
    let sandbox = Script::new()
        .unshare([Mnt, Net, Uts, Ipc])
        .mount("proc", "/proc", "hidepid=2")
        .refuse_openat2()
        .run("tool", &command)
        .spawn()
        .unwrap();
    assert_eq!(seen(sandbox.output("tool"), &child), [true; COLUMNS.len()]);
}
