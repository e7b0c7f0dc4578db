//! Views that are not the whole: what can be seen is right, and the rest is said to be missing.

use std::process::Command;

use lxkns_it::{assert_hidden, assert_owner, gap, held, ordinary, snapshot_of, tool_snapshot};
use lxkns_model::{
    FileKind, Holder, Missing, MountKind, Process, Reason, Relation, Snapshot, Text,
};
use lxkns_nstest::{Child, Dir, IdMap, Script, need, own_namespace};
use lxkns_species::NamespaceType::{Mnt, Net, Pid, User, Uts};
use lxkns_species::{NamespaceId, Pid as ProcessId};

/// What the tool that the child has run saw.
#[track_caller]
fn seen_by(child: &Child) -> Snapshot {
    snapshot_of(child.output("lxkns"))
}

trait Looking {
    /// Takes a snapshot of everything, from there.
    fn look(self) -> Script;
    /// The same, with another procfs.
    fn look_through(self, proc_root: &Dir) -> Script;
}

impl Looking for Script {
    fn look(self) -> Script {
        self.run("lxkns", &tool_snapshot())
    }

    fn look_through(self, proc_root: &Dir) -> Script {
        let mut command = tool_snapshot();
        command.arg("--proc-root").arg(proc_root.path());
        self.run("lxkns", &command)
    }
}

#[track_caller]
fn assert_gap(snapshot: &Snapshot, what: Missing, why: Reason) {
    assert!(
        gap(snapshot, what.clone(), why.clone()).is_some(),
        "no gap {what} ({why}) in {:?}",
        snapshot.gaps()
    );
}

/// That nobody is said to hold anything by a PID that means something else to the scanner.
#[track_caller]
fn assert_no_calls_by_pid(snapshot: &Snapshot) {
    assert_gap(snapshot, Missing::LiveFacts, Reason::ForeignProc);
    assert_eq!(snapshot.host().scanner_pid, None);
    for namespace in snapshot.namespaces() {
        for holder in namespace.holders() {
            assert!(
                !matches!(holder, Holder::File { kind: FileKind::Socket | FileKind::Tun, .. }),
                "{namespace:?} is held by {holder:?}"
            );
        }
    }
}

/// That nothing is known of it but its PID namespace: it has a single PID, so it is in the one that
/// the PIDs are of.
#[track_caller]
fn assert_only_pid_namespace(process: Process<'_>) {
    let joined: Vec<NamespaceId> = process.joined().iter().collect();
    assert_eq!(joined, [own_namespace(Pid)], "{process:?}");
}

fn ids(snapshot: &Snapshot) -> Vec<NamespaceId> {
    snapshot.namespaces().map(|namespace| namespace.id()).collect()
}

#[test]
fn an_ordinary_user_sees_the_own_and_says_what_is_missing() {
    need!(root);
    let child = Script::new()
        .fork(
            "secret",
            Script::new()
                .name("secret")
                .unshare([Net])
                .in_new(Uts, |uts| uts.note("uts", Uts).open_namespace(Uts, 3)),
        )
        .fork(
            "user",
            ordinary(Script::new())
                .in_new(User, |user| user.unshare([Net]).note("net", Net).open_namespace(Net, 3))
                .look(),
        )
        .spawn()
        .unwrap();
    let snapshot = seen_by(&child);
    let fd =
        Holder::File { kind: FileKind::Namespace, pid: child.pid_of("user"), tid: None, fd: 3 };
    let net = held(&snapshot, child.noted("net"), &[fd]);
    let user = net.owner().unwrap();
    assert_hidden(user, &snapshot);
    assert_owner(user, own_namespace(User));

    let secret = snapshot.process(child.pid_of("secret")).unwrap();
    assert_only_pid_namespace(secret);
    assert_eq!(secret.comm().unwrap().as_bytes(), b"secret");
    assert_eq!(secret.ppid(), Some(child.pid()));
    assert!(secret.start_time().is_some());
    assert!(!ids(&snapshot).contains(&child.namespace_of("secret", Net)));
    assert!(!ids(&snapshot).contains(&child.noted("uts")));

    let counts = snapshot.counts();
    let unread = gap(&snapshot, Missing::ProcessNamespaces, Reason::Denied).unwrap();
    assert!(counts.unreadable > 0);
    assert_eq!(unread.count, counts.unreadable);
    assert_gap(&snapshot, Missing::Fds, Reason::Denied);
    // The user's own process descends from one that could not be looked at.
    let uts = snapshot.namespace(own_namespace(Uts)).unwrap();
    assert!(uts.leaders().any(|leader| leader.pid() == child.pid_of("user")));
    assert!(uts.leaders_uncertain());
}

#[test]
fn a_users_mount_namespace_without_a_process_is_visited() {
    need!(userns);
    let dir = Dir::new().unwrap();
    // Inside of a user namespace that the user has made: root of the outer one never needs this.
    let child = ordinary(Script::new())
        .in_new(User, |user| {
            user.note("user", User)
                .unshare([Mnt])
                .note("mnt", Mnt)
                .mount("tmpfs", &dir, "")
                .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, dir.join("net")))
                .open_namespace(Mnt, 3)
        })
        .look()
        .spawn()
        .unwrap();
    let snapshot = seen_by(&child);
    let fd = Holder::File { kind: FileKind::Namespace, pid: child.pid(), tid: None, fd: 3 };
    let mnt = held(&snapshot, child.noted("mnt"), &[fd]);
    assert_owner(mnt, child.noted("user"));
    let mount = Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: Some(mnt.id()),
        path: Text::from(dir.join("net").as_os_str().as_encoded_bytes()),
    };
    assert_owner(held(&snapshot, child.noted("net"), &[mount]), child.noted("user"));
    assert_hidden(snapshot.namespace(child.noted("user")).unwrap(), &snapshot);
}

#[test]
fn root_of_a_user_namespace_sees_no_further() {
    need!(userns);
    let stranger = Script::new().user_namespace().unshare([Net]).spawn().unwrap();
    let child = Script::new()
        .user_namespace()
        .unshare([Net])
        .note("user", User)
        .note("net", Net)
        .look()
        .spawn()
        .unwrap();
    let snapshot = seen_by(&child);
    let net = snapshot.namespace(child.noted("net")).unwrap();
    assert_owner(net, child.noted("user"));
    assert!(net.processes().any(|process| process.pid() == child.pid()));
    // What is above is unknown, not absent.
    let user = snapshot.namespace(child.noted("user")).unwrap();
    assert_eq!(user.parent(), Relation::Unknown);
    assert_gap(&snapshot, Missing::Parents, Reason::Denied);
    let uts = snapshot.namespace(child.namespace(Uts)).unwrap();
    assert_eq!(uts.owner(), None);
    assert_gap(&snapshot, Missing::Owners, Reason::Denied);

    let stranger_seen = snapshot.process(stranger.pid()).unwrap();
    assert_only_pid_namespace(stranger_seen);
    for hidden in [stranger.namespace(Net), stranger.namespace(User)] {
        assert!(!ids(&snapshot).contains(&hidden));
    }
    assert_gap(&snapshot, Missing::ProcessNamespaces, Reason::Denied);
}

#[test]
fn users_without_a_mapping_are_unknown() {
    need!(userns);
    let child = Script::new().user_namespace_with(IdMap::Nothing).look().spawn().unwrap();
    let snapshot = seen_by(&child);
    let user = snapshot.namespace(child.namespace(User)).unwrap();
    assert_eq!(user.creator(), None);
    assert_eq!(user.creator_name(), None);
    assert_eq!(user.uid_map(), Some(&[][..]));
    assert_gap(&snapshot, Missing::Creators, Reason::Denied);
    let process = snapshot.process(child.pid()).unwrap();
    assert_eq!(process.euid(), None);
    assert!(process.effective_capabilities().is_some());
}

#[test]
fn a_pid_namespace_without_an_owner_and_several_roots() {
    need!(userns);
    let child = Script::new().open_namespace(User, 3).user_namespace().look().spawn().unwrap();
    let snapshot = seen_by(&child);
    // The scanner's own PID namespace is owned by a user namespace beyond its reach.
    let pid = snapshot.namespace(own_namespace(Pid)).unwrap();
    assert_eq!(pid.owner(), None);
    let roots: Vec<NamespaceId> = snapshot.roots(User).map(|root| root.id()).collect();
    for root in [own_namespace(User), child.namespace(User)] {
        assert!(roots.contains(&root), "{root} in {roots:?}");
    }
}

#[test]
fn a_proc_that_hides_processes_is_a_gap() {
    need!(root);
    let check = |options: &str| {
        let dir = Dir::new().unwrap();
        let child = Script::new()
            .unshare([Mnt])
            .mount("proc", &dir, options)
            .bind(&dir, "/proc")
            .fork("secret", Script::new())
            .fork(
                "user",
                ordinary(Script::new())
                    .fork("own", Script::new().user_namespace().unshare([Net]))
                    .look(),
            )
            .spawn()
            .unwrap();
        let snapshot = seen_by(&child);
        let net = snapshot.namespace(child.namespace_of("own", Net)).unwrap();
        assert_owner(net, child.namespace_of("own", User));
        let user = snapshot.process(child.pid_of("user")).unwrap();
        assert_eq!(user.joined().get(Uts), Some(own_namespace(Uts)));
        let secret = snapshot.process(child.pid_of("secret"));
        match options {
            // Its number is known, and nothing else of it.
            "hidepid=1" => {
                let secret = secret.unwrap();
                assert_eq!((secret.comm(), secret.ppid()), (None, None));
                assert!(secret.joined().is_empty());
                assert_gap(&snapshot, Missing::ProcessNamespaces, Reason::Denied);
            }
            _ => {
                assert_eq!(secret, None);
                assert_gap(&snapshot, Missing::Processes, Reason::Restricted);
            }
        }
    };
    check("hidepid=1");
    check("hidepid=2");
}

/// BPF shows a process that the procfs hides, but not its command line.
#[test]
fn a_command_line_that_proc_hides_from_bpf_is_a_gap() {
    need!(root, bpf, btf, setpriv);
    let shown = Script::new().unshare([Uts]).spawn().unwrap();
    let mut command = Command::new("setpriv");
    let capabilities = "+bpf,+perfmon";
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--inh-caps", capabilities, "--ambient-caps", capabilities, "--"])
        .arg(tool_snapshot().get_program())
        .args(tool_snapshot().get_args())
        .args(["--bpf", "on"]);
    for options in ["hidepid=1", "hidepid=2"] {
        let child = Script::new()
            .unshare([Mnt])
            .mount("proc", "/proc", options)
            .run("lxkns", &command)
            .spawn()
            .unwrap();
        let snapshot = seen_by(&child);
        let process = snapshot.process(shown.pid()).unwrap();
        assert_eq!(process.joined().get(Uts), Some(shown.namespace(Uts)), "{options}");
        assert_eq!((process.cmdline(), process.cgroup()), (None, None), "{options}");
        let why = if options == "hidepid=1" { Reason::Denied } else { Reason::Restricted };
        assert_gap(&snapshot, Missing::ProcessDetails, why);
    }
}

#[test]
fn a_proc_with_nothing_but_processes_will_do() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt, Pid])
        .fork(
            "first",
            Script::new()
                .mount("proc", &dir, "subset=pid")
                .in_new(Net, |net| net.note("net", Net).tcp_socket(3))
                .look_through(&dir),
        )
        .spawn()
        .unwrap();
    let snapshot = seen_by(&child);
    let socket = Holder::File { kind: FileKind::Socket, pid: ProcessId(1), tid: None, fd: 3 };
    assert_owner(held(&snapshot, child.noted("net"), &[socket]), child.namespace(User));
    assert_eq!(snapshot.host().boot_id, None);
    assert_eq!(snapshot.counts().listed, 2, "the first process, and the tool");
    assert!(
        snapshot.gaps().iter().any(|gap| gap.why == Reason::Restricted),
        "{:?}",
        snapshot.gaps()
    );
}

#[test]
fn a_proc_of_a_pid_namespace_below_is_only_read() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let below = Script::new()
        .mount("proc", &dir, "")
        .unshare([Net])
        .tcp_socket(5)
        .in_new(Uts, |uts| uts.note("uts", Uts).open_namespace(Uts, 4));
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .fork("outside", Script::new().unshare([Pid]).fork("below", below))
        .look_through(&dir)
        .spawn()
        .unwrap();
    let snapshot = seen_by(&child);
    assert_no_calls_by_pid(&snapshot);
    let pids: Vec<ProcessId> = snapshot.processes().map(|process| process.pid()).collect();
    assert_eq!(pids, [ProcessId(1)]);
    let first = snapshot.process(ProcessId(1)).unwrap();
    assert_eq!(first.joined().get(Net), Some(child.namespace_of("below", Net)));
    let fd = Holder::File { kind: FileKind::Namespace, pid: ProcessId(1), tid: None, fd: 4 };
    held(&snapshot, child.noted("uts"), &[fd]);
}

#[test]
fn a_proc_of_a_pid_namespace_above_is_only_read() {
    need!(userns);
    let inside = Script::new().fork("other", Script::new().unshare([Net]).tcp_socket(3)).look();
    let child =
        Script::new().user_namespace().unshare([Pid]).fork("inside", inside).spawn().unwrap();
    let snapshot = seen_by(&child);
    assert_no_calls_by_pid(&snapshot);
    let other = snapshot.process(child.pid_of("other")).unwrap();
    assert_eq!(other.joined().get(Net), Some(child.namespace_of("other", Net)));
    // The PIDs are not those of the namespace that the scanner is in.
    let outermost = snapshot.pid_namespace().map(|it| it.id());
    assert_eq!(outermost, Some(own_namespace(Pid)));
    assert_eq!(other.pids().unwrap().len(), 2);
    assert_eq!(snapshot.process(child.pid_of("inside")).unwrap().children().next(), Some(other));
}

#[test]
fn a_proc_of_strangers_over_the_own_one() {
    need!(userns);
    // The procfs of a PID namespace below covers the own one.
    let below = Script::new().mount("proc", "/proc", "").unshare([Net]);
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .fork("outside", Script::new().unshare([Pid]).fork("below", below))
        .look()
        .spawn()
        .unwrap();
    let snapshot = seen_by(&child);
    assert_no_calls_by_pid(&snapshot);
    let first = snapshot.process(ProcessId(1)).unwrap();
    assert_eq!(first.joined().get(Net), Some(child.namespace_of("below", Net)));
    assert_eq!(snapshot.processes().len(), 1);
}

/// What is mounted over the folder of a process in `/proc` may be another process's.
#[test]
fn a_covered_process_is_a_gap() {
    need!(root);
    let sleeper = Script::new().user_namespace().spawn().unwrap();
    let other = Script::new().spawn().unwrap();
    let mut snapshot = tool_snapshot();
    snapshot.args(["--bpf", "off"]);
    let of = |pid: ProcessId| format!("/proc/{pid}");
    let covering = || Script::new().unshare([Mnt]).bind(of(other.pid()), of(sleeper.pid()));
    for script in [covering(), covering().refuse_openat2()] {
        let child = script.run("lxkns", &snapshot).spawn().unwrap();
        let snapshot = snapshot_of(child.output("lxkns"));
        let process = snapshot.process(sleeper.pid()).unwrap();
        assert!(process.joined().is_empty(), "{process:?}");
        let gap = gap(&snapshot, Missing::ProcessNamespaces, Reason::Covered);
        assert!(gap.is_some(), "{:?}", snapshot.gaps());
    }
}

/// Paths in other mount namespaces are followed without it, too.
#[test]
fn a_sandbox_without_openat2_hides_nothing() {
    need!(root);
    let dir = Dir::new().unwrap();
    let place = dir.join("below/net");
    let child = Script::new()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .mkdir(dir.join("below"))
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &place))
        .spawn()
        .unwrap();
    let mut snapshot = tool_snapshot();
    snapshot.args(["--tier", "proc"]);
    let sandbox = Script::new().refuse_openat2().run("lxkns", &snapshot);
    let sandbox = sandbox.spawn().unwrap();
    let snapshot = snapshot_of(sandbox.output("lxkns"));
    let net = snapshot.namespace(child.noted("net")).unwrap();
    assert_owner(net, own_namespace(User));
}
