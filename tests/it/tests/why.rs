//! Carrying out a release plan makes a namespace go away, and leaving out any one step does not.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lxkns_it::{scan, snapshot_of};
use lxkns_model::Snapshot;
use lxkns_model::why::{Action, Plan, Release, Step};
use lxkns_nstest::{Child, Dir, Script, need, tool};
use lxkns_ops::{Namespace, enter};
use lxkns_species::NamespaceType::{Mnt, Net, Pid, Time, User};
use lxkns_species::{NamespaceId, NamespaceType};
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Signal, kill_process};
use serde_json::Value;

/// So many scans may find something of somebody else's that is about to pass.
const PATIENCE: usize = 100;

/// Another test's scan would hold the namespaces of this one for a moment.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A namespace, and who holds it.
struct Held {
    child: Child,
    target: NamespaceId,
    unique_id: Option<u64>,
    /// Processes that may be killed (first), and who waits for them then.
    mortals: Vec<(&'static str, &'static str)>,
    /// Processes (first) that let go, or dead ones that are waited for, when this one goes on.
    others: Vec<(&'static str, &'static str)>,
    /// What the test itself holds.
    own: Option<File>,
    _dir: Option<Dir>,
}

impl Held {
    fn new(script: Script, target: impl FnOnce(&Child) -> NamespaceId) -> Held {
        let child = script.spawn().unwrap();
        let target = target(&child);
        Held {
            child,
            target,
            unique_id: None,
            mortals: Vec::new(),
            others: Vec::new(),
            own: None,
            _dir: None,
        }
    }

    fn is_there(&self, snapshot: &Snapshot) -> bool {
        snapshot.namespace(self.target).is_some_and(|found| {
            // Its inode may be somebody else's by now.
            self.unique_id.is_none() || found.unique_id() == self.unique_id
        })
    }

    /// The plan, as soon as it has this many steps, all of them for those whom we know.
    fn plan(&mut self, steps: usize) -> (Snapshot, Plan) {
        let mut last = None;
        for _ in 0..PATIENCE {
            let snapshot = scan();
            let why = snapshot.why(self.target).unwrap();
            self.unique_id = why.namespace.unique_id();
            let Release::After(plan) = &why.release else {
                panic!("{:?}", why.release);
            };
            let plan = plan.clone();
            if plan.steps.len() == steps && plan.unexplained.is_empty() {
                return (snapshot, plan);
            }
            last = Some(plan);
        }
        panic!("{steps} steps expected: {last:#?}");
    }

    fn carry_out(&mut self, step: &Step, snapshot: &Snapshot) {
        let child = &mut self.child;
        let labelled = |list: &[(&'static str, &'static str)], pid| {
            let found = list.iter().find(|(label, _)| child.pid_of(label) == pid);
            found.map(|(_, other)| *other)
        };
        match &step.action {
            Action::End { pid, .. } => {
                let reaper = labelled(&self.mortals, *pid).unwrap();
                let pid = rustix::process::Pid::from_raw(pid.0.cast_signed()).unwrap();
                kill_process(pid, Signal::KILL).unwrap();
                child.proceed_at(reaper).unwrap();
            }
            Action::LetGo { pid, .. } | Action::Reap { pid, .. } => {
                match labelled(&self.others, *pid) {
                    Some(label) => child.proceed_at(label).unwrap(),
                    None => drop(self.own.take().unwrap()),
                }
            }
            Action::Unmount {
                mount_namespace,
                path,
            } => {
                let there = snapshot.namespace(mount_namespace.unwrap()).unwrap();
                let there = there.reference().unwrap();
                let there = Namespace::at_path(there.to_str().unwrap()).unwrap();
                let done = enter::run(&[&there], || {
                    unmount(path.as_bytes(), UnmountFlags::empty())
                });
                done.unwrap().unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Builds, and carries out the plan, once for each step that comes last.
#[track_caller]
fn check(steps: usize, build: impl Fn() -> Held) {
    let _alone = alone();
    for last in 0..steps {
        let mut held = build();
        let (snapshot, plan) = held.plan(steps);
        assert_eq!(plan.gone.last(), Some(&held.target));
        let (before, rest) = plan.steps.split_at(last);
        let (last, after) = rest.split_first().unwrap();
        for step in before.iter().chain(after) {
            held.carry_out(step, &snapshot);
        }
        assert!(held.is_there(&scan()), "gone without {last:?}");
        held.carry_out(last, &snapshot);
        let is_gone = (0..PATIENCE).any(|_| !held.is_there(&scan()));
        assert!(is_gone, "still there: {:#?}", scan().why(held.target));
    }
}

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
                Script::new()
                    .in_new(Mnt, |mnt| mount(mnt).open_namespace(Mnt, 6))
                    .close(3),
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
        held._dir = Some(dir);
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
                net.note("net", Net)
                    .bind_namespace(Net, dir.join("net"))
                    .open_namespace(Net, 3)
            })
            .setns(3, Net)
            .close(3);
        let script = Script::new().fork("init", container).pause().reap();
        let mut held = Held::new(script, |child| child.noted("net"));
        held.mortals = vec![("init", "main")];
        held._dir = Some(dir);
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
        let script = Script::new().in_new(Net, |net| {
            net.note("net", Net).bind_namespace(Net, dir.join("net"))
        });
        let mut held = Held::new(script, |child| child.noted("net"));
        held._dir = Some(dir);
        held
    });
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
        held._dir = Some(dir);
        held
    });
}

#[test]
fn a_user_namespace_with_all_that_is_below_it() {
    need!(root);
    check(4, || {
        let dead = Script::new().setns(4, User).close(4).close(3).exit();
        let undertaker = Script::new().fork("dead", dead).close(4).close(3);
        let nested = Script::new()
            .setns(4, User)
            .close(4)
            .close(3)
            .user_namespace_with(lxkns_nstest::IdMap::Nothing);
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

/// The ids of the types that the tool says about a namespace.
fn tool_why(id: NamespaceId) -> Value {
    let output = tool("lxkns")
        .args(["why", "--json", &id.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_tool_tells_the_same() {
    need!(userns);
    let _alone = alone();
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
        .spawn()
        .unwrap();
    let why = tool_why(child.noted("net"));
    let steps = why["steps"].as_array().unwrap();
    let pid = child.pid().0;
    let closes = steps
        .iter()
        .find(|step| step["action"] == "let-go" && step["pid"] == pid)
        .unwrap();
    assert_eq!(closes["closes"][0]["fd"], 3);
    assert_eq!(closes["frees"][0], child.noted("net").to_string());
    let own = lxkns_nstest::own_namespace(NamespaceType::User);
    if own.inode() == NamespaceType::User.initial_inode() {
        assert_eq!(tool_why(own)["never"]["reason"], "initial");
    }
}

#[test]
fn diff_sees_what_comes_and_goes() {
    need!(userns);
    let _alone = alone();
    let take = || {
        let output = lxkns_it::tool_snapshot().output().unwrap();
        snapshot_of(&output);
        let file = tempfile(&output.stdout);
        (file.join("snapshot.json"), file)
    };
    let (before, _a) = take();
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
        .spawn()
        .unwrap();
    let (after, _b) = take();
    let id = child.noted("net").to_string();
    let compare = |arguments: &[&std::path::Path]| {
        let output = tool("lxkns")
            .args(["diff", "--json"])
            .args(arguments)
            .output()
            .unwrap();
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1)), "{output:?}");
        let diff: Value = serde_json::from_slice(&output.stdout).unwrap();
        let has = |list: &str| {
            diff[list]
                .as_array()
                .unwrap()
                .iter()
                .any(|it| it["id"] == id)
        };
        assert!(diff["same-boot"] == true);
        (code, has("came"), has("went"))
    };
    assert_eq!(compare(&[&before, &after]), (Some(1), true, false));
    assert_eq!(compare(&[&after, &before]), (Some(1), false, true));
    assert_eq!(compare(&[&after, &after]), (Some(0), false, false));
    assert_eq!(compare(&[&before]), (Some(1), true, false));
}

/// A directory with the document in it.
fn tempfile(document: &[u8]) -> Dir {
    let dir = Dir::new().unwrap();
    std::fs::write(dir.join("snapshot.json"), document).unwrap();
    dir
}

#[test]
fn a_mount_is_found_in_every_mount_namespace() {
    need!(root);
    let _alone = alone();
    let dir = Dir::new().unwrap();
    let (fs, place) = (dir.join("fs"), dir.join("a place"));
    let without = Script::new().unshare([Mnt]).unmount(&place).unmount(&fs);
    let child = Script::new()
        .unshare([Mnt])
        .mkdir(&fs)
        .mkdir(&place)
        .mount("tmpfs", &fs, "")
        .mkdir(fs.join("sub"))
        .bind(fs.join("sub"), &place)
        .fork("copy", Script::new().unshare([Mnt]).unmount(&place))
        .fork("without", without)
        .in_new(Mnt, |mnt| {
            mnt.note("nobody", Mnt).unmount(&fs).open_namespace(Mnt, 3)
        })
        .spawn()
        .unwrap();
    // Asked from inside: outside it is not mounted at all.
    let ask = |format: &[&str]| {
        let mut exec = tool("lxkns");
        exec.args(["exec", &format!("mnt@{}", child.pid()), "--"])
            .arg(tool("lxkns").get_program())
            .args(["why", "--mount"])
            .arg(&fs)
            .args(format);
        let output = exec.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let answer: Value = serde_json::from_str(&ask(&["--json"])).unwrap();
    assert_eq!(answer["root"], "/");
    assert_eq!(answer["mount-point"], fs.to_str().unwrap());
    let text = ask(&[]);
    let mount = |path: &std::path::Path, root: &str| {
        let path = path.to_str().unwrap();
        serde_json::json!({"path": path, "root": root})
    };
    let both = [mount(&place, "/sub"), mount(&fs, "/")];
    let check = |id: NamespaceId, expected: &[Value]| {
        let places = answer["places"].as_array().unwrap();
        let found = places
            .iter()
            .find(|it| it["mount-namespace"] == id.to_string());
        let mounts = found.map(|it| it["mounts"].as_array().unwrap().as_slice());
        assert_eq!(mounts.unwrap_or_default(), expected);
        let line = format!("{id}:");
        assert_eq!(text.lines().any(|it| it == line), !expected.is_empty());
    };
    check(child.namespace(Mnt), &both);
    check(child.namespace_of("copy", Mnt), &both[1..]);
    check(child.namespace_of("without", Mnt), &[]);
    check(child.noted("nobody"), &both[..1]);
}
