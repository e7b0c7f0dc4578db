//! `lxkns why --mount` for somebody who may not read the mount namespaces of others: their tables
//! of mounts can be read, and tell who is in the same one.

use std::path::Path;
use std::process::Command;

use lxkns_nstest::{Dir, Script, need};
use lxkns_species::NamespaceType::Mnt;
use lxkns_species::Pid;
use serde_json::Value;

use crate::{NOBODY, copy};

const SOMEBODY_ELSE: u32 = 65533;

/// The answer that an ordinary user gets in the mount namespace of a process.
fn ask(program: &Path, of: Pid, path: &Path) -> Value {
    let mut command = Command::new(program);
    command.args(["why", "--json", "--mount"]).arg(path);
    let child = Script::new()
        .enter(format!("/proc/{of}/ns/mnt"), Mnt)
        .become_user(NOBODY, NOBODY)
        .run("tool", &command)
        .spawn()
        .unwrap();
    let output = child.output("tool");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_mount_namespace_counts_once() {
    need!(root);
    let dir = Dir::new().unwrap();
    let program = copy(&dir, "lxkns", "lxkns");
    let fs = dir.join("fs");
    let other = || Script::new().become_user(SOMEBODY_ELSE, SOMEBODY_ELSE);
    let sub = fs.join("sub");
    let chrooted = Script::new().chroot(&sub).become_user(SOMEBODY_ELSE, SOMEBODY_ELSE);
    let away = Script::new().unshare([Mnt]).fork("away too", other()).fork("chrooted", chrooted);
    let child = Script::new()
        .unshare([Mnt])
        .mkdir(&fs)
        .mount("tmpfs", &fs, "")
        .mkdir(&sub)
        .bind(&sub, &sub)
        .fork("here", other())
        .fork("away", away)
        .spawn()
        .unwrap();

    let answer = ask(&program, child.pid(), &fs);
    let places = answer["places"].as_array().unwrap();
    assert_eq!(places.len(), 2, "{answer:#}");
    let id = child.namespace(Mnt).to_string();
    assert_eq!(places[0]["mount-namespace"], id, "{answer:#}");
    assert_eq!(places[1].get("mount-namespace"), None, "{answer:#}");
    let is_in = |at: usize, pid: Pid| {
        let processes = places[at]["processes"].as_array().unwrap();
        processes.iter().any(|it| *it == pid.0)
    };
    assert!(is_in(0, child.pid()) && is_in(0, child.pid_of("here")));
    for away in ["away", "away too", "chrooted"] {
        assert!(is_in(1, child.pid_of(away)), "{away}: {answer:#}");
    }
}
