//! The rule for chores in Markdown files: a `cargo xtask` in a `console` block is one that there
//! is.
//!
//! The other commands of the README and the guide are run by `lxkns-it::sessions`.

use std::path::Path;

use clap::Parser;
use pulldown_cmark::{CodeBlockKind, Event, Parser as Markdown, Tag};

use super::{Finding, line_of};
use crate::Arguments;

/// Checks one file.
pub(super) fn check(path: &Path, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in console_lines(text) {
        let Some((_, chore)) = line.split_once("cargo xtask") else {
            continue;
        };
        let words = ["cargo xtask"].into_iter().chain(chore.split_whitespace());
        if line.starts_with("$ ") && Arguments::try_parse_from(words).is_err() {
            let what = format!("no such chore: cargo xtask{chore}");
            findings.push(Finding::new(path, number, what));
        }
    }
    findings
}

/// The lines in the `console` blocks of a page, commands and what they print, each with its number.
pub(crate) fn console_lines(page: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    let mut in_console = false;
    for (event, range) in Markdown::new(page).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                in_console = matches!(kind, CodeBlockKind::Fenced(info) if &*info == "console");
            }
            Event::Text(_) if in_console => {
                let first = line_of(page, range.start);
                let block = page.get(range).unwrap_or_default();
                lines.extend(block.lines().enumerate().map(|(at, line)| (first + at, line)));
            }
            _ => {}
        }
    }
    lines
}

#[test]
fn chores_exist() {
    let text = "\
```console
$ cargo xtask lint
$ sudo -E cargo xtask bench --rounds 3
$ cargo xtask polish
```
```text
$ cargo xtask polish
```
";
    let found: Vec<_> = check(Path::new("a.md"), text).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["a.md:4: error: no such chore: cargo xtask polish"]);
}
