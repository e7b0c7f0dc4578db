//! Closures and programs inside other namespaces, and what of it must not be felt outside.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};

use lxkns_nstest::{Child, Dir, Script, namespace_of, need, own_namespace};
use lxkns_ops::enter::{AddressFamily, SocketType};
use lxkns_ops::{Error, NamespaceFd, enter, pids, socket};
use lxkns_species::NamespaceType::{Cgroup, Ipc, Mnt, Net, Pid, Time, User, Uts};
use lxkns_species::{NamespaceId, NamespaceType};
use rustix::io::Errno;
use rustix::process::geteuid;

/// What a thread can enter.
const FOR_THREADS: [NamespaceType; 5] = [Cgroup, Ipc, Mnt, Net, Uts];

fn own_namespaces() -> [NamespaceId; 8] {
    NamespaceType::ALL.map(own_namespace)
}

fn opened(pid: lxkns_species::Pid, types: &[NamespaceType]) -> Vec<NamespaceFd> {
    types.iter().map(|ns_type| NamespaceFd::of_process(pid, *ns_type).unwrap()).collect()
}

fn all(namespaces: &[NamespaceFd]) -> Vec<&NamespaceFd> {
    namespaces.iter().collect()
}

/// A program to be run inside: one of the tests here, which does as it is told.
fn program(what: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "is_a_program_inside"]);
    command.env("OPS_ENTER", what).stdout(Stdio::null());
    command
}

#[test]
#[ignore = "run by other tests, as the program inside"]
fn is_a_program_inside() {
    match std::env::var("OPS_ENTER").unwrap().as_str() {
        "wait" => {
            _ = writeln!(std::io::stderr(), "{}", std::process::id());
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        "be terminated" => {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::TERM).unwrap();
        }
        status => std::process::exit(status.parse().unwrap()),
    }
}

/// A program that waits inside, until its standard input is closed.
fn waiting() -> Command {
    let mut command = program("wait");
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The PID as the waiting program sees it: once it has told it, it is where it should be.
fn told_pid(child: &mut std::process::Child) -> u32 {
    let mut line = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    BufReader::new(stderr).read_line(&mut line).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn a_closure_runs_inside_and_its_caller_stays_outside() {
    need!(root);
    let child = Script::new().unshare(FOR_THREADS).spawn().unwrap();
    let namespaces = opened(child.pid(), &FOR_THREADS);
    let before = own_namespaces();
    let mut borrowed = Vec::new();
    let inside = enter::run(&all(&namespaces), || {
        borrowed.push("written inside");
        FOR_THREADS.map(own_namespace)
    });
    assert_eq!(inside.unwrap(), FOR_THREADS.map(|ns_type| child.namespace(ns_type)));
    assert_eq!(borrowed, ["written inside"]);
    assert_eq!(own_namespaces(), before);
}

#[test]
fn panics_come_back_and_leave_the_caller_outside() {
    need!(root);
    let child = Script::new().unshare(FOR_THREADS).spawn().unwrap();
    let namespaces = opened(child.pid(), &FOR_THREADS);
    let before = own_namespaces();
    let inside = AssertUnwindSafe(|| enter::run(&all(&namespaces), || panic!("on purpose")));
    let panic = catch_unwind(inside).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
    assert_eq!(own_namespaces(), before);

    let visit = enter::spawn(&all(&namespaces), || panic!("on purpose, too")).unwrap();
    let panic = visit.join().unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"on purpose, too"));
    assert_eq!(own_namespaces(), before);
}

#[test]
fn files_are_those_of_the_mount_namespace_entered() {
    need!(root);
    let dir = Dir::new().unwrap();
    let file = dir.join("inside only");
    let child = Script::new()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .touch(&file)
        .write(&file, "content")
        .spawn()
        .unwrap();
    let working_directory = std::env::current_dir().unwrap();
    let namespace = NamespaceFd::of_process(child.pid(), Mnt).unwrap();
    let (content, inside_directory) =
        enter::run(&[&namespace], || (std::fs::read_to_string(&file), std::env::current_dir()))
            .unwrap();
    assert_eq!(content.unwrap(), "content");
    assert_eq!(inside_directory.unwrap().as_os_str(), "/");
    assert!(!file.exists());
    assert_eq!(std::env::current_dir().unwrap(), working_directory);
}

#[test]
fn a_visit_goes_on_while_the_caller_does() {
    need!(root);
    let child = Script::new().unshare([Uts]).spawn().unwrap();
    let namespace = NamespaceFd::of_process(child.pid(), Uts).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel::<NamespaceId>();
    let visit = enter::spawn(&[&namespace], move || (receiver.recv(), own_namespace(Uts))).unwrap();
    drop(namespace);
    assert!(!visit.is_finished());
    let outside = own_namespace(Uts);
    sender.send(outside).unwrap();
    assert_eq!(visit.join().unwrap(), (Ok(outside), child.namespace(Uts)));
}

#[test]
fn what_threads_cannot_enter_is_refused() {
    for ns_type in [Pid, User] {
        let own = NamespaceFd::of_self(ns_type).unwrap();
        let error = enter::run(&[&own], || panic!("it must not run")).unwrap_err();
        assert!(matches!(error, Error::NotByThread { id } if id == own.id()), "{error}");
        let error = enter::spawn(&[&own], || panic!("it must not run")).unwrap_err();
        assert!(matches!(error, Error::NotByThread { id } if id == own.id()), "{error}");
    }
}

#[test]
fn without_privileges_the_closure_does_not_run() {
    // As root, nothing is denied. The tests run as another user as well.
    if rustix::process::geteuid().is_root() {
        return;
    }
    let own = NamespaceFd::of_self(Net).unwrap();
    let error = enter::run(&[&own], || panic!("it must not run")).unwrap_err();
    assert!(matches!(error, Error::Enter { id, .. } if id == own.id()), "{error}");
    assert!(error.is_denied());
    assert!(enter::spawn(&[&own], || panic!("it must not run")).unwrap_err().is_denied());
}

/// A process in new namespaces of all eight types, and its PID namespace's first process.
fn contained(map: impl FnOnce(Script) -> Script) -> Child {
    map(Script::new())
        .unshare([Cgroup, Ipc, Mnt, Net, Uts, Time, Pid])
        .fork("inside", Script::new())
        .spawn()
        .unwrap()
}

#[test]
fn a_program_runs_in_namespaces_of_all_types() {
    need!(root, timens);
    let child = contained(Script::user_namespace);
    let inside = child.pid_of("inside");
    // PID before user: no process in between. User last: root needs no help.
    let order = [Pid, Time, Cgroup, Ipc, Net, Uts, Mnt, User];
    let namespaces = opened(inside, &order);
    let before = own_namespaces();
    let mut program = enter::command(&all(&namespaces), waiting()).unwrap();
    told_pid(&mut program);
    let pid = lxkns_species::Pid(program.id());
    for ns_type in NamespaceType::ALL {
        assert_eq!(namespace_of(pid, ns_type), namespace_of(inside, ns_type), "{ns_type}");
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(!status.contains("CapEff:\t0000000000000000"), "not root inside: {status}");
    let mut files: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    files.sort();
    assert_eq!(files, ["0", "1", "2"]);
    drop(program.stdin.take());
    program.wait().unwrap();
    assert_eq!(own_namespaces(), before);
}

#[test]
fn a_socket_of_another_network_namespace() {
    need!(userns);
    let child = Script::new().user_namespace().unshare([Net]).spawn().unwrap();
    let namespaces = opened(child.pid(), &[User, Net]);
    let [user, net] = &namespaces[..] else { unreachable!("two were opened") };
    let create = |namespaces: &[&NamespaceFd], kind| {
        enter::socket_in(namespaces, AddressFamily::INET, kind, None)
    };
    let socket = UdpSocket::from(create(&[user, net], SocketType::DGRAM).unwrap());
    // The only interface there is down, so no address can be reached.
    let error = socket.connect("127.0.0.1:9").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::NETUNREACH.raw_os_error()));
    let own = UdpSocket::bind("0.0.0.0:0").unwrap();
    if let Ok(cookie) = socket::cookie(&own) {
        assert_ne!(socket::cookie(&socket).unwrap(), cookie);
    }
    if geteuid().is_root() {
        assert_eq!(socket::network_namespace(&socket).unwrap().id(), net.id());
    }
    // Without the user namespace, only root of the machine may.
    match create(&[net], SocketType::DGRAM) {
        Ok(_) => assert!(geteuid().is_root()),
        Err(error) => assert!(error.is_denied(), "{error}"),
    }
    let error = create(&[user, net], SocketType::SEQPACKET).unwrap_err();
    assert!(matches!(error, Error::Call { .. }), "{error}");
}

#[test]
fn an_owner_enters_the_user_namespace_first() {
    need!(userns, timens);
    let child = contained(Script::user_namespace);
    let inside = child.pid_of("inside");
    let order = [User, Pid, Time, Cgroup, Ipc, Net, Uts, Mnt];
    let namespaces = opened(inside, &order);
    let mut program = enter::command(&all(&namespaces), waiting()).unwrap();
    let pid_inside = told_pid(&mut program);
    let go_between = lxkns_species::Pid(program.id());
    assert_eq!(namespace_of(go_between, User), child.namespace(User));
    let children =
        std::fs::read_to_string(format!("/proc/{go_between}/task/{go_between}/children"));
    let pid: lxkns_species::Pid = children.unwrap().trim().parse().unwrap();
    for ns_type in NamespaceType::ALL {
        assert_eq!(namespace_of(pid, ns_type), namespace_of(inside, ns_type), "{ns_type}");
    }
    if let Ok(translated) = pids::pid_in(&namespaces[1], pid) {
        assert_eq!(translated.0, pid_inside);
    }
    // Who ends the one ends the other.
    let held = rustix::process::pidfd_open(
        rustix::process::Pid::from_raw(pid.0.cast_signed()).unwrap(),
        rustix::process::PidfdFlags::empty(),
    )
    .unwrap();
    program.kill().unwrap();
    program.wait().unwrap();
    let mut ended = [rustix::event::PollFd::new(&held, rustix::event::PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut ended, None).unwrap(), 1);
}

#[test]
fn the_end_of_a_program_is_passed_on() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .unshare([Pid])
        .fork("inside", Script::new())
        .spawn()
        .unwrap();
    let namespaces = opened(child.pid_of("inside"), &[User, Pid]);
    let end_of = |what: &str| {
        let mut inside = enter::command(&all(&namespaces), program(what)).unwrap();
        inside.wait().unwrap()
    };
    assert_eq!(end_of("7").code(), Some(7));
    assert_eq!(end_of("0").code(), Some(0));
    assert_eq!(end_of("be terminated").signal(), Some(15));
}

#[test]
fn a_child_inherits_standard_files_only() {
    let (read, _write) = rustix::pipe::pipe().unwrap(); // Not closed at exec.
    let mut program = enter::command(&[], waiting()).unwrap();
    told_pid(&mut program);
    let pid = program.id();
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert_eq!(files, 3);
    drop((program.stdin.take(), read));
    assert!(program.wait().unwrap().success());
}

#[test]
fn errors_name_what_could_not_be_done() {
    need!(root);
    let child = Script::new().unshare([Net]).spawn().unwrap();
    let net = NamespaceFd::of_process(child.pid(), Net).unwrap();
    // Nobody can enter the user namespace that they are in.
    let user = NamespaceFd::of_self(User).unwrap();
    let error = enter::command(&[&net, &user], Command::new("true")).unwrap_err();
    assert!(
        matches!(error, Error::Enter { id, source: Errno::INVAL } if id == user.id()),
        "{error:?}"
    );
    let error = enter::command(&[&net], Command::new("/no/such/program")).unwrap_err();
    assert!(matches!(error, Error::Program { source: Errno::NOENT, .. }), "{error:?}");
    assert_eq!(error.to_string(), "cannot execute \"/no/such/program\"");
}
