//! Mounts of other mount namespaces, and the walk from one mount namespace to the next.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lxkns_nstest::{Dir, Script, need};
use lxkns_ops::mounts::{self, Mount, MountId, NSFS_MAGIC, Of};
use lxkns_ops::visit::{MountView, open_in, root_of};
use lxkns_ops::{Feature, NamespaceFd, Support, may_see_all};
use lxkns_species::NamespaceType::{Mnt, Net, User};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities, gettid, set_capabilities};

/// The mounts of nsfs in a mount namespace, found in two steps.
fn nsfs_mounts(of: Of<'_>) -> Vec<Mount> {
    mounts::list(of)
        .unwrap()
        .into_iter()
        .filter(|id| mounts::superblock(of, *id).unwrap().magic == NSFS_MAGIC)
        .map(|id| mounts::describe(of, id).unwrap())
        .collect()
}

#[test]
fn mounts_of_another_mount_namespace_are_seen_without_entering_it() {
    need!(root, mntns_id);
    let dir = Dir::new().unwrap();
    // So long that it does not fit into the first buffer.
    let deep = dir.join("with blank").join("x".repeat(250)).join("y".repeat(250));
    let mut script = Script::new().unshare([Mnt]).mount("tmpfs", &dir, "");
    for level in deep.ancestors().collect::<Vec<_>>().into_iter().rev() {
        if level.starts_with(dir.path()) && level != dir.path() {
            script = script.mkdir(level);
        }
    }
    let child = script.unshare([Net]).bind_namespace(Net, deep.join("net")).spawn().unwrap();
    let namespace = NamespaceFd::of_process(child.pid(), Mnt).unwrap();
    let check = |of: Of<'_>| {
        let found = nsfs_mounts(of);
        let here: Vec<_> = found
            .iter()
            .filter(|mount| mount.point.as_deref() == Some(deep.join("net").as_os_str().as_bytes()))
            .collect();
        assert_eq!(here.len(), 1, "{found:?}");
        assert_eq!(here[0].root, child.namespace(Net).to_string().into_bytes());
        assert_eq!(here[0].fs_type, b"nsfs");
        assert_eq!(Some(here[0].superblock.device), NamespaceFd::nsfs_device());
        let parent = mounts::describe(of, here[0].parent).unwrap();
        assert_eq!(parent.point.as_deref(), Some(dir.path().as_os_str().as_bytes()));
        assert_eq!((parent.fs_type.as_slice(), parent.root.as_slice()), (&b"tmpfs"[..], &b"/"[..]));
    };
    check(Of::Id(namespace.unique_id().unwrap()));
    if Feature::MountsByFd.supported() == Support::Supported {
        check(Of::Fd(namespace.as_fd()));
    }
}

#[test]
fn own_mounts_are_those_of_mountinfo() {
    need!(listmount);
    // Another test of this process may mount something meanwhile: in a mount namespace of its own.
    let lines = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let listed = mounts::list(Of::Own).unwrap();
    assert_eq!(listed.len(), lines.lines().count());
    for id in listed {
        let mount = mounts::describe(Of::Own, id).unwrap();
        assert_eq!(mount.id, id);
        assert_eq!(mounts::superblock(Of::Own, id).unwrap(), mount.superblock);
    }
}

#[test]
fn a_table_longer_than_one_call_is_listed_completely() {
    need!(root, mntns_id);
    let dir = Dir::new().unwrap();
    let mut script = Script::new().unshare([Mnt]).mount("tmpfs", &dir, "");
    for _ in 0..1100 {
        script = script.mount("tmpfs", &dir, "");
    }
    let child = script.spawn().unwrap();
    let namespace = NamespaceFd::of_process(child.pid(), Mnt).unwrap();
    let of = Of::Id(namespace.unique_id().unwrap());
    let ids = mounts::list(of).unwrap();
    assert!(ids.is_sorted());
    assert!(mounts::info(&namespace).unwrap().mounts as usize >= ids.len());
    let place = Some(dir.path().as_os_str().as_bytes());
    let mounted_here =
        |id: &&MountId| mounts::describe(of, **id).unwrap().point.as_deref() == place;
    assert_eq!(ids.iter().filter(mounted_here).count(), 1101);
}

#[test]
fn errors_tell_what_is_not_there() {
    need!(root, mntns_id);
    let child = Script::new().unshare([Mnt]).spawn().unwrap();
    let id = NamespaceFd::of_process(child.pid(), Mnt).unwrap().unique_id().unwrap();
    let some_mount = mounts::list(Of::Id(id)).unwrap()[0];
    drop(child);
    assert!(mounts::list(Of::Id(id)).unwrap_err().is_gone());
    assert!(mounts::describe(Of::Id(id), some_mount).unwrap_err().is_gone());
    let net = NamespaceFd::of_self(Net).unwrap();
    assert_eq!(mounts::info(&net).unwrap_err().errno(), Some(Errno::INVAL));
    let by_fd = mounts::list(Of::Fd(net.as_fd())).unwrap_err();
    assert_eq!(by_fd.errno(), Some(Errno::INVAL));
}

#[test]
fn the_walk_finds_mount_namespaces_that_only_an_fd_holds() {
    need!(root, mntns_walk);
    assert!(may_see_all());
    let child = Script::new()
        .in_new(Mnt, |script| script.note("lonely", Mnt).open_namespace(Mnt, 3))
        .spawn()
        .unwrap();
    let found: Vec<_> = mounts::walk().unwrap().map(Result::unwrap).collect();
    assert!(found.is_sorted_by_key(|(_, info)| info.unique_id));
    let lonely = child.noted("lonely");
    let lonely: Vec<_> = found.iter().filter(|(namespace, _)| namespace.id() == lonely).collect();
    let [(namespace, info)] = lonely.as_slice() else {
        panic!("{lonely:?}");
    };
    assert_eq!(namespace.unique_id().unwrap(), info.unique_id);
    assert_eq!(mounts::info(namespace).unwrap(), *info);
    assert!(info.mounts > 0);
    let own = NamespaceFd::of_self(Mnt).unwrap();
    assert!(found.iter().any(|(namespace, _)| namespace.id() == own.id()));

    // Backwards as well.
    let (mut last, mut own_found) = (*info, false);
    let mut at = namespace.try_clone().unwrap();
    while let Some((previous, info)) = mounts::previous(&at).unwrap() {
        assert!(info.unique_id < last.unique_id);
        own_found |= previous.id() == own.id();
        (at, last) = (previous, info);
    }
    assert_eq!(own_found, own.unique_id().unwrap() < info.unique_id);
}

#[test]
fn paths_are_opened_below_a_root_and_never_outside() {
    need!(root);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .unshare([Mnt, Net])
        .mount("tmpfs", &dir, "")
        .bind_namespace(Net, dir.join("net"))
        .symlink("/proc/self/ns/net", dir.join("link"))
        .spawn()
        .unwrap();
    let namespace = NamespaceFd::of_process(child.pid(), Mnt).unwrap();
    let proc = std::fs::File::open("/proc").unwrap();
    let view = MountView::of(&namespace, &proc).unwrap();
    let mountinfo = std::io::read_to_string(std::fs::File::from(view.mountinfo)).unwrap();
    assert!(mountinfo.contains(&child.namespace(Net).to_string()));
    let open = |path: &Path| {
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        open_in(&view.root, &path, Duration::from_secs(60))
    };
    // Opened with O_PATH: opened again to be asked.
    let path = open(&dir.join("net")).unwrap();
    let file = std::fs::File::open(format!("/proc/self/fd/{}", path.as_raw_fd()));
    let found = NamespaceFd::from_fd(file.unwrap().into()).unwrap();
    assert_eq!(found.id(), child.namespace(Net));
    // What that file of procfs refers to is nowhere below the root.
    let error = open(&dir.join("link")).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::XDEV));
    assert!(open(&dir.join("none")).unwrap_err().is_gone());
}

#[test]
fn an_owner_gets_at_the_root_directory() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let inside = dir.join("inside");
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .touch(&inside)
        .spawn()
        .unwrap();
    let namespace = NamespaceFd::of_process(child.pid(), Mnt).unwrap();
    let root = root_of(&namespace).unwrap();
    let path = CString::new(inside.as_os_str().as_bytes()).unwrap();
    assert!(open_in(&root, &path, Duration::from_secs(60)).is_ok());
    assert!(!inside.exists(), "this is another mount namespace");

    let net = NamespaceFd::of_self(Net).unwrap();
    assert_eq!(root_of(&net).unwrap_err().errno(), Some(Errno::INVAL));
}

/// Root of the user namespace that a child visits must not get at the copy of the caller's memory,
/// nor have the caller wait for ever.
#[test]
fn nobody_inside_gets_at_the_memory_of_a_visitor() {
    need!(userns);
    let child = Script::new().user_namespace().unshare([Mnt]).spawn().unwrap();
    let dir = Dir::new().unwrap();
    let (folder, fifo) = (dir.join("self"), dir.join("self/mountinfo"));
    // Where the child looks for its table of mounts it has to wait for who writes.
    let trap = Script::new().mkdir(&folder).mkfifo(&fifo).spawn().unwrap();
    let namespace = NamespaceFd::of_process(child.pid(), Mnt).unwrap();
    let (sender, visitor) = mpsc::channel();
    let proc = File::open(dir.path()).unwrap();
    thread::scope(|scope| {
        let visit = scope.spawn(move || {
            // Without these, it has to go there as the owner, also if that is root.
            let mut sets = capabilities(None).unwrap();
            sets.effective -= CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_CHROOT;
            set_capabilities(None, sets).unwrap();
            sender.send(gettid()).unwrap();
            MountView::of(&namespace, &proc).map(drop)
        });
        let tid = visitor.recv().unwrap();
        let children = format!("/proc/self/task/{tid}/children");
        // Asleep, and not only for a moment; on a busy machine it may have been given up before.
        let (mut pid, mut asleep) = (String::new(), 0);
        while asleep < 100 && !visit.is_finished() {
            pid = fs::read_to_string(&children).unwrap().trim().to_owned();
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            asleep = if stat.contains(") S ") { asleep + 1 } else { 0 };
            thread::yield_now();
        }
        let inside = |path: String| {
            let user = format!("/proc/{}/ns/user", child.pid());
            Script::new().enter(user, User).open_device(path, 3).spawn().map(drop)
        };
        let own = inside("/proc/self/mem".into());
        let others = inside(format!("/proc/{pid}/mem"));
        own.unwrap();
        assert!(others.is_err(), "the memory of the visitor is open to root inside");
        assert_eq!(visit.join().unwrap().unwrap_err().errno(), Some(Errno::TIMEDOUT));
    });
    drop(trap);
}
