//! All ways to get at a namespace, what it tells of itself, and references that are kept.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::os::fd::{AsRawFd, OwnedFd};

use lxkns_nstest::{Child, Dir, Script, linked, need, own_namespace};
use lxkns_ops::{Error, Fact, NamespaceFd, Portable, pidfd};
use lxkns_species::NamespaceType::{Mnt, Net, Pid, User, Uts};
use lxkns_species::{NamespaceId, Reference, Uid};
use rustix::io::Errno;

fn id_at(reference: &Reference) -> NamespaceId {
    NamespaceFd::open(reference).unwrap().id()
}

#[test]
fn all_references_lead_to_their_namespace() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .unshare([Net, Uts])
        .open_namespace(Net, 3)
        .thread("thread", Script::new().unshare([Uts]))
        .unshare([Pid])
        .spawn()
        .unwrap();
    let (pid, net) = (child.pid(), child.namespace(Net));
    assert_eq!(id_at(&Reference::Process(pid, Net)), net);
    assert_eq!(id_at(&Reference::FdOf { pid, tid: None, fd: 3 }), net);
    assert_eq!(id_at(&Reference::Path(format!("/proc/{pid}/ns/net").into())), net);
    let thread = child.pid_of("thread");
    let of_thread = Reference::Thread { pid, tid: thread, namespace_type: Uts };
    assert_ne!(id_at(&of_thread), child.namespace(Uts));
    assert_eq!(id_at(&of_thread), child.namespace_of("thread", Uts));
    assert_eq!(
        NamespaceFd::of_thread(pid, thread, Uts).unwrap().id(),
        child.namespace_of("thread", Uts)
    );
    assert_eq!(id_at(&Reference::Own(Net)), own_namespace(Net));

    let open = NamespaceFd::of_process(pid, Net).unwrap();
    let number = OwnedFd::from(open.try_clone().unwrap());
    assert_eq!(id_at(&Reference::Fd(number.as_raw_fd())), net);
    assert_eq!(NamespaceFd::from_fd(number).unwrap().id(), net);

    let pidfd = pidfd::of_process(pid).unwrap();
    for ns_type in [Net, Uts, User, Mnt, Pid] {
        let found = pidfd::namespace(&pidfd, ns_type).unwrap().id();
        assert_eq!(found, child.namespace(ns_type));
    }
    drop(child);
    let error = pidfd::namespace(&pidfd, Net).unwrap_err();
    assert!(error.is_gone(), "{error}: {:?}", error.errno());
    let error = NamespaceFd::open(&Reference::Process(pid, Net)).unwrap_err();
    assert!(error.is_gone(), "{error}");
    assert_eq!(error.to_string(), format!("cannot open the net namespace of process {pid}"));
}

#[test]
fn the_namespace_of_children_to_come_is_found() {
    need!(userns);
    let child =
        Script::new().user_namespace().unshare([Pid]).fork("first", Script::new()).spawn().unwrap();
    let (pid, tid) = (child.pid(), None);
    let found = id_at(&Reference::ChildrenOf { pid, tid, namespace_type: Pid });
    assert_eq!(found, child.namespace_of("first", Pid));
    assert_eq!(found, linked(format!("/proc/{}/ns/pid_for_children", child.pid())));
    assert_ne!(found, child.namespace(Pid));
}

/// A bind mount in a mount namespace of its own, at a path with a blank.
fn with_bind_mount(script: Script, dir: &Dir) -> Child {
    script
        .unshare([Mnt])
        .mount("tmpfs", dir, "")
        .in_new(Uts, |inside| inside.note("uts", Uts).bind_namespace(Uts, dir.join("name space")))
        .mkfifo(dir.join("fifo"))
        .symlink("name space", dir.join("link"))
        .spawn()
        .unwrap()
}

fn check_bind_mounts(child: &Child, dir: &Dir) {
    let place = Box::new(Reference::Process(child.pid(), Mnt));
    let reference = Reference::PathIn(place.clone(), dir.join("name space"));
    assert_eq!(id_at(&reference), child.noted("uts"));
    assert!(matches!(
        NamespaceFd::open_as(&reference, Net),
        Err(Error::WrongType { expected: Net, .. })
    ));
    let link = Reference::PathIn(place.clone(), dir.join("link"));
    assert_eq!(id_at(&link), child.noted("uts"));
    let fifo = Reference::PathIn(place.clone(), dir.join("fifo"));
    assert!(matches!(NamespaceFd::open(&fifo), Err(Error::NotNamespace { .. })));
    let missing = Reference::PathIn(place, dir.join("missing"));
    assert!(NamespaceFd::open(&missing).unwrap_err().is_gone());
    let outside = Reference::Path(dir.join("name space"));
    assert!(NamespaceFd::open(&outside).unwrap_err().is_gone());
}

#[test]
fn a_bind_mount_in_another_mount_namespace_is_opened_from_outside() {
    need!(root);
    let dir = Dir::new().unwrap();
    check_bind_mounts(&with_bind_mount(Script::new(), &dir), &dir);
}

#[test]
fn an_owner_opens_a_bind_mount_without_privileges() {
    need!(userns);
    let dir = Dir::new().unwrap();
    check_bind_mounts(&with_bind_mount(Script::new().user_namespace(), &dir), &dir);
}

#[test]
fn what_is_no_namespace_is_refused_without_waiting() {
    let dir = Dir::new().unwrap();
    let _child = Script::new().mkfifo(dir.join("fifo")).touch(dir.join("file")).spawn().unwrap();
    for name in ["fifo", "file", ""] {
        let error = NamespaceFd::at_path(dir.join(name)).unwrap_err();
        assert!(matches!(error, Error::NotNamespace { .. }), "{error}");
    }
    assert!(NamespaceFd::at_path(dir.join("missing")).unwrap_err().is_gone());
    let file = std::fs::File::open(dir.join("file")).unwrap();
    let error = NamespaceFd::from_fd(file.into()).unwrap_err();
    assert!(matches!(error, Error::NotNamespace { .. }), "{error}");
    let (flags, mode) = (rustix::fs::OFlags::PATH, rustix::fs::Mode::empty());
    let mere_place = rustix::fs::open("/proc/self/ns/net", flags, mode).unwrap();
    let error = NamespaceFd::from_fd(mere_place).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::BADF), "{error}");
}

#[test]
fn relations_lead_up_to_where_there_are_none() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .unshare([Net, Pid])
        .fork("inside", Script::new())
        .spawn()
        .unwrap();
    let net = NamespaceFd::of_process(child.pid(), Net).unwrap();
    let user = net.owner().unwrap();
    assert_eq!(user.id(), child.namespace(User));
    assert_eq!(user.creator().unwrap(), Uid(rustix::process::geteuid().as_raw()));
    let parent = user.parent().unwrap();
    assert_eq!(parent.id(), own_namespace(User));
    assert_eq!(user.owner().unwrap().id(), parent.id());
    let pid = NamespaceFd::of_process(child.pid_of("inside"), Pid).unwrap();
    assert_eq!(pid.parent().unwrap().id(), own_namespace(Pid));
    assert_eq!(pid.owner().unwrap().id(), user.id());

    // Flat types have no parent, and only user namespaces have a creator.
    for error in [net.parent().unwrap_err(), net.creator().unwrap_err()] {
        assert!(error.is_none() && !error.is_denied(), "{error}");
    }
    for ns_type in [User, Pid] {
        let own = NamespaceFd::of_self(ns_type).unwrap();
        let error = own.parent().unwrap_err();
        let is_initial = own.id().inode() == ns_type.initial_inode();
        assert_eq!(error.is_none(), is_initial, "{error}");
        assert_eq!(error.is_denied(), !is_initial, "{error}");
    }
}

#[test]
fn a_kept_reference_is_opened_later_with_all_facts_verified() {
    need!(userns);
    let child = Script::new().user_namespace().unshare([Net, Uts]).spawn().unwrap();
    let pid = child.pid();
    let kept = Portable::of_process(pid, Net).unwrap();
    assert_eq!(kept.inode, Some(child.namespace(Net).inode()));
    assert!(kept.start_time.is_some());
    let opened = kept.open().unwrap();
    assert_eq!(opened.id(), child.namespace(Net));

    let mut with_path = kept.clone();
    with_path.path = Some(format!("/proc/{pid}/ns/net").into());
    assert_eq!(with_path.open().unwrap().id(), opened.id());

    let refused = |change: &dyn Fn(&mut Portable)| {
        let mut changed = kept.clone();
        change(&mut changed);
        changed.open().unwrap_err()
    };
    let fact_of = |error: &Error| match error {
        Error::Differs { fact, .. } => Some(*fact),
        _ => None,
    };
    // A PID that belongs to another process now.
    let error = refused(&|changed| changed.start_time = changed.start_time.map(|time| time + 1));
    assert_eq!(fact_of(&error), Some(Fact::StartTime), "{error}");
    // The process has moved on to another namespace.
    let error = refused(&|changed| changed.inode = changed.inode.map(|inode| inode + 1));
    assert_eq!(fact_of(&error), Some(Fact::Inode), "{error}");
    let error = refused(&|changed| changed.path = Some("/proc/self/ns/net".into()));
    assert_eq!(fact_of(&error), Some(Fact::Path), "{error}");
    let (own, other) = (own_namespace(Net), child.namespace(Net));
    assert_eq!(error.to_string(), format!("namespace at the path is {own}, not {other}"));
    let error = refused(&|changed| changed.path = Some(format!("/proc/{pid}/ns/uts").into()));
    assert!(matches!(error, Error::WrongType { expected: Net, .. }), "{error}");
    let error = refused(&|changed| changed.unique_id = Some(1));
    match NamespaceFd::of_self(Net).unwrap().unique_id() {
        Ok(_) => assert_eq!(fact_of(&error), Some(Fact::UniqueId), "{error}"),
        Err(_) => {
            assert!(matches!(error, Error::Unverifiable { fact: Fact::UniqueId, .. }), "{error}")
        }
    }

    drop(child);
    let error = kept.open().unwrap_err();
    assert!(error.is_gone(), "{error}");
    assert!(matches!(error, Error::Open { .. }), "{error}");
    // What is held open stays what it is.
    assert_eq!(opened.owner().unwrap().id().namespace_type(), User);
}

#[test]
fn a_namespace_in_the_place_of_another_is_not_taken_for_it() {
    need!(root);
    let dir = Dir::new().unwrap();
    let place = dir.join("uts");
    let bind = |script: Script| script.in_new(Uts, |inside| inside.bind_namespace(Uts, &place));
    let mut child = bind(Script::new().private_mount_point(&dir))
        .pause()
        .unmount(&place)
        .remove(&place)
        .in_new(Uts, |inside| inside.bind_namespace(Uts, &place))
        .spawn()
        .unwrap();
    let kept = Portable::at_path(&place).unwrap();
    assert_eq!(kept.open().unwrap().id().namespace_type(), Uts);
    child.proceed().unwrap();
    let now = NamespaceFd::at_path(&place).unwrap();
    // Inodes are reused at once, mostly.
    let expected = match (Some(now.id().inode()) == kept.inode, kept.unique_id) {
        (false, _) => Fact::Inode,
        (true, Some(_)) => Fact::UniqueId,
        // Nothing could tell them apart.
        (true, None) => return,
    };
    let error = kept.open().unwrap_err();
    assert!(matches!(error, Error::Differs { fact, .. } if fact == expected), "{error}");
}

#[test]
fn a_kept_64_bit_id_leads_to_its_namespace() {
    need!(root, initpidns, nshandles);
    let child = Script::new().unshare([Uts]).spawn().unwrap();
    let kept = Portable::of(&NamespaceFd::of_process(child.pid(), Uts).unwrap());
    assert_eq!((kept.pid, &kept.path), (None, &None));
    assert_eq!(kept.open().unwrap().id(), child.namespace(Uts));
    drop(child);
    assert!(kept.open().unwrap_err().is_gone());
}

#[test]
fn what_is_expected_is_verified() {
    let own = || OwnedFd::from(NamespaceFd::of_self(Uts).unwrap());
    let id = own_namespace(Uts);
    assert_eq!(NamespaceFd::expecting(own(), id).unwrap().id(), id);
    let other = NamespaceId::new(Uts, id.inode() + 1).unwrap();
    for wrong in [other, own_namespace(Net)] {
        let error = NamespaceFd::expecting(own(), wrong).unwrap_err();
        assert!(matches!(error, Error::OtherNamespace { .. }), "{error}");
    }
    let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let error = NamespaceFd::expecting(file, id).unwrap_err();
    assert!(matches!(error, Error::NotNamespace { .. }), "{error}");
}

#[test]
fn threads_share_their_files_or_not() {
    let child = Script::new()
        .thread("sharing", Script::new())
        .thread("alone", Script::new().unshare_fd_table())
        .spawn()
        .unwrap();
    let shares = |label| pidfd::share_files(child.pid(), child.pid_of(label)).unwrap();
    assert!(shares("sharing"));
    assert!(!shares("alone"));
    let gone = lxkns_species::Pid(u32::MAX >> 1);
    assert!(pidfd::share_files(child.pid(), gone).unwrap_err().is_gone());
}
