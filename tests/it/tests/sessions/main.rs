//! The sessions in the README and in the book: each command in a `console` block is run, and what
//! it prints has to be what stands there.
//!
//! A section of a page is one session of one shell, so that its later commands find what the
//! earlier ones have left. Its commands are entered one after the other, because PIDs and inode
//! numbers are others each time: they are learnt from the output, and put into the commands that
//! follow ([`matching`]).
//!
//! Sections with `sudo` in them are run by root, all others by anybody, root included. Commands of
//! git are left out, as whoever runs this has used it, and those of cargo, which `cargo xtask first-steps`
//! carries out.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod matching;
mod page;
mod shell;

use lxkns_nstest::{Dir, need};

use crate::page::{Section, sections};
use crate::shell::run;

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
    need!(sh);
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

#[test]
fn no_other_page_has_one() {
    for page in [DISCOVERY, MODEL, WIRE] {
        assert_eq!(sections(page).len(), 0, "add the page to these tests");
    }
}
