//! `lxkns why` and `lxkns diff`, on this machine.

use std::path::Path;

use lxkns_it::{snapshot_of, tool_snapshot};
use lxkns_nstest::{Dir, IdMap, Script, need, own_namespace, tool};
use lxkns_species::NamespaceType::{Mnt, Net};
use lxkns_species::{NamespaceId, NamespaceType, Pid};
use serde_json::Value;

use crate::held::alone;

/// What the tool says about a namespace.
fn tool_why(id: NamespaceId) -> Value {
    let output = tool("lxkns").args(["why", "--json", &id.to_string()]).output().unwrap();
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
    let closes =
        steps.iter().find(|step| step["action"] == "let-go" && step["pid"] == pid).unwrap();
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
        let output = tool("lxkns").args(["diff", "--json"]).args(arguments).output().unwrap();
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1)), "{output:?}");
        let diff: Value = serde_json::from_slice(&output.stdout).unwrap();
        let has = |list: &str| diff[list].as_array().unwrap().iter().any(|it| it["id"] == id);
        assert!(diff["same-boot"] == true);
        (code, has("added"), has("removed"))
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

/// What is said of a path in the mount namespace of a process: outside it may not be mounted at
/// all.
fn mounted_inside(of: Pid, path: &Path, format: &[&str]) -> String {
    let mut exec = tool("lxkns");
    exec.args(["exec", "--keep-privileges", &format!("mnt@{of}"), "--"])
        .arg(tool("lxkns").get_program())
        .args(["why", "--mount"])
        .arg(path)
        .args(format);
    let output = exec.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// All namespaces that are mounted are on one device.
#[test]
fn another_namespace_is_another_mount() {
    need!(root);
    let _alone = alone();
    let dir = Dir::new().unwrap();
    let (one, other) = (dir.join("one"), dir.join("other"));
    let child = Script::new()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| {
            net.note("net", Net)
                .bind_namespace(Net, &one)
                .bind_namespace(NamespaceType::Uts, &other)
        })
        .spawn()
        .unwrap();
    let answer = mounted_inside(child.pid(), &one, &["--json"]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let net = child.noted("net").to_string();
    assert_eq!(answer["root"], net);
    assert_eq!(
        answer["places"][0]["mounts"],
        serde_json::json!([{"path": one.to_str().unwrap(), "root": net}])
    );
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
        .in_new(Mnt, |mnt| mnt.note("nobody", Mnt).unmount(&fs).open_namespace(Mnt, 3))
        .spawn()
        .unwrap();
    let ask = |format: &[&str]| mounted_inside(child.pid(), &fs, format);
    let answer: Value = serde_json::from_str(&ask(&["--json"])).unwrap();
    assert_eq!(answer["root"], "/");
    assert_eq!(answer["mount-point"], fs.to_str().unwrap());
    let text = ask(&[]);
    let mount = |path: &Path, root: &str| {
        let path = path.to_str().unwrap();
        serde_json::json!({"path": path, "root": root})
    };
    let both = [mount(&place, "/sub"), mount(&fs, "/")];
    let check = |id: NamespaceId, expected: &[Value]| {
        let places = answer["places"].as_array().unwrap();
        let found = places.iter().find(|it| it["mount-namespace"] == id.to_string());
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

#[test]
fn a_path_that_is_no_mount_point_lies_on_one() {
    need!(root);
    let _alone = alone();
    let dir = Dir::new().unwrap();
    let sub = dir.join("sub");
    let child = Script::new().unshare([Mnt]).mount("tmpfs", &dir, "").mkdir(&sub).spawn().unwrap();
    let answer: Value =
        serde_json::from_str(&mounted_inside(child.pid(), &sub, &["--json"])).unwrap();
    assert_eq!(answer["is-mount-point"], false);
    assert_eq!(answer["mount-point"], dir.path().to_str().unwrap());
    let text = mounted_inside(child.pid(), &sub, &[]);
    let line =
        format!("{sub:?} is not a mount point; it lies on tmpfs, mounted at {:?}", dir.path());
    assert!(text.starts_with(&line), "{text}");
}

/// In a PID namespace of its own, and not on a terminal: the answer says what is out of sight.
#[test]
fn mounts_of_processes_that_are_out_of_sight_are_a_gap() {
    need!(root);
    let ask = |format: &[&str]| {
        let mut command = std::process::Command::new(tool("lxkns").get_program());
        command.args(["why", "--mount", "/proc"]).args(format);
        let inside = Script::new().mount("proc", "/proc", "").run("tool", &command);
        let child = Script::new()
            .unshare([Mnt, NamespaceType::Pid])
            .fork("inside", inside)
            .spawn()
            .unwrap();
        let output = child.output("tool");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout.clone()).unwrap()
    };
    let text = ask(&[]);
    assert!(text.contains("more may have it, unseen:"), "{text}");
    assert!(
        text.contains("not all processes are listed (outside of this PID namespace)"),
        "{text}"
    );
    let answer: Value = serde_json::from_str(&ask(&["--json"])).unwrap();
    let gaps = answer["gaps"].as_array().unwrap();
    assert!(gaps.iter().any(|gap| gap["what"] == "processes"), "{answer:#}");
}

/// The commands with which to unmount what is in the way, each on a line of its own.
fn commands(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|it| it.starts_with("umount ") || it.starts_with("lxkns umount ")).collect()
}

fn carry_out(commands: &[&str]) {
    let tools = tool("lxkns").get_program().to_owned();
    let tools = Path::new(&tools).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    for command in commands {
        let output = std::process::Command::new("sh")
            .args(["-c", command])
            .env("PATH", format!("{}:{path}", tools.display()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

#[track_caller]
fn assert_gone(id: &str) {
    let gone = tool("lxkns").args(["why", id]).output().unwrap();
    let stderr = String::from_utf8(gone.stderr).unwrap();
    assert!(stderr.contains("there is no namespace"), "{stderr}");
}

#[test]
fn what_it_says_to_type_helps() {
    need!(root, sh, umount);
    let _alone = alone();
    let dir = Dir::new().unwrap();
    let place = dir.join("it's here");
    let container = Script::new().mount("proc", "/proc", "");
    let child = Script::new()
        .private_mount_point(&dir)
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &place))
        .unshare([Mnt, NamespaceType::Pid])
        .fork("container", container)
        .spawn()
        .unwrap();
    let id = child.noted("net").to_string();
    let output = tool("lxkns").args(["why", &id]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let commands = commands(&text);
    // Ours, and that of the container.
    assert_eq!(commands.len(), 2, "{text}");
    carry_out(&commands);
    assert_gone(&id);
}

#[test]
fn what_it_says_to_type_helps_where_nobody_is_root() {
    need!(userns, sh);
    let _alone = alone();
    let dir = Dir::new().unwrap();
    let place = dir.join("net");
    let child = Script::new()
        .user_namespace_with(IdMap::Own)
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &place))
        .spawn()
        .unwrap();
    let id = child.noted("net").to_string();
    let output = tool("lxkns").args(["why", &id]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let commands = commands(&text);
    assert_eq!(commands.len(), 1, "{text}");
    carry_out(&commands);
    assert_gone(&id);
}

/// The programs of a mount namespace are the choice of whoever made it.
#[test]
fn what_it_says_to_type_runs_no_program_of_the_mount_namespace() {
    need!(root, sh, umount);
    let _alone = alone();
    let dir = Dir::new().unwrap();
    let (place, trace, trap) = (dir.join("net"), dir.join("trace"), dir.join("umount"));
    std::fs::write(&trap, format!("#!/bin/sh\nid > {}\n", trace.display())).unwrap();
    std::fs::set_permissions(&trap, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let programs = std::env::split_paths(&path).map(|folder| folder.join("umount"));
    let programs = programs.filter(|program| program.is_file());
    let script = Script::new().unshare([Mnt]);
    let script = programs.fold(script, |script, program| script.bind(&trap, program));
    let child =
        script.in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &place)).spawn().unwrap();
    let id = child.noted("net").to_string();
    let output = tool("lxkns").args(["why", &id]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let commands = commands(&text);
    assert_eq!(commands.len(), 1, "{text}");
    carry_out(&commands);
    assert_gone(&id);
    assert!(!trace.exists());
}

/// What is mounted below a folder that another file system has been mounted on cannot be reached
/// any more by its path.
#[test]
fn what_is_covered_is_not_what_is_mounted_there() {
    need!(root);
    let _alone = alone();
    let dir = Dir::new().unwrap();
    let (above, below) = (dir.join("above"), dir.join("above/below"));
    let child = Script::new()
        .unshare([Mnt])
        .mkdir(&above)
        .mkdir(&below)
        .mount("tmpfs", &below, "")
        .mount("tmpfs", &above, "")
        .mkdir(&below)
        .spawn()
        .unwrap();
    let answer = mounted_inside(child.pid(), &below, &["--json"]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["mount-point"], above.to_str().unwrap());
}
