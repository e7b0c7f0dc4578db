//! The rules for Markdown files: a link leads to a file, and to a heading in it, that is there; and
//! the book in `docs/` has all of its pages.
//!
//! A page of the book is read in the repository and in the book, where nothing outside of `docs/`
//! is. So from there a link to anything else in the repository is one to the repository's web page,
//! and is looked up in here all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Finding, line_of};

/// The folder of the book, and the page with its table of contents.
const BOOK: &str = "docs";
const SUMMARY: &str = "docs/SUMMARY.md";

/// What the repository's files are called on the web.
const ON_THE_WEB: [&str; 2] =
    ["https://github.com/lxkns/lxkns/blob/main/", "https://github.com/lxkns/lxkns/tree/main/"];

/// What of a Markdown file matters to others.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// What the headings are called in links.
    anchors: BTreeSet<String>,
    /// What it links to, and in which line.
    links: Vec<(usize, String)>,
}

impl Page {
    pub(super) fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES;
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    let line = line_of(text, range.start);
                    page.links.push((line, dest_url.into_string()));
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    page.add_anchor(&heading.take().unwrap_or_default());
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        page
    }

    /// As GitHub and mdBook name headings: the second one of a name gets a number.
    fn add_anchor(&mut self, heading: &str) {
        let name: String = heading
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let mut anchor = name.clone();
        let mut number = 0;
        while self.anchors.contains(&anchor) {
            number += 1;
            anchor = format!("{name}-{number}");
        }
        self.anchors.insert(anchor);
    }
}

/// Checks all pages, by their paths; `exists` tells of any path from the root of the workspace.
pub(super) fn check(
    pages: &BTreeMap<PathBuf, Page>,
    exists: impl Fn(&Path) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, page) in pages {
        for (line, link) in &page.links {
            if let Some(what) = wrong(path, link, pages, &exists) {
                findings.push(Finding::new(path, *line, format!("{what}: {link}")));
            }
        }
    }
    findings.extend(missing_in_book(pages));
    findings
}

/// What is wrong with a link.
fn wrong(
    from: &Path,
    link: &str,
    pages: &BTreeMap<PathBuf, Page>,
    exists: impl Fn(&Path) -> bool,
) -> Option<&'static str> {
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (link, None),
    };
    let on_the_web = ON_THE_WEB.iter().find_map(|prefix| file.strip_prefix(prefix));
    let target = if let Some(file) = on_the_web {
        PathBuf::from(file)
    } else if file.contains(':') {
        return None;
    } else if file.is_empty() {
        from.to_owned()
    } else {
        let folder = from.parent().unwrap_or(Path::new(""));
        let Some(target) = normalised(&folder.join(file)) else {
            return Some("a link out of the workspace");
        };
        if from.starts_with(BOOK) && !target.starts_with(BOOK) {
            return Some("a link out of the book; link to the repository on the web");
        }
        target
    };
    if !exists(&target) {
        return Some("no such file");
    }
    match (anchor, pages.get(&target)) {
        (Some(anchor), Some(page)) if !page.anchors.contains(anchor) => Some("no such heading"),
        _ => None,
    }
}

/// The pages of the book that its table of contents does not name.
fn missing_in_book(pages: &BTreeMap<PathBuf, Page>) -> Vec<Finding> {
    let summary = Path::new(SUMMARY);
    let named: Vec<PathBuf> = pages
        .get(summary)
        .into_iter()
        .flat_map(|page| &page.links)
        .map(|(_, link)| Path::new(BOOK).join(link))
        .collect();
    pages
        .keys()
        .filter(|path| path.starts_with(BOOK) && *path != summary && !named.contains(path))
        .map(|path| Finding::new(path, 1, format!("not in the table of contents, {SUMMARY}")))
        .collect()
}

/// The path without `.` and `..`, `None` when it leads out of where it started.
fn normalised(path: &Path) -> Option<PathBuf> {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !result.pop() {
                    return None;
                }
            }
            Component::Normal(name) => result.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_pages(pages: &[(&str, &str)], expected: &[&str]) {
        let pages: BTreeMap<PathBuf, Page> =
            pages.iter().map(|(path, text)| (PathBuf::from(path), Page::read(text))).collect();
        let there = |path: &Path| pages.contains_key(path) || path == Path::new("xtask/x.rs");
        let found: Vec<_> = check(&pages, there).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn dead_links_are_found() {
        let text = "\
# A heading, `with code`
[good](docs/a.md), [dead](gone.md#x), [there](docs/a.md \"title\")
[out](../x), [web](https://example.org/x.md), [here](#a-heading-with-code), `[code](no.md)`
```
[code](no.md)
```
[used][label], ![](xtask/x.rs), [](#nowhere), [](docs/a.md#two-1), [](docs/a.md#two-2)

[label]: gone.md
";
        check_pages(
            &[
                ("README.md", text),
                ("docs/SUMMARY.md", "[](a.md)"),
                ("docs/a.md", "# Two\n# Two\n"),
            ],
            &[
                "README.md:2: error: no such file: gone.md#x",
                "README.md:3: error: a link out of the workspace: ../x",
                "README.md:7: error: no such file: gone.md",
                "README.md:7: error: no such heading: #nowhere",
                "README.md:7: error: no such heading: docs/a.md#two-2",
            ],
        );
    }

    #[test]
    fn the_book_is_complete_in_itself() {
        let text = "[](../xtask/x.rs)\n[](https://github.com/lxkns/lxkns/blob/main/xtask/x.rs)\n\
                    [](https://github.com/lxkns/lxkns/tree/main/gone)\n";
        check_pages(
            &[("docs/SUMMARY.md", "[](a.md)"), ("docs/a.md", text), ("docs/b.md", "")],
            &[
                "docs/a.md:1: error: a link out of the book; link to the repository on the web: \
                 ../xtask/x.rs",
                "docs/a.md:3: error: no such file: https://github.com/lxkns/lxkns/tree/main/gone",
                "docs/b.md:1: error: not in the table of contents, docs/SUMMARY.md",
            ],
        );
    }
}
