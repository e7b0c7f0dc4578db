//! Bind-mounted namespaces, in every mount namespace.

use std::path::Path;

use lxkns_discover::{Options, Tier};
use lxkns_it::{assert_owner, everywhere, gap, held, scan_with};
use lxkns_model::{Holder, Missing, MountKind, Reason, Snapshot, Text};
use lxkns_nstest::{Dir, Script, need, own_namespace};
use lxkns_species::NamespaceType::{Mnt, Net, Pid, User, Uts};
use lxkns_species::{NamespaceId, NamespaceType};

fn bind_mount(mount_namespace: NamespaceId, path: impl AsRef<Path>) -> Holder {
    Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: Some(mount_namespace),
        path: Text::from(path.as_ref().as_os_str().as_encoded_bytes()),
    }
}

#[test]
fn in_the_own_mount_namespace() {
    need!(root);
    let dir = Dir::new().unwrap();
    let path = dir.join("net");
    let child = Script::new()
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &path))
        .spawn()
        .unwrap();
    let net = child.noted("net");
    drop(child);
    everywhere(|snapshot| {
        let Some(namespace) = snapshot.namespace(net) else {
            panic!("{net} was not found");
        };
        // Other tests' mount namespaces may have got copies of the mount.
        let holder = bind_mount(own_namespace(Mnt), &path);
        assert!(namespace.holders().contains(&holder));
        assert_owner(namespace, own_namespace(User));
        assert!(!namespace.is_hidden());
    });
}

#[test]
fn in_another_mount_namespace_with_its_own_proc() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let inside = Script::new()
        .unshare([Mnt])
        .mount("proc", "/proc", "")
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, dir.join("net")));
    let child =
        Script::new().user_namespace().unshare([Pid]).fork("inside", inside).spawn().unwrap();
    let mnt = child.namespace_of("inside", Mnt);
    everywhere(|snapshot| {
        let holder = bind_mount(mnt, dir.join("net"));
        let net = held(snapshot, child.noted("net"), &[holder]);
        assert_owner(net, child.namespace(User));
        let proc = Holder::Mount {
            kind: MountKind::Proc,
            mount_namespace: Some(mnt),
            path: Text::from("/proc"),
        };
        let pid = snapshot.namespace(child.namespace_of("inside", Pid)).unwrap();
        assert!(pid.holders().contains(&proc), "{:?}", pid.holders());
    });
}

#[test]
fn in_mount_namespaces_that_are_only_bind_mounted_themselves() {
    need!(userns);
    let dir = Dir::new().unwrap();
    // The outer one holds the middle one, that the inner one, and that a network namespace, by a
    // bind mount each.
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Mnt, |middle| {
            middle
                .note("middle", Mnt)
                .mount("tmpfs", &dir, "")
                .in_new(Mnt, |inner| {
                    inner
                        .note("inner", Mnt)
                        .mount("tmpfs", &dir, "")
                        .in_new(Net, |net| {
                            net.note("net", Net).bind_namespace(Net, dir.join("net"))
                        })
                        .open_namespace(Mnt, 4)
                })
                .bind_fd(4, dir.join("inner"))
                .close(4)
                .open_namespace(Mnt, 3)
        })
        .bind_fd(3, dir.join("middle"))
        .close(3)
        .spawn()
        .unwrap();
    let outer = child.namespace(Mnt);
    let [middle, inner, net] = ["middle", "inner", "net"].map(|label| child.noted(label));
    everywhere(|snapshot| {
        for (id, place, name) in
            [(middle, outer, "middle"), (inner, middle, "inner"), (net, inner, "net")]
        {
            let holder = bind_mount(place, dir.join(name));
            assert_owner(held(snapshot, id, &[holder]), child.namespace(User));
        }
    });
}

#[test]
fn two_namespaces_at_one_path_in_two_mount_namespaces() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let place = dir.join("a blank \\ and\ta backslash \\040\n");
    let mounts = |label: &str| {
        Script::new()
            .user_namespace()
            .unshare([Mnt])
            .mount("tmpfs", &dir, "")
            .in_new(Net, |net| net.note(label, Net).bind_namespace(Net, &place))
    };
    let child = Script::new()
        .user_namespace()
        .fork("one", mounts("net of one"))
        .fork("two", mounts("net of two"))
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        for (label, net) in [("one", "net of one"), ("two", "net of two")] {
            let holder = bind_mount(child.namespace_of(label, Mnt), &place);
            let net = held(snapshot, child.noted(net), &[holder]);
            assert_owner(net, child.namespace_of(label, User));
        }
    });
}

#[test]
fn a_chrooted_member_hides_nothing() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| net.note("outside", Net).bind_namespace(Net, dir.join("net")))
        .mkdir(dir.join("root"))
        .mkdir(dir.join("root/proc"))
        .bind_tree("/proc", dir.join("root/proc"))
        .chroot(dir.join("root"))
        .in_new(Uts, |uts| uts.note("inside", Uts).bind_namespace(Uts, "/uts"))
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        let mnt = child.namespace(Mnt);
        let outside = bind_mount(mnt, dir.join("net"));
        let inside = bind_mount(mnt, dir.join("root/uts"));
        assert_owner(held(snapshot, child.noted("outside"), &[outside]), child.namespace(User));
        assert_owner(held(snapshot, child.noted("inside"), &[inside]), child.namespace(User));
    });
}

/// A namespace whose only holder is a bind mount that another mount lies over: either it could not
/// be asked, and a gap says so, or a kernel that reopens namespaces by id has helped.
#[track_caller]
fn assert_covered(snapshot: &Snapshot, id: NamespaceId, holder: Holder, user: NamespaceId) {
    let namespace = held(snapshot, id, &[holder]);
    if namespace.owner().is_some() {
        assert_owner(namespace, user);
    } else {
        let covered = gap(snapshot, Missing::BindMounts, Reason::Covered);
        assert!(covered.is_some_and(|gap| gap.count > 0), "{covered:?}");
    }
}

#[test]
fn what_lies_over_a_bind_mount_is_not_taken_for_it() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let (fifo, place) = (dir.join("fifo"), dir.join("place"));
    let planted: [(&str, &Path); 3] = [
        ("a FIFO", &fifo),
        ("a device", Path::new("/dev/zero")),
        ("the own namespace", Path::new("/proc/thread-self/ns/uts")),
    ];
    for (what, planted) in planted {
        let child = Script::new()
            .user_namespace()
            .unshare([Mnt])
            .mount("tmpfs", &dir, "")
            .mkfifo(&fifo)
            .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &place))
            .bind(planted, &place)
            .spawn()
            .unwrap();
        everywhere(|snapshot| {
            let holder = bind_mount(child.namespace(Mnt), &place);
            let (net, user) = (child.noted("net"), child.namespace(User));
            assert_covered(snapshot, net, holder.clone(), user);
            let held: Vec<NamespaceId> = snapshot
                .namespaces()
                .filter(|namespace| namespace.holders().contains(&holder))
                .map(|namespace| namespace.id())
                .collect();
            match what {
                "the own namespace" => assert_eq!(held, [net, own_namespace(Uts)]),
                _ => assert_eq!(held, [net]),
            }
        });
    }
}

#[test]
fn a_bind_mount_below_a_covered_directory_is_listed() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, dir.join("net")))
        .mount("tmpfs", &dir, "")
        .mkfifo(dir.join("net"))
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        let holder = bind_mount(child.namespace(Mnt), dir.join("net"));
        assert_covered(snapshot, child.noted("net"), holder, child.namespace(User));
    });
}

#[test]
fn a_procfs_whose_processes_are_all_gone_is_a_gap() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let mut child = Script::new()
        .user_namespace()
        .unshare([Mnt, Pid])
        .fork("first", Script::new().mount("proc", &dir, "").pause().exit())
        .pause()
        .reap()
        .spawn()
        .unwrap();
    let holder = Holder::Mount {
        kind: MountKind::Proc,
        mount_namespace: Some(child.namespace(Mnt)),
        path: Text::from(dir.path().as_os_str().as_encoded_bytes()),
    };
    let pid = child.namespace_of("first", Pid);
    everywhere(|snapshot| {
        let pid = snapshot.namespace(pid).unwrap();
        assert!(pid.holders().contains(&holder), "{:?}", pid.holders());
    });
    child.proceed_at("first").unwrap();
    child.proceed().unwrap();
    everywhere(|snapshot| {
        assert!(!snapshot.namespaces().any(|namespace| namespace.holders().contains(&holder)));
        let gap = gap(snapshot, Missing::ProcMounts, Reason::NobodyToAsk);
        assert!(gap.is_some_and(|gap| gap.count > 0), "{gap:?}");
    });
}

#[test]
fn a_covered_root_directory_hides_nothing() {
    need!(userns);
    let dir = Dir::new().unwrap();
    // Who comes into the mount namespace stands on the new file system; its process does not.
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, dir.join("net")))
        .mount("tmpfs", "/", "")
        .spawn()
        .unwrap();
    let check = |snapshot: &Snapshot| {
        let holder = bind_mount(child.namespace(Mnt), dir.join("net"));
        assert_covered(snapshot, child.noted("net"), holder, child.namespace(User));
    };
    everywhere(check);
    check(&scan_with(&Options::everything().tier(Tier::Proc)));
}

/// A part of a procfs shows the same PID namespace as the whole. It is not asked itself: what is in
/// there may be anybody's, such as a folder with a false `1/ns/pid`.
#[test]
fn a_part_of_a_procfs() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let trap = dir.join("trap");
    std::fs::create_dir_all(trap.join("ns")).unwrap();
    let initial = NamespaceType::Pid.initial_inode();
    std::os::unix::fs::symlink(format!("pid:[{initial}]"), trap.join("ns/pid")).unwrap();
    let (whole, part) = (dir.join("whole"), dir.join("part"));
    let inside = Script::new()
        .open_path(&trap, 1)
        .mkdir(&whole)
        .mkdir(&part)
        .mount("proc", &whole, "")
        .bind(whole.join("1/fd"), &part);
    let child =
        Script::new().user_namespace().unshare([Mnt, Pid]).fork("inside", inside).spawn().unwrap();
    let holder = |path: &std::path::Path| Holder::Mount {
        kind: MountKind::Proc,
        mount_namespace: Some(child.namespace(Mnt)),
        path: Text::from(path.as_os_str().as_encoded_bytes()),
    };
    everywhere(|snapshot| {
        let id = child.namespace_of("inside", Pid);
        let holders = snapshot.namespace(id).unwrap().holders();
        for path in [&whole, &part] {
            assert!(holders.contains(&holder(path)), "{path:?}: {holders:?}");
        }
        for other in snapshot.namespaces().filter(|other| other.id() != id) {
            assert!(!other.holders().contains(&holder(&part)), "{other:?}");
        }
    });
}
