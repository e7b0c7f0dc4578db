//! Which process is in which workload, and which workload a namespace belongs to.

use lxkns_species::{NamespaceId, Pid};

use crate::snapshot::WorkloadIndex;
use crate::{Process, Snapshot, WorkloadFacts};

/// Sorts the workloads.
pub(super) fn sorted(mut workloads: Vec<WorkloadFacts>) -> Vec<WorkloadFacts> {
    for workload in &mut workloads {
        workload.processes.sort_unstable();
        workload.processes.dedup();
        workload.evidence.sort_unstable();
        workload.evidence.dedup();
    }
    workloads.sort_by(|a, b| {
        let key = |it: &WorkloadFacts| (it.kind, it.engine, it.name.clone(), it.id.clone());
        key(a).cmp(&key(b)).then_with(|| a.processes.cmp(&b.processes))
    });
    workloads
}

/// Links processes and namespaces to their workloads.
///
/// A namespace belongs to the workload whose first process is in it, while the process that looks
/// after the workload is not. Of several such workloads it belongs to the one that started first;
/// the others are its guests. An initial namespace belongs to no workload.
pub(super) fn link(snapshot: &mut Snapshot) {
    for at in 0..snapshot.workloads.len() as u32 {
        let pids = snapshot.workload_facts(WorkloadIndex(at)).processes.clone();
        for pid in pids {
            let found = snapshot.processes.binary_search_by_key(&pid, |process| process.pid);
            if let Some(links) = found.ok().and_then(|found| snapshot.links.get_mut(found)) {
                links.workload = links.workload.or(Some(WorkloadIndex(at)));
            }
        }
    }
    let mut claims: Vec<((NamespaceId, u64, Pid), WorkloadIndex)> = Vec::new();
    for workload in snapshot.workloads() {
        let Some(first) = workload.first_process() else { continue };
        let outside = outside_of(snapshot, first, workload.facts().supervisor);
        for id in first.joined().iter() {
            let is_initial = snapshot.namespace(id).is_some_and(|it| it.is_initial() == Some(true));
            if !is_initial && !outside.contains(&id) {
                let since = first.start_time().unwrap_or(u64::MAX);
                claims.push(((id, since, first.pid()), workload.index));
            }
        }
    }
    claims.sort_unstable_by_key(|(key, _)| *key);
    for ((id, ..), workload) in claims {
        let found = snapshot.namespaces.binary_search_by_key(&id, |node| node.facts.id);
        if let Some(node) = found.ok().and_then(|found| snapshot.namespaces.get_mut(found)) {
            node.workload = node.workload.or(Some(workload));
        }
    }
}

/// The namespaces of the process that looks after a workload; without a known one those of the
/// parent of its first process, or else the scanner's.
fn outside_of(
    snapshot: &Snapshot,
    first: Process<'_>,
    supervisor: Option<Pid>,
) -> Vec<NamespaceId> {
    let supervisor = supervisor.and_then(|pid| snapshot.process(pid));
    match supervisor.or_else(|| first.parent()) {
        Some(outside) if !outside.joined().is_empty() => outside.joined().iter().collect(),
        _ => snapshot.host.scanner_namespaces.iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Engine, Facts, Joined, NamespaceFacts, ProcessFacts, Snapshot, WorkloadFacts, WorkloadKind,
    };
    use lxkns_species::{NamespaceId, Pid};

    fn process(pid: u32, ppid: u32, start: u64, joined: &[&str]) -> ProcessFacts {
        let joined = joined.iter().map(|text| text.parse().unwrap());
        ProcessFacts {
            ppid: Some(Pid(ppid)),
            start_time: Some(start),
            namespaces: Joined::of(joined),
            ..ProcessFacts::new(Pid(pid))
        }
    }

    fn workload(name: &str, pids: &[u32], supervisor: Option<u32>) -> WorkloadFacts {
        WorkloadFacts {
            name: Some(name.into()),
            processes: pids.iter().copied().map(Pid).collect(),
            supervisor: supervisor.map(Pid),
            ..WorkloadFacts::new(Engine::Podman, WorkloadKind::Container)
        }
    }

    /// The names of the workloads that a namespace belongs to, and that are guests in it.
    fn told(snapshot: &Snapshot, id: &str) -> (Option<String>, Vec<String>) {
        let id: NamespaceId = id.parse().unwrap();
        let namespace = snapshot.namespace(id).unwrap();
        let name = |it: crate::Workload<'_>| it.name().unwrap().to_string_lossy().into_owned();
        (namespace.workload().map(name), namespace.guests().into_iter().map(name).collect())
    }

    #[test]
    fn namespaces_belong_to_the_workload_that_brought_them() {
        let facts = Facts {
            namespaces: vec![NamespaceFacts {
                initial: Some(true),
                ..NamespaceFacts::new("net:[1]".parse().unwrap())
            }],
            processes: vec![
                process(1, 0, 0, &["net:[1]", "uts:[1]", "mnt:[1]"]),
                // Conmon of podman, in a mount namespace of podman's.
                process(8, 1, 5, &["net:[1]", "uts:[1]", "mnt:[2]"]),
                process(9, 8, 10, &["net:[3]", "uts:[3]", "mnt:[3]"]),
                process(10, 9, 11, &["net:[3]", "uts:[3]", "mnt:[3]"]),
                // A sidecar: it shares the network, and is older by its number only.
                process(7, 8, 20, &["net:[3]", "uts:[4]", "mnt:[4]"]),
                // One in the network of the host, in the mount namespace of its supervisor.
                process(12, 8, 30, &["net:[1]", "uts:[5]", "mnt:[2]"]),
            ],
            workloads: vec![
                workload("web", &[10, 9], Some(8)),
                workload("sidecar", &[7], None),
                workload("host", &[12], Some(8)),
                workload("gone", &[99], None),
            ],
            ..Facts::default()
        };
        let snapshot = Snapshot::assemble(facts);
        let told = |id| told(&snapshot, id);
        assert_eq!(told("net:[3]"), (Some("web".into()), vec!["sidecar".into()]));
        assert_eq!(told("mnt:[3]"), (Some("web".into()), vec![]));
        assert_eq!(told("mnt:[4]"), (Some("sidecar".into()), vec![]));
        assert_eq!(told("mnt:[2]"), (None, vec!["host".into()]));
        assert_eq!(told("net:[1]"), (None, vec!["host".into()]));
        assert_eq!(told("uts:[5]"), (Some("host".into()), vec![]));
        let names: Vec<_> = snapshot.workloads().map(|it| it.name().unwrap().clone()).collect();
        assert_eq!(names, ["gone".into(), "host".into(), "sidecar".into(), "web".into()]);
        let first = snapshot.process(Pid(10)).unwrap().workload().unwrap().first_process();
        assert_eq!(first.unwrap().pid(), Pid(9));
    }
}
