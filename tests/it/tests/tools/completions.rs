//! Completion, by real shells that ask the real program.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use lxkns_nstest::{Dir, Script, need, tool};
use lxkns_species::NamespaceType::Net;

use super::stdout;

/// Defines `show WORD…`, which prints the candidates for the last of the words.
const BASH: &str = r#"
show() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
    "_clap_complete_$1" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
    printf '%s\n' "${COMPREPLY[@]}"
}
"#;

/// Zsh completes only at its prompt. Here, its own functions print the candidates.
const ZSH: &str = r#"
compdef() { : }
_describe() { print -rl -- "${(@P)${@[-1]}}" }
show() {
    words=("$@") CURRENT=$#
    "_clap_dynamic_completer_$1"
}
"#;

const FISH: &str = r#"
function show
    complete -C "$argv"
end
"#;

fn check(shell: &str, options: &[&str], show: &str) {
    let child = Script::new()
        .name("all \x1b[1m $(ids)")
        .user_namespace()
        .unshare([Net])
        .note("net", Net)
        .spawn()
        .unwrap();
    let (inode, pid) = (child.noted("net").inode().to_string(), child.pid().to_string());

    let dir = Dir::new().unwrap();
    let program = tool("lxkns").get_program().to_owned();
    for name in ["lxkns", "lsuns"] {
        symlink(&program, dir.join(name)).unwrap();
    }
    let script = tool("lxkns").args(["completions", shell]).output().unwrap();
    fs::write(dir.join("script"), stdout(&script)).unwrap();
    let candidates = |words: &[&str]| -> Vec<String> {
        let line = format!("{show}\n. {:?}\nshow '{}'\n", dir.join("script"), words.join("' '"));
        // To fish, a command line is one text.
        let line = if shell == "fish" { line.replace("' '", " ") } else { line };
        let path = format!("{}:/usr/bin:/bin", dir.path().display());
        let output = Command::new(shell).args(options).arg(line).env("PATH", path).output();
        let output = output.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains('\x1b'), "{text}");
        // Shells that show a description put it after a tab or colon.
        text.lines()
            .map(|line| line.split(['\t', ':']).next().unwrap().trim().to_owned())
            .filter(|word| !word.is_empty())
            .collect()
    };
    let offers = |words: &[&str], expected: &str| {
        let candidates = candidates(words);
        assert!(candidates.iter().any(|it| it == expected), "{words:?}: {candidates:?}");
        candidates
    };
    offers(&["lxkns", "lsu"], "lsuns");
    offers(&["lxkns", "lsuns", "--det"], "--details");
    assert_eq!(offers(&["lsuns", "--filter", "mnt,ne"], "mnt,net"), ["mnt,net"]);
    offers(&["lxkns", "lsallns", "--output", "pid,na"], "pid,namespace");
    assert_eq!(offers(&["lxkns", "why", &inode], &inode), [inode.as_str()]);
    offers(&["lxkns", "why", &inode[..6]], &inode);
    offers(&["lxkns", "pid", &pid], &pid);
    assert_eq!(candidates(&["lxkns", "why", "x"]), [""; 0]);
}

#[test]
fn bash_completes() {
    need!(bash, userns);
    check("bash", &["--norc", "--noprofile", "-c"], BASH);
}

#[test]
fn zsh_completes() {
    need!(zsh, userns);
    check("zsh", &["-f", "-c"], ZSH);
}

#[test]
fn fish_completes() {
    need!(fish, userns);
    check("fish", &["--no-config", "-c"], FISH);
}
