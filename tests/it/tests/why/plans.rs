//! Every way of holding a namespace, and the end of it.

use std::fs::File;

use lxkns_discover::{Options, Tier};
use lxkns_it::{everywhere, held, scan_with};
use lxkns_model::{Holder, MountKind, Snapshot, Text};
use lxkns_nstest::{Dir, IdMap, Script, need};
use lxkns_species::NamespaceType::{Mnt, Net, Pid, Time, User};

use rustix::process::{Signal, kill_process};

use crate::held::{Held, alone, check};

/// A process that is in the network namespace of fd 3 for a moment, and then is not.
fn visitor(doing: impl FnOnce(Script) -> Script) -> Script {
    let inside = Script::new().open_namespace(Net, 5).setns(3, Net);
    doing(inside).setns(5, Net).close(5).close(3)
}

#[test]
fn a_network_namespace_held_in_all_ways() {
    need!(root, tun);
    check(8, || {
        let dir = Dir::new().unwrap();
        let thread = Script::new().setns(3, Net).pause().exit_thread();
        let keeper = Script::new().unshare_fd_table().pause().close(3);
        let mount = |script: Script| script.mount("tmpfs", &dir, "").bind_fd(3, dir.join("net"));
        let script = Script::new()
            .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
            .fork("process", Script::new().setns(3, Net).close(3))
            .fork("thread", Script::new().thread("loner", thread).close(3))
            .fork("fd", Script::new().pause().close(3))
            .fork("table", Script::new().thread("keeper", keeper).close(3))
            .fork("socket", visitor(|it| it.tcp_socket(4)).pause().close(4))
            .fork("tun", visitor(|it| it.tun("lxkns9", 4)).pause().close(4))
            .fork("mount", mount(Script::new().unshare([Mnt])).close(3))
            .fork(
                "mount elsewhere",
                Script::new().in_new(Mnt, |mnt| mount(mnt).open_namespace(Mnt, 6)).close(3),
            )
            .close(3)
            .pause()
            .reap();
        let mut held = Held::new(script, |child| child.noted("net"));
        held.mortals = vec![("process", "main")];
        held.others = vec![
            ("thread", "loner"),
            ("fd", "fd"),
            ("table", "keeper"),
            ("socket", "socket"),
            ("tun", "tun"),
        ];
        held.dir = Some(dir);
        held
    });
}

#[test]
fn a_container_whose_mount_namespace_goes_as_well() {
    need!(root);
    check(1, || {
        let dir = Dir::new().unwrap();
        let container = Script::new()
            .unshare([Mnt])
            .mount("tmpfs", &dir, "")
            .in_new(Net, |net| {
                net.note("net", Net).bind_namespace(Net, dir.join("net")).open_namespace(Net, 3)
            })
            .setns(3, Net)
            .close(3);
        let script = Script::new().fork("init", container).pause().reap();
        let mut held = Held::new(script, |child| child.noted("net"));
        held.mortals = vec![("init", "main")];
        held.dir = Some(dir);
        held
    });
}

#[test]
fn children_to_come() {
    need!(root, timens);
    check(1, || {
        let pending = Script::new()
            .unshare([Time])
            .note_link("time", "/proc/thread-self/ns/time_for_children");
        let script = Script::new().fork("pending", pending).pause().reap();
        let mut held = Held::new(script, |child| child.noted("time"));
        held.mortals = vec![("pending", "main")];
        held
    });
}

#[test]
fn a_mount_in_the_own_mount_namespace() {
    need!(root);
    check(1, || {
        let dir = Dir::new().unwrap();
        let script = Script::new()
            .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, dir.join("net")));
        let mut held = Held::new(script, |child| child.noted("net"));
        held.dir = Some(dir);
        held
    });
}

#[test]
fn mounts_of_the_same_one_at_one_place() {
    need!(root);
    check(3, || {
        let dir = Dir::new().unwrap();
        let place = dir.join("net");
        let script = Script::new().unshare([Mnt]).mount("tmpfs", &dir, "").in_new(Net, |net| {
            let net = net.note("net", Net).bind_namespace(Net, &place);
            net.bind(&place, &place).bind_namespace(Net, dir.join("other"))
        });
        let mut held = Held::new(script, |child| child.noted("net"));
        held.dir = Some(dir);
        held
    });
}

/// On each tier.
#[test]
fn each_mount_at_one_place_is_found() {
    need!(root);
    let _alone = alone();
    let dir = Dir::new().unwrap();
    let place = dir.join("net");
    let child = Script::new()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| {
            let net = net.note("net", Net).bind_namespace(Net, &place);
            net.bind(&place, &place)
        })
        .spawn()
        .unwrap();
    let mount = Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: Some(child.namespace(Mnt)),
        path: Text::from(place.as_os_str().as_encoded_bytes()),
    };
    let check = |snapshot: &Snapshot| {
        held(snapshot, child.noted("net"), &[mount.clone(), mount.clone()]);
    };
    everywhere(check);
    for tier in Tier::ALL {
        check(&scan_with(&Options::everything().tier(tier)));
    }
}

#[test]
fn a_mount_namespace_held_by_an_fd_and_a_mount() {
    need!(root);
    check(2, || {
        let dir = Dir::new().unwrap();
        let place = dir.join("mnt");
        let script = Script::new()
            .unshare([Mnt])
            .mount("tmpfs", &dir, "")
            .in_new(Mnt, |mnt| mnt.note("mnt", Mnt).open_namespace(Mnt, 3))
            .bind_fd(3, &place)
            .fork("fd", Script::new().pause().close(3))
            .close(3);
        let mut held = Held::new(script, |child| child.noted("mnt"));
        held.others = vec![("fd", "fd")];
        held.dir = Some(dir);
        held
    });
}

#[test]
fn a_user_namespace_with_all_that_is_below_it() {
    need!(root);
    check(4, || {
        let dead = Script::new().setns(4, User).close(4).close(3).exit();
        let undertaker = Script::new().fork("dead", dead).close(4).close(3);
        let nested =
            Script::new().setns(4, User).close(4).close(3).user_namespace_with(IdMap::Nothing);
        let member = Script::new().setns(4, User).close(4).close(3);
        let script = Script::new()
            .in_new(User, |user| {
                user.note("user", User)
                    .open_namespace(User, 4)
                    .unshare([Net])
                    .open_namespace(Net, 3)
            })
            .fork("member", member)
            .fork("nested", nested)
            .fork("undertaker", undertaker.pause().reap())
            .close(4)
            .fork("fd", Script::new().pause().close(3))
            .close(3)
            .pause()
            .reap()
            .pause()
            .reap();
        let mut held = Held::new(script, |child| child.noted("user"));
        held.mortals = vec![("member", "main"), ("nested", "main")];
        held.others = vec![("dead", "undertaker"), ("fd", "fd")];
        held
    });
}

#[test]
fn a_pid_namespace_ends_with_its_first_process() {
    need!(root);
    check(2, || {
        let init = Script::new().fork("job", Script::new());
        let launcher = Script::new()
            .open_namespace(Pid, 5)
            .unshare([Pid])
            .fork("init", init)
            .setns(5, Pid)
            .close(5)
            .pause()
            .reap();
        let script = Script::new().fork("launcher", launcher);
        let mut held = Held::new(script, |child| child.namespace_of("init", Pid));
        let link = format!("/proc/{}/ns/pid", held.child.pid_of("init"));
        held.own = Some(File::open(link).unwrap());
        held.mortals = vec![("init", "launcher")];
        held
    });
}

#[test]
fn one_of_those_who_share_their_files_closes_them() {
    need!(root);
    check(1, || {
        let owner = Script::new()
            .fork_sharing_fds("sharer", Script::new().pause().close(3))
            .pause()
            .close(3);
        let script = Script::new()
            .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
            .fork("owner", owner)
            .close(3);
        let mut held = Held::new(script, |child| child.noted("net"));
        held.others = vec![("owner", "owner")];
        held
    });
}

#[test]
fn copies_of_a_file_table_are_closed_each() {
    need!(root);
    check(2, || {
        let holds = || Script::new().pause().close(3);
        let script = Script::new()
            .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
            .fork("one", holds())
            .fork("other", holds())
            .close(3);
        let mut held = Held::new(script, |child| child.noted("net"));
        held.others = vec![("one", "one"), ("other", "other")];
        held
    });
}

/// PID 1 has been killed, and waits for a dead process whose parent is outside.
#[test]
fn a_dying_pid_1_is_waited_for() {
    need!(root);
    check(2, || {
        let launcher = Script::new()
            .open_namespace(Pid, 5)
            .unshare([Pid])
            .fork("init", Script::new())
            .fork("guest", Script::new())
            .setns(5, Pid)
            .close(5)
            .pause()
            .reap()
            .pause()
            .reap();
        let script = Script::new().fork("launcher", launcher);
        let mut held = Held::new(script, |child| child.namespace_of("init", Pid));
        let init = held.child.pid_of("init").0.cast_signed();
        kill_process(rustix::process::Pid::from_raw(init).unwrap(), Signal::KILL).unwrap();
        held.others = vec![("guest", "launcher"), ("init", "launcher")];
        held
    });
}
