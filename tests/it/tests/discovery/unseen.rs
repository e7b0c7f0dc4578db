//! Namespaces that are alive without anything visible that holds them.

use lxkns_discover::{Options, Tier};
use lxkns_it::scan_with;
use lxkns_model::{Holder, Snapshot};
use lxkns_nstest::{Dir, Script, need};
use lxkns_species::NamespaceId;
use lxkns_species::NamespaceType::{self, Mnt, Net, Uts};

/// Keeps a new namespace by a mount in no mount namespace.
fn detached(namespace_type: NamespaceType, dir: &Dir) -> Script {
    let place = dir.join("place");
    Script::new().unshare([Mnt]).mount("tmpfs", dir, "").in_new(namespace_type, |there| {
        there
            .note("unseen", namespace_type)
            .bind_namespace(namespace_type, &place)
            .open_tree(dir, 3)
            .unmount(&place)
    })
}

/// A scan that finds a namespace held by just these, or does not find it.
///
/// Another scan that runs at the same time opens each namespace for a moment, and holds it then.
#[track_caller]
fn scan_that_finds(options: &Options, id: NamespaceId, expected: Option<&[Holder]>) -> Snapshot {
    let mut tries = 100;
    loop {
        let snapshot = scan_with(options);
        let holders = snapshot.namespace(id).map(|namespace| namespace.holders().to_vec());
        if holders.as_deref() == expected {
            return snapshot;
        }
        tries -= 1;
        assert_ne!(tries, 0, "{id}: {holders:?}");
    }
}

#[test]
fn a_mount_namespace_of_an_open_table_is_met_by_walking() {
    need!(root, mntns_walk);
    let script = Script::new().in_new(Mnt, |there| {
        // As long as the table of its mounts is open, the mount namespace is there.
        there.note("unseen", Mnt).open("/proc/thread-self/mountinfo", 3)
    });
    let child = script.spawn().unwrap();
    let id = child.noted("unseen");
    let everything = Options::everything();
    scan_that_finds(&everything, id, Some(&[Holder::Unseen]));
    let at_mounts = everything.clone().tier(Tier::Mounts);
    let snapshot = scan_that_finds(&at_mounts, id, Some(&[Holder::Unseen]));
    let namespace = snapshot.namespace(id).unwrap();
    assert!(namespace.owner().is_some() && namespace.unique_id().is_some());
    // Without asking the kernel nobody can know.
    scan_that_finds(&everything.tier(Tier::Proc), id, None);
    drop(child);
    scan_that_finds(&Options::everything(), id, None);
}

#[test]
fn namespaces_of_detached_mounts_are_in_the_kernels_list() {
    need!(root, listns);
    for namespace_type in [Net, Uts] {
        let dir = Dir::new().unwrap();
        let child = detached(namespace_type, &dir).spawn().unwrap();
        let id = child.noted("unseen");
        let snapshot = scan_that_finds(&Options::everything(), id, Some(&[Holder::Unseen]));
        let namespace = snapshot.namespace(id).unwrap();
        assert!(namespace.owner().is_some() && namespace.unique_id().is_some());
        scan_that_finds(&Options::everything().tier(Tier::Ids), id, None);
    }
}

#[test]
fn what_was_created_during_the_scan_is_not_unseen() {
    need!(root, mntns_walk);
    let child = Script::new().fork("storm", Script::new().churn([Mnt])).spawn().unwrap();
    for _ in 0..20 {
        let snapshot = scan_with(&Options::everything());
        let made_up = snapshot.namespaces_of(Mnt).filter(|namespace| {
            namespace.processes().len() > 0 && namespace.holders().contains(&Holder::Unseen)
        });
        assert_eq!(made_up.count(), 0);
    }
    drop(child);
}
