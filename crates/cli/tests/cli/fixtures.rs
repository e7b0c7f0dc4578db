//! Fixed snapshots of machines that were never there.

use lxkns_model::{
    Cmdline, Counts, Facts, Gap, Holder, Joined, Missing, NamespaceFacts, ProcessFacts, Reason,
    Relation, Snapshot, Text, ThreadFacts,
};
use lxkns_species::{Capabilities, Capability, NamespaceId, Pid, Uid};

/// All of them, by name.
pub(crate) fn all() -> [(&'static str, Snapshot); 4] {
    [
        ("small", small()),
        ("containers", containers()),
        ("restricted", restricted()),
        ("hostile", hostile()),
    ]
}

fn id(text: &str) -> NamespaceId {
    text.parse().unwrap()
}

const INITIAL: [&str; 8] = [
    "cgroup:[4026531835]",
    "ipc:[4026531839]",
    "mnt:[4026531832]",
    "net:[4026531833]",
    "pid:[4026531836]",
    "time:[4026531834]",
    "user:[4026531837]",
    "uts:[4026531838]",
];

const SESSION: &str = "/user.slice/user-1000.slice/session-1.scope";
const ALL: Capabilities = Capabilities::from_bits(0x1ff_ffff_ffff);

/// The initial namespaces, with the given ones in place of those of the same types.
fn joined(others: &[&str]) -> Joined {
    Joined::of(INITIAL.iter().chain(others).map(|text| id(text)))
}

fn namespace(text: &str) -> NamespaceFacts {
    NamespaceFacts::new(id(text))
}

fn owned(text: &str, owner: &str) -> NamespaceFacts {
    NamespaceFacts {
        owner: Some(id(owner)),
        ..namespace(text)
    }
}

fn nested(text: &str, parent: &str, owner: &str) -> NamespaceFacts {
    NamespaceFacts {
        parent: Relation::Known(id(parent)),
        ..owned(text, owner)
    }
}

fn user(text: &str, parent: &str, creator: u32, name: &str) -> NamespaceFacts {
    NamespaceFacts {
        parent: Relation::Known(id(parent)),
        creator: Some(Uid(creator)),
        creator_name: (!name.is_empty()).then(|| Text::from(name)),
        ..namespace(text)
    }
}

fn process(pid: u32, ppid: u32, comm: &[u8], cgroup: &str, others: &[&str]) -> ProcessFacts {
    ProcessFacts {
        ppid: Some(Pid(ppid)),
        comm: Some(Text::from(comm)),
        start_time: Some(u64::from(pid) * 10),
        euid: Some(Uid(0)),
        effective_capabilities: Some(ALL),
        pids: Some(vec![Pid(pid)]),
        cgroup: Some(Text::from(cgroup)),
        namespaces: joined(others),
        ..ProcessFacts::new(Pid(pid))
    }
}

fn arguments(arguments: &[&str]) -> Option<Cmdline> {
    Some(Cmdline {
        arguments: arguments.iter().map(|text| Text::from(*text)).collect(),
        cut: false,
    })
}

fn pids(pids: &[u32]) -> Option<Vec<Pid>> {
    Some(pids.iter().copied().map(Pid).collect())
}

/// A machine with the initial namespaces, scanned from there by root.
fn machine() -> Facts {
    let mut facts = Facts::default();
    facts.host.name = Some("machine".into());
    facts.host.scanner_pid = Some(Pid(900));
    facts.host.scanner_capabilities = Some(ALL);
    facts.host.scanner_namespaces = joined(&[]);
    facts.host.last_capability = Capability::new(40);
    for text in INITIAL {
        let root = id("user:[4026531837]");
        let is_root = id(text) == root;
        facts.namespaces.push(NamespaceFacts {
            initial: Some(true),
            parent: Relation::None,
            owner: (!is_root).then_some(root),
            creator: is_root.then_some(Uid(0)),
            creator_name: is_root.then(|| "root".into()),
            ..namespace(text)
        });
    }
    facts
}

/// One user with one user namespace, and a network namespace that is only mounted.
pub(crate) fn small() -> Snapshot {
    let mut facts = machine();
    facts
        .namespaces
        .push(user("user:[4026532177]", "user:[4026531837]", 1000, "jo"));
    facts.namespaces.push(NamespaceFacts {
        holders: vec![Holder::BindMount {
            mount_namespace: Some(id("mnt:[4026531832]")),
            path: "/run/x".into(),
        }],
        ..owned("net:[4026532180]", "user:[4026532177]")
    });
    let bash = ProcessFacts {
        euid: Some(Uid(1000)),
        effective_capabilities: Some(Capabilities::NONE),
        ..process(811, 1, b"bash", SESSION, &["user:[4026532177]"])
    };
    let shell = ProcessFacts {
        euid: Some(Uid(1000)),
        effective_capabilities: Some(Capabilities::NONE),
        ..process(810, 1, b"bash", SESSION, &[])
    };
    facts.processes = vec![process(1, 0, b"systemd", "/init.scope", &[]), shell, bash];
    facts.counts = Counts {
        listed: 3,
        read: 3,
        ..Counts::default()
    };
    Snapshot::assemble(facts)
}

/// A container with an own user namespace, one within it, one that others have entered, and
/// namespaces that are held in all the ways there are.
pub(crate) fn containers() -> Snapshot {
    let mut facts = machine();
    let root = "user:[4026531837]";
    let remapped = "user:[4026532200]";
    let inner = "user:[4026532300]";
    let outer_pid = "pid:[4026532202]";
    let inner_pid = "pid:[4026532302]";
    let mnt = "mnt:[4026532201]";
    let (outer_net, inner_net) = ("net:[4026532203]", "net:[4026532303]");
    let hidden = "user:[4026532250]";
    let own_mnt = || Some(id("mnt:[4026531832]"));
    let (pid, fd) = (Pid(800), 7);
    let held = |text: &str, holder: Holder| NamespaceFacts {
        holders: vec![holder],
        ..owned(text, root)
    };
    facts.namespaces.extend([
        user(remapped, root, 100_000, ""),
        user(hidden, remapped, 100_000, ""),
        user(inner, hidden, 101_000, ""),
        owned(mnt, remapped),
        nested(outer_pid, INITIAL[4], remapped),
        owned(outer_net, remapped),
        nested(inner_pid, outer_pid, inner),
        owned(inner_net, inner),
        held("net:[4026532401]", Holder::Fd { pid, tid: None, fd }),
        held("net:[4026532402]", Holder::Socket { pid, tid: None, fd }),
        held("net:[4026532403]", Holder::Tun { pid, tid: None, fd }),
        held("net:[4026532404]", Holder::Unseen),
        held(
            "net:[4026532405]",
            Holder::BindMount {
                mount_namespace: Some(id(mnt)),
                path: "/run/netns/blue".into(),
            },
        ),
        held(
            "time:[4026532406]",
            Holder::PendingChildren { pid, tid: None },
        ),
        NamespaceFacts {
            parent: Relation::Known(id(INITIAL[4])),
            ..held(
                "pid:[4026532407]",
                Holder::ProcMount {
                    mount_namespace: own_mnt(),
                    path: "/mnt/proc".into(),
                },
            )
        },
    ]);
    let container = format!("/docker/{}", "0123456789abcdef".repeat(4));
    let in_outer = [remapped, mnt, outer_pid, outer_net];
    let in_inner = [inner, mnt, inner_pid, inner_net];
    let server = ProcessFacts {
        cmdline: arguments(&["/usr/sbin/server", "--all"]),
        threads: vec![ThreadFacts {
            tid: Pid(805),
            comm: Some("worker".into()),
            start_time: Some(8050),
            namespaces: joined(&["net:[4026532408]"]),
        }],
        ..process(800, 1, b"server", "/system.slice/server.service", &[])
    };
    facts.namespaces.push(owned("net:[4026532408]", root));
    facts.processes = vec![
        process(1, 0, b"systemd", "/init.scope", &[]),
        ProcessFacts {
            kernel_thread: true,
            cmdline: arguments(&[]),
            ..process(2, 0, b"kthreadd", "/", &[])
        },
        server,
        process(
            300,
            1,
            b"containerd-shim",
            "/system.slice/containerd.service",
            &[],
        ),
        ProcessFacts {
            cmdline: arguments(&["/sbin/init"]),
            euid: Some(Uid(100_000)),
            pids: pids(&[301, 1]),
            ..process(301, 300, b"init", &container, &in_outer)
        },
        ProcessFacts {
            euid: Some(Uid(101_000)),
            pids: pids(&[310, 7, 1]),
            ..process(
                310,
                301,
                b"dockerd",
                &format!("{container}/inner"),
                &in_inner,
            )
        },
        ProcessFacts {
            euid: Some(Uid(101_000)),
            pids: pids(&[311, 8, 2]),
            ..process(311, 310, b"job", &format!("{container}/inner"), &in_inner)
        },
        process(500, 1, b"nsenter", SESSION, &in_outer[1..2]),
        ProcessFacts {
            pids: pids(&[501, 20]),
            ..process(501, 500, b"sh", SESSION, &in_outer[1..])
        },
    ];
    facts.counts = Counts {
        listed: 9,
        read: 9,
        ..Counts::default()
    };
    Snapshot::assemble(facts)
}

/// What an ordinary user sees: most processes not at all, parents and owners beyond reach.
pub(crate) fn restricted() -> Snapshot {
    let mut facts = Facts::default();
    facts.host.scanner_pid = Some(Pid(811));
    facts.host.scanner_capabilities = Some(Capabilities::NONE);
    facts.host.scanner_namespaces = joined(&["user:[4026532500]"]);
    facts.host.last_capability = Capability::new(40);
    let cut_off = |text: &str| NamespaceFacts {
        parent: Relation::Unknown,
        ..namespace(text)
    };
    facts.namespaces = vec![
        cut_off("user:[4026532500]"),
        cut_off("user:[4026532600]"),
        NamespaceFacts {
            creator: None,
            ..user("user:[4026532601]", "user:[4026532600]", 0, "")
        },
        cut_off("pid:[4026531836]"),
        nested("pid:[4026532602]", "pid:[4026531836]", "user:[4026532601]"),
        namespace("net:[4026531833]"),
        owned("net:[4026532603]", "user:[4026532601]"),
    ];
    let unread = |pid, ppid, comm| ProcessFacts {
        ppid: Some(Pid(ppid)),
        comm: Some(Text::from(comm)),
        start_time: Some(u64::from(pid)),
        ..ProcessFacts::new(Pid(pid))
    };
    let own = ["user:[4026532500]", "pid:[4026531836]", "net:[4026531833]"];
    facts.processes = vec![
        ProcessFacts {
            pids: pids(&[1]),
            ..unread(1, 0, "systemd")
        },
        unread(2, 0, "kthreadd"),
        unread(20, 2, "kworker/0:1"),
        ProcessFacts {
            pids: pids(&[700]),
            ..unread(700, 1, "sshd")
        },
        unread(750, 1, "runc"),
        ProcessFacts {
            pids: pids(&[760, 1]),
            namespaces: Joined::of([id("pid:[4026532602]"), id("user:[4026532601]")]),
            ..unread(760, 750, "sleep")
        },
        ProcessFacts {
            namespaces: Joined::of(own.map(id)),
            effective_capabilities: None,
            euid: Some(Uid(1000)),
            ..process(811, 700, b"bash", SESSION, &[])
        },
        ProcessFacts {
            comm: None,
            cgroup: None,
            namespaces: Joined::of(own.map(id)),
            euid: None,
            ..process(812, 811, b"", "", &[])
        },
    ];
    facts.counts = Counts {
        listed: 8,
        read: 3,
        unreadable: 5,
        vanished: 0,
    };
    facts.gaps = vec![
        Gap {
            what: Missing::ProcessNamespaces,
            why: Reason::Denied,
            count: 5,
            examples: vec!["pid 1".into(), "pid 2".into()],
        },
        Gap {
            what: Missing::Fds,
            why: Reason::Denied,
            count: 5,
            examples: vec![],
        },
        Gap {
            what: Missing::Owners,
            why: Reason::Denied,
            count: 2,
            examples: vec!["net:[4026531833]".into()],
        },
    ];
    Snapshot::assemble(facts)
}

/// Names that would like to be something else.
pub(crate) fn hostile() -> Snapshot {
    let mut facts = machine();
    facts.namespaces.extend([
        NamespaceFacts {
            creator_name: Some(Text::from(&b"jo\"\x1b]0;title\x07"[..])),
            ..user("user:[4026532177]", "user:[4026531837]", 1000, "")
        },
        NamespaceFacts {
            holders: vec![Holder::BindMount {
                mount_namespace: None,
                path: "/run/a b\\\n└─ user:[1] process \"fake\" (1)".into(),
            }],
            ..owned("net:[4026532180]", "user:[4026532177]")
        },
        NamespaceFacts {
            holders: vec![Holder::Fd {
                pid: Pid(4_194_303),
                tid: Some(Pid(4_194_302)),
                fd: u32::MAX,
            }],
            ..owned("uts:[4026532181]", "user:[4026532177]")
        },
    ]);
    let bidi = "\u{202e}hsab\u{2066}\u{200b}";
    facts.processes = vec![
        process(
            1,
            0,
            b"\x1b[2J\x1b[31mred",
            "/init.scope\r\nINJECTED LINE",
            &[],
        ),
        process(700, 1, "日本語 ".as_bytes(), "/größe/\u{9b}31m\u{85}", &[]),
        process(
            811,
            700,
            bidi.as_bytes(),
            "/a\\x2db",
            &["user:[4026532177]"],
        ),
        process(
            812,
            811,
            b"\xff\xfe\x9b31m",
            "/x",
            &["user:[4026532177]", "net:[18446744073709551615]"],
        ),
        process(
            813,
            811,
            b"\" (1) created by \"",
            "",
            &["user:[4026532177]"],
        ),
        ProcessFacts {
            threads: vec![ThreadFacts {
                tid: Pid(815),
                comm: Some("t\thread\0".into()),
                start_time: None,
                namespaces: joined(&["ipc:[4026532182]", "user:[4026532177]"]),
            }],
            ..process(814, 811, b"", "/", &["user:[4026532177]"])
        },
    ];
    facts.counts = Counts {
        listed: 6,
        read: 6,
        ..Counts::default()
    };
    facts.gaps = vec![Gap {
        what: Missing::Other("a\u{1b}[1mgap".into()),
        why: Reason::Other("w\nhy".into()),
        count: 1,
        examples: vec![Text::from(&b"\x07\xff"[..])],
    }];
    Snapshot::assemble(facts)
}
