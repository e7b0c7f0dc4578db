//! Reasons and release plans, from literals.

use lxkns_species::NamespaceType;

use super::*;
use crate::{
    Facts, Holder, Joined, Missing, NamespaceFacts, Part, ProcessFacts, Reason, Relation, Scope,
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
    Holder::Fd {
        pid: Pid(pid),
        tid: None,
        fd,
    }
}

fn mount(mount_namespace: &str, path: &str) -> Holder {
    Holder::BindMount {
        mount_namespace: Some(id(mount_namespace)),
        path: path.into(),
    }
}

fn end(pid: u32, along: &[u32]) -> Action {
    Action::End {
        pid: Pid(pid),
        along: along.iter().copied().map(Pid).collect(),
    }
}

fn let_go(pid: u32, threads: &[u32], fds: &[u32]) -> Action {
    Action::LetGo {
        pid: Pid(pid),
        threads: threads.iter().copied().map(Pid).collect(),
        closes: fds.iter().map(|&fd| OpenFile { tid: None, fd }).collect(),
    }
}

fn unmount(mount_namespace: &str, path: &str) -> Action {
    Action::Unmount {
        mount_namespace: Some(id(mount_namespace)),
        path: path.into(),
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
    let mut machine = Machine::new()
        .owned("mnt:[7]", "user:[6]")
        .process(&[9], 2, &["mnt:[7]"]);
    machine.last().kernel_thread = true;
    let snapshot = Snapshot::assemble(machine.0);
    let never = Never::KernelThread {
        pid: Pid(9),
        namespace: id("mnt:[7]"),
    };
    for held in ["mnt:[7]", "user:[6]"] {
        let why = snapshot.why(id(held)).unwrap();
        assert_eq!(why.release, Release::Never(never));
    }
}

#[test]
fn one_step_for_each_who_holds_it() {
    let socket = Holder::Socket {
        pid: Pid(20),
        tid: None,
        fd: 3,
    };
    let thread = Holder::Thread {
        pid: Pid(20),
        tid: Pid(21),
    };
    let holders = [fd(20, 7), socket, thread, fd(30, 4), mount("mnt:[1]", "/x")];
    Machine::new()
        .process(&[10], 0, &["net:[5]"])
        .process(&[20], 0, &["net:[1]"])
        .held("net:[5]", holders)
        .check(
            "net:[5]",
            &[
                (end(10, &[]), &["net:[5]"]),
                (let_go(20, &[21], &[3, 7]), &["net:[5]"]),
                (let_go(30, &[], &[4]), &["net:[5]"]),
                (unmount("mnt:[1]", "/x"), &["net:[5]"]),
            ],
        );
}

#[test]
fn the_end_of_a_process_covers_all_that_it_holds() {
    let pending = Holder::PendingChildren {
        pid: Pid(10),
        tid: None,
    };
    let of_thread = Holder::Fd {
        pid: Pid(10),
        tid: Some(Pid(12)),
        fd: 9,
    };
    Machine::new()
        .held("time:[5]", [pending, fd(10, 3), of_thread])
        .check("time:[5]", &[(end(10, &[]), &["time:[5]"])]);
}

#[test]
fn the_end_of_a_thread_closes_its_own_files() {
    let thread = Holder::Thread {
        pid: Pid(10),
        tid: Pid(12),
    };
    let its_own = Holder::Fd {
        pid: Pid(10),
        tid: Some(Pid(12)),
        fd: 9,
    };
    Machine::new()
        .held("net:[5]", [thread, its_own])
        .check("net:[5]", &[(let_go(10, &[12], &[]), &["net:[5]"])]);
}

#[test]
fn pid_1_takes_its_namespace_along() {
    // A container: 10 is PID 1 in there, 12 sits one level deeper, 13 came from outside, and 14 is
    // in the container, but not in its network.
    let container = ["net:[5]", "pid:[5]"];
    Machine::new()
        .child("pid:[5]", "pid:[1]")
        .child("pid:[6]", "pid:[5]")
        .process(&[10, 1], 0, &container)
        .process(&[11, 2], 10, &container)
        .process(&[12, 3, 1], 11, &["net:[5]", "pid:[6]"])
        .process(&[13], 0, &["net:[5]", "pid:[1]"])
        .process(&[14, 4], 10, &["net:[1]", "pid:[5]"])
        .check(
            "net:[5]",
            &[
                (end(10, &[11, 12, 14]), &["net:[5]"]),
                (end(13, &[]), &["net:[5]"]),
            ],
        );
}

#[test]
fn a_pid_1_that_is_not_in_the_way_is_left_alone() {
    Machine::new()
        .child("pid:[5]", "pid:[1]")
        .process(&[10, 1], 0, &["net:[1]", "pid:[5]"])
        .process(&[11, 2], 10, &["net:[5]", "pid:[5]"])
        .check("net:[5]", &[(end(11, &[]), &["net:[5]"])]);
}

#[test]
fn what_is_below_goes_first() {
    // user:[4] ── user:[5], which owns net:[6] and net:[7]; 10 holds two of them.
    let plan = Machine::new()
        .child("user:[4]", "user:[1]")
        .child("user:[5]", "user:[4]")
        .owned("net:[6]", "user:[5]")
        .owned("net:[7]", "user:[5]")
        .process(&[10], 0, &["user:[5]", "net:[6]"])
        .held("net:[7]", [mount("mnt:[1]", "/run/netns/x")])
        .held("user:[4]", [fd(20, 3)])
        .plan("user:[4]");
    let ids = |texts: &[&str]| texts.iter().map(|text| id(text)).collect::<Vec<_>>();
    let step = |action, frees: &[&str]| Step {
        action,
        frees: ids(frees),
    };
    assert_eq!(
        plan.steps,
        [
            step(end(10, &[]), &["net:[6]", "user:[5]"]),
            step(unmount("mnt:[1]", "/run/netns/x"), &["net:[7]"]),
            step(let_go(20, &[], &[3]), &["user:[4]"]),
        ]
    );
    assert_eq!(
        plan.gone,
        ids(&["net:[6]", "net:[7]", "user:[5]", "user:[4]"])
    );
}

#[test]
fn mounts_go_with_their_mount_namespace() {
    // A container keeps its network namespace mounted in its own mount namespace.
    Machine::new()
        .process(&[10], 0, &["net:[5]", "mnt:[5]"])
        .held("net:[5]", [mount("mnt:[5]", "/x"), mount("mnt:[1]", "/y")])
        .check(
            "net:[5]",
            &[
                (end(10, &[]), &["net:[5]"]),
                (unmount("mnt:[1]", "/y"), &["net:[5]"]),
            ],
        );
}

#[test]
fn a_mount_namespace_that_stays_keeps_its_mounts() {
    let stays = |machine: Machine| {
        let net = [mount("mnt:[5]", "/x")];
        let machine = machine.held("net:[5]", net);
        let machine = machine.process(&[10], 0, &["net:[5]", "mnt:[5]"]);
        let steps = machine.plan("net:[5]").steps;
        let actions: Vec<_> = steps.into_iter().map(|step| step.action).collect();
        assert_eq!(actions, [end(10, &[]), unmount("mnt:[5]", "/x")]);
    };
    stays(Machine::new().process(&[11], 0, &["mnt:[5]"]));
    stays(Machine::new().held("mnt:[5]", [fd(11, 3)]));
    stays(Machine::new().held("mnt:[5]", [Holder::Unseen]));
    stays(Machine::new().held("mnt:[5]", [mount("mnt:[1]", "/run/m")]));
    stays(Machine::new().held("mnt:[5]", [mount("mnt:[6]", "/run/m")]));
}

#[test]
fn mount_namespaces_in_mount_namespaces_go_as_well() {
    Machine::new()
        .process(&[10], 0, &["net:[5]", "mnt:[6]"])
        .held("mnt:[7]", [mount("mnt:[6]", "/inner"), fd(10, 3)])
        .held("net:[5]", [mount("mnt:[7]", "/x")])
        .check("net:[5]", &[(end(10, &[]), &["net:[5]"])]);
}

#[test]
fn a_user_namespace_mounted_in_a_mount_namespace_of_its_own() {
    Machine::new()
        .child("user:[5]", "user:[1]")
        .held("user:[5]", [mount("mnt:[5]", "/u")])
        .owned("mnt:[5]", "user:[5]")
        .held("mnt:[5]", [fd(10, 3)])
        .check("user:[5]", &[(let_go(10, &[], &[3]), &["mnt:[5]"])]);
}

#[test]
fn circles_cost_a_step_but_do_no_harm() {
    let plan = Machine::new()
        .held("mnt:[5]", [mount("mnt:[6]", "/a")])
        .held("mnt:[6]", [mount("mnt:[5]", "/b")])
        .plan("mnt:[5]");
    let actions: Vec<_> = plan.steps.into_iter().map(|step| step.action).collect();
    assert_eq!(actions, [unmount("mnt:[6]", "/a")]);

    // A tower of mount namespaces, higher than any real one.
    let mut machine = Machine::new().process(&[10], 0, &["mnt:[100000]"]);
    for at in 10..100_000 {
        let above = format!("mnt:[{}]", at + 1);
        machine = machine.held(&format!("mnt:[{at}]"), [mount(&above, "/m")]);
    }
    assert_eq!(machine.plan("mnt:[10]").steps.len(), 1);
}

#[test]
fn procfs_mounts_hold_their_pid_namespace() {
    let shown = |mount_namespace| Holder::ProcMount {
        mount_namespace: Some(id(mount_namespace)),
        path: "/proc".into(),
    };
    Machine::new()
        .child("pid:[5]", "pid:[1]")
        .process(&[10, 1], 0, &["pid:[5]", "mnt:[5]"])
        .held("pid:[5]", [shown("mnt:[5]"), shown("mnt:[1]")])
        .check(
            "pid:[5]",
            &[
                (end(10, &[]), &["pid:[5]"]),
                (unmount("mnt:[1]", "/proc"), &["pid:[5]"]),
            ],
        );
}

#[test]
fn the_dead_are_waited_for() {
    let zombie = |parent_joined: &[&str]| {
        let mut machine = Machine::new().process(&[10], 0, parent_joined).process(
            &[11],
            10,
            &["user:[5]", "pid:[1]"],
        );
        machine.last().state = Some('Z');
        machine.child("user:[5]", "user:[1]")
    };
    let reap = Action::Reap {
        pid: Pid(11),
        parent: Some(Pid(10)),
    };
    zombie(&["user:[1]"]).check("user:[5]", &[(reap, &["user:[5]"])]);
    // If its parent has to end anyway, somebody else will wait for it.
    zombie(&["user:[5]"]).check("user:[5]", &[(end(10, &[]), &["user:[5]"])]);
}

#[test]
fn a_dead_main_thread_is_no_dead_process() {
    let mut machine = Machine::new().process(&[11], 10, &["user:[5]", "net:[5]"]);
    machine.last().state = Some('Z');
    machine.check("net:[5]", &[(end(11, &[]), &["net:[5]"])]);
}

#[test]
fn what_nobody_could_see_is_said() {
    let plan = Machine::new()
        .held("net:[5]", [Holder::Unseen, fd(10, 3)])
        .plan("net:[5]");
    assert_eq!(plan.unexplained, [id("net:[5]")]);
    assert_eq!(plan.steps.len(), 1);

    // Nothing at all is known to hold user:[6]; what holds user:[5] is user:[6].
    let plan = Machine::new()
        .child("user:[5]", "user:[1]")
        .child("user:[6]", "user:[5]")
        .plan("user:[5]");
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
    facts.gaps.push(Gap {
        what: Missing::Fds,
        why: Reason::Gone,
        count: 1,
        examples: Vec::new(),
    });
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
    check(
        "pid:[5]",
        &["dragons", "pending-children", "process-namespaces"],
    );
    let all = "dragons owners pending-children process-namespaces sockets";
    check("user:[5]", &all.split(' ').collect::<Vec<_>>());
}

#[test]
fn what_was_not_looked_for_is_said() {
    let scope = Scope {
        types: NamespaceTypes::of([NamespaceType::Uts, NamespaceType::User]),
        parts: Parts::ALL
            .without(Part::Sockets)
            .without(Part::Fds)
            .without(Part::Cgroup),
        ..Scope::default()
    };
    let mut facts = Facts {
        scope,
        ..Facts::default()
    };
    for text in ["uts:[5]", "user:[5]"] {
        facts.namespaces.push(NamespaceFacts::new(id(text)));
    }
    let snapshot = Snapshot::assemble(facts);
    let why = snapshot.why(id("uts:[5]")).unwrap();
    assert_eq!(why.skipped.iter().collect::<Vec<_>>(), [Part::Fds]);
    assert_eq!(why.skipped_types.iter().count(), 0);
    let why = snapshot.why(id("user:[5]")).unwrap();
    assert_eq!(
        why.skipped.iter().collect::<Vec<_>>(),
        [Part::Fds, Part::Sockets]
    );
    assert_eq!(why.skipped_types.iter().count(), 6);
}
