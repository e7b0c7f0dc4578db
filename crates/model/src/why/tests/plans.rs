//! The least that has to happen, situation by situation.

use super::*;

#[test]
fn one_step_for_each_who_holds_it() {
    let socket = Holder::File { kind: FileKind::Socket, pid: Pid(20), tid: None, fd: 3 };
    let thread = Holder::Thread { pid: Pid(20), tid: Pid(21) };
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
    let pending = Holder::PendingChildren { pid: Pid(10), tid: None };
    let of_thread =
        Holder::File { kind: FileKind::Namespace, pid: Pid(10), tid: Some(Pid(12)), fd: 9 };
    Machine::new()
        .held("time:[5]", [pending, fd(10, 3), of_thread])
        .check("time:[5]", &[(end(10, &[]), &["time:[5]"])]);
}

#[test]
fn the_end_of_a_thread_closes_its_own_files() {
    let thread = Holder::Thread { pid: Pid(10), tid: Pid(12) };
    let its_own =
        Holder::File { kind: FileKind::Namespace, pid: Pid(10), tid: Some(Pid(12)), fd: 9 };
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
        .check("net:[5]", &[(end(10, &[11, 12, 14]), &["net:[5]"]), (end(13, &[]), &["net:[5]"])]);
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
    let step = |action, frees: &[&str]| Step { action, frees: ids(frees) };
    assert_eq!(
        plan.steps,
        [
            step(end(10, &[]), &["net:[6]", "user:[5]"]),
            step(let_go(20, &[], &[3]), &["user:[4]"]),
            step(unmount("mnt:[1]", "/run/netns/x"), &["net:[7]"]),
        ]
    );
    assert_eq!(plan.gone, ids(&["net:[6]", "net:[7]", "user:[5]", "user:[4]"]));
}

#[test]
fn mounts_go_with_their_mount_namespace() {
    // A container keeps its network namespace mounted in its own mount namespace.
    Machine::new()
        .process(&[10], 0, &["net:[5]", "mnt:[5]"])
        .held("net:[5]", [mount("mnt:[5]", "/x"), mount("mnt:[1]", "/y")])
        .check(
            "net:[5]",
            &[(end(10, &[]), &["net:[5]"]), (unmount("mnt:[1]", "/y"), &["net:[5]"])],
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
    let shown = |mount_namespace| Holder::Mount {
        kind: MountKind::Proc,
        mount_namespace: Some(id(mount_namespace)),
        path: "/proc".into(),
    };
    Machine::new()
        .child("pid:[5]", "pid:[1]")
        .process(&[10, 1], 0, &["pid:[5]", "mnt:[5]"])
        .held("pid:[5]", [shown("mnt:[5]"), shown("mnt:[1]")])
        .check(
            "pid:[5]",
            &[(end(10, &[]), &["pid:[5]"]), (unmount("mnt:[1]", "/proc"), &["pid:[5]"])],
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
    let reap = Action::Reap { pid: Pid(11), parent: Some(Pid(10)) };
    zombie(&["user:[1]"]).check("user:[5]", &[(reap, &["user:[5]"])]);
    // If its parent has to end anyway, somebody else will wait for it.
    zombie(&["user:[5]"]).check("user:[5]", &[(end(10, &[]), &["user:[5]"])]);
}

/// Killed, and waiting for a dead process of its PID namespace, whose parent is outside.
#[test]
fn a_dying_pid_1_is_not_told_to_end() {
    let mut machine = Machine::new()
        .child("pid:[5]", "pid:[1]")
        .process(&[9], 0, &["pid:[1]", "net:[1]"])
        .process(&[10, 1], 9, &["user:[1]", "pid:[5]"]);
    machine.last().state = Some('S');
    machine.last().exiting = true;
    let mut machine = machine.process(&[11, 2], 9, &["user:[1]", "pid:[5]"]);
    machine.last().state = Some('Z');
    let reap = |pid| Action::Reap { pid: Pid(pid), parent: Some(Pid(9)) };
    machine.check("pid:[5]", &[(reap(11), &["pid:[5]"]), (reap(10), &["pid:[5]"])]);
}

#[test]
fn what_is_ending_with_all_its_namespaces_may_be_stuck() {
    let mut machine = Machine::new().process(&[11], 10, &["user:[5]", "net:[5]"]);
    machine.last().exiting = true;
    machine.check("net:[5]", &[(end(11, &[]), &["net:[5]"])]);
}

fn sharing(machine: Machine, tables: &[(u32, u32)]) -> Machine {
    tables.iter().fold(machine, |machine, (pid, table)| {
        let mut machine = machine.process(&[*pid], 0, &["net:[1]"]);
        machine.last().file_table = Some(Pid(*table));
        machine
    })
}

/// 10 and 11 have one table, 12 has a copy of it.
#[test]
fn one_of_those_who_share_their_files_closes_them() {
    let held = || Machine::new().held("net:[5]", [fd(10, 3), fd(11, 3), fd(12, 3)]);
    let plan = sharing(held(), &[(10, 10), (11, 10), (12, 12)]).plan("net:[5]");
    let mut shared = let_go(10, &[], &[3]);
    if let Action::LetGo { sharers, .. } = &mut shared {
        sharers.push(Pid(11));
    }
    let actions: Vec<_> = plan.steps.into_iter().map(|step| step.action).collect();
    assert_eq!(actions, [shared, let_go(12, &[], &[3])]);
    assert!(plan.is_least);
    // Nothing is known of who shares what: then closing the same files may be one and the same.
    let plan = held().plan("net:[5]");
    assert_eq!(plan.steps.len(), 3);
    assert!(!plan.is_least);
}

#[test]
fn what_waits_in_a_shared_socket_is_received_once() {
    let queued = |pid, inode| Holder::File {
        kind: FileKind::InFlight { inode },
        pid: Pid(pid),
        tid: None,
        fd: 4,
    };
    let held = || Machine::new().held("net:[5]", [queued(10, 7), queued(11, 7), queued(12, 8)]);
    let socket = |pid| (Pid(pid), OpenFile { tid: None, fd: 4 });
    let actions = |plan: Plan| plan.steps.into_iter().map(|step| step.action).collect::<Vec<_>>();
    let alone = |pid| Action::LetGo {
        pid: Pid(pid),
        sharers: Vec::new(),
        threads: Vec::new(),
        closes: Vec::new(),
        empties: vec![OpenFile { tid: None, fd: 4 }],
    };
    let shared = Action::Receive { sockets: vec![socket(10), socket(11)] };
    assert_eq!(actions(held().plan("net:[5]")), [shared, alone(12)]);
    // A process that ends does not share it any more.
    let ends = held().process(&[11], 0, &["net:[5]"]);
    assert_eq!(actions(ends.plan("net:[5]")), [end(11, &[]), alone(10), alone(12)]);
}

#[test]
fn who_ends_closes_nothing_for_those_who_share() {
    let machine = Machine::new().held("net:[5]", [fd(10, 3), fd(11, 3)]);
    let mut machine = sharing(machine, &[(10, 10)]);
    machine = machine.process(&[11], 0, &["net:[5]"]);
    machine.last().file_table = Some(Pid(10));
    machine
        .check("net:[5]", &[(end(11, &[]), &["net:[5]"]), (let_go(10, &[], &[3]), &["net:[5]"])]);
}

#[test]
fn without_the_scanner_it_holds_nothing() {
    let mut machine = Machine::new()
        .process(&[10], 0, &["net:[5]"])
        .process(&[11], 10, &["net:[5]", "uts:[6]"])
        .held("net:[5]", [fd(11, 3)]);
    machine.0.host.scanner_pid = Some(Pid(11));
    let snapshot = Snapshot::assemble(machine.0).without_scanner();
    let plan = |text: &str| match snapshot.why(id(text)).unwrap().release {
        Release::After(plan) => plan,
        Release::Never(never) => panic!("{never:?}"),
    };
    let actions: Vec<_> = plan("net:[5]").steps.into_iter().map(|step| step.action).collect();
    assert_eq!(actions, [end(10, &[])]);
    // Nothing else held this one: there is nothing to do, and nothing unseen.
    assert_eq!((plan("uts:[6]").steps, plan("uts:[6]").unexplained), (vec![], vec![]));
    assert!(snapshot.why(id("uts:[6]")).unwrap().released);
}

#[test]
fn many_processes_in_a_chain_are_passed_once() {
    // Were each to pass all above it, this would not end in a lifetime.
    let mut machine = Machine::new();
    for pid in 10..30_010 {
        machine = machine.process(&[pid], pid - 1, &["net:[5]"]);
    }
    let snapshot = Snapshot::assemble(machine.0);
    let why = snapshot.why(id("net:[5]")).unwrap();
    assert_eq!(why.members.len(), 1);
    assert_eq!(why.members[0].count, 30_000);
}

#[test]
fn many_files_are_one_step() {
    let holders = (0..60_000).map(|at| fd(10, at));
    let steps = Machine::new().held("net:[5]", holders).plan("net:[5]").steps;
    assert_eq!(steps.len(), 1);
}

#[test]
fn a_dead_main_thread_is_no_dead_process() {
    let mut machine = Machine::new().process(&[11], 10, &["user:[5]", "net:[5]"]);
    machine.last().state = Some('Z');
    machine.check("net:[5]", &[(end(11, &[]), &["net:[5]"])]);
}
