//! A snapshot that has something of everything, written down by hand.

use std::time::{Duration, SystemTime};

use lxkns_model::{
    Cmdline, Counts, Engine, Evidence, Facts, FileKind, Gap, Holder, Host, IdMapping, Joined,
    Missing, MountFacts, MountKind, NamespaceFacts, ProcessFacts, Reason, Relation, Scope,
    Snapshot, Text, ThreadFacts, Voucher, WorkloadFacts, WorkloadKind,
};
use lxkns_species::{Capabilities, Capability, NamespaceId, Pid, Uid};

pub(crate) fn id(text: &str) -> NamespaceId {
    text.parse().unwrap()
}

pub(crate) fn joined(ids: &[&str]) -> Joined {
    Joined::of(ids.iter().map(|text| id(text)))
}

/// The machine of the golden document of the native format.
pub(crate) fn snapshot() -> Snapshot {
    Snapshot::assemble(Facts {
        host: host(),
        scope: Scope::default(),
        namespaces: namespaces(),
        processes: processes(),
        mounts: mounts(),
        workloads: workloads(),
        counts: Counts { listed: 5, read: 2, unreadable: 2, vanished: 1 },
        gaps: vec![Gap {
            what: Missing::ProcessNamespaces,
            why: Reason::Denied,
            count: 2,
            examples: vec!["pid 3".into(), Text::from(b"pid \xff".to_vec())],
        }],
    })
}

fn host() -> Host {
    Host {
        name: Some("somewhere".into()),
        boot_id: Some("0e8a4bd7-41dd-4b1f-9c3c-3f1f3f4a7c55".into()),
        kernel: Some("6.18.2".into()),
        taken_at: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_920_800_250)),
        tool: Some("lxkns 0.1.0".into()),
        tier: Some("listns".into()),
        scanner_pid: Some(Pid(4000)),
        scanner_capabilities: Some(
            [Capability::SYS_PTRACE, Capability::SYS_ADMIN].into_iter().collect(),
        ),
        scanner_namespaces: joined(&["mnt:[4026531832]", "pid:[4026531836]"]),
        last_capability: Capability::new(40),
        nsfs_device: Some(4),
    }
}

fn workloads() -> Vec<WorkloadFacts> {
    vec![
        WorkloadFacts {
            id: Some("0123456789abcdef".repeat(4).into()),
            name: Some("web".into()),
            image: Some("localhost/nginx:1".into()),
            pod: Some("fedcba9876543210".repeat(4).into()),
            unit: Some("web.service".into()),
            vouched_by: Voucher::Machine,
            processes: vec![Pid(812)],
            supervisor: Some(Pid(1)),
            evidence: vec![
                Evidence::Cgroup("/libpod_parent/libpod-0123".into()),
                Evidence::File("/var/lib/containers/storage".into()),
                Evidence::Supervisor(Pid(1)),
            ],
            ..WorkloadFacts::new(Engine::Podman, WorkloadKind::Container)
        },
        WorkloadFacts {
            name: Some(Text::from(b"\xe9t\xe9".to_vec())),
            vouched_by: Voucher::User(Uid(1000)),
            ..WorkloadFacts::new(Engine::Lxc, WorkloadKind::Container)
        },
        WorkloadFacts::new(Engine::Other, WorkloadKind::Other),
    ]
}

fn mounts() -> Vec<MountFacts> {
    let mnt = id("mnt:[4026531832]");
    vec![
        MountFacts {
            unique_id: Some(4_294_969_001),
            path: "/run".into(),
            device: 26,
            root: "/".into(),
            peer_group: Some(12),
            ..MountFacts::new(mnt, 31, 29)
        },
        MountFacts {
            path: Text::from(b"/run/\xe9t\xe9".to_vec()),
            device: 4,
            root: "net:[4026532281]".into(),
            peer_group: Some(270),
            master: Some(12),
            holds: Some(id("net:[4026532281]")),
            ..MountFacts::new(mnt, 214, 31)
        },
    ]
}

fn namespaces() -> Vec<NamespaceFacts> {
    let range = |inside, outside, count| IdMapping { inside, outside, count };
    let (pid, fd) = (Pid(812), 9);
    let mount_namespace = Some(id("mnt:[4026531832]"));
    vec![
        NamespaceFacts {
            unique_id: Some(5990),
            initial: Some(false),
            owner: Some(id("user:[4026532270]")),
            holders: vec![
                Holder::File { kind: FileKind::Namespace, pid, tid: None, fd },
                Holder::File { kind: FileKind::Socket, pid, tid: Some(Pid(813)), fd },
                Holder::File { kind: FileKind::Tun, pid, tid: None, fd },
                Holder::Mount {
                    kind: MountKind::Bind,
                    mount_namespace,
                    path: Text::from(b"/run/\xe9t\xe9".to_vec()),
                },
                Holder::Unseen,
            ],
            ..NamespaceFacts::new(id("net:[4026532281]"))
        },
        NamespaceFacts {
            initial: Some(true),
            parent: Relation::None,
            creator: Some(Uid(0)),
            creator_name: Some("root".into()),
            uid_map: Some(vec![range(0, 0, u32::MAX)]),
            gid_map: Some(vec![range(0, 0, u32::MAX)]),
            ..NamespaceFacts::new(id("user:[4026531837]"))
        },
        NamespaceFacts {
            initial: Some(false),
            parent: Relation::Known(id("user:[4026531837]")),
            creator: Some(Uid(1000)),
            uid_map: Some(vec![]),
            ..NamespaceFacts::new(id("user:[4026532270]"))
        },
        NamespaceFacts {
            parent: Relation::Unknown,
            holders: vec![
                Holder::PendingChildren { pid, tid: None },
                Holder::Mount {
                    kind: MountKind::Proc,
                    mount_namespace: None,
                    path: "/srv/proc".into(),
                },
            ],
            ..NamespaceFacts::new(id("pid:[4026532290]"))
        },
    ]
}

fn processes() -> Vec<ProcessFacts> {
    vec![
        ProcessFacts {
            ppid: Some(Pid(0)),
            comm: Some("init".into()),
            cmdline: Some(Cmdline { arguments: vec!["/sbin/init".into(), "".into()], cut: true }),
            start_time: Some(3),
            state: Some('S'),
            euid: Some(Uid(0)),
            effective_capabilities: Some(Capabilities::NONE),
            pids: Some(vec![Pid(1)]),
            cgroup: Some("/init.scope".into()),
            namespaces: joined(&["user:[4026531837]", "net:[4026531833]"]),
            ..ProcessFacts::new(Pid(1))
        },
        ProcessFacts {
            ppid: Some(Pid(0)),
            comm: Some("kthreadd".into()),
            cmdline: Some(Cmdline::default()),
            start_time: Some(3),
            kernel_thread: true,
            ..ProcessFacts::new(Pid(2))
        },
        ProcessFacts::new(Pid(3)),
        ProcessFacts {
            ppid: Some(Pid(1)),
            comm: Some(Text::from(b"caf\xe9".to_vec())),
            cmdline: Some(Cmdline {
                arguments: vec!["serve".into(), Text::from(b"\xff\x00".to_vec())],
                cut: false,
            }),
            start_time: Some(4711),
            state: Some('R'),
            pids: Some(vec![Pid(812), Pid(7)]),
            namespaces: joined(&["user:[4026532270]", "net:[4026532281]"]),
            threads: vec![ThreadFacts {
                tid: Pid(813),
                comm: Some("worker".into()),
                start_time: Some(4712),
                namespaces: joined(&["net:[4026532282]"]),
            }],
            ..ProcessFacts::new(Pid(812))
        },
    ]
}
