//! Mounts that go along with others, and those that have to go first.

use lxkns_nstest::{Dir, Script, need};
use lxkns_species::NamespaceType::{Mnt, Net};

use crate::held::{Held, check_in_order};

/// A mount namespace with a shared file system of its own.
fn shared(dir: &Dir) -> Script {
    Script::new().unshare([Mnt]).mount("tmpfs", dir, "").share_mounts(dir)
}

fn held(script: Script, dir: Dir) -> Held {
    let mut held = Held::new(script, |child| child.noted("net"));
    held.dir = Some(dir);
    held
}

#[test]
fn one_unmount_takes_the_copies_in_slaves_along() {
    need!(root);
    check_in_order(1, || {
        let dir = Dir::new().unwrap();
        let script = shared(&dir)
            .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, dir.join("net")));
        let slave = |script: Script, label: &&str| {
            script.fork(label, Script::new().unshare_mounts_as_slave())
        };
        let script = ["a", "b", "c", "d", "e"].iter().fold(script, slave);
        held(script, dir)
    });
}

#[test]
fn one_unmount_is_enough_in_a_folder_that_is_mounted_on_itself() {
    need!(root);
    check_in_order(1, || {
        let dir = Dir::new().unwrap();
        let names = dir.join("netns");
        let script = shared(&dir)
            .mkdir(&names)
            .bind(&names, &names)
            .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, names.join("blue")))
            .fork("slave", Script::new().unshare_mounts_as_slave());
        held(script, dir)
    });
}

/// What was mounted after the copy was made is not what has been copied.
#[test]
fn private_copies_are_unmounted_each() {
    need!(root);
    check_in_order(2, || {
        let dir = Dir::new().unwrap();
        let script = shared(&dir)
            .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, dir.join("net")))
            .fork("private", Script::new().unshare([Mnt]));
        held(script, dir)
    });
}

#[test]
fn what_is_stacked_comes_off_from_the_top() {
    need!(root);
    check_in_order(2, || {
        let dir = Dir::new().unwrap();
        let place = dir.join("net");
        let script = shared(&dir)
            .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &place))
            .bind("/proc/self/ns/uts", &place)
            .fork("slave", Script::new().unshare_mounts_as_slave());
        held(script, dir)
    });
}

#[test]
fn a_copy_goes_from_under_what_covers_it() {
    need!(root);
    check_in_order(1, || {
        let dir = Dir::new().unwrap();
        let place = dir.join("net");
        let covered = Script::new().unshare_mounts_as_slave().bind("/proc/self/ns/uts", &place);
        let script = shared(&dir)
            .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &place))
            .fork("covered", covered);
        held(script, dir)
    });
}

#[test]
fn what_lies_over_the_folder_comes_off_first() {
    need!(root);
    check_in_order(3, || {
        let dir = Dir::new().unwrap();
        let (run, inner) = (dir.join("run"), dir.join("run/inner"));
        let script = Script::new()
            .unshare([Mnt])
            .mount("tmpfs", &dir, "")
            .mkdir(&run)
            .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, run.join("net")))
            .mount("tmpfs", &run, "")
            .mkdir(&inner)
            .mount("tmpfs", &inner, "");
        held(script, dir)
    });
}

/// No path leads to a mount below a covered root directory.
#[test]
fn below_a_covered_root_the_mount_namespace_has_to_end() {
    need!(root, mntns_walk);
    check_in_order(1, || {
        let dir = Dir::new().unwrap();
        let inside = Script::new()
            .unshare([Mnt])
            .mount("tmpfs", &dir, "")
            .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, dir.join("net")))
            .mount("tmpfs", "/", "");
        let mut held = held(Script::new().fork("inside", inside).pause().reap(), dir);
        held.mortals = vec![("inside", "main")];
        held
    });
}
