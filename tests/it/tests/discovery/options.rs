//! What is asked for is what one gets, from every source.

use std::path::Path;

use lxkns_discover::{Bpf, Options};
use lxkns_it::scan_with;
use lxkns_model::{Details, FileKind, Holder, MountKind, Part, Relation, Snapshot, Text};
use lxkns_nstest::{Child, Dir, Script, need, own_namespace};
use lxkns_species::NamespaceType::{Mnt, Net, Pid, Time, User, Uts};
use lxkns_species::{NamespaceId, NamespaceTypes, Uid};

/// A child with one of everything, in its own user namespace.
struct OneOfAll {
    child: Child,
    dir: Dir,
}

impl OneOfAll {
    fn new() -> OneOfAll {
        let dir = Dir::new().unwrap();
        let middle = |script: Script| {
            script
                .note("middle", Mnt)
                .mount("tmpfs", &dir, "")
                .in_new(Net, |net| net.note("by mount", Net).bind_namespace(Net, dir.join("net")))
                .open_namespace(Mnt, 9)
        };
        let child = Script::new()
            .user_namespace()
            .unshare([Mnt])
            .mount("tmpfs", &dir, "")
            .in_new(Mnt, middle)
            .bind_fd(9, dir.join("middle"))
            .close(9)
            .in_new(Uts, |uts| uts.note("by fd", Uts).open_namespace(Uts, 3))
            .in_new(Net, |net| net.note("by socket", Net).tcp_socket(4))
            .thread("loner", Script::new().unshare([Net]))
            .unshare([Pid])
            .fork("first", Script::new().unshare([Mnt]).mount("proc", "/proc", ""))
            .spawn()
            .unwrap();
        OneOfAll { child, dir }
    }

    fn user(&self) -> NamespaceId {
        self.child.namespace(User)
    }

    fn fd(&self) -> Holder {
        let pid = self.child.pid();
        Holder::File { kind: FileKind::Namespace, pid, tid: None, fd: 3 }
    }

    fn socket(&self) -> Holder {
        let pid = self.child.pid();
        Holder::File { kind: FileKind::Socket, pid, tid: None, fd: 4 }
    }

    fn thread(&self) -> Holder {
        let pid = self.child.pid();
        let tid = self.child.pid_of("loner");
        Holder::Thread { pid, tid }
    }

    fn pending(&self) -> Holder {
        let pid = self.child.pid();
        Holder::PendingChildren { pid, tid: None }
    }

    fn mount(&self, mount_namespace: NamespaceId, path: impl AsRef<Path>) -> Holder {
        Holder::Mount {
            kind: MountKind::Bind,
            mount_namespace: Some(mount_namespace),
            path: Text::from(path.as_ref().as_os_str().as_encoded_bytes()),
        }
    }

    fn proc_mount(&self) -> Holder {
        Holder::Mount {
            kind: MountKind::Proc,
            mount_namespace: Some(self.child.namespace_of("first", Mnt)),
            path: Text::from("/proc"),
        }
    }

    /// Each thing that one source sees and no other: what is held, by what, and the source.
    fn sightings(&self) -> Vec<(NamespaceId, Holder, Part)> {
        let noted = |label: &str| self.child.noted(label);
        let of = |label: &str, ns_type| self.child.namespace_of(label, ns_type);
        let outer = self.child.namespace(Mnt);
        vec![
            (noted("by fd"), self.fd(), Part::Fds),
            (noted("by socket"), self.socket(), Part::Sockets),
            (of("loner", Net), self.thread(), Part::Threads),
            (of("first", Pid), self.pending(), Part::Threads),
            (of("first", Pid), self.proc_mount(), Part::Mounts),
            (noted("middle"), self.mount(outer, self.dir.join("middle")), Part::Mounts),
            (noted("by mount"), self.mount(noted("middle"), self.dir.join("net")), Part::Mounts),
        ]
    }
}

fn is_seen(snapshot: &Snapshot, id: NamespaceId, holder: &Holder) -> bool {
    snapshot.namespace(id).is_some_and(|namespace| namespace.holders().contains(holder))
}

#[test]
fn every_source_can_be_left_out() {
    need!(userns);
    let all = OneOfAll::new();
    for part in [Part::Threads, Part::Fds, Part::Sockets, Part::Mounts] {
        let snapshot = scan_with(&Options::everything().without(part));
        assert!(!snapshot.scope().parts.contains(part));
        for (id, holder, source) in all.sightings() {
            assert_eq!(
                is_seen(&snapshot, id, &holder),
                source != part,
                "{id} held by {holder:?} without {part}"
            );
        }
        let process = snapshot.process(all.child.pid()).unwrap();
        assert_eq!(process.threads().is_empty(), part == Part::Threads);
    }
}

#[test]
fn every_source_can_be_the_only_one() {
    need!(userns);
    let all = OneOfAll::new();
    for part in [Part::Fds, Part::Sockets] {
        let snapshot = scan_with(&Options::nothing().with(part));
        for (id, holder, source) in all.sightings() {
            assert_eq!(
                is_seen(&snapshot, id, &holder),
                source == part,
                "{id} held by {holder:?} with {part} only"
            );
        }
        for namespace in snapshot.namespaces() {
            assert_eq!(namespace.owner(), None);
            assert_eq!(namespace.parent().known(), None);
            assert_eq!(namespace.processes().len(), 0, "in {namespace:?}");
        }
        for process in snapshot.processes() {
            assert_eq!((process.cmdline(), process.cgroup()), (None, None));
            assert_eq!((process.euid(), process.effective_capabilities()), (None, None));
        }
    }
}

#[test]
fn relations_can_be_left_out() {
    need!(userns);
    let all = OneOfAll::new();
    let (pid, net) = (all.child.namespace_of("first", Pid), all.child.noted("by socket"));

    let snapshot = scan_with(&Options::everything().without(Part::Hierarchy));
    let namespace = snapshot.namespace(pid).unwrap();
    assert_eq!(namespace.parent(), Relation::Unknown);
    assert_eq!(namespace.owner().unwrap().id(), all.user());
    let user = snapshot.namespace(all.user()).unwrap();
    assert_eq!(user.parent(), Relation::Unknown);

    let snapshot = scan_with(&Options::everything().without(Part::Ownership));
    let namespace = snapshot.namespace(pid).unwrap();
    assert_eq!(namespace.parent().known().unwrap().id(), own_namespace(Pid));
    assert_eq!(namespace.owner(), None);
    assert_eq!(snapshot.namespace(net).unwrap().owner(), None);
    let user = snapshot.namespace(all.user()).unwrap();
    assert_eq!(user.parent().known().unwrap().id(), own_namespace(User));
    assert_eq!(user.creator(), None);
}

#[test]
fn types_are_filtered_from_every_source() {
    need!(userns);
    let all = OneOfAll::new();
    for wanted in [Net, Pid, Mnt, Uts, User, Time] {
        let types = NamespaceTypes::of([wanted]);
        let snapshot = scan_with(&Options::everything().types(types));
        for (id, holder, _) in all.sightings() {
            assert_eq!(
                is_seen(&snapshot, id, &holder),
                id.namespace_type() == wanted,
                "{id} held by {holder:?}, with {wanted} wanted"
            );
        }
        for namespace in snapshot.namespaces() {
            let ns_type = namespace.namespace_type();
            if ns_type != wanted {
                assert_eq!(ns_type, User, "with {wanted} wanted");
                assert!(namespace.is_hidden(), "{namespace:?}");
                assert!(namespace.owned().len() > 0, "{namespace:?}");
            }
        }
        for process in snapshot.processes() {
            let joined = process.joined().types();
            assert!(joined.iter().all(|ns_type| ns_type == wanted), "{process:?}");
        }
        let process = snapshot.process(all.child.pid()).unwrap();
        assert_eq!(process.threads().is_empty(), wanted != Net);
    }
}

/// A user namespace lives as long as anything that it owns, wherever that is.
#[test]
fn mere_owners_are_found_when_only_user_namespaces_are_wanted() {
    need!(userns);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(User, |user| {
            user.note("of mount", User).in_new(Net, |net| net.open_namespace(Net, 3))
        })
        .bind_fd(3, dir.join("net"))
        .close(3)
        .in_new(User, |user| user.note("of fd", User).in_new(Uts, |uts| uts.open_namespace(Uts, 3)))
        .in_new(User, |user| user.note("of socket", User).in_new(Net, |net| net.tcp_socket(4)))
        .spawn()
        .unwrap();
    let snapshot = scan_with(&Options::everything().types(NamespaceTypes::of([User])));
    for label in ["of mount", "of fd", "of socket"] {
        let owner = snapshot.namespace(child.noted(label));
        let owner = owner.unwrap_or_else(|| panic!("{label} is missing"));
        assert_eq!(owner.creator(), Some(Uid(rustix::process::geteuid().as_raw())));
        assert_eq!(owner.parent().known().unwrap().id(), child.namespace(User));
    }
    assert!(snapshot.namespaces().all(|found| found.namespace_type() == User));
}

#[test]
fn details_are_of_whom_they_are_wanted() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .fork("leader", Script::new().unshare([Uts]).fork("led", Script::new()))
        .spawn()
        .unwrap();
    let cases = [
        (Details::Nobody, [false, false]),
        (Details::Leaders, [true, false]),
        (Details::Everyone, [true, true]),
    ];
    for bpf in [Bpf::Off, Bpf::On] {
        for (details, expected) in cases {
            let snapshot = scan_with(&Options::everything().details(details).bpf(bpf));
            let known = ["leader", "led"].map(|label| {
                let process = snapshot.process(child.pid_of(label)).unwrap();
                assert_eq!(process.cmdline().is_some(), process.cgroup().is_some());
                process.cmdline().is_some()
            });
            assert_eq!(known, expected, "{details:?}, BPF {bpf:?}");
        }
        // Who leads, is a question of the types that are looked at.
        let some = Options::everything().types(NamespaceTypes::of([Net]));
        let snapshot = scan_with(&some.details(Details::Leaders).bpf(bpf));
        let leader = snapshot.process(child.pid_of("leader")).unwrap();
        assert_eq!(leader.cmdline(), None, "BPF {bpf:?}");
    }
    let snapshot = scan_with(&Options::everything());
    let process = snapshot.process(child.pid()).unwrap();
    let arguments: Vec<_> =
        process.cmdline().unwrap().arguments.iter().map(Text::as_bytes).collect();
    let own: Vec<_> = std::env::args_os().collect();
    let own: Vec<_> = own.iter().map(|argument| argument.as_encoded_bytes()).collect();
    assert_eq!(arguments, own);

    let without = Options::everything()
        .without(Part::Cmdline)
        .without(Part::Cgroup)
        .without(Part::Credentials);
    let snapshot = scan_with(&without);
    let process = snapshot.process(child.pid()).unwrap();
    assert_eq!((process.cmdline(), process.cgroup()), (None, None));
    assert_eq!((process.euid(), process.effective_capabilities()), (None, None));
}
