//! Files that others control, in the way of a tool: FIFOs, devices, and file servers that do not
//! answer. The tool goes on, or ends with an error.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use lxkns_it::{snapshot_of, tool_snapshot};
use lxkns_nstest::{Dir, Script, need, tool};
use lxkns_species::NamespaceType::Mnt;
use lxkns_species::Pid;

use crate::fake::Tree;
use crate::hostile::{DIRECTORY, FILE, dead_file_system};

/// All files of a tree that a scan opens for reading.
const FILES: [&str; 10] = [
    "1/stat",
    "1/status",
    "1/cmdline",
    "1/cgroup",
    "1/mountinfo",
    "1/uid_map",
    "self/uid_map",
    "sys/kernel/cap_last_cap",
    "sys/kernel/overflowuid",
    "sys/kernel/random/boot_id",
];

#[test]
fn a_fifo_in_a_tree_is_not_waited_for() {
    for path in FILES.into_iter().chain(["2", "1/fd", "1/task"]) {
        let tree = Tree::new();
        tree.process(1, 0, &[]).process(12, 1, &[]);
        let place = tree.path().join(path);
        _ = std::fs::remove_file(&place);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        let fifo = rustix::fs::FileType::Fifo;
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &place, fifo, mode, 0).unwrap();
        let snapshot = tree.scan();
        assert!(snapshot.process(Pid(12)).is_some(), "{path}");
    }
}

#[test]
fn a_link_in_a_tree_leads_to_no_file_of_this_machine() {
    let dir = Dir::new().unwrap();
    let secret = dir.join("secret");
    std::fs::write(&secret, "the\0secret\0").unwrap();
    for file in ["cmdline", "cgroup", "stat", "status"] {
        let tree = Tree::new();
        tree.process(1, 0, &[]).process(12, 1, &[]);
        let place = tree.path().join("12").join(file);
        std::fs::remove_file(&place).unwrap();
        symlink(&secret, &place).unwrap();
        let snapshot = tree.scan();
        let process = snapshot.process(Pid(12)).unwrap();
        if file == "cmdline" {
            assert_eq!(process.cmdline(), None);
        }
        assert!(!format!("{process:?}").contains("secret"), "{process:?}");
    }
}

#[test]
fn what_lies_over_files_of_the_system_is_not_waited_for() {
    need!(root, fuse);
    let files = ["/etc/passwd", "/proc/sys/kernel/cap_last_cap", "/proc/sys/kernel/overflowuid"];
    let dir = Dir::new().unwrap();
    let fifo = dir.join("fifo");
    let by_fifo = files.into_iter().fold(
        Script::new().unshare([Mnt]).mount("tmpfs", &dir, "").mkfifo(&fifo),
        |script, file| script.bind(&fifo, file),
    );
    let dead = |file| dead_file_system(Script::new().unshare([Mnt]), file, FILE);
    for script in [by_fifo].into_iter().chain(files.map(dead)) {
        let child = script.run("tool", &tool_snapshot()).spawn().unwrap();
        let snapshot = snapshot_of(child.output("tool"));
        assert!(snapshot.process(child.pid()).is_some());
    }
}

/// The kernel's type information, without which there is no BPF.
#[test]
fn what_lies_over_the_types_of_the_kernel_is_not_waited_for() {
    need!(root, fuse, btf, bpf);
    const TYPES: &str = "/sys/kernel/btf/vmlinux";
    let dir = Dir::new().unwrap();
    let (fifo, copy) = (dir.join("fifo"), dir.join("copy"));
    let place = || Script::new().unshare([Mnt]).mount("tmpfs", &dir, "");
    let over = [
        place().mkfifo(&fifo).bind(&fifo, TYPES),
        place().touch(&copy).bind(&copy, TYPES),
        Script::new().unshare([Mnt]).bind("/dev/tty", TYPES),
        dead_file_system(Script::new().unshare([Mnt]), TYPES, FILE),
    ];
    let mut command = tool_snapshot();
    command.args(["--bpf", "on"]);
    for script in over {
        let child = script.run("tool", &command).run("features", &features()).spawn().unwrap();
        let snapshot = snapshot_of(child.output("tool"));
        assert!(snapshot.process(child.pid()).is_some());
        let features = child.output("features");
        assert!(features.status.success(), "{features:?}");
    }
}

fn features() -> Command {
    let mut command = tool("lxkns");
    command.arg("features");
    command
}

/// What the tools make of paths below a file system whose server does not answer.
fn beside_a_dead_file_system(commands: &[(&str, Command)], dir: &Dir) -> Vec<Output> {
    let place = dir.join("dead");
    let script = Script::new().unshare([Mnt]).mount("tmpfs", dir, "").mkdir(&place);
    let script = dead_file_system(script, &place, DIRECTORY);
    let all = commands.iter().fold(script, |script, (label, command)| {
        script.fork(label, Script::new().run(&format!("{label} it"), command))
    });
    let child = all.spawn().unwrap();
    let output = |(label, _): &(&str, Command)| child.output(&format!("{label} it")).clone();
    commands.iter().map(output).collect()
}

fn command(arguments: &[&str], path: &Path) -> Command {
    let mut command = tool("lxkns");
    command.args(arguments.iter().map(|argument| match *argument {
        "PATH" => path.as_os_str(),
        other => other.as_ref(),
    }));
    command
}

#[test]
fn a_path_below_a_dead_file_system_is_an_error() {
    need!(root, fuse);
    let dir = Dir::new().unwrap();
    let path = dir.join("dead/file");
    let commands = [
        ("why", command(&["why", "PATH"], &path)),
        ("mount", command(&["why", "--mount", "PATH"], &path)),
        ("table", command(&["PATH"], &path)),
        ("exec", command(&["exec", "PATH", "--", "true"], &path)),
        ("input", command(&["lsuns", "--input", "PATH"], &path)),
        ("diff", command(&["diff", "PATH"], &path)),
        ("proc", command(&["snapshot", "--proc-root", "PATH"], &path)),
    ];
    for ((label, _), output) in commands.iter().zip(beside_a_dead_file_system(&commands, &dir)) {
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{label}: {complaint}");
        assert!(complaint.contains("does not answer"), "{label}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{label}: {complaint}");
    }
}

/// A theme is decoration.
#[test]
fn a_theme_below_a_dead_file_system_is_a_warning() {
    need!(root, fuse);
    let dir = Dir::new().unwrap();
    let path = dir.join("dead/lxkns/theme.toml");
    let mut configured = command(&["features", "--color=always"], &path);
    configured.env("XDG_CONFIG_HOME", dir.join("dead"));
    let commands = [
        ("named", command(&["--filter", "pid", "--color=always", "--theme", "PATH"], &path)),
        ("configured", configured),
    ];
    for ((label, _), output) in commands.iter().zip(beside_a_dead_file_system(&commands, &dir)) {
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{label}: {complaint}");
        assert!(complaint.contains("does not answer"), "{label}: {complaint}");
    }
}
