//! Fixed snapshots of machines that were never there.

mod containers;
mod held;
mod hostile;
mod restricted;
mod small;

pub(crate) use containers::containers;
pub(crate) use held::held;
pub(crate) use hostile::hostile;
pub(crate) use restricted::restricted;
pub(crate) use small::small;

use lxkns_model::{Cmdline, Facts, Joined, NamespaceFacts, ProcessFacts, Relation, Snapshot, Text};
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
    NamespaceFacts { owner: Some(id(owner)), ..namespace(text) }
}

fn nested(text: &str, parent: &str, owner: &str) -> NamespaceFacts {
    NamespaceFacts { parent: Relation::Known(id(parent)), ..owned(text, owner) }
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
