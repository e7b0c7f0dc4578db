//! Traps at the paths of bind mounts: something else lies there when the scan comes to open them,
//! in mount namespaces whose owners want it to open that.
//!
//! Whether a file was opened, inotify tells: a look at its place (`O_PATH`) does not count, and
//! neither can it have effects.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use lxkns_it::{everywhere, held, scan};
use lxkns_model::{Holder, MountKind, Snapshot, Text};
use lxkns_nstest::{Child, Dir, Script, need};
use lxkns_ops::foreign::{TIMEOUT, read_owned};
use lxkns_species::NamespaceType::{Mnt, Net, Uts};
use lxkns_species::{NamespaceId, Uid};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Files that nobody is to open.
struct Watch(OwnedFd);

impl Watch {
    /// Watches files as a child sees them.
    fn of<'p>(child: &Child, paths: impl IntoIterator<Item = &'p Path>) -> Watch {
        let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
        for path in paths {
            let flags = WatchFlags::OPEN | WatchFlags::ACCESS | WatchFlags::MODIFY;
            inotify::add_watch(&watch, seen_by(child, path), flags).unwrap();
        }
        Watch(watch)
    }

    #[track_caller]
    fn assert_untouched(&self) {
        let touched = rustix::io::read(&self.0, &mut [0; 4096]);
        assert_eq!(touched, Err(Errno::AGAIN));
    }
}

/// A path below the root directory of a child.
fn seen_by(child: &Child, path: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", child.pid()));
    root.join(path.strip_prefix("/").unwrap())
}

/// The namespaces that some bind mount at this path is said to hold.
fn held_at(snapshot: &Snapshot, mount_namespace: NamespaceId, place: &Path) -> Vec<NamespaceId> {
    let holder = bind_mount(mount_namespace, place);
    snapshot
        .namespaces()
        .filter(|namespace| namespace.holders().contains(&holder))
        .map(|namespace| namespace.id())
        .collect()
}

fn bind_mount(mount_namespace: NamespaceId, path: &Path) -> Holder {
    Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: Some(mount_namespace),
        path: Text::from(path.as_os_str().as_encoded_bytes()),
    }
}

/// What may lie where a bind mount is to be: each a script that puts it at a path. The directory
/// with the bait is outside of what the mount covers.
type Trap = fn(Script, place: &Path, bait: &Path) -> Script;

/// A directory with the bait, and one with a bind mount in it, over which a file system is mounted:
/// there is the trap. The table of mounts still has the bind mount.
fn covered_by(trap: Trap, dir: &Dir) -> Child {
    let (below, bait) = (dir.join("below"), dir.join("bait"));
    let covered = script()
        .mount("tmpfs", dir, "")
        .mkdir(&bait)
        .touch(bait.join("file"))
        .mkfifo(bait.join("fifo"))
        .in_new(Uts, |uts| uts.note("bait", Uts).bind_namespace(Uts, bait.join("uts")))
        .mkdir(&below)
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, below.join("net")))
        .mount("tmpfs", &below, "");
    trap(covered, &below.join("net"), &bait).spawn().unwrap()
}

/// In a mount namespace of its own, and in a user namespace if it takes one to get there.
fn script() -> Script {
    let script = match rustix::process::geteuid().is_root() {
        true => Script::new(),
        false => Script::new().user_namespace(),
    };
    script.unshare([Mnt])
}

/// Scans, and finds the namespace, but neither the bait nor anything in the trap.
///
/// `planted` are the files of the trap.
fn assert_nothing_is_caught(trap: Trap, planted: &[&str]) {
    let dir = Dir::new().unwrap();
    let child = covered_by(trap, &dir);
    let (place, bait) = (dir.join("below/net"), dir.join("bait"));
    let files = ["bait/file", "bait/fifo"].into_iter();
    let files: Vec<PathBuf> =
        files.chain(planted.iter().copied()).map(|file| dir.join(file)).collect();
    let watch = Watch::of(&child, files.iter().map(PathBuf::as_path));
    everywhere(|snapshot| {
        let mnt = child.namespace(Mnt);
        held(snapshot, child.noted("net"), &[bind_mount(mnt, &place)]);
        assert_eq!(held_at(snapshot, mnt, &place), [child.noted("net")]);
        let lured = bind_mount(mnt, &bait.join("uts"));
        held(snapshot, child.noted("bait"), &[lured]);
        watch.assert_untouched();
    });
    // Whoever reads a FIFO lets others write.
    let writer = fs::File::options()
        .write(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(seen_by(&child, &bait.join("fifo")));
    let nobody_reads = Some(Errno::NXIO.raw_os_error());
    assert_eq!(writer.unwrap_err().raw_os_error(), nobody_reads);
}

#[test]
fn links_lead_nowhere() {
    need!(userns);
    let traps: [Trap; 5] = [
        |script, place, bait| script.symlink(bait.join("file"), place),
        |script, place, bait| script.symlink(bait.join("fifo"), place),
        |script, place, bait| script.symlink(bait.join("uts"), place),
        // Of whoever resolves it, this would be the own one.
        |script, place, _| script.symlink("/proc/self/ns/net", place),
        |script, place, _| script.symlink(place, place),
    ];
    for trap in traps {
        assert_nothing_is_caught(trap, &[]);
    }
}

#[test]
fn a_directory_that_has_become_a_link_leads_nowhere() {
    need!(userns);
    // One level up, where `net` is the FIFO of the bait.
    assert_nothing_is_caught(
        |script, place, bait| {
            let below = place.parent().unwrap();
            let above = below.parent().unwrap();
            script
                .mount("tmpfs", above, "")
                .mkdir(bait)
                .touch(bait.join("file"))
                .mkfifo(bait.join("fifo"))
                .mkfifo(bait.join("net"))
                .symlink(bait, below)
        },
        &["bait/net"],
    );
}

#[test]
fn files_and_fifos_stay_closed() {
    need!(userns);
    let traps: [Trap; 3] = [
        |script, place, _| script.touch(place),
        |script, place, _| script.mkfifo(place),
        |script, place, _| script.mkdir(place),
    ];
    for trap in traps {
        assert_nothing_is_caught(trap, &["below/net"]);
    }
}

#[test]
fn devices_stay_closed() {
    need!(root);
    // A watchdog, a tape that rewinds, a tun device: each open of these has effects.
    let traps: [Trap; 3] = [
        |script, place, _| script.character_device(place, (10, 130)),
        |script, place, _| script.character_device(place, (9, 0)),
        |script, place, _| script.character_device(place, (10, 200)),
    ];
    for trap in traps {
        assert_nothing_is_caught(trap, &["below/net"]);
    }
}

/// The mount point itself can be renamed where it is none: in another mount namespace that shares
/// the file system.
#[test]
fn a_renamed_mount_point_is_found_where_it_is() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let child = script()
        .mount("tmpfs", &dir, "")
        .touch(dir.join("net"))
        .fork(
            "inside",
            Script::new().unshare([Mnt]).in_new(Net, |net| {
                let own = "/proc/thread-self/ns/net";
                net.note("net", Net).bind(own, dir.join("net"))
            }),
        )
        .spawn()
        .unwrap();
    let (old, new) = (dir.join("net"), dir.join("renamed"));
    fs::rename(seen_by(&child, &old), seen_by(&child, &new)).unwrap();
    rustix::fs::mkfifoat(CWD, seen_by(&child, &old), 0o644.into()).unwrap();
    let watch = Watch::of(&child, [old.as_path(), &new]);
    everywhere(|snapshot| {
        let mount = bind_mount(child.namespace_of("inside", Mnt), &new);
        let net = held(snapshot, child.noted("net"), &[mount]);
        assert!(net.owner().is_some());
        watch.assert_untouched();
    });
}

/// Between the listing of a path and its opening, the way there may change.
#[test]
fn a_way_that_changes_all_the_time_leads_to_the_right_place_or_nowhere() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let (a, b) = (dir.join("a"), dir.join("b"));
    let bait = dir.join("bait");
    let child = script()
        .mount("tmpfs", &dir, "")
        .mkdir(&bait)
        .mkfifo(bait.join("net"))
        .mkdir(&a)
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, a.join("net")))
        .symlink(&bait, &b)
        .spawn()
        .unwrap();
    let watch = Watch::of(&child, [bait.join("net").as_path()]);
    let (one, other) = (seen_by(&child, &a), seen_by(&child, &b));
    let enough = AtomicBool::new(false);
    let swap = || {
        while !enough.load(Ordering::Relaxed) {
            renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
        }
    };
    let look = || {
        for _ in 0..lxkns_it::scaled(20) {
            let snapshot = scan();
            let (mnt, net) = (child.namespace(Mnt), child.noted("net"));
            let places = [a.join("net"), b.join("net")];
            let found = places.map(|place| held_at(&snapshot, mnt, &place));
            let found: Vec<_> = found.into_iter().flatten().collect();
            assert_eq!(found, [net]);
            watch.assert_untouched();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(swap);
        // Whatever happens here, the other one has to end.
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(look));
        enough.store(true, Ordering::Relaxed);
        if let Err(panic) = looked {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn only_files_of_their_owner_are_believed() {
    let dir = Dir::new().unwrap();
    let (file, own) = (dir.join("file"), Uid(rustix::process::geteuid().as_raw()));
    std::fs::write(&file, "content").unwrap();
    let read = |name: &str| read_owned(dir.join(name), own, 64, TIMEOUT);
    let set_mode = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(0o600);
    assert_eq!(read("file"), Ok(Some(b"content".to_vec())));
    assert_eq!(read_owned(&file, own, 3, TIMEOUT), Ok(Some(b"con".to_vec())));
    set_mode(0o602);
    assert_eq!(read("file"), Ok(None));
    set_mode(0o600);
    if own != Uid(0) {
        assert_eq!(read_owned(&file, Uid(own.0 + 1), 64, TIMEOUT), Ok(None));
    }
    std::os::unix::fs::symlink("file", dir.join("link")).unwrap();
    assert_eq!(read("link"), Ok(None));
    let _child = Script::new().mkfifo(dir.join("fifo")).spawn().unwrap();
    assert_eq!(read("fifo"), Err(Errno::NXIO));
    assert_eq!(read("none"), Err(Errno::NOENT));
    assert_eq!(read_owned("file", own, 64, TIMEOUT), Err(Errno::INVAL));
    assert_eq!(read_owned("/tmp/../etc/passwd", own, 64, TIMEOUT), Err(Errno::INVAL));
}
