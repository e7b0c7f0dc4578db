//! `lxkns why` and `lxkns diff`, on this machine.

use lxkns_it::{snapshot_of, tool_snapshot};
use lxkns_nstest::{Dir, Script, need, own_namespace, tool};
use lxkns_species::NamespaceType::{Mnt, Net};
use lxkns_species::{NamespaceId, NamespaceType};
use serde_json::Value;

use crate::held::alone;

/// What the tool says about a namespace.
fn tool_why(id: NamespaceId) -> Value {
    let output = tool("lxkns")
        .args(["why", "--json", &id.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_tool_tells_the_same() {
    need!(userns);
    let _alone = alone();
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
        .spawn()
        .unwrap();
    let why = tool_why(child.noted("net"));
    let steps = why["steps"].as_array().unwrap();
    let pid = child.pid().0;
    let closes = steps
        .iter()
        .find(|step| step["action"] == "let-go" && step["pid"] == pid)
        .unwrap();
    assert_eq!(closes["closes"][0]["fd"], 3);
    assert_eq!(closes["frees"][0], child.noted("net").to_string());
    let own = own_namespace(NamespaceType::User);
    if own.inode() == NamespaceType::User.initial_inode() {
        assert_eq!(tool_why(own)["never"]["reason"], "initial");
    }
}

#[test]
fn diff_sees_what_comes_and_goes() {
    need!(userns);
    let _alone = alone();
    let take = || {
        let output = tool_snapshot().output().unwrap();
        snapshot_of(&output);
        let file = tempfile(&output.stdout);
        (file.join("snapshot.json"), file)
    };
    let (before, _a) = take();
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
        .spawn()
        .unwrap();
    let (after, _b) = take();
    let id = child.noted("net").to_string();
    let compare = |arguments: &[&std::path::Path]| {
        let output = tool("lxkns")
            .args(["diff", "--json"])
            .args(arguments)
            .output()
            .unwrap();
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1)), "{output:?}");
        let diff: Value = serde_json::from_slice(&output.stdout).unwrap();
        let has = |list: &str| {
            diff[list]
                .as_array()
                .unwrap()
                .iter()
                .any(|it| it["id"] == id)
        };
        assert!(diff["same-boot"] == true);
        (code, has("came"), has("went"))
    };
    assert_eq!(compare(&[&before, &after]), (Some(1), true, false));
    assert_eq!(compare(&[&after, &before]), (Some(1), false, true));
    assert_eq!(compare(&[&after, &after]), (Some(0), false, false));
    assert_eq!(compare(&[&before]), (Some(1), true, false));
}

/// A directory with the document in it.
fn tempfile(document: &[u8]) -> Dir {
    let dir = Dir::new().unwrap();
    std::fs::write(dir.join("snapshot.json"), document).unwrap();
    dir
}

#[test]
fn a_mount_is_found_in_every_mount_namespace() {
    need!(root);
    let _alone = alone();
    let dir = Dir::new().unwrap();
    let (fs, place) = (dir.join("fs"), dir.join("a place"));
    let without = Script::new().unshare([Mnt]).unmount(&place).unmount(&fs);
    let child = Script::new()
        .unshare([Mnt])
        .mkdir(&fs)
        .mkdir(&place)
        .mount("tmpfs", &fs, "")
        .mkdir(fs.join("sub"))
        .bind(fs.join("sub"), &place)
        .fork("copy", Script::new().unshare([Mnt]).unmount(&place))
        .fork("without", without)
        .in_new(Mnt, |mnt| {
            mnt.note("nobody", Mnt).unmount(&fs).open_namespace(Mnt, 3)
        })
        .spawn()
        .unwrap();
    // Asked from inside: outside it is not mounted at all.
    let ask = |format: &[&str]| {
        let mut exec = tool("lxkns");
        exec.args(["exec", &format!("mnt@{}", child.pid()), "--"])
            .arg(tool("lxkns").get_program())
            .args(["why", "--mount"])
            .arg(&fs)
            .args(format);
        let output = exec.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let answer: Value = serde_json::from_str(&ask(&["--json"])).unwrap();
    assert_eq!(answer["root"], "/");
    assert_eq!(answer["mount-point"], fs.to_str().unwrap());
    let text = ask(&[]);
    let mount = |path: &std::path::Path, root: &str| {
        let path = path.to_str().unwrap();
        serde_json::json!({"path": path, "root": root})
    };
    let both = [mount(&place, "/sub"), mount(&fs, "/")];
    let check = |id: NamespaceId, expected: &[Value]| {
        let places = answer["places"].as_array().unwrap();
        let found = places
            .iter()
            .find(|it| it["mount-namespace"] == id.to_string());
        let mounts = found.map(|it| it["mounts"].as_array().unwrap().as_slice());
        assert_eq!(mounts.unwrap_or_default(), expected);
        let line = format!("{id}:");
        assert_eq!(text.lines().any(|it| it == line), !expected.is_empty());
    };
    check(child.namespace(Mnt), &both);
    check(child.namespace_of("copy", Mnt), &both[1..]);
    check(child.namespace_of("without", Mnt), &[]);
    check(child.noted("nobody"), &both[..1]);
}
