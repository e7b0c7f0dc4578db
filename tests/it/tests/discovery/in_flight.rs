//! Files that are queued in Unix sockets, and the queues, which a scan leaves as they are.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;

use lxkns_discover::{Bpf, Options, Tier};
use lxkns_it::{assert_held, everywhere, gap, scan, scan_with, stdout};
use lxkns_model::why::{Action, OpenFile, Release};
use lxkns_model::{FileKind, Holder, Missing, Reason, Snapshot};
use lxkns_nstest::{Dir, Script, StuckReceiver, need, set_peek_offset, tool};
use lxkns_species::NamespaceType::{Net, Uts};
use lxkns_species::Pid;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

fn pair(kind: SocketType) -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap()
}

fn send(socket: impl AsFd, text: &str, file: Option<&File>) {
    let mut space = [MaybeUninit::uninit(); 64];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = file.map(|file| [file.as_fd()]);
    if let Some(files) = &files {
        assert!(control.push(SendAncillaryMessage::ScmRights(files)));
    }
    let text = [IoSlice::new(text.as_bytes())];
    sendmsg(socket, &text, &mut control, SendFlags::NOSIGNAL).unwrap();
}

/// The next message, and how many files it has.
fn receive(socket: impl AsFd) -> Result<(String, usize), Errno> {
    let (mut space, mut text) = ([MaybeUninit::uninit(); 64], [0; 16]);
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let length = recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut control, flags)?.bytes;
    let files = control.drain().map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => files.count(),
        _ => 0,
    });
    let files = files.sum();
    Ok((String::from_utf8(text.get(..length).unwrap().into()).unwrap(), files))
}

fn own_uts() -> File {
    File::open("/proc/self/ns/uts").unwrap()
}

fn in_flight(pid: Pid, fd: u32) -> Holder {
    let inode = std::fs::metadata(format!("/proc/{pid}/fd/{fd}")).unwrap().ino();
    Holder::File { kind: FileKind::InFlight { inode }, pid, tid: None, fd }
}

fn own(fd: &impl AsRawFd) -> String {
    format!("fd {} of pid {}", fd.as_raw_fd(), std::process::id())
}

/// The examples of a gap among files in flight: it counts those of other tests, too.
fn examples(snapshot: &Snapshot, why: Reason) -> Vec<String> {
    let gap = gap(snapshot, Missing::InFlight, why);
    let examples = gap.into_iter().flat_map(|gap| &gap.examples);
    examples.filter_map(|example| example.to_str().map(Into::into)).collect()
}

#[test]
fn a_namespace_in_flight_is_held_by_the_socket_at_every_tier() {
    need!(userns);
    for ns_type in [Net, Uts] {
        let child = Script::new()
            .user_namespace()
            .in_new(ns_type, |there| there.note("in flight", ns_type).open_namespace(ns_type, 3))
            .send_fd(3, (4, 5))
            .close(3)
            .spawn()
            .unwrap();
        let (pid, id) = (child.pid(), child.noted("in flight"));
        let holder = in_flight(pid, 5);
        everywhere(|snapshot| assert_held(snapshot, id, std::slice::from_ref(&holder)));
        for tier in Tier::ALL {
            for bpf in [Bpf::Off, Bpf::On] {
                let snapshot = scan_with(&Options::everything().tier(tier).bpf(bpf));
                assert_held(&snapshot, id, std::slice::from_ref(&holder));
            }
        }
        let snapshot = scan();
        let Release::After(plan) = snapshot.why(id).unwrap().release else { panic!() };
        let empties = [OpenFile { tid: None, fd: 5 }];
        let is_it = |action: &Action| {
            matches!(action, Action::LetGo { pid: it, empties: from, .. }
            if *it == pid && from[..] == empties)
        };
        assert!(plan.steps.iter().any(|step| is_it(&step.action)), "{plan:?}");
        let why = tool("lxkns").args(["why", &format!("{ns_type}:{}", id.inode())]).output();
        let why = why.unwrap();
        let why = stdout(&why);
        let step = format!("({pid}) receives or drops what waits in its fd 5, or ends");
        assert!(why.contains("1 file in flight") && why.contains(&step), "{why}");
    }
}

/// One of them receives for all.
#[test]
fn processes_that_share_a_queue_have_one_step() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .in_new(Uts, |uts| uts.note("uts", Uts).open_namespace(Uts, 3))
        .send_fd(3, (4, 5))
        .close(3)
        .fork("heir", Script::new())
        .fork("other heir", Script::new())
        .spawn()
        .unwrap();
    let id = child.noted("uts");
    let pids = ["main", "heir", "other heir"].map(|label| child.pid_of(label));
    everywhere(|snapshot| {
        assert_held(snapshot, id, &pids.map(|pid| in_flight(pid, 5)));
        let Release::After(plan) = snapshot.why(id).unwrap().release else { panic!() };
        let steps: Vec<&Action> = plan.steps.iter().map(|step| &step.action).collect();
        let mut sockets = pids.map(|pid| (pid, OpenFile { tid: None, fd: 5 }));
        sockets.sort_unstable();
        assert_eq!(steps, [&Action::Receive { sockets: sockets.into() }]);
    });
    let why = tool("lxkns").args(["why", &format!("uts:{}", id.inode())]).output().unwrap();
    let why = stdout(&why);
    let step = "receives what waits in its fd 5, or one that shares the socket does: process ";
    assert!(why.contains(step) && why.contains("; or all of them close it or end"), "{why}");
}

#[test]
fn sockets_in_flight_hold_network_namespaces_and_more_files() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).tcp_socket(3))
        .in_new(Uts, |uts| uts.note("uts", Uts).open_namespace(Uts, 8))
        .send_fd(3, (4, 5))
        .close(3)
        .send_fd(8, (9, 10))
        .close(8)
        .send_fd(5, (6, 7))
        .close(4)
        .close(5)
        .send_fd(10, (11, 12))
        .close(9)
        .close(10)
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        for (label, fd) in [("net", 7), ("uts", 12)] {
            let holder = in_flight(child.pid(), fd);
            assert_held(snapshot, child.noted(label), &[holder]);
        }
    });
}

/// Credentials of the sender stand before the files.
#[test]
fn a_receiver_that_wants_credentials_hides_no_file() {
    need!(root);
    let (one, other) = pair(SocketType::DGRAM);
    rustix::net::sockopt::set_socket_passcred(&other, true).unwrap();
    let child = Script::new()
        .in_new(Uts, |uts| uts.note("uts", Uts).open_namespace(Uts, 3))
        .spawn()
        .unwrap();
    send(&one, "", Some(&File::open(format!("/proc/{}/fd/3", child.pid())).unwrap()));
    let holder = in_flight(Pid(std::process::id()), other.as_raw_fd() as u32);
    everywhere(|snapshot| {
        let found = snapshot.namespace(child.noted("uts")).unwrap();
        assert!(found.holders().contains(&holder), "{found:?}");
    });
}

/// systemd keeps the namespace of a unit with `PrivateNetwork=` in a socket pair so.
#[test]
fn the_namespace_ends_when_the_owner_receives_it() {
    need!(root);
    let (one, other) = pair(SocketType::DGRAM);
    let child = Script::new()
        .in_new(Uts, |uts| uts.note("uts", Uts).open_namespace(Uts, 3))
        .spawn()
        .unwrap();
    let id = child.noted("uts");
    send(&one, "", Some(&File::open(format!("/proc/{}/fd/3", child.pid())).unwrap()));
    drop(child);
    let (pid, fd) = (Pid(std::process::id()), other.as_raw_fd() as u32);
    everywhere(|snapshot| {
        assert_held(snapshot, id, &[in_flight(pid, fd)]);
    });
    assert_eq!(receive(&other), Ok((String::new(), 1)));
    assert!(scan().namespace(id).is_none());
}

#[test]
fn the_owner_receives_everything_in_order_afterwards() {
    for kind in [SocketType::DGRAM, SocketType::STREAM, SocketType::SEQPACKET] {
        let (one, other) = pair(kind);
        for text in ["one", "two", "three"] {
            send(&one, text, (text != "two").then(own_uts).as_ref());
        }
        let snapshot = scan();
        assert!(examples(&snapshot, Reason::Queued).contains(&own(&other)), "{kind:?}");
        assert_eq!(receive(&other), Ok(("one".into(), 1)), "{kind:?}");
        if kind == SocketType::STREAM {
            // Text without files is joined with what comes after it.
            assert_eq!(receive(&other), Ok(("twothree".into(), 1)));
        } else {
            assert_eq!(receive(&other), Ok(("two".into(), 0)), "{kind:?}");
            assert_eq!(receive(&other), Ok(("three".into(), 1)), "{kind:?}");
        }
    }
}

#[test]
fn a_pending_error_stays() {
    let (one, other) = pair(SocketType::STREAM);
    send(&one, "with a file", Some(&own_uts()));
    send(&other, "never received", None);
    drop(one);
    let (lonely, reset) = pair(SocketType::STREAM);
    send(&reset, "never received", None);
    drop(lonely);
    let _ = scan();
    assert_eq!(receive(&other), Ok(("with a file".into(), 1)));
    assert_eq!(receive(&other), Err(Errno::CONNRESET));
    assert_eq!(receive(&reset), Err(Errno::CONNRESET));
}

#[test]
fn the_offset_of_an_owner_that_peeks_stays() {
    let (one, other) = pair(SocketType::STREAM);
    set_peek_offset(&other, 0).unwrap();
    send(&one, "some text", Some(&own_uts()));
    let snapshot = scan();
    assert!(examples(&snapshot, Reason::Disturbing).contains(&own(&other)));
    let mut text = [0; 4];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    rustix::net::recv(&other, &mut text, flags).unwrap();
    assert_eq!(&text, b"some");
}

#[test]
fn files_in_connections_that_nobody_has_accepted_are_a_gap() {
    let dir = Dir::new().unwrap();
    let path = dir.join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    send(&client, "early", Some(&own_uts()));
    let snapshot = scan();
    // Old kernels do not count what waits in connections.
    let text = std::fs::read(format!("/proc/self/fdinfo/{}", listener.as_raw_fd())).unwrap();
    let counts = lxkns_ops::in_flight::waiting(&text) == Some(1);
    assert_eq!(examples(&snapshot, Reason::Queued).contains(&own(&listener)), counts);
    let (server, _) = listener.accept().unwrap();
    assert_eq!(receive(&server), Ok(("early".into(), 1)));
}

/// The look waits for a receiver, until its deadline; then the scan goes on without the helper.
#[test]
fn a_receiver_that_does_not_get_on_is_a_gap() {
    need!(root);
    let (one, other) = pair(SocketType::STREAM);
    send(&one, "with a file", Some(&own_uts()));
    let stuck = StuckReceiver::start(other.try_clone().unwrap()).unwrap();
    let child = Script::new()
        .in_new(Uts, |uts| uts.note("uts", Uts).open_namespace(Uts, 3))
        .send_fd(3, (4, 5))
        .close(3)
        .spawn()
        .unwrap();
    let snapshot = scan();
    // Children of other tests may share the socket.
    assert!(gap(&snapshot, Missing::InFlight, Reason::TimedOut).is_some());
    let holder = in_flight(child.pid(), 5);
    assert_held(&snapshot, child.noted("uts"), &[holder]);
    assert_eq!(stuck.release(), Some("with a file".len()));
}
