//! The tools on a terminal: 80 columns, colours, and a word on what is missing.

use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;

use lxkns_model::Snapshot;
use rustix::io::read;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::fixtures;
use crate::tool::{command, document};

const COLUMNS: u16 = 80;

/// What a tool writes to a terminal, standard error included.
fn on_terminal(snapshot: &Snapshot, line: &str, environment: &[(&str, &str)]) -> String {
    on_terminal_of(COLUMNS, snapshot, line, environment)
}

fn on_terminal_of(
    columns: u16,
    snapshot: &Snapshot,
    line: &str,
    environment: &[(&str, &str)],
) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let size = Winsize { ws_col: columns, ws_row: 24, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).unwrap();
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = File::from(ioctl_tiocgptpeer(&master, flags).unwrap());
    let mut words = line.split_whitespace();
    let mut child = {
        // The command holds the terminal, too: it must be gone for the reading to end.
        let mut command = command(words.next().unwrap());
        command
            .args(words)
            .args(["--input", "-"])
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(terminal.try_clone().unwrap())
            .stderr(terminal);
        command.spawn().unwrap()
    };
    child.stdin.take().unwrap().write_all(&document(snapshot)).unwrap();
    let mut written = Vec::new();
    let mut buffer = [0; 4096];
    // Once nobody has the terminal open, reading fails.
    while let Ok(count @ 1..) = read(&master, &mut buffer) {
        written.extend_from_slice(buffer.get(..count).unwrap());
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    String::from_utf8(written).unwrap().replace("\r\n", "\n")
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let lines = [
        "lsallns -q",
        "lsallns --all-leaders -q",
        "lsuns --details -q",
        "lspidns --user -q",
        "pidtree -q",
        "nscaps -q -p 301 net:[4026532303]",
    ];
    let plain = [("NO_COLOR", "1")];
    for line in lines {
        let written = on_terminal(&fixtures::containers(), line, &plain);
        for shown in written.lines() {
            let width = shown.chars().count();
            // The id of a container is a word by itself.
            let one_word = shown.trim_start_matches([' ', '│']).split(' ').count() == 1;
            assert!(width <= usize::from(COLUMNS) || one_word, "{line}: {shown}");
            assert_eq!(shown, shown.trim_end(), "{line}");
        }
        let name = line.split_whitespace().take(2).collect::<Vec<_>>();
        let name = name.join("").replace("--", "-").replace("-q", "");
        insta::assert_snapshot!(format!("terminal-{name}"), written);
    }
}

/// A part of a command, pasted, may be another command.
#[test]
fn commands_are_not_wrapped() {
    for columns in [20, 40, COLUMNS] {
        let line = "lxkns why net:[4026532500]";
        let written = on_terminal_of(columns, &fixtures::held(), line, &[("NO_COLOR", "1")]);
        let command = r"lxkns umount --mount-id 2147493915 mnt:4026532503 '/it'\''s here'";
        assert!(written.lines().any(|line| line.trim_start() == command), "{written}");
    }
}

#[test]
fn colours_are_for_terminals() {
    let colours = |line: &str, environment: &[_]| {
        on_terminal(&fixtures::small(), line, environment).contains('\u{1b}')
    };
    assert!(colours("lsuns", &[]));
    assert!(colours("lsuns", &[("TERM", "xterm")]));
    assert!(!colours("lsuns", &[("TERM", "dumb")]));
    assert!(!colours("lsuns", &[("NO_COLOR", "1")]));
    assert!(colours("lsuns --color", &[("NO_COLOR", "1")]));
    assert!(!colours("lsuns --color=none", &[]));
}

#[test]
fn a_human_is_told_what_is_missing() {
    let notes = |line: &str, snapshot| {
        let written = on_terminal(&snapshot, line, &[("NO_COLOR", "1")]);
        let notes = written.lines().filter(|line| line.starts_with("note: "));
        notes.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        notes("lsuns", fixtures::restricted()),
        [
            "note: 5 of 8 processes could not be read (permission denied), and more is missing (-v tells)"
        ]
    );
    assert_eq!(
        notes("lsuns -v", fixtures::restricted()),
        [
            "note: the namespaces of 5 processes could not be read (permission denied): pid 1, pid 2, …",
            "note: the file descriptors of 5 processes could not be read (permission denied)",
            "note: the owner of 2 namespaces could not be told (permission denied): net:[4026531833], …",
        ]
    );
    assert_eq!(notes("lsuns", fixtures::hostile()), ["note: a\\x1b[1mgap: 1 missing (w\\x0ahy)"]);
    assert_eq!(notes("lsuns -q", fixtures::restricted()), [""; 0]);
    assert_eq!(notes("lsuns", fixtures::small()), [""; 0]);
}
