//! The sessions in the README and in the book: each command in a `console` block is run, and what
//! it prints has to be what stands there.
//!
//! A section of a page is one session of one shell, so that its later commands find what the
//! earlier ones have left. Its commands are entered one after the other, because PIDs and inode
//! numbers are others each time: they are learnt from the output, and put into the commands that
//! follow ([`matching`]).
//!
//! Each shell has a PID namespace and a mount namespace of its own, so that a session reaches
//! nothing but what it has made. Sections with `sudo` in them are run by root, all others by
//! anybody, root included. Commands of git are left out, as whoever runs this has used it, and
//! those of cargo, which `cargo xtask first-steps` carries out.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod matching;
mod page;
mod shell;

use lxkns_nstest::{Dir, need};

use std::process::{Child, Command, Stdio};

use crate::page::{Section, sections};
use crate::shell::{Shell, run};

const README: &str = include_str!("../../../../README.md");
const GUIDE: &str = include_str!("../../../../docs/guide.md");
const DISCOVERY: &str = include_str!("../../../../docs/discovery.md");
const MODEL: &str = include_str!("../../../../docs/model.md");
const WIRE: &str = include_str!("../../../../docs/wire.md");

/// The files that commands refer to, by their paths in the repository.
const FILES: [(&str, &str); 2] = [
    ("docs/examples/demo.jsonl", include_str!("../../../../docs/examples/demo.jsonl")),
    ("docs/examples/demo-later.jsonl", include_str!("../../../../docs/examples/demo-later.jsonl")),
];

/// A folder like the repository's, as far as commands look into it.
fn repository() -> Dir {
    let dir = Dir::new().unwrap();
    for (path, content) in FILES {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir
}

fn run_all(page: &str, wanted: impl Fn(&Section) -> bool) {
    let sections: Vec<Section> = sections(page).into_iter().filter(wanted).collect();
    assert!(!sections.is_empty(), "no such session");
    for section in sections {
        let dir = repository();
        run(&section, dir.path());
    }
}

#[test]
fn of_the_readme() {
    need!(userns, sh, unshare);
    run_all(README, |_| true);
}

#[test]
fn of_the_guide() {
    need!(userns, sh, unshare);
    run_all(GUIDE, |section| !section.needs_root());
}

#[test]
fn of_the_guide_for_root() {
    need!(root, sh, unshare);
    run_all(GUIDE, Section::needs_root);
}

/// A PID namespace of another user of the machine, as the guide makes one.
struct Bystander(Child);

impl Bystander {
    fn start() -> Bystander {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "sleep"]);
        Bystander(command.arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    /// The sleeping process.
    fn sleeper(&self) -> u32 {
        let unshare = self.0.id();
        loop {
            let children = format!("/proc/{unshare}/task/{unshare}/children");
            let children = std::fs::read_to_string(children).unwrap();
            let pid = children.split_whitespace().next().map(|pid| pid.parse().unwrap());
            let is_asleep = |pid: &u32| {
                let comm = std::fs::read_to_string(format!("/proc/{pid}/comm"));
                comm.is_ok_and(|comm| comm == "sleep\n")
            };
            if let Some(pid) = pid.filter(is_asleep) {
                return pid;
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn a_session_reaches_nothing_of_others() {
    need!(userns, sh, unshare);
    let bystander = Bystander::start();
    let pid = bystander.sleeper();
    let namespace = std::fs::read_link(format!("/proc/{pid}/ns/pid")).unwrap();
    let namespace = namespace.to_str().unwrap();
    let dir = repository();
    let mut shell = Shell::start(dir.path(), false);
    let (printed, status) = shell.enter("lxkns --filter pid");
    assert!(status == 0 && !printed.contains(namespace), "{namespace}: {printed}");
    let (printed, status) = shell.enter(&format!("lxkns exec {namespace} -- true"));
    assert_ne!(status, 0, "{printed}");
    let (printed, status) = shell.enter(&format!("kill -KILL {pid}"));
    assert_ne!(status, 0, "{printed}");
    drop(shell);
    // This one looks for a process like the bystander, and ends it.
    run_all(GUIDE, |section| section.heading == "Go into a sandbox of your own");
    assert_eq!(bystander.sleeper(), pid);
}

#[test]
fn no_other_page_has_one() {
    for page in [DISCOVERY, MODEL, WIRE] {
        assert_eq!(sections(page).len(), 0, "add the page to these tests");
    }
}
