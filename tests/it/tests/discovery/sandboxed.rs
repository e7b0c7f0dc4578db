//! Sandboxes that refuse system calls, or say that they have carried them out: facts are unknown
//! then, and what is missing is a gap.

use std::process::Command;

use lxkns_it::{held, snapshot_of, tool_snapshot};
use lxkns_model::{FileKind, Holder, Missing, MountKind, Reason, Relation, Snapshot, Text};
use lxkns_nstest::{Call, Dir, Script, need};
use lxkns_species::NamespaceType::{Mnt, Net, User, Uts};
use rustix::io::Errno;

/// No error: the call seems to have succeeded.
const NOTHING_DONE: i32 = 0;

/// A snapshot through `/proc`, with one worker: by one that is in the sandbox like all others.
fn tool() -> Command {
    let mut command = tool_snapshot();
    command.args(["--bpf", "off"]);
    command
}

#[track_caller]
fn snapshot_in(sandbox: Script) -> Snapshot {
    let child = sandbox.run("lxkns", &tool()).spawn().unwrap();
    snapshot_of(child.output("lxkns"))
}

#[test]
fn the_names_of_the_machine_are_unknown_without_uname() {
    let open = snapshot_in(Script::new());
    assert!(open.host().name.is_some() && open.host().kernel.is_some());
    for errno in [Errno::PERM.raw_os_error(), Errno::NOSYS.raw_os_error(), NOTHING_DONE] {
        let snapshot = snapshot_in(Script::new().answer(Call::Uname, errno));
        assert_eq!((&snapshot.host().name, &snapshot.host().kernel), (&None, &None), "{errno}");
    }
}

#[test]
fn ioctls_that_write_nothing_are_no_answers() {
    let snapshot = snapshot_in(Script::new().answer(Call::Ioctl, NOTHING_DONE));
    assert!(snapshot.namespaces().len() > 0);
    for namespace in snapshot.namespaces() {
        assert_eq!(namespace.unique_id(), None, "{namespace:?}");
        assert_eq!(namespace.creator(), None, "{namespace:?}");
        assert!(namespace.owner().is_none(), "{namespace:?}");
        let parent = namespace.parent();
        assert!(matches!(parent, Relation::Unknown | Relation::None), "{namespace:?}");
    }
    let gaps = snapshot.gaps();
    assert!(gaps.iter().any(|gap| gap.what == Missing::Owners && gap.why == Reason::Failed));
}

/// Nothing that this is about ends while it is looked at.
#[test]
fn errors_that_sound_like_gone_are_gaps_where_nothing_is() {
    need!(root);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| net.note("net", Net).tcp_socket(3))
        .in_new(Uts, |uts| uts.note("uts", Uts).bind_namespace(Uts, dir.join("uts")))
        .spawn()
        .unwrap();
    let socket = Holder::File { kind: FileKind::Socket, pid: child.pid(), tid: None, fd: 3 };
    let mount = Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: Some(child.namespace(Mnt)),
        path: Text::from(dir.join("uts").as_os_str().as_encoded_bytes()),
    };
    let check = |snapshot: &Snapshot, whose: &str| {
        let missed = |kinds: &[Missing]| {
            let mut gaps = snapshot.gaps().iter().filter(|gap| gap.why != Reason::Gone);
            gaps.any(|gap| kinds.contains(&gap.what))
        };
        let of = [Missing::Sockets, Missing::Fds, Missing::Processes, Missing::ProcessNamespaces];
        if !missed(&of) {
            held(snapshot, child.noted("net"), std::slice::from_ref(&socket));
        }
        if !missed(&[Missing::Mounts, Missing::BindMounts, Missing::Processes]) {
            held(snapshot, child.noted("uts"), std::slice::from_ref(&mount));
        }
        assert!(snapshot.namespace(child.namespace(User)).is_some() || missed(&of), "{whose}");
    };
    check(&snapshot_in(Script::new()), "no sandbox");
    let answers = [
        (Call::Ppoll, Errno::NOENT),
        (Call::Sendmsg, Errno::SRCH),
        (Call::Socketpair, Errno::NOENT),
        (Call::PidfdOpen, Errno::SRCH),
        (Call::PidfdGetfd, Errno::NOENT),
        (Call::PidfdGetfd, Errno::SRCH),
        (Call::Statmount, Errno::NOENT),
        (Call::Getdents64, Errno::NOENT),
        (Call::Getdents64, Errno::SRCH),
    ];
    for (call, errno) in answers {
        let sandbox = Script::new().answer(call, errno.raw_os_error());
        check(&snapshot_in(sandbox), &format!("{call:?}: {errno}"));
    }
}

#[test]
fn stacks_are_as_large_as_they_must_be() {
    // Enough of them that the workers share the work.
    let child = Script::new().forks("many", 300, Script::new()).spawn().unwrap();
    for size in [usize::MAX, 1 << 50, 0] {
        let mut command = tool();
        command.env("RUST_MIN_STACK", size.to_string());
        let tool = Script::new().run("lxkns", &command).spawn().unwrap();
        let snapshot = snapshot_of(tool.output("lxkns"));
        let missing = child.pids_of("many").iter().find(|pid| snapshot.process(**pid).is_none());
        assert_eq!(missing, None, "{size}");
    }
}
