//! Reasons and release plans, from literals.

mod mounts;
mod plans;

use lxkns_species::NamespaceType;

use super::*;
use crate::{
    Facts, FileKind, Holder, Joined, Missing, MountKind, NamespaceFacts, Part, ProcessFacts,
    Reason, Relation, Scope,
};

fn id(text: &str) -> NamespaceId {
    text.parse().unwrap()
}

/// A machine in the making: `user:[1]` and `pid:[1]` are the initial ones.
#[derive(Default)]
struct Machine(Facts);

impl Machine {
    fn new() -> Machine {
        let mut machine = Machine::default();
        for initial in ["user:[1]", "pid:[1]", "mnt:[1]", "net:[1]"] {
            machine.namespace(initial).initial = Some(true);
        }
        machine
    }

    fn namespace(&mut self, text: &str) -> &mut NamespaceFacts {
        self.0.namespaces.push(NamespaceFacts::new(id(text)));
        self.0.namespaces.last_mut().unwrap()
    }

    fn held(mut self, text: &str, holders: impl IntoIterator<Item = Holder>) -> Machine {
        self.namespace(text).holders = holders.into_iter().collect();
        self
    }

    fn child(mut self, text: &str, parent: &str) -> Machine {
        self.namespace(text).parent = Relation::Known(id(parent));
        self
    }

    fn owned(mut self, text: &str, owner: &str) -> Machine {
        self.namespace(text).owner = Some(id(owner));
        self
    }

    /// `pids` is how the process is called from the scanner down to its own PID namespace.
    fn process(mut self, pids: &[u32], ppid: u32, joined: &[&str]) -> Machine {
        self.0.processes.push(ProcessFacts {
            ppid: Some(Pid(ppid)),
            pids: Some(pids.iter().copied().map(Pid).collect()),
            namespaces: Joined::of(joined.iter().map(|text| id(text))),
            ..ProcessFacts::new(Pid(pids[0]))
        });
        self
    }

    fn last(&mut self) -> &mut ProcessFacts {
        self.0.processes.last_mut().unwrap()
    }

    fn plan(self, text: &str) -> Plan {
        match Snapshot::assemble(self.0).why(id(text)).unwrap().release {
            Release::After(plan) => plan,
            Release::Never(never) => panic!("{text} never goes: {never:?}"),
        }
    }

    /// Checks steps and what each frees, where nothing is unexplained.
    fn check(self, text: &str, expected: &[(Action, &[&str])]) {
        let plan = self.plan(text);
        let expected: Vec<Step> = expected
            .iter()
            .map(|(action, frees)| Step {
                action: action.clone(),
                frees: frees.iter().map(|text| id(text)).collect(),
            })
            .collect();
        assert_eq!(plan.steps, expected);
        assert_eq!(plan.unexplained, []);
    }
}

fn fd(pid: u32, fd: u32) -> Holder {
    Holder::File { kind: FileKind::Namespace, pid: Pid(pid), tid: None, fd }
}

fn mount(mount_namespace: &str, path: &str) -> Holder {
    Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: Some(id(mount_namespace)),
        path: path.into(),
    }
}

fn end(pid: u32, along: &[u32]) -> Action {
    Action::End { pid: Pid(pid), along: along.iter().copied().map(Pid).collect() }
}

fn let_go(pid: u32, threads: &[u32], fds: &[u32]) -> Action {
    Action::LetGo {
        pid: Pid(pid),
        sharers: Vec::new(),
        threads: threads.iter().copied().map(Pid).collect(),
        closes: fds.iter().map(|&fd| OpenFile { tid: None, fd }).collect(),
        empties: Vec::new(),
    }
}

fn unmount(mount_namespace: &str, path: &str) -> Action {
    Action::Unmount {
        mount_namespace: Some(id(mount_namespace)),
        path: path.into(),
        mount: None,
        along: Vec::new(),
    }
}

#[test]
fn members_are_counted_by_leader() {
    // 10 ── 11 ── 12 (elsewhere) ── 13 (back again)
    let machine = Machine::new()
        .process(&[10], 0, &["net:[5]"])
        .process(&[11], 10, &["net:[5]"])
        .process(&[12], 11, &["net:[1]"])
        .process(&[13], 12, &["net:[5]"]);
    let snapshot = Snapshot::assemble(machine.0);
    let why = snapshot.why(id("net:[5]")).unwrap();
    let members = why.members.iter();
    let members: Vec<_> = members.map(|it| (it.leader.pid().0, it.count)).collect();
    assert_eq!(members, [(10, 2), (13, 1)]);
    assert!(snapshot.why(id("net:[6]")).is_none());
}

#[test]
fn initial_namespaces_never_go() {
    let snapshot = Snapshot::assemble(Machine::new().0);
    let why = snapshot.why(id("net:[1]")).unwrap();
    assert_eq!(why.release, Release::Never(Never::Initial));
}

#[test]
fn what_a_thread_of_the_kernel_is_in_never_goes() {
    let mut machine = Machine::new().owned("mnt:[7]", "user:[6]").process(&[9], 2, &["mnt:[7]"]);
    machine.last().kernel_thread = true;
    let snapshot = Snapshot::assemble(machine.0);
    let never = Never::KernelThread { pid: Pid(9), namespace: id("mnt:[7]") };
    for held in ["mnt:[7]", "user:[6]"] {
        let why = snapshot.why(id(held)).unwrap();
        assert_eq!(why.release, Release::Never(never));
    }
}

#[test]
fn what_nobody_could_see_is_said() {
    let plan = Machine::new().held("net:[5]", [Holder::Unseen, fd(10, 3)]).plan("net:[5]");
    assert_eq!(plan.unexplained, [id("net:[5]")]);
    assert_eq!(plan.steps.len(), 1);

    // Nothing at all is known to hold user:[6]; what holds user:[5] is user:[6].
    let plan =
        Machine::new().child("user:[5]", "user:[1]").child("user:[6]", "user:[5]").plan("user:[5]");
    assert_eq!(plan.unexplained, [id("user:[6]")]);
    assert_eq!(plan.steps, []);
}

#[test]
fn only_gaps_that_may_hide_a_holder_count() {
    let mut facts = Facts::default();
    let whats = [
        Missing::ProcessNamespaces,
        Missing::ProcessDetails,
        Missing::Sockets,
        Missing::PendingChildren,
        Missing::Owners,
        Missing::Other("dragons".into()),
    ];
    facts.gaps.extend(whats.map(|what| Gap {
        what,
        why: Reason::Denied,
        count: 1,
        examples: Vec::new(),
    }));
    facts.gaps.push(Gap { what: Missing::Fds, why: Reason::Gone, count: 1, examples: Vec::new() });
    for text in ["uts:[5]", "net:[5]", "pid:[5]", "user:[5]"] {
        facts.namespaces.push(NamespaceFacts::new(id(text)));
    }
    let snapshot = Snapshot::assemble(facts);
    let check = |text: &str, expected: &[&str]| {
        let why = snapshot.why(id(text)).unwrap();
        let mut found: Vec<_> = why.gaps.iter().map(|gap| gap.what.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{text}");
    };
    check("uts:[5]", &["dragons", "process-namespaces"]);
    check("net:[5]", &["dragons", "process-namespaces", "sockets"]);
    check("pid:[5]", &["dragons", "pending-children", "process-namespaces"]);
    let all = "dragons owners pending-children process-namespaces sockets";
    check("user:[5]", &all.split(' ').collect::<Vec<_>>());
}

#[test]
fn what_was_not_looked_for_is_said() {
    let scope = Scope {
        types: NamespaceTypes::of([NamespaceType::Uts, NamespaceType::User]),
        parts: Parts::ALL.without(Part::Sockets).without(Part::Fds).without(Part::Cgroup),
        ..Scope::default()
    };
    let mut facts = Facts { scope, ..Facts::default() };
    for text in ["uts:[5]", "user:[5]"] {
        facts.namespaces.push(NamespaceFacts::new(id(text)));
    }
    let snapshot = Snapshot::assemble(facts);
    let why = snapshot.why(id("uts:[5]")).unwrap();
    assert_eq!(why.skipped.iter().collect::<Vec<_>>(), [Part::Fds]);
    assert_eq!(why.skipped_types.iter().count(), 0);
    let why = snapshot.why(id("user:[5]")).unwrap();
    assert_eq!(why.skipped.iter().collect::<Vec<_>>(), [Part::Fds, Part::Sockets]);
    assert_eq!(why.skipped_types.iter().count(), 6);
}
