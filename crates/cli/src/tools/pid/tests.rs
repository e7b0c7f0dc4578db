//! What is said of processes that are known to different degrees.

use lxkns_model::{Facts, Joined, NamespaceFacts, ProcessFacts, Relation, Text};
use lxkns_species::NamespaceId;

use super::*;
use crate::render::palette::Palette;

fn id(inode: u64) -> NamespaceId {
    NamespaceId::new(NamespaceType::Pid, inode).unwrap()
}

fn process(name: &str, own: Option<u64>, pid: u32, pids: Option<&[u32]>) -> ProcessFacts {
    ProcessFacts {
        ppid: Some(Pid(u32::from(pid > 1))),
        comm: Some(Text::from(name)),
        start_time: Some(u64::from(pid)),
        pids: pids.map(|pids| pids.iter().copied().map(Pid).collect()),
        namespaces: Joined::of(own.map(id)),
        ..ProcessFacts::new(Pid(pid))
    }
}

/// 1 ─┬─ 2 ─── 3, and 5 out of sight above 6
///    └─ 4
fn snapshot() -> Snapshot {
    let namespace = |inode, parent: Relation<u64>| NamespaceFacts {
        parent: parent.map(id),
        ..NamespaceFacts::new(id(inode))
    };
    Snapshot::assemble(Facts {
        namespaces: vec![
            namespace(1, Relation::None),
            namespace(2, Relation::Known(1)),
            namespace(3, Relation::Known(2)),
            namespace(4, Relation::Known(1)),
            namespace(6, Relation::Unknown),
        ],
        processes: vec![
            process("init", Some(1), 1, Some(&[1])),
            process("runc\u{1b}", Some(2), 20, Some(&[20, 1])),
            process("bash", Some(3), 812, Some(&[812, 10, 1])),
            process("sibling", Some(4), 40, Some(&[40, 1])),
            process("denied", None, 50, Some(&[50, 7])),
            process("no status", Some(3), 860, None),
            process("nothing", None, 61, None),
            process("far", Some(6), 62, Some(&[62, 5, 2])),
        ],
        ..Facts::default()
    })
}

fn check(pid: u32, expected: &str) {
    let snapshot = snapshot();
    let map = PidMap::new(&snapshot);
    let levels = levels(&map, snapshot.process(Pid(pid)).unwrap());
    let mut out = Vec::new();
    let mut screen = Screen { out: &mut out, palette: Palette::PLAIN, width: None };
    table(&snapshot, levels, Labels::default(), &mut screen).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn every_level_is_a_row() {
    check(
        812,
        r#"PID NAMESPACE
812 pid:[1] process "init" (1)
 10 pid:[2] process "runc\x1b" (20)
  1 pid:[3] process "bash" (812)
"#,
    );
    check(1, "PID NAMESPACE\n  1 pid:[1] process \"init\" (1)\n");
}

#[test]
fn what_is_not_known_is_marked() {
    let first = |pid| format!("PID NAMESPACE\n{pid:>3} pid:[1] process \"init\" (1)\n");
    check(50, &(first(50) + "  7 pid:[?]\n"));
    check(860, &(first(860) + "  ? pid:[3] process \"bash\" (812)\n"));
    check(61, &(first(61) + "  ? pid:[?]\n"));
    let far = "  5 pid:[?]\n  2 pid:[6] process \"far\" (62)\n";
    check(62, &(first(62) + far));
}

#[test]
fn a_pid_or_the_reason_why_there_is_none() {
    let snapshot = snapshot();
    let map = PidMap::new(&snapshot);
    let check = |pid, to, expected: Result<u32, &str>| {
        let process = snapshot.process(Pid(pid)).unwrap();
        let found = pid_in(&map, process, snapshot.namespace(id(to)).unwrap());
        let found = found.map(|pid| pid.0).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{pid} in {to}");
    };
    check(812, 1, Ok(812));
    check(812, 2, Ok(10));
    check(812, 3, Ok(1));
    check(50, 1, Ok(50));
    let sibling = "process 812 has no PID in pid:[4]: it is in pid:[3], which is not below that";
    check(812, 4, Err(sibling));
    let above = "process 1 has no PID in pid:[3]: it is in pid:[1], which is not below that";
    check(1, 3, Err(above));
    for (pid, to) in [(50, 2), (860, 3), (860, 2), (61, 4), (62, 2)] {
        let unknown = format!(
            "cannot tell whether process {pid} has a PID in pid:[{to}]: \
             not all of its PID namespaces could be read; root may be able to"
        );
        check(pid, to, Err(&unknown));
    }
}
