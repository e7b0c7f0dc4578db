//! Threads that differ from their process, and children to come.

use lxkns_it::{assert_held, assert_owner, everywhere, gap, held};
use lxkns_model::{FileKind, Holder, Missing, Reason};
use lxkns_nstest::{Child, Script, linked, need, own_namespace};
use lxkns_species::NamespaceType::{Mnt, Net, Pid, Time, User, Uts};

fn thread(child: &Child, process: &str, thread: &str) -> Holder {
    Holder::Thread { pid: child.pid_of(process), tid: child.pid_of(thread) }
}

#[test]
fn a_threads_own_namespaces_are_found() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .thread("loner", Script::new().name("lo) n\ner").unshare([Net, Uts, Mnt]))
        .thread("other", Script::new())
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        for ns_type in [Net, Uts, Mnt] {
            let id = child.namespace_of("loner", ns_type);
            let namespace = held(snapshot, id, &[thread(&child, "main", "loner")]);
            assert_owner(namespace, child.namespace(User));
            assert!(!namespace.is_hidden());
            assert_eq!(namespace.processes().len(), 0);
        }
        let process = snapshot.process(child.pid()).unwrap();
        assert_eq!(process.joined().get(Net), Some(own_namespace(Net)));
        let [loner] = process.threads() else {
            panic!("{:?}", process.threads());
        };
        assert_eq!(loner.tid, child.pid_of("loner"));
        assert_eq!(loner.comm.as_ref().unwrap().as_bytes(), b"lo) n\ner");
        assert_eq!(loner.namespaces.get(Net), Some(child.namespace_of("loner", Net)));
        assert_eq!(loner.namespaces.get(User), Some(child.namespace(User)));
    });
}

#[test]
fn threads_live_on_without_their_main_thread() {
    need!(userns);
    let threads = Script::new()
        .thread("one", Script::new().unshare([Net]))
        .thread(
            "two",
            Script::new()
                .unshare_fd_table()
                .in_new(Uts, |uts| uts.note("uts", Uts).open_namespace(Uts, 5)),
        )
        .thread(
            "three",
            Script::new().in_new(Net, |net| net.note("net", Net).open_namespace(Net, 6)),
        )
        .exit_thread();
    let child = Script::new().user_namespace().fork("headless", threads).spawn().unwrap();
    let pid = child.pid_of("headless");
    everywhere(|snapshot| {
        let process = snapshot.process(pid).unwrap();
        assert_eq!(process.state(), Some('Z'));
        // Of the main thread nothing of that is left.
        let parent = snapshot.process(child.pid()).unwrap();
        assert!(!parent.cmdline().unwrap().arguments.is_empty());
        assert_eq!(process.cmdline(), parent.cmdline());
        assert_eq!(process.cgroup(), parent.cgroup());
        let net = child.namespace_of("one", Net);
        let net = held(snapshot, net, &[thread(&child, "headless", "one")]);
        assert_owner(net, child.namespace(User));
        assert!(process.threads().iter().any(|thread| {
            thread.tid == child.pid_of("one") && thread.namespaces.get(Net) == Some(net.id())
        }));
        // Whoever shares a table, it has to be one of those who are alive.
        let holders = |id| snapshot.namespace(id).unwrap().holders();
        let two =
            Holder::File { kind: FileKind::Namespace, pid, tid: Some(child.pid_of("two")), fd: 5 };
        assert!(holders(child.noted("uts")).contains(&two));
        let others = [Some(child.pid_of("one")), Some(child.pid_of("three")), None];
        assert!(
            others
                .into_iter()
                .map(|tid| Holder::File { kind: FileKind::Namespace, pid, tid, fd: 6 })
                .any(|holder| holders(child.noted("net")).contains(&holder)),
            "{:?}",
            holders(child.noted("net"))
        );
    });
}

#[test]
fn an_fd_in_a_threads_own_table_is_found() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("left", Net).open_namespace(Net, 5))
        .thread(
            "loner",
            Script::new()
                .unshare_fd_table()
                .in_new(Net, |net| net.note("own", Net).open_namespace(Net, 6)),
        )
        .thread(
            "sharer",
            Script::new().in_new(Net, |net| net.note("shared", Net).open_namespace(Net, 7)),
        )
        .close(5)
        .spawn()
        .unwrap();
    let fd = |tid: Option<&str>, fd| Holder::File {
        kind: FileKind::Namespace,
        pid: child.pid(),
        tid: tid.map(|label| child.pid_of(label)),
        fd,
    };
    everywhere(|snapshot| {
        assert_held(snapshot, child.noted("own"), &[fd(Some("loner"), 6)]);
        assert_held(snapshot, child.noted("left"), &[fd(Some("loner"), 5)]);
        let shared = held(snapshot, child.noted("shared"), &[fd(None, 7)]);
        assert_owner(shared, child.namespace(User));
    });
}

/// A network namespace held by a socket that only a thread has.
fn socket_in_own_table() -> Child {
    let loner =
        Script::new().unshare_fd_table().in_new(Net, |net| net.note("net", Net).tcp_socket(5));
    Script::new().user_namespace().thread("loner", loner).spawn().unwrap()
}

#[test]
fn a_socket_in_a_threads_own_table_is_found() {
    need!(userns, pidfd_thread);
    let child = socket_in_own_table();
    everywhere(|snapshot| {
        let socket = Holder::File {
            kind: FileKind::Socket,
            pid: child.pid(),
            tid: Some(child.pid_of("loner")),
            fd: 5,
        };
        let net = held(snapshot, child.noted("net"), &[socket]);
        assert_owner(net, child.namespace(User));
    });
}

#[test]
fn a_socket_in_a_threads_own_table_is_found_or_said_to_be_missing() {
    need!(userns);
    let child = socket_in_own_table();
    everywhere(|snapshot| {
        let is_found = snapshot.namespace(child.noted("net")).is_some();
        let is_missed = gap(snapshot, Missing::Sockets, Reason::Unsupported).is_some();
        assert!(is_found || is_missed);
    });
}

#[test]
fn a_pending_time_namespace_is_found() {
    need!(userns, timens);
    let child = Script::new().user_namespace().unshare([Time]).spawn().unwrap();
    let pending = linked(format!("/proc/{}/ns/time_for_children", child.pid()));
    everywhere(|snapshot| {
        let holder = Holder::PendingChildren { pid: child.pid(), tid: None };
        let time = held(snapshot, pending, &[holder]);
        assert_owner(time, child.namespace(User));
        assert!(!time.is_hidden());
        let process = snapshot.process(child.pid()).unwrap();
        assert_eq!(process.joined().get(Time), Some(own_namespace(Time)));
    });
}

#[test]
fn a_pid_namespace_is_pending_until_its_first_process() {
    need!(userns);
    let mut child = Script::new()
        .user_namespace()
        .unshare([Pid])
        .pause()
        .fork("first", Script::new())
        .spawn()
        .unwrap();
    let holder = Holder::PendingChildren { pid: child.pid(), tid: None };
    everywhere(|snapshot| {
        // Its link is there, but leads nowhere yet; BPF can tell what it will lead to.
        let mut namespaces = snapshot.namespaces_of(Pid);
        let is_found = namespaces.any(|namespace| namespace.holders().contains(&holder));
        let gap = gap(snapshot, Missing::PendingChildren, Reason::Unborn);
        assert!(is_found || gap.is_some_and(|gap| gap.count > 0), "{gap:?}");
    });
    child.proceed().unwrap();
    everywhere(|snapshot| {
        let holder = holder.clone();
        let pid = held(snapshot, child.namespace_of("first", Pid), &[holder]);
        assert_owner(pid, child.namespace(User));
        assert_eq!(pid.processes().len(), 1);
    });
}
