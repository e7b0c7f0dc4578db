//! Those who do not want to be scanned: file servers that do not answer.

use lxkns_it::{everywhere, gap, held};
use lxkns_model::{Holder, Missing, Reason, Text};
use lxkns_nstest::{Dir, Script, need};
use lxkns_species::NamespaceType::{Mnt, Net, Uts};

/// In a mount namespace of its own, with a FUSE file system at `place` whose server, itself, never
/// answers. The server's fd is 9.
fn dead_file_system(script: Script, place: &Dir) -> Script {
    script
        .open("/dev/fuse", 9)
        .mount("fuse", place, "fd=9,rootmode=40000,user_id=0,group_id=0")
}

fn has_fuse() -> bool {
    std::fs::File::open("/dev/fuse").is_ok()
}

#[test]
fn a_bind_mount_behind_a_dead_file_system_is_a_gap() {
    need!(root);
    if !has_fuse() {
        need!(never);
    }
    let dir = Dir::new().unwrap();
    let script = Script::new()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| {
            net.note("net", Net).bind_namespace(Net, dir.join("net"))
        });
    let child = dead_file_system(script, &dir)
        .in_new(Uts, |uts| uts.note("uts", Uts).open_namespace(Uts, 3))
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        let mount = Holder::BindMount {
            mount_namespace: Some(child.namespace(Mnt)),
            path: Text::from(dir.join("net").as_os_str().as_encoded_bytes()),
        };
        let net = held(snapshot, child.noted("net"), &[mount]);
        if net.owner().is_none() {
            let late = gap(snapshot, Missing::BindMounts, Reason::TimedOut);
            assert!(late.is_some_and(|gap| gap.count > 0), "{late:?}");
        }
        // And the scan goes on.
        let fd = Holder::Fd {
            pid: child.pid(),
            tid: None,
            fd: 3,
        };
        held(snapshot, child.noted("uts"), &[fd]);
    });
}

#[test]
fn an_fd_on_a_dead_file_system_is_no_obstacle() {
    need!(root);
    if !has_fuse() {
        need!(never);
    }
    let dir = Dir::new().unwrap();
    let child = dead_file_system(Script::new().unshare([Mnt]), &dir)
        .open_path(&dir, 4)
        .in_new(Uts, |uts| uts.note("uts", Uts).open_namespace(Uts, 5))
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        let fd = Holder::Fd {
            pid: child.pid(),
            tid: None,
            fd: 5,
        };
        held(snapshot, child.noted("uts"), &[fd]);
    });
}
