//! The situations that lxkns must understand, each built once and checked through /proc: examples
//! of how to build them, and proof that the pieces fit together.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;
use std::process::Command;

use lxkns_nstest::{Child, Dir, IdMap, Script, linked, namespace_of, need, own_namespace};
use lxkns_species::NamespaceType::{Mnt, Net, Pid, Time, User, Uts};

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn fd(child: &Child, fd: u32) -> String {
    let link = std::fs::read_link(format!("/proc/{}/fd/{fd}", child.pid())).unwrap();
    link.into_os_string().into_string().unwrap()
}

/// Whether a process's mountinfo has a line with all of these.
fn is_mounted(pid: lxkns_species::Pid, parts: &[&str]) -> bool {
    read(format!("/proc/{pid}/mountinfo"))
        .lines()
        .any(|line| parts.iter().all(|part| line.contains(part)))
}

#[test]
fn a_user_namespace_with_processes_only_below() {
    need!(userns);
    let child =
        Script::new().user_namespace().note("middle", User).user_namespace().spawn().unwrap();
    assert_ne!(child.noted("middle"), own_namespace(User));
    assert_ne!(child.noted("middle"), child.namespace(User));
}

#[test]
fn a_net_namespace_held_by_an_fd_that_is_closed() {
    need!(userns);
    let mut child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
        .pause()
        .close(3)
        .spawn()
        .unwrap();
    assert_eq!(fd(&child, 3), child.noted("net").to_string());
    child.proceed().unwrap();
    assert!(!Path::new(&format!("/proc/{}/fd/3", child.pid())).is_symlink());
}

#[test]
fn a_bind_mount_in_the_tests_own_mount_namespace() {
    need!(root);
    let dir = Dir::new().unwrap();
    let path = dir.join("net");
    let child = Script::new()
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &path))
        .spawn()
        .unwrap();
    let net = child.noted("net");
    drop(child);
    let own = lxkns_species::Pid(std::process::id());
    assert!(is_mounted(own, &[&net.to_string(), path.to_str().unwrap()]));
}

#[test]
fn a_bind_mount_in_a_mount_namespace_with_its_own_proc() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let inside = Script::new()
        .unshare([Mnt])
        .mount("proc", "/proc", "")
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, dir.join("net")));
    let child =
        Script::new().user_namespace().unshare([Pid]).fork("inside", inside).spawn().unwrap();
    assert!(is_mounted(child.pid_of("inside"), &[&child.noted("net").to_string(), "/net "]));
    assert!(!is_mounted(child.pid(), &[&child.noted("net").to_string()]));
}

#[test]
fn two_mount_namespaces_with_one_path_and_two_namespaces() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let place = dir.join("a blank \\ and backslash");
    let mounts = |label: &str| {
        Script::new()
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
    let escaped = "/a\\040blank\\040\\134\\040and\\040backslash";
    for (label, net) in [("one", "net of one"), ("two", "net of two")] {
        let pid = child.pid_of(label);
        assert!(is_mounted(pid, &[&child.noted(net).to_string(), escaped]));
    }
    assert_ne!(child.noted("net of one"), child.noted("net of two"));
}

#[test]
fn a_covered_bind_mount_and_a_planted_fifo() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let (path, fifo) = (dir.join("net"), dir.join("fifo"));
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .mkfifo(&fifo)
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &path))
        .bind(&fifo, &path)
        .spawn()
        .unwrap();
    let path = path.to_str().unwrap();
    assert!(is_mounted(child.pid(), &[&child.noted("net").to_string(), path]));
    assert!(is_mounted(child.pid(), &["/fifo ", path]));
}

#[test]
fn namespaces_pending_for_children() {
    need!(userns, timens);
    let child = Script::new()
        .user_namespace()
        .unshare([Time, Pid])
        .note_link("time", "/proc/self/ns/time_for_children")
        .spawn()
        .unwrap();
    let pending = format!("/proc/{}/ns/time_for_children", child.pid());
    assert_eq!(linked(pending), child.noted("time"));
    assert_ne!(child.noted("time"), child.namespace(Time));
    assert_eq!(child.namespace(Pid), own_namespace(Pid));
}

#[test]
fn a_mount_namespace_held_by_an_fd() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .in_new(Mnt, |mnt| mnt.note("mnt", Mnt).open_namespace(Mnt, 3))
        .spawn()
        .unwrap();
    assert_eq!(fd(&child, 3), child.noted("mnt").to_string());
    assert_ne!(child.noted("mnt"), own_namespace(Mnt));
}

#[test]
fn user_and_mount_namespaces_without_a_process() {
    need!(userns);
    let child = Script::new()
        .in_new(User, |user| {
            user.note("user", User).unshare([Mnt]).open_namespace(User, 3).open_namespace(Mnt, 4)
        })
        .spawn()
        .unwrap();
    assert_eq!(child.namespace(User), own_namespace(User));
    assert_eq!(fd(&child, 3), child.noted("user").to_string());
    assert!(fd(&child, 4).starts_with("mnt:["));
}

#[test]
fn leaders_and_visitors() {
    need!(userns);
    let worker = Script::new().fork("worker", Script::new());
    let child = Script::new()
        .user_namespace()
        .fork("elder", Script::new())
        .unshare([Net])
        .open_namespace(Net, 3)
        .fork("service", worker)
        .fork("stranger", Script::new().unshare([Net]).fork("visitor", Script::new().setns(3, Net)))
        .spawn()
        .unwrap();
    assert_eq!(child.namespace_of("elder", Net), own_namespace(Net));
    for label in ["service", "worker", "visitor"] {
        assert_eq!(child.namespace_of(label, Net), child.namespace(Net));
    }
    assert_ne!(child.namespace_of("stranger", Net), child.namespace(Net));
}

#[test]
fn a_zombie_with_namespaces_of_its_own() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .fork("zombie", Script::new().unshare([Net, Uts]).note("net", Net).exit())
        .spawn()
        .unwrap();
    let zombie = child.pid_of("zombie");
    assert!(read(format!("/proc/{zombie}/stat")).contains(") Z "));
    assert!(std::fs::read_link(format!("/proc/{zombie}/ns/net")).is_err());
    assert_eq!(namespace_of(zombie, User), child.namespace(User));
}

#[test]
fn a_program_for_an_ordinary_user_with_a_proc_that_hides() {
    need!(root, sh);
    let dir = Dir::new().unwrap();
    let mut look = Command::new("sh");
    look.args(["-c", "cd /proc && echo [0-9]*; id -u"]);
    let child = Script::new()
        .unshare([Mnt])
        .mount("proc", &dir, "hidepid=2")
        .bind(&dir, "/proc")
        .become_user(1000, 1000)
        .run("look", &look)
        .spawn()
        .unwrap();
    let output = String::from_utf8_lossy(&child.output("look").stdout).into_owned();
    let (pids, uid) = output.trim().split_once('\n').unwrap();
    assert_eq!(uid, "1000");
    assert!(!pids.split(' ').any(|pid| pid == "1"), "{pids}");
    assert!(pids.split(' ').any(|pid| pid == child.pid().to_string()), "{pids}");
}

#[test]
fn a_program_for_root_in_its_own_user_namespace_with_a_foreign_proc() {
    need!(userns, sh);
    let dir = Dir::new().unwrap();
    let mut look = Command::new("sh");
    look.args(["-c", "cd \"$DIR\" && echo *[0-9]; id -u"]).env("DIR", dir.path());
    // The procfs of a PID namespace below, looked at from above.
    let below = Script::new().mount("proc", &dir, "");
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .fork("outside", Script::new().unshare([Pid]).fork("below", below))
        .run("look", &look)
        .spawn()
        .unwrap();
    let output = String::from_utf8_lossy(&child.output("look").stdout).into_owned();
    assert_eq!(output, "1\n0\n");
    let first = format!("/proc/{}/root{}/1", child.pid(), dir.path().display());
    assert_eq!(linked(format!("{first}/ns/pid")), child.namespace_of("below", Pid));
}

#[test]
fn creators_of_user_namespaces() {
    need!(root);
    let child = Script::new()
        .become_user(1000, 1000)
        .fork("guest", Script::new().user_namespace_with(IdMap::Own))
        .fork("king", Script::new().user_namespace())
        .spawn()
        .unwrap();
    let uids = |label: &str| read(format!("/proc/{}/uid_map", child.pid_of(label)));
    assert_eq!(uids("guest").split_whitespace().collect::<Vec<_>>(), ["1000", "1000", "1"]);
    assert_eq!(uids("king").split_whitespace().collect::<Vec<_>>(), ["0", "1000", "1"]);
}

#[test]
fn a_storm_of_forks() {
    need!(userns);
    let child =
        Script::new().user_namespace().fork("storm", Script::new().churn([Uts])).spawn().unwrap();
    // It keeps on although nobody is waited for: page faults of the children that it has reaped.
    let faults = || -> u64 {
        let stat = read(format!("/proc/{}/stat", child.pid_of("storm")));
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(8).unwrap().parse().unwrap()
    };
    for _ in 0..3 {
        let before = faults();
        while faults() == before {
            std::thread::yield_now();
        }
    }
    let storm = child.pid_of("storm");
    child.finish();
    assert!(!Path::new(&format!("/proc/{storm}")).exists());
}

#[test]
fn many_processes_in_many_namespaces() {
    need!(userns);
    let group = Script::new().unshare([Uts]).forks("member", 3, Script::new());
    let child = Script::new().user_namespace().forks("leader", 100, group).spawn().unwrap();
    assert_eq!(child.pids_of("member").len(), 300);
    let mut namespaces: Vec<_> =
        child.pids_of("member").iter().map(|pid| namespace_of(*pid, Uts)).collect();
    namespaces.sort();
    namespaces.dedup();
    assert_eq!(namespaces.len(), 100);
}
