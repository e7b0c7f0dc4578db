//! A machine of 5,000 processes and 2,000 namespaces, for the benches.

use lxkns_model::{
    Cmdline, Facts, FileKind, Holder, Joined, MountKind, NamespaceFacts, ProcessFacts, Relation,
};
use lxkns_species::{Capabilities, Capability, NamespaceId, NamespaceType, Pid, Uid};

/// Containers of eight namespaces and twenty processes each, on a host.
pub(crate) fn facts() -> Facts {
    const CONTAINERS: u64 = 250;
    const PROCESSES: u32 = 20;
    let id = |namespace_type: NamespaceType, container: u64| {
        let inode = 4_026_531_900 + 8 * container + namespace_type.index() as u64;
        NamespaceId::new(namespace_type, inode)
    };
    let mut facts = Facts::default();
    for container in 0..CONTAINERS {
        let ids: Vec<_> = NamespaceType::ALL
            .into_iter()
            .filter_map(|namespace_type| id(namespace_type, container))
            .collect();
        let first = 1 + container as u32 * PROCESSES;
        for id_in in &ids {
            let namespace_type = id_in.namespace_type();
            let host = (container > 0).then(|| id(namespace_type, 0)).flatten();
            let mut namespace = NamespaceFacts::new(*id_in);
            namespace.unique_id = Some(5000 + id_in.inode());
            namespace.initial = Some(container == 0);
            if namespace_type.is_hierarchical() {
                namespace.parent = host.map_or(Relation::None, Relation::Known);
            }
            if namespace_type != NamespaceType::User {
                namespace.owner = id(NamespaceType::User, container);
            }
            let pid = Pid(first);
            namespace.holders.push(Holder::File {
                kind: FileKind::Namespace,
                pid,
                tid: None,
                fd: 7,
            });
            namespace.holders.push(Holder::Mount {
                kind: MountKind::Bind,
                mount_namespace: id(NamespaceType::Mnt, 0),
                path: format!("/run/somewhere/{}", id_in.inode()).into(),
            });
            facts.namespaces.push(namespace);
        }
        for number in 0..PROCESSES {
            let pid = Pid(first + number);
            let last = Capability::new(40).unwrap_or(Capability::SYS_ADMIN);
            facts.processes.push(ProcessFacts {
                ppid: Some(if number == 0 { Pid(1) } else { Pid(first) }),
                comm: Some("some-daemon".into()),
                cmdline: Some(Cmdline {
                    arguments: vec!["/usr/bin/some-daemon".into(), "--config=/etc/x".into()],
                    cut: false,
                }),
                start_time: Some(u64::from(pid.0) * 10),
                state: Some('S'),
                euid: Some(Uid(0)),
                effective_capabilities: Some(match number {
                    0 => Capabilities::up_to(last),
                    _ => Capabilities::NONE,
                }),
                pids: Some(vec![pid, Pid(number + 1)]),
                cgroup: Some(format!("/machine.slice/container-{container}.scope").into()),
                namespaces: Joined::of(ids.iter().copied()),
                ..ProcessFacts::new(pid)
            });
        }
    }
    facts
}
