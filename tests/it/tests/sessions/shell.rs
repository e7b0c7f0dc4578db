//! A shell that is given one command after the other.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use lxkns_nstest::tool;

use crate::matching::Numbers;
use crate::page::{self, Section};

/// So long a command that was put into the background may take to be what the page shows it as.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says that a command is done, and how it ended.
const MARK: &str = "---- done";

pub(crate) struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shell {
    /// It is the first process of a PID namespace and has a mount namespace of its own: its
    /// commands reach no process and no mount of anybody else, whatever they take for theirs.
    pub(crate) fn start(folder: &Path, root: bool) -> Shell {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-current-user"]);
        }
        command.args(["--pid", "--fork", "--mount-proc", "sh"]);
        let bin_dir = tool("lxkns").get_program().to_owned();
        let bin_dir = Path::new(&bin_dir).parent().unwrap().to_owned();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut child = command
            .current_dir(folder)
            .env("PATH", format!("{}:{path}", bin_dir.display()))
            .env("HOME", folder)
            .env_remove("XDG_CONFIG_HOME")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut shell = Shell { child, input, output };
        // However this test ends, the shell then reads the end of its input and exits, and the
        // kernel ends all that it has started.
        shell.enter("exec 2>&1");
        let (pid, _) = shell.enter("echo $$");
        assert_eq!(pid.trim(), "1", "the session would reach the processes of others");
        shell.enter("sudo() { \"$@\"; }");
        if root {
            shell.enter("mount -t tmpfs tmpfs /run");
        }
        shell
    }

    /// Runs a command; what it has printed, and its exit status.
    pub(crate) fn enter(&mut self, command: &str) -> (String, i32) {
        writeln!(self.input, "{command}\necho \"{MARK} $?\"").unwrap();
        let mut printed = String::new();
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).unwrap();
            assert_ne!(length, 0, "the shell has ended at {command:?}: {printed}");
            if let Some((rest, status)) = line.split_once(MARK) {
                return (printed + rest, status.trim().parse().unwrap());
            }
            printed += &line;
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        _ = writeln!(self.input, "exit");
        _ = self.child.wait();
    }
}

/// Runs all commands of a section in a folder, and compares.
pub(crate) fn run(section: &Section, folder: &Path) {
    let mut shell = Shell::start(folder, section.needs_root());
    let mut numbers = Numbers::default();
    for command in &section.commands {
        let text = numbers.put_into(&command.text);
        let start = Instant::now();
        numbers = loop {
            let (printed, status) = shell.enter(&text);
            let as_shown = matching(command, &numbers, &printed, status);
            match as_shown {
                Some(numbers) => break numbers,
                None if may_repeat(&text) && start.elapsed() < PATIENCE => {}
                None => panic!(
                    "under {:?}:\n$ {text}\nprinted (status {status})\n{printed}\nand not\n{}\n{numbers:?}",
                    section.heading,
                    command.output.join("\n")
                ),
            }
        };
    }
}

fn matching(
    command: &page::Command,
    numbers: &Numbers,
    printed: &str,
    status: i32,
) -> Option<Numbers> {
    let ended_well = if command.fails() {
        status != 0
    } else {
        // 1 is the answer of `lxkns diff` if there are differences.
        status == 0 || status == 1 && command.text.contains("lxkns diff ")
    };
    if !ended_well {
        return None;
    }
    if command.output.is_empty() {
        return Some(numbers.clone());
    }
    // Which gaps a scan has is up to the machine.
    let printed = printed.replace('≥', " ");
    let is_shown = |line: &&str| {
        !line.starts_with("note: ") || command.output.iter().any(|shown| shown == line)
    };
    let lines = printed.lines().filter(is_shown);
    numbers.matching(&command.output, &lines.collect::<Vec<_>>())
}

/// Whether it only looks, so that it can be asked again until there is what it is to look at.
fn may_repeat(command: &str) -> bool {
    let mut words = command.split_whitespace().filter(|word| *word != "sudo");
    let is_tool = words.next().is_some_and(|word| tool_names().contains(&word));
    is_tool && words.next() != Some("exec")
}

fn tool_names() -> [&'static str; 7] {
    ["lxkns", "lsallns", "lsuns", "lspidns", "pidtree", "nscaps", "dumpns"]
}
