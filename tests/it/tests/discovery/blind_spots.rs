//! What keeps a namespace alive is found, or it stands in the table of blind spots.

use std::collections::BTreeMap;

use lxkns_it::scan;
use lxkns_model::{Holder, blind_spots};
use lxkns_nstest::{Dir, Script, need};
use lxkns_species::NamespaceType::{self, Cgroup, Mnt, Net, User};
use lxkns_species::{NamespaceTypes, Pid};

/// The rows of the table in `docs/discovery.md`: the kinds, and what they keep alive.
fn table() -> BTreeMap<String, String> {
    let text = include_str!("../../../../docs/discovery.md");
    let (_, section) = text.split_once("\n## What cannot be found\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        Some((cells.next()?.trim_end_matches('`').to_owned(), cells.next()?.to_owned()))
    };
    section.lines().filter_map(row).collect()
}

#[test]
fn the_table_says_what_the_model_says() {
    let words = |types: NamespaceTypes| match types == NamespaceTypes::ALL {
        true => "any".to_owned(),
        false => types.to_string().replace(',', ", "),
    };
    let spots = blind_spots(NamespaceTypes::ALL);
    let expected: BTreeMap<String, String> =
        spots.map(|spot| (spot.name.to_owned(), words(spot.types()))).collect();
    assert_eq!(table(), expected);
}

#[test]
fn holders_are_found_or_blind_spots() {
    need!(root);
    let dir = Dir::new().unwrap();
    let place = dir.join("place");
    let start = || Script::new().unshare([Mnt]).mount("tmpfs", &dir, "");
    let open = |ns_type: NamespaceType| {
        start().in_new(ns_type, |there| there.note("it", ns_type).open_namespace(ns_type, 3))
    };
    let reads = |ns_type: NamespaceType, path: &str| {
        start().in_new(ns_type, |there| there.note("it", ns_type).open(path, 3))
    };
    let detached = start().in_new(Net, |net| {
        net.note("it", Net).bind_namespace(Net, &place).open_tree(&dir, 3).unmount(&place)
    });
    let socket = start().in_new(Net, |net| net.note("it", Net).tcp_socket(3));
    let cgroups = dir.join("cgroup");
    let of_cgroup = start()
        .mkdir(&cgroups)
        .mount("cgroup2", &cgroups, "")
        .in_new(Cgroup, |it| it.note("it", Cgroup).open(cgroups.join("cgroup.procs"), 3));
    let scene = [
        ("fd", Net, open(Net)),
        ("fd", Mnt, open(Mnt)),
        ("in-flight", Net, open(Net).send_fd(3, (4, 5)).close(3)),
        ("socket", Net, socket),
        ("detached-mount", Net, detached),
        ("proc-net-file", Net, reads(Net, "/proc/thread-self/net/dev")),
        ("mount-file", Mnt, reads(Mnt, "/proc/thread-self/mountinfo")),
        ("cgroup-file", Cgroup, of_cgroup),
        ("file-credentials", User, reads(User, "/dev/null")),
    ];
    for (kind, ns_type, script) in scene {
        let child = script.spawn().unwrap();
        let snapshot = scan();
        let found = snapshot.namespace(child.noted("it"));
        // Another scan that runs at the same time opens each namespace for a moment.
        let own = Some(Pid(std::process::id()));
        let holders: Vec<&Holder> = found
            .iter()
            .flat_map(|found| found.holders())
            .filter(|holder| holder.pid() != own)
            .collect();
        let is_found = holders.iter().any(|holder| holder.kind() == kind);
        let is_blind = blind_spots(NamespaceTypes::of([ns_type])).any(|spot| spot.name == kind);
        assert_ne!(is_found, is_blind, "{kind} of a {ns_type} namespace: {holders:?}");
        assert!(is_found || holders.iter().all(|holder| **holder == Holder::Unseen), "{holders:?}");
    }
}
