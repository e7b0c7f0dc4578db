//! Many processes in many namespaces.
//!
//! A program of its own, so that other tests' scans need not read all of them.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use lxkns_discover::{Bpf, Options, Tier};
use lxkns_it::{everywhere, scaled, scan_with};
use lxkns_model::Holder;
use lxkns_nstest::{Script, namespace_of, need};
use lxkns_species::NamespaceId;
use lxkns_species::NamespaceType::{Net, User, Uts};

#[test]
fn all_of_many_are_there() {
    need!(userns);
    let (groups, others) = (scaled(500), 3);
    let group = Script::new().unshare([Uts]).forks("member", others, Script::new());
    let child = Script::new().user_namespace().forks("leader", groups, group).spawn().unwrap();
    let expected: BTreeSet<NamespaceId> =
        child.pids_of("leader").iter().map(|pid| namespace_of(*pid, Uts)).collect();
    assert_eq!(expected.len(), groups);
    everywhere(|snapshot| {
        for pid in child.pids_of("leader") {
            let leader = snapshot.process(*pid).unwrap();
            let uts = leader.namespace(Uts).unwrap();
            assert!(expected.contains(&uts.id()));
            assert_eq!(uts.senior_leader(), Some(leader));
            assert_eq!(uts.leaders().len(), 1);
            assert_eq!(uts.processes().len(), 1 + others);
            assert_eq!(leader.children().len(), others);
            assert!(leader.children().all(|member| member.namespace(Uts) == Some(uts)));
        }
        let user = snapshot.namespace(child.namespace(User)).unwrap();
        let owned: BTreeSet<NamespaceId> = user.owned().map(|owned| owned.id()).collect();
        assert_eq!(owned, expected);
        assert_eq!(user.processes().len(), 1 + groups * (1 + others));
    });
}

/// How often the calling thread has called read(2) so far, where the kernel counts it.
fn reads() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/io").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("syscr: "))?;
    line.parse().ok()
}

#[test]
fn the_number_of_reads_per_process_is_constant() {
    need!(userns);
    let Some(_) = reads() else {
        need!(never);
        return;
    };
    let child =
        Script::new().user_namespace().forks("many", scaled(1000), Script::new()).spawn().unwrap();
    let options = Options::everything().bpf(Bpf::Off).workers(NonZeroUsize::MIN);
    let before = reads().unwrap();
    let snapshot = scan_with(&options);
    let reads = reads().unwrap() - before;
    assert!(snapshot.process(child.pid()).is_some());
    // stat, status, cmdline, cgroup. A mount table or an ID map may take some reads, and there is
    // at most one of each for a namespace.
    let processes = snapshot.counts().listed;
    let namespaces = snapshot.namespaces().len() as u64;
    assert!(
        reads <= 4 * processes + 10 * namespaces + 100,
        "{reads} reads for {processes} processes in {namespaces} namespaces"
    );
}

#[test]
fn every_tier_finds_what_a_thread_holds() {
    need!(userns);
    // So many that the workers share them.
    let child = Script::new()
        .forks("crowd", 300, Script::new())
        .user_namespace()
        .thread("loner", Script::new().unshare([Net, Uts]))
        .spawn()
        .unwrap();
    let holder = Holder::Thread { pid: child.pid(), tid: child.pid_of("loner") };
    for tier in Tier::ALL {
        for bpf in [Bpf::On, Bpf::Off] {
            for workers in [1, 8].into_iter().filter_map(NonZeroUsize::new) {
                let options = Options::everything().tier(tier).bpf(bpf).workers(workers);
                let snapshot = scan_with(&options);
                for ns_type in [Net, Uts] {
                    let id = child.namespace_of("loner", ns_type);
                    let holders = snapshot.namespace(id).map(|namespace| namespace.holders());
                    assert!(
                        holders.is_some_and(|holders| holders.contains(&holder)),
                        "{id} is held by {holders:?}, with {options:?}"
                    );
                }
            }
        }
    }
}
