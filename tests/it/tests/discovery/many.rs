//! Many processes in many namespaces.

use std::collections::BTreeSet;

use lxkns_it::{everywhere, scaled};
use lxkns_nstest::{Script, namespace_of, need};
use lxkns_species::NamespaceId;
use lxkns_species::NamespaceType::{User, Uts};

#[test]
fn all_of_many_are_there() {
    need!(userns);
    let (groups, others) = (scaled(500), 3);
    let group = Script::new()
        .unshare([Uts])
        .forks("member", others, Script::new());
    let child = Script::new()
        .user_namespace()
        .forks("leader", groups, group)
        .spawn()
        .unwrap();
    let expected: BTreeSet<NamespaceId> = child
        .pids_of("leader")
        .iter()
        .map(|pid| namespace_of(*pid, Uts))
        .collect();
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
            assert!(
                leader
                    .children()
                    .all(|member| member.namespace(Uts) == Some(uts))
            );
        }
        let user = snapshot.namespace(child.namespace(User)).unwrap();
        let owned: BTreeSet<NamespaceId> = user.owned().map(|owned| owned.id()).collect();
        assert_eq!(owned, expected);
        assert_eq!(user.processes().len(), 1 + groups * (1 + others));
    });
}
