//! What the tools print, to the letter.

use lxkns_model::Snapshot;

use crate::fixtures;
use crate::tool::run_on;

/// Runs command lines on a snapshot; what they print stands below each of them.
fn transcript(snapshot: &Snapshot, lines: &[String]) -> String {
    let mut transcript = String::new();
    for line in lines {
        let outcome = run_on(snapshot, line);
        assert_eq!(outcome.code, Some(0), "{line}: {}", outcome.stderr);
        assert!(outcome.stderr.lines().all(|it| it.starts_with("note: ")), "{}", outcome.stderr);
        for c in outcome.stdout.chars() {
            let colour = c == '\u{1b}' && line.contains("--color");
            let tab = c == '\t' && line.contains("--tab");
            assert!(c == '\n' || colour || tab || !c.is_control(), "{line}: {c:?}");
        }
        let printed = outcome.stdout.replace('\u{1b}', "␛");
        transcript += &format!("$ {line}\n{printed}{}\n", outcome.stderr);
    }
    transcript
}

/// In plain lines and in ASCII, in colours for dark and for light backgrounds.
fn tree(name: &str, arguments: &str) {
    for (fixture, snapshot) in fixtures::all() {
        let lines = [
            "",
            " --treestyle=ascii",
            " --color --theme=dark",
            " --color --theme=light --treestyle=ascii",
        ];
        let lines = lines.map(|style| format!("{name}{arguments}{style}"));
        insta::assert_snapshot!(format!("{name}-{fixture}"), transcript(&snapshot, &lines));
    }
}

#[test]
fn lsallns() {
    for (fixture, snapshot) in fixtures::all() {
        let lines = [
            "lsallns",
            "lsallns --color --theme=dark --icon",
            "lsallns --color --theme=light --noheadings",
        ];
        let lines = lines.map(String::from);
        insta::assert_snapshot!(format!("lsallns-{fixture}"), transcript(&snapshot, &lines));
    }
}

#[test]
fn lsuns() {
    tree("lsuns", " --details");
}

#[test]
fn lspidns() {
    tree("lspidns", " --user");
}

#[test]
fn pidtree() {
    tree("pidtree", "");
}

#[test]
fn nscaps() {
    let questions = [
        ("small", fixtures::small(), "-p 810 net:[4026532180]"),
        ("containers", fixtures::containers(), "-p 301 net:4026532303"),
        ("restricted", fixtures::restricted(), "-p 811 net:[4026532603]"),
        ("hostile", fixtures::hostile(), "-p 811 user:[4026531837]"),
    ];
    for (fixture, snapshot, question) in questions {
        let styles = [
            "",
            " --treestyle=ascii --proccaps=false",
            " --color --theme=dark --brief",
            " --color --theme=light",
            " --json",
        ];
        let lines = styles.map(|style| format!("nscaps {question}{style}"));
        insta::assert_snapshot!(format!("nscaps-{fixture}"), transcript(&snapshot, &lines));
    }
}

#[test]
fn options_of_tables_and_trees() {
    let lines = [
        "lsallns -p 301",
        "lsallns net@301 4026532201 pid:4026532302",
        "lsallns --filter user,n -f t --output NAMESPACE,creator,parent,processes,command",
        "lsallns --filter pid --all-leaders --proc=basename --cgroup=short -o type,inode,pid,process,cgroup",
        "lsuns --all-leaders --proc=exe --cgroup",
        "lsuns --details --filter=pid",
        "lspidns",
        "pidtree -p 311 --proc",
        "pidtree -p 7 -n pid:[4026532202]",
        "pidtree -p 20 -n 4026532202 --icon",
        "nscaps -p 1 -n pid:4026532202 user:[4026532250] --brief --proccaps=false",
    ];
    let transcript = transcript(&fixtures::containers(), &lines.map(String::from));
    insta::assert_snapshot!("options", transcript);
}

#[test]
fn json() {
    let lines = [
        "lsallns --json --filter net",
        "lsallns --jsonl --filter user",
        "lsuns --json --details --filter net",
        "lspidns --json --user",
        "pidtree --json",
        "dumpns --compact",
        "dumpns --indent 1",
        "dumpns --tab",
        "lxkns snapshot --jsonl",
    ];
    let transcript = transcript(&fixtures::small(), &lines.map(String::from));
    insta::assert_snapshot!("json", transcript);
}

#[test]
fn both_formats_are_shown() {
    for (fixture, snapshot) in fixtures::all() {
        let native = run_on(&snapshot, "lspidns").stdout;
        let mut lxkns = Vec::new();
        let layout = lxkns_model::wire::Layout::Compact;
        lxkns_model::wire::lxkns::write(&snapshot, &mut lxkns, layout).unwrap();
        let shown = crate::tool::run_with_stdin("lspidns --input -", &lxkns);
        assert_eq!(shown.code, Some(0), "{fixture}: {}", shown.stderr);
        let trees = |text: &str| -> Vec<String> {
            let ids = text.lines().map(|line| line.split(']').next().unwrap_or(line).to_owned());
            ids.collect()
        };
        assert_eq!(trees(&shown.stdout), trees(&native), "{fixture}");
    }
}
