//! `lxkns why`, to the letter.

use lxkns_model::Snapshot;

use crate::fixtures;
use crate::tool::run_on;

/// What is printed, each after its command line.
fn transcript(snapshot: &Snapshot, lines: &[&str]) -> String {
    let mut transcript = String::new();
    for line in lines {
        let line = format!("lxkns why {line}");
        let outcome = run_on(snapshot, &line);
        assert_eq!(outcome.code, Some(0), "{line}: {}", outcome.stderr);
        assert!(outcome.stderr.lines().all(|it| it.starts_with("note: ")), "{}", outcome.stderr);
        for c in outcome.stdout.chars() {
            let colour = c == '\u{1b}' && line.contains("--color");
            assert!(c == '\n' || colour || !c.is_control(), "{line}: {c:?}");
        }
        let printed = outcome.stdout.replace('\u{1b}', "␛");
        transcript += &format!("$ {line}\n{printed}{}\n", outcome.stderr);
    }
    transcript
}

#[test]
fn all_kinds_of_holders() {
    let lines = [
        "net:[4026532500]",
        "net:[4026532500] --color --cgroup=short",
        "net:[4026532500] --json",
        "user:[4026532509]",
        "mnt:[4026532501]",
    ];
    insta::assert_snapshot!("why-held", transcript(&fixtures::held(), &lines));
}

#[test]
fn containers() {
    let lines = [
        "user:[4026532200]",
        "net:[4026532404]",
        "net:[4026532405]",
        "net:[4026532408]",
        "time:[4026532406]",
        "pid:[4026532407]",
        "user:[4026531837]",
        "pid:[4026531836]",
    ];
    insta::assert_snapshot!("why-containers", transcript(&fixtures::containers(), &lines));
}

#[test]
fn what_may_be_missing_is_part_of_the_answer() {
    let lines = ["net:[4026532603]", "user:[4026532600]", "user:[4026532600] --json"];
    insta::assert_snapshot!("why-restricted", transcript(&fixtures::restricted(), &lines));
}

#[test]
fn foreign_text_is_escaped() {
    let lines = ["net:[4026532180]", "user:[4026532177]", "uts:[4026532181]"];
    insta::assert_snapshot!("why-hostile", transcript(&fixtures::hostile(), &lines));
}

#[test]
fn what_is_not_there_is_an_error() {
    let outcome = run_on(&fixtures::small(), "lxkns why net:[7]");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.starts_with("error: there is no namespace net:[7]"));
    assert_eq!(outcome.stdout, "");
}
