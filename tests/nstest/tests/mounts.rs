//! Mounts, directories and what they hold.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;

use lxkns_nstest::{Child, Dir, Script, linked, need, own_namespace};
use lxkns_species::NamespaceType::{Mnt, Net, Pid, User, Uts};

/// The mountinfo lines of a process for mount points below `dir`.
fn mounts(pid: lxkns_species::Pid, dir: &Dir) -> Vec<String> {
    let dir = dir.path().to_str().unwrap();
    std::fs::read_to_string(format!("/proc/{pid}/mountinfo"))
        .unwrap()
        .lines()
        .filter(|line| line.contains(dir))
        .map(str::to_owned)
        .collect()
}

/// Root's, in a user and mount namespace of its own.
fn contained() -> Script {
    Script::new().user_namespace().unshare([Mnt])
}

#[test]
fn a_directory_is_removed_with_all_mounts_below() {
    need!(root);
    let dir = Dir::new().unwrap();
    let (path, place) = (dir.path().to_owned(), dir.join("with blank"));
    let child = Script::new()
        .mkdir(&place)
        .mount("tmpfs", &place, "")
        .in_new(Net, |script| script.note("net", Net).bind_namespace(Net, place.join("net")))
        .spawn()
        .unwrap();
    assert_eq!(child.namespace(Net), own_namespace(Net));
    let found = mounts(lxkns_species::Pid(std::process::id()), &dir);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[1].contains(&format!(" {} ", child.noted("net"))), "{found:?}");
    drop(child);
    drop(dir);
    assert!(!path.exists());
}

#[test]
fn mounts_stay_in_their_namespace() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let child = contained()
        .mount("tmpfs", &dir, "size=1m")
        .unshare([Net])
        .bind_namespace(Net, dir.join("net"))
        .bind_namespace(User, dir.join("user"))
        .spawn()
        .unwrap();
    assert_eq!(mounts(child.pid(), &dir).len(), 3);
    assert_eq!(mounts(lxkns_species::Pid(std::process::id()), &dir).len(), 0);
    let text = format!("{} {}/net ", child.namespace(Net), dir.path().display());
    assert!(mounts(child.pid(), &dir)[1].contains(&text), "{:?}", mounts(child.pid(), &dir));
}

#[test]
fn what_is_unmounted_lazily_can_still_be_held() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let net = dir.join("net");
    let mut child = contained()
        .mount("tmpfs", &dir, "")
        .in_new(Net, |script| script.note("net", Net).bind_namespace(Net, &net))
        .open(&net, 3)
        .open_path(&net, 4)
        .open_tree(&net, 5)
        .pause()
        .unmount(&net)
        .pause()
        .setns(3, Net)
        .spawn()
        .unwrap();
    let link = |child: &Child, fd: u32| {
        std::fs::read_link(format!("/proc/{}/fd/{fd}", child.pid())).unwrap()
    };
    assert_eq!(link(&child, 3), net);
    child.proceed().unwrap();
    assert_eq!(mounts(child.pid(), &dir).len(), 1);
    assert_eq!([3, 4, 5].map(|fd| link(&child, fd)), [3; 3].map(|_| Path::new("/").to_owned()));
    child.proceed().unwrap();
    assert_eq!(child.namespace(Net), child.noted("net"));
}

#[test]
fn files_of_all_kinds_are_made() {
    use std::os::unix::fs::FileTypeExt;
    let dir = Dir::new().unwrap();
    std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let child = Script::new()
        .mkdir(dir.join("dir"))
        .touch(dir.join("file"))
        .write(dir.join("file"), "content")
        .mkfifo(dir.join("fifo"))
        .symlink("nowhere", dir.join("link"))
        .touch(dir.join("gone"))
        .remove(dir.join("gone"))
        .spawn()
        .unwrap();
    drop(child);
    assert!(dir.join("dir").is_dir());
    assert_eq!(std::fs::read(dir.join("file")).unwrap(), b"content");
    assert!(dir.join("fifo").metadata().unwrap().file_type().is_fifo());
    assert_eq!(std::fs::read_link(dir.join("link")).unwrap(), Path::new("nowhere"));
    assert!(!dir.join("gone").exists());
}

#[test]
fn mount_namespaces_can_be_held_by_mounts_in_mount_namespaces() {
    need!(userns);
    let dir = Dir::new().unwrap();
    // The outer one holds the middle one, and that the inner one, by a bind mount each.
    let child = contained()
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
    let found = mounts(child.pid(), &dir);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[1].contains(&format!(" {} ", child.noted("middle"))), "{found:?}");
    assert!(found[1].contains("/middle "), "{found:?}");
    let held = format!("/proc/{}/root{}/middle", child.pid(), dir.path().display());
    let user = format!("/proc/{}/ns/user", child.pid());
    let in_middle = Script::new().open(held, 3).enter(user, User).setns(3, Mnt).spawn().unwrap();
    assert_eq!(in_middle.namespace(Mnt), child.noted("middle"));
    let found = mounts(in_middle.pid(), &dir);
    assert!(found.iter().any(|line| line.contains(&child.noted("inner").to_string())), "{found:?}");
    assert!(!found.iter().any(|line| line.contains(&child.noted("net").to_string())), "{found:?}");
}

#[test]
fn a_child_can_have_another_root_and_proc() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let child = contained()
        .unshare([Pid])
        .fork(
            "first",
            Script::new()
                .unshare([Mnt, Uts])
                .mount("tmpfs", &dir, "")
                .mkdir(dir.join("proc"))
                .mount("proc", dir.join("proc"), "")
                .chroot(&dir)
                .note("uts", Uts)
                .open("/proc/1/ns/pid", 3),
        )
        .spawn()
        .unwrap();
    let first = child.pid_of("first");
    assert_eq!(std::fs::read_link(format!("/proc/{first}/root")).unwrap(), dir.path());
    assert_eq!(linked(format!("/proc/{first}/fd/3")), child.namespace_of("first", Pid));
    assert_eq!(child.noted("uts"), child.namespace_of("first", Uts));
}
