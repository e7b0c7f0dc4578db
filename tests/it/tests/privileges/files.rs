//! Files that a user names are opened as that user: nobody gets to see with the rights of a tool
//! what he may not see himself.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lxkns_nstest::{Dir, Script, need, tool};
use lxkns_species::NamespaceType::Uts;

use crate::{as_nobody, copy, privileged_copies};

const SECRET: &str = "marker-of-what-nobody-may-read";

/// A file that only root may read.
fn secret(dir: &Dir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path
}

/// A document as the tools write them, with the secret in it.
fn document() -> Vec<u8> {
    let child = Script::new().name(&SECRET[..15]).spawn().unwrap();
    let output = tool("lxkns").args(["snapshot", "--compact"]).output().unwrap();
    drop(child);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&SECRET[..15]));
    text.replace(&SECRET[..15], SECRET).into_bytes()
}

fn text_of(output: &Output) -> String {
    let both = [output.stdout.clone(), output.stderr.clone()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[track_caller]
fn check_refused(command: &mut Command) {
    let output = command.output().unwrap();
    let text = text_of(&output);
    assert!(!text.contains(&SECRET[..15]), "{command:?}: {text}");
    assert!(text.contains("Permission denied"), "{command:?}: {text}");
    assert!(!output.status.success(), "{command:?}: {text}");
}

/// Whether something is there, nobody learns who may not look.
#[test]
fn mounts_are_looked_up_as_the_user_may() {
    need!(root, setuid);
    let dir = Dir::new().unwrap();
    let hidden = dir.join("hidden");
    std::fs::create_dir(&hidden).unwrap();
    std::fs::set_permissions(&hidden, PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(hidden.join("there"), "").unwrap();
    std::os::unix::fs::symlink("/proc", hidden.join("link")).unwrap();
    for copy in privileged_copies(&dir) {
        for name in ["there", "not there", "link"] {
            check_refused(as_nobody(&copy).args(["why", "--mount"]).arg(hidden.join(name)));
        }
    }
}

#[test]
fn documents_are_read_as_the_user_may() {
    need!(root, setuid);
    let dir = Dir::new().unwrap();
    let document = document();
    let hidden = secret(&dir, "document", &document);
    let garbage = secret(&dir, "garbage", SECRET);
    let open = secret(&dir, "open", &document);
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o644)).unwrap();
    for copy in privileged_copies(&dir) {
        for path in [&hidden, &garbage] {
            check_refused(as_nobody(&copy).arg("--input").arg(path));
            check_refused(as_nobody(&copy).args(["snapshot", "--input"]).arg(path));
            check_refused(as_nobody(&copy).arg("diff").arg(path).arg(&open));
            check_refused(as_nobody(&copy).arg("diff").arg(&open).arg(path));
        }
        let mut command = as_nobody(&copy);
        let output = command.args(["snapshot", "--input"]).arg(&open).output().unwrap();
        assert!(output.status.success(), "{}", text_of(&output));
        assert!(text_of(&output).contains(SECRET));
    }
}

#[test]
fn themes_are_read_as_the_user_may_and_the_privileges_come_back() {
    need!(root, setuid);
    let dir = Dir::new().unwrap();
    let theme = secret(&dir, "theme", format!("{SECRET} = 1\n"));
    let config = dir.join("config");
    std::fs::create_dir_all(config.join("lxkns")).unwrap();
    secret(&dir, "config/lxkns/theme.toml", format!("{SECRET} = 1\n"));
    // Which only its owner, or who has privileges, gets to see.
    let child = Script::new().unshare([Uts]).spawn().unwrap();
    let uts = child.namespace(Uts).to_string();
    let plain = as_nobody(copy(&dir, "lxkns", "plain")).output().unwrap();
    assert!(!text_of(&plain).contains(&uts));
    for copy in privileged_copies(&dir) {
        let mut by_option = as_nobody(&copy);
        by_option.args(["--color=always", "--theme"]).arg(&theme);
        let mut by_configuration = as_nobody(&copy);
        by_configuration.arg("--color=always").env("XDG_CONFIG_HOME", &config);
        for command in [&mut by_option, &mut by_configuration] {
            let text = text_of(&command.output().unwrap());
            assert!(!text.contains(SECRET), "{command:?}: {text}");
            assert!(text.contains("Permission denied"), "{command:?}: {text}");
            assert!(text.contains(&uts), "{command:?}: {text}");
        }
    }
}

#[test]
fn whoever_names_a_tree_of_files_lends_no_privileges() {
    need!(root, setuid);
    let dir = Dir::new().unwrap();
    secret(&dir, "secret", SECRET);
    let tree = dir.join("tree");
    let stat = "(init) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 5 0 0";
    for pid in ["1", "7"] {
        let process = tree.join(pid);
        std::fs::create_dir_all(process.join("ns")).unwrap();
        std::fs::write(process.join("stat"), format!("{pid} {stat}\n")).unwrap();
        std::os::unix::fs::symlink("net:[4026531840]", process.join("ns/net")).unwrap();
        for name in ["cmdline", "cgroup", "status", "comm"] {
            std::os::unix::fs::symlink("../../secret", process.join(name)).unwrap();
        }
    }
    let readable = ["dumpns", "lsallns"];
    for copy in privileged_copies(&dir) {
        for name in readable {
            let mut command = as_nobody(&copy);
            command.args([name, "--proc-root"]).arg(&tree);
            let text = text_of(&command.output().unwrap());
            assert!(!text.contains(SECRET), "{command:?}: {text}");
            assert!(text.contains("4026531840"), "{command:?}: {text}");
        }
    }
    // Links in a tree of files lead nowhere, not even for root, who could read the file.
    let mut command = tool("lxkns");
    command.args(["dumpns", "--proc-root"]).arg(&tree);
    assert!(std::fs::read_to_string(tree.join("7/cmdline")).unwrap().contains(SECRET));
    assert!(!text_of(&command.output().unwrap()).contains(SECRET));
}

#[test]
fn paths_are_looked_up_as_the_user_may() {
    need!(root, setuid);
    let dir = Dir::new().unwrap();
    let closed = dir.join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::write(closed.join("there"), "").unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
    let said = |copy: &Path, name: &str| {
        let path = closed.join(name);
        let output = as_nobody(copy).arg("why").arg(&path).output().unwrap();
        assert!(!output.status.success());
        text_of(&output).replace(name, "NAME")
    };
    for copy in privileged_copies(&dir) {
        // Whether there is such a file cannot be told apart.
        assert_eq!(said(&copy, "there"), said(&copy, "not-there"));
    }
}
