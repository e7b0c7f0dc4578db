//! PIDs in nested PID namespaces: the tree, the PID at each level, and translation both ways.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use lxkns_it::{assert_failure, everywhere, gap, json, scan, snapshot_of, stdout, tool_snapshot};
use lxkns_model::{Missing, Reason, Relation, Snapshot};
use lxkns_nstest::{Child, Script, need, own_namespace, tool};
use lxkns_ops::{NamespaceFd, pids};
use lxkns_pidmap::PidMap;
use lxkns_species::NamespaceType::{Mnt, Pid};
use lxkns_species::{NamespaceId, Pid as ProcessId};
use serde_json::json as literal;

/// Three PID namespaces, one in the other, and one beside them:
///
/// ```text
/// here ─┬─ outer  (1: first, 2: between)
///       │    └─ middle  (1: second)
///       │         └─ inner  (1: third)
///       └─ beside  (1: stranger)
/// ```
///
/// The kernel hands out the PIDs of a new PID namespace one after the other.
struct Nested {
    child: Child,
    here: NamespaceId,
    outer: NamespaceId,
    middle: NamespaceId,
    inner: NamespaceId,
    beside: NamespaceId,
}

impl Nested {
    fn new() -> Nested {
        let second = Script::new().unshare([Pid]).fork("third", Script::new().name("third"));
        let between = Script::new().unshare([Pid]).fork("second", second);
        let first = Script::new()
            .mount("proc", "/proc", "")
            .fork("between", between)
            .run("inside", &tool_snapshot());
        let branch = Script::new().unshare([Pid, Mnt]).fork("first", first);
        let other = Script::new().unshare([Pid]).fork("stranger", Script::new());
        let child = Script::new()
            .user_namespace()
            .fork("branch", branch)
            .fork("other", other)
            .spawn()
            .unwrap();
        Nested {
            here: own_namespace(Pid),
            outer: child.namespace_of("first", Pid),
            middle: child.namespace_of("second", Pid),
            inner: child.namespace_of("third", Pid),
            beside: child.namespace_of("stranger", Pid),
            child,
        }
    }

    fn pid(&self, label: &str) -> ProcessId {
        self.child.pid_of(label)
    }

    /// Each process's PIDs from here down to its own PID namespace.
    fn pids(&self) -> [(ProcessId, Vec<(NamespaceId, ProcessId)>); 5] {
        let below = |label, inside: &[(NamespaceId, u32)]| {
            let pid = self.pid(label);
            let inside = inside.iter().map(|(id, pid)| (*id, ProcessId(*pid)));
            (pid, [(self.here, pid)].into_iter().chain(inside).collect())
        };
        let Nested { outer, middle, inner, beside, .. } = *self;
        [
            below("first", &[(outer, 1)]),
            below("between", &[(outer, 2)]),
            below("second", &[(outer, 3), (middle, 1)]),
            below("third", &[(outer, 4), (middle, 2), (inner, 1)]),
            below("stranger", &[(beside, 1)]),
        ]
    }

    fn namespaces(&self) -> [NamespaceId; 5] {
        [self.here, self.outer, self.middle, self.inner, self.beside]
    }
}

fn parent(snapshot: &Snapshot, id: NamespaceId) -> Relation<NamespaceId> {
    let namespace = snapshot.namespace(id).unwrap();
    namespace.parent().map(|parent| parent.id())
}

#[test]
fn every_process_has_a_pid_at_each_level() {
    need!(userns);
    let nested = Nested::new();
    everywhere(|snapshot| {
        assert_eq!(parent(snapshot, nested.inner), Relation::Known(nested.middle));
        assert_eq!(parent(snapshot, nested.middle), Relation::Known(nested.outer));
        assert_eq!(parent(snapshot, nested.outer), Relation::Known(nested.here));
        assert_eq!(parent(snapshot, nested.beside), Relation::Known(nested.here));
        let map = PidMap::new(snapshot);
        for (pid, expected) in nested.pids() {
            let process = snapshot.process(pid).unwrap();
            let found: Vec<_> =
                map.pids(process).map(|(namespace, pid)| (namespace.id(), pid)).collect();
            assert_eq!(found, expected);
        }
    });
}

#[test]
fn pids_are_translated_up_and_down_but_not_aside() {
    need!(userns);
    let nested = Nested::new();
    everywhere(|snapshot| {
        let map = PidMap::new(snapshot);
        for (pid, expected) in nested.pids() {
            let pid_in = |id| {
                let level = expected.iter().find(|(level, _)| *level == id);
                level.map(|(_, pid)| *pid)
            };
            for to in nested.namespaces() {
                for (from, pid) in &expected {
                    let translated = map.translate(*pid, *from, to);
                    assert_eq!(translated, pid_in(to), "{pid} from {from} to {to}");
                }
            }
            assert_eq!(map.process(pid, nested.here), snapshot.process(pid));
        }
        for (stranger, from) in [
            (ProcessId(std::process::id()), nested.here),
            (ProcessId(3), nested.inner),
            (ProcessId(0), nested.outer),
        ] {
            assert_eq!(map.translate(stranger, from, nested.middle), None);
        }
    });
}

#[test]
fn from_inside_what_is_above_is_out_of_sight() {
    need!(userns);
    let nested = Nested::new();
    let snapshot = snapshot_of(nested.child.output("inside"));
    assert_eq!(parent(&snapshot, nested.outer), Relation::Unknown);
    let outside = gap(&snapshot, Missing::Processes, Reason::Outside);
    assert!(outside.is_some(), "{:?}", snapshot.gaps());
    assert_eq!(snapshot.namespace(nested.beside), None);
    let map = PidMap::new(&snapshot);
    for (_, expected) in &nested.pids()[..4] {
        let inside = &expected[1..];
        let process = snapshot.process(inside[0].1).unwrap();
        let found: Vec<_> =
            map.pids(process).map(|(namespace, pid)| (namespace.id(), pid)).collect();
        assert_eq!(found, inside);
    }
}

#[test]
fn the_kernel_translates_likewise() {
    need!(userns, pidns_ioctls);
    let nested = Nested::new();
    let snapshot = scan();
    let map = PidMap::new(&snapshot);
    let open = |label| NamespaceFd::of_process(nested.pid(label), Pid).unwrap();
    let all = ["first", "second", "third", "stranger"].map(open);
    let mut translated = 0;
    for (pid, _) in nested.pids() {
        for there in &all {
            let expected = map.translate(pid, nested.here, there.id());
            match pids::pid_in(there, pid) {
                Ok(found) => {
                    assert_eq!(Some(found), expected, "{pid} in {there:?}");
                    let back = pids::pid_from(there, found).unwrap();
                    assert_eq!(Some(back), map.translate(found, there.id(), nested.here));
                    translated += 1;
                }
                Err(error) => {
                    assert!(error.is_gone(), "{error}");
                    assert_eq!(expected, None, "{pid} in {there:?}");
                }
            }
        }
    }
    assert_eq!(translated, 8);
}

#[test]
fn the_tools_show_all_pids() {
    need!(userns);
    let nested = Nested::new();
    let third = nested.pid("third");
    let run = |name: &str, arguments: &[&str]| tool(name).args(arguments).output().unwrap();
    let pid = |arguments: &[&str]| run("lxkns", &[&["pid"], arguments].concat());
    let (decimal, inner) = (third.to_string(), nested.inner.to_string());

    let shown = pid(&[&decimal]);
    let rows: Vec<Vec<&str>> = stdout(&shown)
        .lines()
        .skip(1)
        .map(|row| row.split_whitespace().take(2).collect())
        .collect();
    let levels = &nested.pids()[3].1;
    let expected: Vec<Vec<String>> =
        levels.iter().map(|(id, pid)| vec![pid.to_string(), id.to_string()]).collect();
    assert_eq!(rows, expected);

    let mut document = json(&pid(&["1", "--from", &inner, "--json"]));
    // They depend on the machine.
    document.as_object_mut().unwrap().remove("gaps");
    let level = |(id, pid): &(NamespaceId, ProcessId)| literal!({"pid": pid.0, "namespace": id});
    let expected: Vec<_> = levels.iter().map(level).collect();
    assert_eq!(document, literal!({"process": third.0, "pids": expected}));

    let outer = nested.outer.to_string();
    let down = pid(&["4", "--from", &outer, "--to", &inner]);
    assert_eq!(stdout(&down), "1\n");
    let up = pid(&["1", "--from", &inner, "--to", &format!("pid@{}", std::process::id())]);
    assert_eq!(stdout(&up), format!("{third}\n"));

    let branch = run("pidtree", &["--pid", "1", "--ns", &inner]);
    let last = stdout(&branch).lines().last().unwrap();
    assert!(last.contains(&format!("\"third\" ({third}/4/2/1)")), "{last}");
}

#[test]
fn a_pid_that_there_is_not_is_an_error() {
    need!(userns);
    let nested = Nested::new();
    let third = nested.pid("third").to_string();
    let [outer, inner, beside] =
        [nested.outer, nested.inner, nested.beside].map(|id| id.to_string());
    let check = |arguments: &[&str], code, parts: &[&str]| {
        let output = tool("lxkns").arg("pid").args(arguments).output().unwrap();
        assert_failure(&output, code, parts);
    };
    check(&["0"], 2, &["'0'", "a PID is", "--help"]);
    check(&["x"], 2, &["'x'"]);
    check(&["4294967295"], 1, &["there is no process 4294967295"]);
    check(&["2", "--from", &inner], 1, &["there is no process 2 in", &inner]);
    check(&[&third, "--to", &beside], 1, &[&third, "has no PID in", &beside, "it is in", &inner]);
    check(
        &["1", "--from", &outer, "--to", &inner],
        1,
        &["has no PID in", &inner, "it is in", &outer],
    );
    check(&[&third, "--to", "pid:[1]"], 1, &["no namespace pid:[1]"]);
    check(&[&third, "--from", "net@1"], 2, &["--from", "net@1 is none"]);
}
