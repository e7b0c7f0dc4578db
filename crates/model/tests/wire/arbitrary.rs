//! Arbitrary snapshots: all that facts can say, sensible or not.

use std::time::{Duration, SystemTime};

use lxkns_model::{
    Cmdline, Counts, Details, Engine, Evidence, Facts, FileKind, Gap, Holder, Host, IdMapping,
    Joined, Missing, MountFacts, MountKind, NamespaceFacts, Part, ProcessFacts, Reason, Relation,
    Scope, Snapshot, Text, ThreadFacts, Voucher, WorkloadFacts, WorkloadKind,
};
use lxkns_species::{
    Capabilities, Capability, NamespaceId, NamespaceType, NamespaceTypes, Pid, Uid,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Any snapshot.
pub(crate) fn snapshot() -> impl Strategy<Value = Snapshot> {
    (facts(process()), vec(workload(), 0..4))
        .prop_map(|(facts, workloads)| Snapshot::assemble(Facts { workloads, ..facts }))
}

/// Any snapshot whose processes are either known or not: the lxkns format has zeros and empty
/// texts for what is unknown, which only mean that if all of them are.
pub(crate) fn snapshot_for_lxkns() -> impl Strategy<Value = Snapshot> {
    let process = process().prop_map(|mut process| {
        let text = |text: Option<Text>| text.filter(|text| !text.is_empty());
        process.comm = text(process.comm);
        process.cgroup = text(process.cgroup);
        if process.comm.is_none() {
            process.start_time = None;
        } else {
            process.start_time = process.start_time.or(Some(7));
            process.ppid = process.ppid.or(Some(Pid(0)));
        }
        // There is no place for them, and they say that a parent is in another PID namespace.
        process.pids = None;
        process
    });
    facts(process).prop_map(Snapshot::assemble)
}

fn facts(process: impl Strategy<Value = ProcessFacts>) -> impl Strategy<Value = Facts> {
    let lists =
        (vec(namespace(), 0..20), vec(process, 0..20), vec(mount(), 0..9), vec(gap(), 0..4));
    (host(), scope(), lists, counts()).prop_map(|(mut host, scope, lists, counts)| {
        let (namespaces, processes, mounts, gaps) = lists;
        if namespaces.is_empty() && processes.iter().all(|it| it.namespaces.is_empty()) {
            // It stands with each namespace.
            host.nsfs_device = None;
        }
        let workloads = Vec::new();
        Facts { host, scope, namespaces, processes, mounts, workloads, counts, gaps }
    })
}

fn id() -> impl Strategy<Value = NamespaceId> {
    select(NamespaceType::ALL.to_vec()).prop_flat_map(id_of)
}

/// Few of them, so that they meet; no inode for two types.
fn id_of(namespace_type: NamespaceType) -> impl Strategy<Value = NamespaceId> {
    let first = 1000 * (namespace_type.index() as u64 + 1);
    prop_oneof![
        9 => first..first + 9,
        1 => Just(namespace_type.initial_inode()),
        1 => Just(u64::MAX - first),
    ]
    .prop_map(move |inode| NamespaceId::new(namespace_type, inode).unwrap())
}

fn joined() -> impl Strategy<Value = Joined> {
    vec(id(), 0..9).prop_map(Joined::of)
}

fn pid() -> impl Strategy<Value = Pid> {
    prop_oneof![1u32..30, Just(u32::MAX)].prop_map(Pid)
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        "[a-z]{0,5}".prop_map(Text::from),
        any::<String>().prop_map(Text::from),
        vec(any::<u8>(), 0..6).prop_map(Text::from),
    ]
}

fn path() -> impl Strategy<Value = Text> {
    let below = |name: Text| {
        let mut path = b"/run/".to_vec();
        path.extend_from_slice(name.as_bytes());
        Text::from(path)
    };
    text().prop_map(below)
}

fn workload() -> impl Strategy<Value = WorkloadFacts> {
    let voucher = prop_oneof![
        Just(Voucher::Machine),
        Just(Voucher::Nobody),
        any::<u32>().prop_map(|uid| Voucher::User(Uid(uid)))
    ];
    let evidence = prop_oneof![
        text().prop_map(Evidence::Cgroup),
        text().prop_map(Evidence::File),
        pid().prop_map(Evidence::Supervisor),
    ];
    let kinds = (select(Engine::ALL.to_vec()), select(WorkloadKind::ALL.to_vec()));
    let texts = (of(text()), of(text()), of(text()), of(text()), of(text()));
    let rest = (vec(pid(), 0..4), of(pid()), vec(evidence, 0..3));
    (kinds, texts, voucher, rest).prop_map(|((engine, kind), texts, vouched_by, rest)| {
        let (id, name, image, pod, unit) = texts;
        let (processes, supervisor, evidence) = rest;
        let plain = WorkloadFacts::new(engine, kind);
        WorkloadFacts {
            id,
            name,
            image,
            pod,
            unit,
            vouched_by,
            processes,
            supervisor,
            evidence,
            ..plain
        }
    })
}

fn namespace() -> impl Strategy<Value = NamespaceFacts> {
    let relation = id().prop_flat_map(|id| {
        let same = id_of(id.namespace_type()).prop_map(Relation::Known);
        let user = id_of(NamespaceType::User);
        let parent = prop_oneof![same, Just(Relation::None), Just(Relation::Unknown)];
        (Just(id), parent, of(user))
    });
    let maps = (of(vec(mapping(), 0..3)), of(vec(mapping(), 0..3)));
    let creator = (of(any::<u32>()), of(text()));
    let facts = (of(any::<u64>()), of(any::<bool>()), vec(holder(), 0..5));
    (relation, maps, creator, facts).prop_map(
        |((id, parent, owner), (uid_map, gid_map), (creator, creator_name), facts)| {
            let (unique_id, initial, holders) = facts;
            NamespaceFacts {
                id,
                unique_id,
                initial,
                parent,
                owner,
                creator: creator.map(Uid),
                creator_name,
                uid_map,
                gid_map,
                holders,
            }
        },
    )
}

fn mapping() -> impl Strategy<Value = IdMapping> {
    any::<(u32, u32, u32)>().prop_map(|(inside, outside, count)| IdMapping {
        inside,
        outside,
        count,
    })
}

fn file_kind() -> impl Strategy<Value = FileKind> {
    prop_oneof![
        Just(FileKind::Namespace),
        Just(FileKind::Socket),
        Just(FileKind::Tun),
        any::<u64>().prop_map(|inode| FileKind::InFlight { inode }),
    ]
}

fn holder() -> impl Strategy<Value = Holder> {
    let mount = || (of(id_of(NamespaceType::Mnt)), path());
    let descriptor = || (pid(), of(pid()), any::<u32>());
    prop_oneof![
        (pid(), pid()).prop_map(|(pid, tid)| Holder::Thread { pid, tid }),
        (pid(), of(pid())).prop_map(|(pid, tid)| Holder::PendingChildren { pid, tid }),
        (file_kind(), descriptor()).prop_map(|(kind, (pid, tid, fd))| Holder::File {
            kind,
            pid,
            tid,
            fd
        }),
        (prop_oneof![Just(MountKind::Bind), Just(MountKind::Proc)], mount()).prop_map(
            |(kind, (mount_namespace, path))| Holder::Mount { kind, mount_namespace, path }
        ),
        Just(Holder::Unseen),
    ]
}

fn process() -> impl Strategy<Value = ProcessFacts> {
    let ids = (pid(), of((0u32..30).prop_map(Pid)), of(vec(pid(), 0..4)));
    let cmdline = (vec(text(), 0..3), any::<bool>());
    let texts = (of(text()), of(cmdline), of(text()));
    let times = (of(any::<u64>()), of(any::<char>()), any::<(bool, bool)>(), of(pid()));
    let credentials = (of(any::<u32>()), of(any::<u64>()));
    let threads = vec((pid(), of(text()), of(any::<u64>()), joined()), 0..3);
    (ids, texts, times, credentials, joined(), threads).prop_map(
        |(ids, texts, times, credentials, namespaces, threads)| ProcessFacts {
            pid: ids.0,
            ppid: ids.1,
            comm: texts.0,
            cmdline: texts.1.map(|(arguments, cut)| Cmdline { arguments, cut }),
            start_time: times.0,
            state: times.1,
            kernel_thread: times.2.0,
            exiting: times.2.1,
            file_table: times.3,
            euid: credentials.0.map(Uid),
            effective_capabilities: credentials.1.map(Capabilities::from_bits),
            pids: ids.2,
            cgroup: texts.2,
            namespaces,
            threads: threads
                .into_iter()
                .map(|(tid, comm, start_time, namespaces)| ThreadFacts {
                    tid,
                    comm,
                    start_time,
                    namespaces,
                })
                .collect(),
        },
    )
}

fn mount() -> impl Strategy<Value = MountFacts> {
    let numbers = (0u64..30, of(any::<u64>()), 0u64..30, any::<u64>());
    let groups = (of(any::<u64>()), of(any::<u64>()));
    (id_of(NamespaceType::Mnt), numbers, path(), text(), groups, of(id())).prop_map(
        |(mount_namespace, numbers, path, root, (peer_group, master), holds)| MountFacts {
            mount_namespace,
            id: numbers.0,
            unique_id: numbers.1,
            parent: numbers.2,
            path,
            device: numbers.3,
            root,
            peer_group,
            master,
            holds,
        },
    )
}

fn gap() -> impl Strategy<Value = Gap> {
    let what = select(vec!["fds", "threads", "process-namespaces", "something new"]);
    let why = select(vec!["permission denied", "gone", "full moon"]);
    (what, why, any::<u64>(), vec(text(), 0..6)).prop_map(|(what, why, count, examples)| Gap {
        what: Missing::from(what),
        why: Reason::from(why),
        count,
        examples,
    })
}

fn counts() -> impl Strategy<Value = Counts> {
    any::<(u32, u32, u32)>().prop_map(|(read, unreadable, vanished)| {
        let [read, unreadable, vanished] = [read, unreadable, vanished].map(u64::from);
        Counts { listed: read + unreadable + vanished, read, unreadable, vanished }
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    let details = select(vec![Details::Nobody, Details::Leaders, Details::Everyone]);
    let types = subsequence(NamespaceType::ALL.to_vec(), 0..=8);
    let parts = subsequence(Part::ALL.to_vec(), 0..=Part::ALL.len());
    (types, parts, details).prop_map(|(types, parts, details)| Scope {
        types: NamespaceTypes::of(types),
        parts: parts.into_iter().collect(),
        details,
    })
}

fn host() -> impl Strategy<Value = Host> {
    // Up to the end of the year 9999.
    let time = (0u64..253_402_300_800, 0u32..1_000_000_000);
    let texts = (of(text()), of(any::<String>()), of(text()), of(any::<String>()));
    let scanner = (of(pid()), of(any::<u64>()), joined(), of(0u8..64));
    (texts, of(time), scanner, of(any::<u64>()), of(any::<String>())).prop_map(
        |(texts, time, scanner, nsfs_device, tier)| Host {
            name: texts.0,
            boot_id: texts.1,
            kernel: texts.2,
            taken_at: time.map(|(s, ns)| SystemTime::UNIX_EPOCH + Duration::new(s, ns)),
            tool: texts.3,
            tier,
            scanner_pid: scanner.0,
            scanner_capabilities: scanner.1.map(Capabilities::from_bits),
            scanner_namespaces: scanner.2,
            last_capability: scanner.3.and_then(Capability::new),
            nsfs_device,
        },
    )
}
