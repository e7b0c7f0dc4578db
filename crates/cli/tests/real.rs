//! The tools that show trees and verdicts, on real namespaces of this machine.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests")]

use lxkns_nstest::{Child, Script, need, own_namespace, tool};
use lxkns_species::NamespaceType::{Net, Pid, User, Uts};
use lxkns_species::{NamespaceId, Pid as ProcessId};
use serde_json::Value;

/// What a tool prints that must succeed.
#[track_caller]
fn run(name: &str, arguments: &[&str]) -> String {
    let output = tool(name).args(arguments).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaints}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Finds the object with this id in a tree of JSON.
fn node<'v>(tree: &'v Value, id: &str) -> Option<&'v Value> {
    let children = tree["namespaces"].as_array().or(tree["children"].as_array());
    let children = children.into_iter().flatten();
    children.into_iter().find_map(
        |child| {
            if child["id"] == id { Some(child) } else { node(child, id) }
        },
    )
}

#[test]
fn lsuns_shows_hidden_user_namespaces_and_possessions() {
    need!(userns);
    let child = Script::new()
        .name("in the inner one")
        .user_namespace()
        .note("middle", User)
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
        .spawn()
        .unwrap();
    let [middle, inner, net] =
        [child.noted("middle"), child.namespace(User), child.noted("net")].map(|id| id.to_string());

    let text = run("lsuns", &["--details"]);
    let lines: Vec<&str> = text.lines().collect();
    let at = |id: &str| lines.iter().position(|line| line.contains(id)).unwrap();
    assert!(lines[at(&middle)].contains(&format!("{middle} (hidden) created by UID ")));
    let label = format!("{inner} process \"in the inner on\" ({})", child.pid());
    assert_eq!(at(&inner), at(&middle) + 1, "{text}");
    assert!(lines[at(&inner)].contains(&label), "{text}");
    let held = format!("⋄─ {net} held by fd 3 of process");
    assert!(lines[at(&net)].contains(&held), "{text}");

    let tree: Value = serde_json::from_str(&run("lsuns", &["--details", "--json"])).unwrap();
    let own = node(&tree, &own_namespace(User).to_string()).unwrap();
    let middle = node(own, &middle).unwrap();
    assert_eq!(middle["hidden"], true);
    let inner = node(middle, &inner).unwrap();
    assert_eq!(inner["owned"][0]["id"], net);
}

/// PID namespaces three deep, with a process in each.
fn three_deep() -> Child {
    let three = Script::new().name("three");
    let two = Script::new().name("two").unshare([Pid]).fork("three", three);
    let one = Script::new().name("one").unshare([Pid]).fork("two", two);
    let zero = Script::new().name("zero").user_namespace().unshare([Pid]);
    zero.fork("one", one).spawn().unwrap()
}

#[test]
fn pidtree_shows_pids_at_each_level() {
    need!(userns);
    let child = three_deep();
    let [one, two, three] = ["one", "two", "three"].map(|label| child.pid_of(label));
    let [ns_one, ns_two, ns_three] =
        ["one", "two", "three"].map(|label| child.namespace_of(label, Pid));
    let way_down = [
        format!("\"zero\" ({})", child.pid()),
        format!("{ns_one}, owned by UID "),
        format!("\"one\" ({one}/1)"),
        format!("{ns_two}, owned by UID "),
        format!("\"two\" ({two}/2/1)"),
        format!("{ns_three}, owned by UID "),
        format!("\"three\" ({three}/3/2/1)"),
    ];
    let check = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        let own = own_namespace(Pid).to_string();
        assert!(lines[0].starts_with(&own), "{text}");
        let below = lines.get(lines.len() - way_down.len()..).unwrap();
        for (depth, (line, expected)) in below.iter().zip(&way_down).enumerate() {
            assert!(line.contains(&format!("└─ {expected}")), "{depth}: {text}");
        }
    };
    check(&run("pidtree", &["--pid", &three.to_string()]));
    check(&run("pidtree", &["-p", "3", "-n", &ns_one.to_string()]));
    check(&run("pidtree", &["-p", "1", "-n", &ns_three.inode().to_string()]));

    let all = run("pidtree", &[]);
    for id in [ns_one, ns_two, ns_three] {
        let whole = format!("{id}, owned by");
        assert_eq!(all.matches(&whole).count(), 1, "{id}: {all}");
    }
    let stranger = tool("pidtree").args(["-p", "4", "-n", &ns_one.to_string()]).output().unwrap();
    assert_eq!(stranger.status.code(), Some(1));
    let expected = format!("error: there is no process 4 in {ns_one}\n");
    assert_eq!(String::from_utf8(stranger.stderr).unwrap(), expected);
}

#[test]
fn lspidns_shows_each_pid_namespace_once() {
    need!(userns);
    let child = three_deep();
    let ids = ["one", "two", "three"].map(|label| child.namespace_of(label, Pid).to_string());
    let user = child.namespace(User).to_string();

    let plain = run("lspidns", &[]);
    let owners = run("lspidns", &["--user"]);
    let order = |text: &str, ids: &[&String]| {
        let places = ids.iter().map(|id| {
            let mut places = text.match_indices(id.as_str());
            let place = places.next().unwrap().0;
            assert_eq!(places.next(), None, "{id} is there twice: {text}");
            place
        });
        assert!(places.is_sorted(), "{text}");
    };
    let [one, two, three] = &ids;
    order(&plain, &[one, two, three]);
    order(&owners, &[&user, one, two, three]);

    let tree: Value = serde_json::from_str(&run("lspidns", &["--json", "-u"])).unwrap();
    let owner = node(&tree, &user).unwrap();
    let below = ids.iter().try_fold(owner, |above, id| node(above, id)).unwrap();
    assert_eq!(below["children"], Value::Array(vec![]));
}

/// What nscaps has to say about a process and a namespace.
fn verdict(pid: ProcessId, target: NamespaceId) -> String {
    let arguments = ["--json", "--pid", &pid.to_string(), &target.to_string()];
    let answer: Value = serde_json::from_str(&run("nscaps", &arguments)).unwrap();
    answer["verdict"].as_str().unwrap().to_owned()
}

/// A process that creates a user namespace with another one in it and, beside these, one more.
fn family() -> Child {
    let nephew = Script::new().user_namespace().unshare([Uts]);
    let child = Script::new().user_namespace().unshare([Uts]).fork("grandchild", nephew);
    let sibling = Script::new().user_namespace().unshare([Uts]);
    let parent = Script::new().fork("child", child).fork("sibling", sibling);
    parent.spawn().unwrap()
}

#[test]
fn nscaps_judges_by_the_rules() {
    need!(userns);
    let family = family();
    let parent = family.pid();
    let pid = |label| family.pid_of(label);
    for of in [User, Uts] {
        let namespace = |label| family.namespace_of(label, of);
        let check = |pid, target, expected: &str| {
            assert_eq!(verdict(pid, target), expected, "{pid} in {target}");
        };
        check(pid("child"), namespace("child"), "effective");
        check(pid("child"), namespace("sibling"), "none");
        check(pid("child"), own_namespace(of), "none");
        check(pid("grandchild"), namespace("child"), "none");
        check(pid("grandchild"), namespace("sibling"), "none");
        // Whoever created it, from the next user namespace above, and from two above.
        check(parent, namespace("child"), "all");
        check(parent, namespace("sibling"), "all");
        check(parent, namespace("grandchild"), "all");
        check(pid("child"), namespace("grandchild"), "all");
        check(parent, own_namespace(of), "effective");
    }
}

#[test]
fn capabilities_carry_over_for_others_than_the_creator() {
    need!(root);
    let family = family();
    let stranger = Script::new().become_user(4711, 4711).spawn().unwrap();
    for label in ["child", "grandchild"] {
        let target = family.namespace_of(label, User).to_string();
        let arguments = ["--json", "--pid", &stranger.pid().to_string(), &target];
        let answer: Value = serde_json::from_str(&run("nscaps", &arguments)).unwrap();
        assert_eq!(answer["verdict"], "effective");
        assert_eq!(answer["capabilities"], Value::Array(vec![]));
    }
}

#[test]
fn nscaps_names_threads_with_other_credentials() {
    need!(root);
    // The thread stays what the main thread was.
    let child = Script::new()
        .thread("keeper", Script::new())
        .thread("other", Script::new().become_user(4711, 4711))
        .become_user(4711, 4711)
        .spawn()
        .unwrap();
    let (pid, own) = (child.pid().to_string(), own_namespace(User).to_string());
    let answer: Value =
        serde_json::from_str(&run("nscaps", &["--json", "-p", &pid, &own])).unwrap();
    assert_eq!(answer["capabilities"], Value::Array(vec![]));
    let threads = answer["threads"].as_array().unwrap();
    let keeper = child.pid_of("keeper");
    assert_eq!(threads.len(), 1, "{threads:?}");
    assert_eq!(threads[0]["tid"], keeper.0);
    assert_eq!(threads[0]["euid"], 0);
    let kept = threads[0]["effective-capabilities"].as_array().unwrap();
    assert!(kept.iter().any(|it| it == "cap_sys_admin"), "{kept:?}");
    let text = run("nscaps", &["-p", &pid, &own]);
    assert!(text.contains(&format!("but thread {keeper} of UID 0 has")), "{text}");

    let alike = Script::new().thread("alike", Script::new()).spawn().unwrap();
    let pid = alike.pid().to_string();
    let answer: Value =
        serde_json::from_str(&run("nscaps", &["--json", "-p", &pid, &own])).unwrap();
    assert_eq!(answer["threads"], Value::Array(vec![]));
}

#[test]
fn nscaps_shows_both_branches() {
    need!(userns);
    let family = family();
    let namespace = |label| family.namespace_of(label, User);
    let (child, sibling) = (namespace("child"), namespace("sibling"));
    let target = family.namespace_of("sibling", Uts);
    let pid = family.pid_of("child").to_string();
    let text = run("nscaps", &["-p", &pid, &target.to_string(), "--proccaps=false"]);
    let own = own_namespace(User);
    let starts_of_lines = [
        format!("⛔ {own} "),
        format!("⛛ {child} "),
        "process ".to_owned(),
        format!("⛔ {sibling} "),
        format!("⛔ target {target} "),
        "⋄─ (no capabilities)".to_owned(),
    ];
    let branches = |c: char| "├└│─ ".contains(c);
    // Siblings come by inode.
    let order = if child < sibling { [0, 1, 2, 3, 4, 5] } else { [0, 3, 4, 5, 1, 2] };
    let expected = order.map(|at: usize| &starts_of_lines[at]);
    let lines: Vec<&str> = text.lines().map(|line| line.trim_start_matches(branches)).collect();
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{expected:?} in {text}");
    }
}
