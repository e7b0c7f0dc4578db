//! Network namespaces held by nothing but a socket or a tun device.

use std::os::fd::AsRawFd as _;

use lxkns_it::{assert_owner, everywhere, held};
use lxkns_model::{FileKind, Holder, Missing, Text};
use lxkns_nstest::{Dir, Script, need, own_namespace};
use lxkns_species::NamespaceType::{Mnt, Net, User};
use lxkns_species::Pid;

#[test]
fn a_socket_holds_its_network_namespace() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).tcp_socket(3))
        .fork("heir", Script::new())
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        let holders = ["main", "heir"].map(|label| Holder::File {
            kind: FileKind::Socket,
            pid: child.pid_of(label),
            tid: None,
            fd: 3,
        });
        let net = held(snapshot, child.noted("net"), &holders);
        assert_owner(net, child.namespace(User));
        assert!(!net.is_hidden());
    });
}

/// So many are not copied, but read from the kernel's list of connections.
#[test]
fn many_connections_are_found_in_their_network_namespace() {
    need!(loopback);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connect = |_| {
        let client = std::net::TcpStream::connect(address).unwrap();
        [client, listener.accept().unwrap().0]
    };
    let connections: Vec<_> = (0..150).flat_map(connect).collect();
    let snapshot = lxkns_it::scan();
    let holders = snapshot.namespace(own_namespace(Net)).unwrap().holders();
    for connection in connections {
        let (pid, fd) = (Pid(std::process::id()), connection.as_raw_fd() as u32);
        assert!(
            holders.contains(&Holder::File { kind: FileKind::Socket, pid, tid: None, fd }),
            "{fd}"
        );
    }
}

#[test]
fn a_tun_device_holds_its_network_namespace() {
    need!(root, tun);
    let child =
        Script::new().in_new(Net, |net| net.note("net", Net).tun("lxkns0", 3)).spawn().unwrap();
    everywhere(|snapshot| {
        let holder = Holder::File { kind: FileKind::Tun, pid: child.pid(), tid: None, fd: 3 };
        let net = held(snapshot, child.noted("net"), &[holder]);
        assert_owner(net, own_namespace(User));
    });
}

#[test]
fn a_tun_device_is_one_by_whatever_path() {
    need!(root, tun);
    let dir = Dir::new().unwrap();
    // Opened below another root directory: the link of the fd does not read /dev/net/tun.
    let child = Script::new()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .mkdir(dir.join("dev"))
        .mkdir(dir.join("dev/net"))
        .mkdir(dir.join("proc"))
        .touch(dir.join("dev/net/tun"))
        .bind("/dev/net/tun", dir.join("dev/net/tun"))
        .bind_tree("/proc", dir.join("proc"))
        .chroot(&dir)
        .in_new(Net, |net| net.note("net", Net).tun("lxkns1", 3))
        .spawn()
        .unwrap();
    let link = std::fs::read_link(format!("/proc/{}/fd/3", child.pid())).unwrap();
    assert_ne!(link.to_str(), Some("/dev/net/tun"));
    everywhere(|snapshot| {
        let holder = Holder::File { kind: FileKind::Tun, pid: child.pid(), tid: None, fd: 3 };
        let net = held(snapshot, child.noted("net"), &[holder]);
        assert_owner(net, own_namespace(User));
    });
}

/// Who has only opened the name of a socket holds nothing by it; and there is nothing that could
/// not be seen.
#[test]
fn names_of_sockets_are_no_sockets() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let path = dir.join("socket");
    let _bound = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let child = Script::new().open_path(&path, 3).spawn().unwrap();
    let by_pid = format!("of pid {}", child.pid());
    everywhere(|snapshot| {
        let holders = snapshot.namespaces().flat_map(|it| it.holders());
        for holder in holders {
            assert_ne!(holder.pid(), Some(child.pid()), "{holder:?}");
        }
        for gap in snapshot.gaps() {
            let mut examples = gap.examples.iter().filter_map(Text::to_str);
            let is_about_it = examples.any(|example| example.ends_with(&by_pid));
            assert!(gap.what != Missing::Sockets || !is_about_it, "{gap:?}");
        }
    });
}
