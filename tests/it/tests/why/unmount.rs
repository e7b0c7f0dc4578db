//! `lxkns umount`: it unmounts the mount that was meant, or nothing; and it needs, follows and runs
//! nothing of the mount namespace.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Output;

use lxkns_it::assert_failure;
use lxkns_nstest::{Child, Dir, Script, need, tool};
use lxkns_species::NamespaceType::{Mnt, Net};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

fn umount(arguments: &[&str], child: &Child, path: impl AsRef<Path>) -> Output {
    umount_at(arguments, child, "", path)
}

/// In the mount namespace of a process of the child.
fn umount_at(arguments: &[&str], child: &Child, label: &str, path: impl AsRef<Path>) -> Output {
    let pid = if label.is_empty() { child.pid() } else { child.pid_of(label) };
    let mut command = tool("lxkns");
    command.arg("umount").args(arguments).arg(format!("mnt@{pid}")).arg(path.as_ref());
    command.output().unwrap()
}

#[track_caller]
fn assert_done(output: &Output) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""));
}

/// How many mounts there are at a path.
fn mounts(child: &Child, path: impl AsRef<Path>) -> usize {
    let table = std::fs::read_to_string(format!("/proc/{}/mountinfo", child.pid())).unwrap();
    let path = path.as_ref().to_str().unwrap();
    table.lines().filter(|line| line.split(' ').nth(4) == Some(path)).count()
}

/// `STATX_MNT_ID_UNIQUE`.
const UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// The ID of the mount on top of a path.
fn mount_id(child: &Child, path: &Path, kind: StatxFlags) -> String {
    let path = format!("/proc/{}/root{}", child.pid(), path.display());
    let found = statx(CWD, path, AtFlags::STATX_DONT_SYNC, kind).unwrap();
    assert_ne!(found.stx_mask & kind.bits(), 0);
    found.stx_mnt_id.to_string()
}

/// A mount namespace with a tmpfs.
fn elsewhere(dir: &Dir) -> Script {
    Script::new().unshare([Mnt]).mount("tmpfs", dir, "")
}

#[test]
fn where_there_is_no_program() {
    need!(root);
    let child = Script::new()
        .unshare([Mnt])
        .mount("tmpfs", "/", "")
        .enter("/proc/thread-self/ns/mnt", Mnt)
        .mkdir("/place")
        .mount("tmpfs", "/place", "")
        .spawn()
        .unwrap();
    let root = std::fs::read_dir(format!("/proc/{}/root", child.pid())).unwrap();
    assert_eq!(root.count(), 1);
    assert_eq!(mounts(&child, "/place"), 1);
    assert_done(&umount(&[], &child, "/place"));
    assert_eq!(mounts(&child, "/place"), 0);
}

#[test]
fn an_ordinary_user_in_namespaces_of_their_own() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let place = dir.join("a place");
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .mkdir(&place)
        .mount("tmpfs", &place, "")
        .spawn()
        .unwrap();
    assert_done(&umount(&[], &child, &place));
    assert_eq!(mounts(&child, &place), 0);
    // A slash at the end does not matter.
    assert_done(&umount(&[], &child, dir.join("")));
    assert_eq!(mounts(&child, &dir), 0);
}

#[test]
fn the_own_mount_namespace() {
    need!(root);
    let dir = Dir::new().unwrap();
    let mut command = tool("lxkns");
    command.args(["umount", "/proc/self/ns/mnt"]).arg(dir.as_ref() as &Path);
    let child = elsewhere(&dir).run("umount", &command).spawn().unwrap();
    assert_done(child.output("umount"));
    assert_eq!(mounts(&child, &dir), 0);
}

#[test]
fn without_the_permission() {
    need!(userns);
    let mut command = tool("lxkns");
    command.args(["umount", "/proc/self/ns/mnt", "/proc"]);
    let child = Script::new().user_namespace().run("umount", &command).spawn().unwrap();
    assert_failure(child.output("umount"), 8, &["cannot enter", "CAP_SYS_CHROOT"]);
}

#[test]
fn what_is_in_use_goes_lazily_only() {
    need!(root);
    let dir = Dir::new().unwrap();
    let child = elsewhere(&dir).open_path(&dir, 3).spawn().unwrap();
    assert_failure(&umount(&[], &child, &dir), 4, &["in use", "--lazy"]);
    assert_eq!(mounts(&child, &dir), 1);
    assert_done(&umount(&["--lazy"], &child, &dir));
    assert_eq!(mounts(&child, &dir), 0);
}

#[test]
fn what_came_from_a_more_privileged_mount_namespace_is_locked() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let inner = Script::new().user_namespace().unshare([Mnt]);
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .fork("inner", inner)
        .spawn()
        .unwrap();
    for lazy in [&[][..], &["--lazy"]] {
        let output = umount_at(lazy, &child, "inner", &dir);
        let hint = format!("lxkns why mnt:{}", child.namespace_of("inner", Mnt).inode());
        assert_failure(&output, 5, &["locked", &hint]);
    }
    assert_done(&umount(&[], &child, &dir));
}

#[test]
fn no_symbolic_link_is_followed() {
    need!(root);
    let dir = Dir::new().unwrap();
    let (real, swapped) = (dir.join("real"), dir.join("swapped"));
    let child = elsewhere(&dir)
        .mkdir(&real)
        .mkdir(real.join("place"))
        .mount("tmpfs", real.join("place"), "")
        .symlink(&real, &swapped)
        .symlink(real.join("place"), dir.join("place"))
        .spawn()
        .unwrap();
    let output = umount(&[], &child, swapped.join("place"));
    assert_failure(&output, 6, &["symbolic link", "nothing was unmounted"]);
    assert_failure(&umount(&[], &child, dir.join("place")), 6, &["no mount point"]);
    assert_failure(&umount(&[], &child, dir.join("none")), 6, &["nothing was unmounted"]);
    assert_eq!(mounts(&child, real.join("place")), 1);
}

#[test]
fn a_covered_path_leads_to_no_other_mount() {
    need!(root);
    let dir = Dir::new().unwrap();
    let (above, place) = (dir.join("above"), dir.join("above/place"));
    let mut child = elsewhere(&dir)
        .mkdir(&above)
        .mkdir(&place)
        .mount("tmpfs", &place, "")
        .pause()
        .mount("tmpfs", &above, "")
        .mkdir(&place)
        .pause()
        .mount("tmpfs", &place, "")
        .spawn()
        .unwrap();
    let id = mount_id(&child, &place, StatxFlags::MNT_ID);
    child.proceed().unwrap();
    let output = umount(&["--mount-id", &id], &child, &place);
    assert_failure(&output, 6, &["no mount point"]);
    child.proceed().unwrap();
    let output = umount(&["--mount-id", &id], &child, &place);
    assert_failure(&output, 7, &["nothing was unmounted"]);
    assert_eq!(mounts(&child, &place), 2);
}

#[test]
fn a_mount_that_was_replaced_is_not_unmounted() {
    need!(root, listmount);
    let dir = Dir::new().unwrap();
    let mut child = elsewhere(&dir).pause().unmount(&dir).mount("tmpfs", &dir, "").spawn().unwrap();
    let before = mount_id(&child, dir.as_ref(), UNIQUE);
    child.proceed().unwrap();
    let after = mount_id(&child, dir.as_ref(), UNIQUE);
    let output = umount(&["--mount-id", &before], &child, &dir);
    assert_failure(&output, 7, &[&before, &after, "nothing was unmounted"]);
    assert_eq!(mounts(&child, &dir), 1);
    assert_done(&umount(&["--mount-id", &after], &child, &dir));
    assert_eq!(mounts(&child, &dir), 0);
}

#[test]
fn of_several_at_one_place_only_the_one_that_was_meant() {
    need!(root);
    let dir = Dir::new().unwrap();
    let place = dir.join("place");
    let mut child = elsewhere(&dir)
        .mkdir(&place)
        .mount("tmpfs", &place, "")
        .pause()
        .mount("tmpfs", &place, "")
        .spawn()
        .unwrap();
    let below = mount_id(&child, &place, StatxFlags::MNT_ID);
    child.proceed().unwrap();
    let top = mount_id(&child, &place, StatxFlags::MNT_ID);
    assert_failure(&umount(&["--mount-id", &below], &child, &place), 7, &[&below, &top]);
    assert_done(&umount(&["--mount-id", &top], &child, &place));
    assert_failure(&umount(&["--mount-id", &top], &child, &place), 7, &[&below, &top]);
    assert_done(&umount(&["--mount-id", &below], &child, &place));
    assert_eq!(mounts(&child, &place), 0);
}

/// A mount namespace with a FUSE file system, whose server, itself, never answers.
fn dead_file_system(dir: &Dir) -> Child {
    let options = "fd=9,rootmode=40000,user_id=0,group_id=0";
    let script = Script::new().unshare([Mnt]).open_device("/dev/fuse", 9);
    script.mount("fuse", dir, options).spawn().unwrap()
}

#[test]
fn a_file_server_that_does_not_answer() {
    need!(root, fuse);
    let dir = Dir::new().unwrap();
    let child = dead_file_system(&dir);
    let output = umount(&[], &child, dir.join("folder/place"));
    assert_failure(&output, 3, &["no answer", "nothing was unmounted"]);
    // Itself it can be unmounted: its directory is on another file system.
    assert_done(&umount(&[], &child, &dir));
    assert_eq!(mounts(&child, &dir), 0);
}

/// The kernel lets no process go that waits for an answer to a request which the server has read.
#[test]
fn a_child_that_cannot_end_is_left_behind_and_named() {
    need!(root, fuse);
    const INIT: u32 = 26;
    let dir = Dir::new().unwrap();
    let child = dead_file_system(&dir);
    let process = lxkns_ops::pidfd::of_process(child.pid()).unwrap();
    let mut server = File::from(lxkns_ops::pidfd::get_fd(process, 9).unwrap());
    // It says hello, and reads one more request.
    let reads = std::thread::spawn(move || {
        loop {
            let mut request = vec![0; 1 << 17];
            let length = server.read(&mut request).unwrap();
            // struct fuse_in_header: length, opcode, unique …; then the version, in struct
            // fuse_init_in.
            assert!(length >= 40);
            let request: &[u8; 48] = request.first_chunk().unwrap();
            if u32::from_ne_bytes(request[4..8].try_into().unwrap()) != INIT {
                return server;
            }
            let answer = [&request[40..48], &[0; 56]].concat();
            let (length, errno) = (16 + answer.len() as u32, 0i32);
            let reply = [&length.to_ne_bytes(), &errno.to_ne_bytes(), &request[8..16], &answer];
            server.write_all(&reply.concat()).unwrap();
        }
    });
    let output = umount(&[], &child, dir.join("folder/place"));
    let server = reads.join().unwrap();
    assert_failure(&output, 3, &["nothing was unmounted", "is left behind"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let pid = stderr.split("child process ").nth(1).and_then(|rest| rest.split(' ').next());
    let pid: i32 = pid.unwrap().parse().unwrap();
    let left = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap();
    // The file system ends with its server, and the child with it.
    drop((server, child));
    poll(&mut [PollFd::new(&left, PollFlags::IN)], None).unwrap();
}

#[test]
fn what_makes_no_sense_is_refused() {
    let check = |namespace: &str, path: &str, part: &str| {
        let output = tool("lxkns").args(["umount", namespace, path]).output().unwrap();
        assert_failure(&output, 2, &[part]);
    };
    let own = "/proc/self/ns/mnt";
    for path in ["", "/", "//", "place", "/a/..", "/..", "/./a", "/a/../b"] {
        check(own, path, "");
    }
    check("net:[4026531840]", "/mnt", "is no mount namespace");
    check("net@1", "/mnt", "is no mount namespace");
    check("/proc/self/ns/net", "/mnt", "is no mount namespace");
}

/// The command that `why` prints names the mount.
#[test]
fn a_printed_command_does_not_unmount_what_came_later() {
    need!(root, nsid);
    let _alone = crate::held::alone();
    let dir = Dir::new().unwrap();
    let place = dir.join("net");
    let mut child = elsewhere(&dir)
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &place))
        .touch(dir.join("other"))
        .pause()
        .bind(dir.join("other"), &place)
        .spawn()
        .unwrap();
    let id = child.noted("net").to_string();
    let output = tool("lxkns").args(["why", &id]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().map(str::trim).find(|line| line.starts_with("lxkns umount ")).unwrap();
    let words: Vec<&str> = line.split(' ').skip(2).collect();
    assert_eq!(words[0], "--mount-id", "{line}");
    assert_eq!(words[2], format!("mnt:{}", child.namespace(Mnt).inode()), "{line}");
    let carry_out = || tool("lxkns").arg("umount").args(&words).output().unwrap();
    child.proceed().unwrap();
    assert_failure(&carry_out(), 7, &["nothing was unmounted"]);
    assert_done(&umount(&[], &child, &place));
    assert_done(&carry_out());
    assert_eq!(mounts(&child, &place), 0);
}
