//! Namespaces of processes: the own ones, nested ones, their leaders; odd names, and the dead.

use lxkns_discover::{Bpf, Options, Tier};
use lxkns_it::{assert_held, assert_hidden, assert_owner, everywhere, scan_with};
use lxkns_model::{IdMapping, Relation, Snapshot};
use lxkns_nstest::{Child, IdMap, Script, namespace_of, need, own_namespace};
use lxkns_species::NamespaceType::{self, Ipc, Net, Pid, User, Uts};
use lxkns_species::{NamespaceId, Pid as ProcessId, Uid};
use rustix::process::{Signal, kill_process};

fn own_pid() -> ProcessId {
    ProcessId(std::process::id())
}

/// The types that this kernel has.
fn types() -> impl Iterator<Item = NamespaceType> {
    NamespaceType::ALL
        .into_iter()
        .filter(|ns_type| std::path::Path::new("/proc/self").join(ns_type.proc_file()).exists())
}

#[test]
fn the_own_process_is_in_its_namespaces() {
    everywhere(|snapshot| {
        let own = snapshot.process(own_pid()).unwrap();
        let joined: Vec<NamespaceId> = own.joined().iter().collect();
        let expected: Vec<NamespaceId> =
            types().map(|ns_type| namespace_of(own_pid(), ns_type)).collect();
        assert_eq!(joined, expected);
        for id in joined {
            let namespace = snapshot.namespace(id).unwrap();
            assert!(!namespace.is_hidden());
            assert!(namespace.processes().any(|process| process == own));
            if id.inode() == id.namespace_type().initial_inode() {
                assert_eq!(namespace.is_initial(), Some(true), "{id}");
            }
        }
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let start_time = fields.split(' ').nth(19).unwrap().parse().unwrap();
        assert_eq!(own.start_time(), Some(start_time));
    });
}

#[test]
fn the_initial_namespaces_are_those_of_the_kernel() {
    need!(root, initpidns);
    everywhere(|snapshot| {
        for ns_type in types() {
            let kernels = namespace_of(ProcessId(2), ns_type);
            let initial: Vec<NamespaceId> = snapshot
                .namespaces_of(ns_type)
                .filter(|namespace| namespace.is_initial() == Some(true))
                .map(|namespace| namespace.id())
                .collect();
            assert_eq!(initial, [kernels]);
            let initial = snapshot.initial(ns_type).unwrap();
            let root = snapshot.initial(User).unwrap();
            match ns_type {
                User => assert_eq!(initial.parent(), Relation::None),
                _ => assert_owner(initial, root.id()),
            }
        }
        assert_eq!(
            snapshot.initial(Pid).unwrap().parent(),
            Relation::None,
            "of the initial PID namespace"
        );
    });
}

#[test]
fn a_user_namespace_with_processes_only_below_is_hidden() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .note("middle", User)
        .user_namespace()
        .unshare([Net])
        .spawn()
        .unwrap();
    let inner = child.namespace(User);
    everywhere(|snapshot| {
        let middle = snapshot.namespace(child.noted("middle")).unwrap();
        assert_hidden(middle, snapshot);
        assert_eq!(middle.processes().len(), 0);
        assert_owner(middle, own_namespace(User));
        let children: Vec<NamespaceId> = middle.children().map(|child| child.id()).collect();
        assert_eq!(children, [inner]);
        let creator = Uid(rustix::process::geteuid().as_raw());
        assert_eq!(middle.creator(), Some(creator));

        let inner = snapshot.namespace(inner).unwrap();
        assert!(!inner.is_hidden());
        assert_eq!(inner.creator(), Some(creator));
        assert_eq!(inner.parent(), Relation::Known(middle));
        let net = snapshot.namespace(child.namespace(Net)).unwrap();
        assert_eq!(net.owner(), Some(inner));
        assert!(inner.owned().any(|owned| owned == net));
    });
}

#[test]
fn a_user_namespace_that_only_owns_is_hidden() {
    need!(userns);
    // The fd holds the network namespace, and that its owner.
    let child = Script::new()
        .in_new(User, |user| {
            user.note("user", User).unshare([Net]).note("net", Net).open_namespace(Net, 3)
        })
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        let user = snapshot.namespace(child.noted("user")).unwrap();
        assert_hidden(user, snapshot);
        assert_owner(user, own_namespace(User));
        let owned: Vec<NamespaceId> = user.owned().map(|owned| owned.id()).collect();
        assert_eq!(owned, [child.noted("net")]);
    });
}

#[test]
fn creators_are_known_by_name() {
    need!(root);
    let child = Script::new().become_user(65534, 65534).user_namespace().spawn().unwrap();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&"65534"))
        .map(|fields| fields[0].to_owned());
    everywhere(|snapshot| {
        let user = snapshot.namespace(child.namespace(User)).unwrap();
        assert_eq!(user.creator(), Some(Uid(65534)));
        let found = user.creator_name().and_then(|name| name.to_str());
        assert_eq!(found, name.as_deref());
        let maps = [user.uid_map(), user.gid_map()].map(|map| {
            let line = map.unwrap()[0];
            (line.inside, line.outside, line.count)
        });
        assert_eq!(maps, [(0, 65534, 1); 2]);
    });
}

#[test]
fn pid_namespaces_nest_and_every_process_has_a_pid_in_each() {
    need!(userns);
    let inner =
        Script::new().unshare([Pid]).fork("innermost", Script::new().fork("second", Script::new()));
    let child = Script::new().user_namespace().unshare([Pid]).fork("inner", inner).spawn().unwrap();
    let pid_ns = |label: &str| child.namespace_of(label, Pid);
    everywhere(|snapshot| {
        let pids = |label: &str| -> Vec<u32> {
            let process = snapshot.process(child.pid_of(label)).unwrap();
            process.pids().unwrap().iter().map(|pid| pid.0).collect()
        };
        assert_eq!(pids("main"), [child.pid().0]);
        assert_eq!(pids("inner"), [child.pid_of("inner").0, 1]);
        let second = pids("second");
        assert_eq!(second.len(), 3);
        assert_eq!((second[0], second[2]), (child.pid_of("second").0, 2));

        let innermost = snapshot.namespace(pid_ns("innermost")).unwrap();
        let above: Vec<NamespaceId> = innermost.ancestors().map(|above| above.id()).collect();
        assert_eq!(above[..2], [pid_ns("inner"), own_namespace(Pid)]);
        assert_owner(innermost, child.namespace(User));
        let members: Vec<ProcessId> = innermost.processes().map(|member| member.pid()).collect();
        assert_eq!(
            members,
            [child.pid_of("innermost"), child.pid_of("second")],
            "members of {innermost:?}"
        );
    });
}

/// A process tree of which some have left a network namespace, and others have visited it.
fn leaders_and_visitors() -> Child {
    let worker = Script::new().fork("worker", Script::new());
    let visitor = Script::new().setns(3, Net).fork("visitor's child", Script::new());
    Script::new()
        .user_namespace()
        .fork("elder", Script::new())
        .unshare([Net])
        .open_namespace(Net, 3)
        .fork("service", worker)
        .fork("stranger", Script::new().unshare([Net]).fork("visitor", visitor))
        .spawn()
        .unwrap()
}

#[test]
fn leaders_are_those_whose_parents_are_elsewhere() {
    need!(userns);
    let child = leaders_and_visitors();
    let leaders = |snapshot: &Snapshot, id: NamespaceId| -> Vec<ProcessId> {
        let namespace = snapshot.namespace(id).unwrap();
        assert!(!namespace.leaders_uncertain(), "{namespace:?}");
        let leaders: Vec<ProcessId> = namespace.leaders().map(|leader| leader.pid()).collect();
        assert_eq!(namespace.senior_leader().map(|leader| leader.pid()), leaders.first().copied());
        leaders
    };
    everywhere(|snapshot| {
        let net = child.namespace(Net);
        assert_eq!(leaders(snapshot, net), [child.pid(), child.pid_of("visitor")]);
        let members: Vec<ProcessId> =
            snapshot.namespace(net).unwrap().processes().map(|member| member.pid()).collect();
        let mut expected = ["main", "service", "worker", "visitor", "visitor's child"]
            .map(|label| child.pid_of(label));
        expected.sort();
        assert_eq!(members, expected);
        assert_eq!(
            leaders(snapshot, child.namespace_of("stranger", Net)),
            [child.pid_of("stranger")]
        );
        assert_eq!(leaders(snapshot, child.namespace(User)), [child.pid()]);
        let elder = snapshot.process(child.pid_of("elder")).unwrap();
        assert_eq!(elder.ppid(), Some(child.pid()));
        assert_eq!(elder.parent().unwrap().ppid(), Some(own_pid()));
    });
}

#[test]
fn names_of_any_kind_are_kept() {
    let names: [&[u8]; 5] =
        [b") R (1 2 3", b" \t\n a\n", b"\x1b[31mred\x07\\n", b"\xff\xfe:[1]", b""];
    for name in names {
        let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(name);
        let child = Script::new().fork("named", Script::new().name(name)).spawn().unwrap();
        everywhere(|snapshot| {
            let process = snapshot.process(child.pid_of("named")).unwrap();
            let comm = process.comm().unwrap().as_bytes();
            assert_eq!(comm, name.as_encoded_bytes());
            assert_eq!(process.ppid(), Some(child.pid()));
            assert_eq!(process.state(), Some('S'));
        });
    }
}

/// The PID 1 of a PID namespace cannot end before its processes have been waited for.
#[test]
fn a_first_process_that_waits_for_the_dead_is_ending() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .unshare([Pid])
        .fork("init", Script::new())
        .fork("dead", Script::new().exit())
        .spawn()
        .unwrap();
    let init = child.pid_of("init");
    kill_process(rustix::process::Pid::from_raw(init.0.cast_signed()).unwrap(), Signal::KILL)
        .unwrap();
    // It has let go of this before it waits.
    while std::fs::read_link(format!("/proc/{init}/ns/net")).is_ok() {
        std::thread::yield_now();
    }
    for bpf in [Bpf::On, Bpf::Off] {
        for tier in Tier::ALL {
            let snapshot = scan_with(&Options::everything().tier(tier).bpf(bpf));
            let process = snapshot.process(init).unwrap();
            assert!(process.is_exiting(), "{tier:?}, BPF {bpf:?}: {process:?}");
        }
    }
}

#[test]
fn a_zombie_is_known_as_far_as_it_goes() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .fork("zombie", Script::new().unshare([Net, Ipc, Uts]).exit())
        .spawn()
        .unwrap();
    everywhere(|snapshot| {
        let zombie = snapshot.process(child.pid_of("zombie")).unwrap();
        assert_eq!(zombie.state(), Some('Z'));
        assert_eq!(zombie.ppid(), Some(child.pid()));
        // These two stay until it is reaped, see proc_pid_ns(5).
        assert_eq!(zombie.joined().get(User), Some(child.namespace(User)));
        assert_eq!(zombie.joined().get(Pid), Some(own_namespace(Pid)));
        for gone in [Net, Ipc, Uts] {
            assert_eq!(zombie.joined().get(gone), None);
        }
        assert!(zombie.threads().is_empty());
        assert_held(snapshot, child.namespace(User), &[]);
    });
}

/// The kernel writes a map of IDs down a page at a time.
#[test]
fn a_long_map_of_ids_is_read_to_its_end() {
    need!(root);
    let child = Script::new().user_namespace_with(IdMap::Nothing).spawn().unwrap();
    let lines: String = (0..300).map(|id| format!("{} {} 1\n", id * 2, id * 3)).collect();
    for map in ["uid_map", "gid_map"] {
        std::fs::write(format!("/proc/{}/{map}", child.pid()), &lines).unwrap();
    }
    everywhere(|snapshot| {
        let user = snapshot.namespace(child.namespace(User)).unwrap();
        let last = IdMapping { inside: 598, outside: 897, count: 1 };
        for map in [user.uid_map(), user.gid_map()] {
            let map = map.unwrap();
            assert_eq!((map.len(), map.last()), (300, Some(&last)));
        }
    });
}
