//! Namespaces held by file descriptors, whatever the link of that fd reads.

use lxkns_it::{assert_held, assert_owner, everywhere, held, scan};
use lxkns_model::{FileKind, Holder, MountKind, Text};
use lxkns_nstest::{Child, Dir, Script, need, own_namespace};
use lxkns_species::NamespaceType::{Mnt, Net, User, Uts};

fn fd(child: &Child, fd: u32) -> Holder {
    Holder::File { kind: FileKind::Namespace, pid: child.pid(), tid: None, fd }
}

#[test]
fn an_fd_holds_until_it_is_closed() {
    need!(userns);
    let mut child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
        .pause()
        .close(3)
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        let net = held(snapshot, child.noted("net"), &[fd(&child, 3)]);
        assert_owner(net, child.namespace(User));
        assert!(!net.is_hidden());
        assert_eq!(net.processes().len(), 0);
    });
    child.proceed().unwrap();
    // Another test's scan may have had it open just now.
    const PATIENCE: usize = 100;
    let is_gone = |_| {
        let snapshot = scan();
        let user = snapshot.namespace(child.namespace(User)).unwrap();
        user.owned().len() == 0
    };
    assert!((0..PATIENCE).any(is_gone), "{}", child.noted("net"));
}

#[test]
fn an_fd_opened_by_path_holds_after_a_lazy_unmount() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let net = dir.join("net");
    let mut child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |script| script.note("net", Net).bind_namespace(Net, &net))
        .open(&net, 3)
        .open_path(&net, 4)
        .open_tree(&net, 5)
        .pause()
        .unmount(&net)
        .spawn()
        .unwrap();
    let fds = [3, 4, 5].map(|number| fd(&child, number));
    everywhere(|snapshot| {
        let mount = Holder::Mount {
            kind: MountKind::Bind,
            mount_namespace: Some(child.namespace(Mnt)),
            path: Text::from(net.as_os_str().as_encoded_bytes()),
        };
        let holders = [&fds[..], &[mount]].concat();
        let net = held(snapshot, child.noted("net"), &holders);
        assert_owner(net, child.namespace(User));
    });
    child.proceed().unwrap();
    everywhere(|snapshot| {
        let net = held(snapshot, child.noted("net"), &fds);
        assert_owner(net, child.namespace(User));
    });
}

#[test]
fn an_o_path_fd_alone_holds() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let net = dir.join("net");
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |script| script.note("net", Net).bind_namespace(Net, &net))
        .open_path(&net, 4)
        .unmount(&net)
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        let net = held(snapshot, child.noted("net"), &[fd(&child, 4)]);
        assert_owner(net, child.namespace(User));
    });
}

#[test]
fn a_mount_namespace_held_by_an_fd_is_looked_into() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .user_namespace()
        .in_new(Mnt, |mnt| {
            mnt.note("mnt", Mnt)
                .mount("tmpfs", &dir, "")
                .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, dir.join("net")))
                .open_namespace(Mnt, 3)
        })
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        let mnt = held(snapshot, child.noted("mnt"), &[fd(&child, 3)]);
        assert_owner(mnt, child.namespace(User));
        let mount = Holder::Mount {
            kind: MountKind::Bind,
            mount_namespace: Some(mnt.id()),
            path: Text::from(dir.join("net").as_os_str().as_encoded_bytes()),
        };
        let net = held(snapshot, child.noted("net"), &[mount]);
        assert_owner(net, child.namespace(User));
    });
}

#[test]
fn every_type_can_be_held_by_an_fd() {
    need!(userns);
    use lxkns_species::NamespaceType::{Cgroup, Ipc};
    for ns_type in [Cgroup, Ipc, Mnt, Net, Uts, User] {
        let child = Script::new()
            .user_namespace()
            .in_new(ns_type, |script| script.note("it", ns_type).open_namespace(ns_type, 3))
            .spawn()
            .unwrap();
        everywhere(|snapshot| {
            let it = held(snapshot, child.noted("it"), &[fd(&child, 3)]);
            assert_owner(it, child.namespace(User));
        });
    }
}

#[test]
fn an_fd_on_a_file_of_any_name_is_no_namespace() {
    let dir = Dir::new().unwrap();
    let names = ["x:", ":", "net:[4026531840]", "net:", "pid:[1]", "a (deleted)"];
    let mut script = Script::new();
    for (number, name) in (10..).zip(names) {
        std::fs::write(dir.join(name), "").unwrap();
        script = script.open(dir.join(name), number);
    }
    std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let child = script.open_namespace(Uts, 20).spawn().unwrap();
    everywhere(|snapshot| {
        let of_child: Vec<_> = snapshot
            .namespaces()
            .flat_map(|namespace| {
                namespace.holders().iter().map(move |holder| (namespace.id(), holder))
            })
            .filter(|(_, holder)| holder.pid() == Some(child.pid()))
            .collect();
        assert_eq!(of_child, [(own_namespace(Uts), &fd(&child, 20))]);
    });
}

#[test]
fn one_namespace_may_have_many_holders() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| {
            net.note("net", Net)
                .bind_namespace(Net, dir.join("one"))
                .bind_namespace(Net, dir.join("two"))
                .open_namespace(Net, 3)
                .open_namespace(Net, 4)
                .tcp_socket(5)
        })
        .thread("guest", Script::new().setns(3, Net))
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        let mount = |name: &str| Holder::Mount {
            kind: MountKind::Bind,
            mount_namespace: Some(child.namespace(Mnt)),
            path: Text::from(dir.join(name).as_os_str().as_encoded_bytes()),
        };
        let holders = [
            Holder::Thread { pid: child.pid(), tid: child.pid_of("guest") },
            fd(&child, 3),
            fd(&child, 4),
            Holder::File { kind: FileKind::Socket, pid: child.pid(), tid: None, fd: 5 },
            mount("one"),
            mount("two"),
        ];
        assert_held(snapshot, child.noted("net"), &holders);
    });
}
