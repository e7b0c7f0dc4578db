//! What the tools do for ordinary users, and with more rights than the users who run them:
//! set-user-ID copies, and copies with file capabilities.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod capabilities;
mod files;
mod groups;
mod mounted;
mod steering;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use lxkns_nstest::{Dir, give_capabilities, is_met, tool};
use lxkns_species::Capabilities;

const NOBODY: u32 = 65534;

/// A command that an ordinary user runs, who finds nothing in the environment.
fn as_nobody(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.uid(NOBODY).gid(NOBODY).env_clear().current_dir("/");
    command
}

/// A copy of a tool that anybody may run.
fn copy(dir: &Dir, name: &str, copy: &str) -> PathBuf {
    let path = dir.join(copy);
    std::fs::copy(tool(name).get_program(), &path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    // A child of another test may have inherited the file as it was written, until it executes.
    let is_busy = || {
        let tried = Command::new(&path).arg("--version").output();
        tried.is_err_and(|error| error.kind() == std::io::ErrorKind::ExecutableFileBusy)
    };
    while is_busy() {
        std::thread::yield_now();
    }
    path
}

/// A copy that is run with exactly these capabilities.
fn capable_copy(dir: &Dir, name: &str, capabilities: Capabilities) -> PathBuf {
    let path = copy(dir, name, &format!("{name}-{:x}", capabilities.bits()));
    give_capabilities(&path, capabilities).unwrap();
    path
}

/// All copies of `lxkns` with privileges that can be had here: set-user-ID, and with capabilities.
fn privileged_copies(dir: &Dir) -> Vec<PathBuf> {
    let mut copies = Vec::new();
    if is_met("setuid") {
        let path = copy(dir, "lxkns", "lxkns-setuid");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o4755)).unwrap();
        copies.push(path);
    }
    if is_met("filecaps") {
        // All that are of use, and those that get around every permission.
        let numbers = [0, 1, 2, 3, 12, 18, 19, 21];
        let all = numbers.iter().fold(0, |bits, number| bits | 1 << number);
        copies.push(capable_copy(dir, "lxkns", Capabilities::from_bits(all)));
    }
    copies
}
