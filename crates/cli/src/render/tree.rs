//! Trees, written while they are walked.
//!
//! A tree is asked for one node at a time, so that nothing but the siblings on the way down is ever
//! kept, and however deep it is, no call stack grows with it.

use std::{io, vec};

use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::line::Line;
use super::screen::Screen;

/// Something that can be shown as trees.
pub(crate) trait Forest {
    /// A node.
    type Node;
    /// A node as JSON, without its children.
    type Document: Serialize;

    /// Comes to a node, before anything else is asked about it, and returns what stands below it.
    /// Nodes come from the top down, all that is below one before its next sibling.
    fn enter(&mut self, node: &mut Self::Node) -> Vec<Self::Node>;

    /// What there is to say about it.
    fn line(&self, node: &Self::Node) -> Line;

    /// Lines that belong to it.
    fn properties(&self, node: &Self::Node) -> Vec<Line>;

    fn document(&self, node: &Self::Node) -> Self::Document;
}

/// What trees are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TreeStyle {
    /// with lines
    #[default]
    Line,
    /// with ASCII characters for lines
    #[value(alias = "plain")]
    Ascii,
}

struct Glyphs {
    child: &'static str,
    last_child: &'static str,
    bar: &'static str,
    property: &'static str,
}

const BLANK: &str = "   ";

/// Lines are not wrapped where less room than this is left for them.
const LEAST_WIDTH: usize = 24;

impl TreeStyle {
    fn glyphs(self) -> Glyphs {
        match self {
            TreeStyle::Line => {
                Glyphs {
                    child: "├─ ", last_child: "└─ ", bar: "│  ", property: "⋄─ "
                }
            }
            TreeStyle::Ascii => {
                Glyphs { child: "\\_ ", last_child: "\\_ ", bar: "|  ", property: "o- " }
            }
        }
    }
}

/// One generation of siblings that are still to come.
struct Level<N> {
    nodes: vec::IntoIter<N>,
    /// How much of the prefix stands before each of them.
    prefix: usize,
}

/// Walks through trees and shows them.
///
/// On a terminal, lines that are too long go on in the next line, below where they began.
pub(crate) fn write<F: Forest>(
    forest: &mut F,
    roots: Vec<F::Node>,
    style: TreeStyle,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let glyphs = style.glyphs();
    let mut prefix = String::new();
    let mut levels = vec![Level { nodes: roots.into_iter(), prefix: 0 }];
    while let Some(level) = levels.last_mut() {
        prefix.truncate(level.prefix);
        let Some(mut node) = level.nodes.next() else {
            levels.pop();
            continue;
        };
        let last = level.nodes.len() == 0;
        let (connector, guide) = match levels.len() {
            1 => ("", ""),
            _ if last => (glyphs.last_child, BLANK),
            _ => (glyphs.child, glyphs.bar),
        };
        let children = forest.enter(&mut node);
        let below = if children.is_empty() { BLANK } else { glyphs.bar };
        let first = format!("{prefix}{connector}");
        prefix.push_str(guide);
        let next = format!("{prefix}{below}");
        indented(screen, forest.line(&node), &first, &next)?;
        for property in forest.properties(&node) {
            let first = format!("{next}{}", glyphs.property);
            indented(screen, property, &first, &format!("{next}{BLANK}"))?;
        }
        levels.push(Level { nodes: children.into_iter(), prefix: prefix.len() });
    }
    Ok(())
}

/// Writes a line, or several if it does not fit: `first` stands before the first one, `next` before
/// the others.
pub(crate) fn indented(
    screen: &mut Screen<'_>,
    line: Line,
    first: &str,
    next: &str,
) -> io::Result<()> {
    let room = screen.width.map(|width| width.saturating_sub(next.width()));
    let lines = match room {
        Some(room) if room >= LEAST_WIDTH => line.wrap_to(room),
        _ => vec![line],
    };
    for (at, line) in lines.into_iter().enumerate() {
        write!(screen.out, "{}", if at == 0 { first } else { next })?;
        line.write(screen.out, &screen.palette)?;
        writeln!(screen.out)?;
    }
    Ok(())
}

/// Walks through trees and writes them as JSON: an object with the list `namespaces`, each node an
/// object with its children in `children`.
pub(crate) fn write_json<F: Forest>(
    forest: &mut F,
    roots: Vec<F::Node>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    const STEP: usize = 4;
    write!(out, "{{\n  \"namespaces\": [")?;
    let mut levels = vec![roots.into_iter()];
    let mut first = true;
    while let Some(level) = levels.last_mut() {
        let next = level.next();
        let indent = levels.len() * STEP;
        let Some(mut node) = next else {
            levels.pop();
            if first {
                write!(out, "]")?;
            } else {
                write!(out, "\n{:1$}]", "", indent - 2)?;
            }
            // The end of the object that these were the children of.
            write!(out, "\n{:1$}}}", "", indent.saturating_sub(STEP))?;
            first = false;
            continue;
        };
        let children = forest.enter(&mut node);
        let document = serde_json::to_string_pretty(&forest.document(&node))?;
        let fields = document.strip_suffix("\n}").unwrap_or(&document);
        let comma = if first { "" } else { "," };
        write!(out, "{comma}\n{:indent$}", "")?;
        write!(out, "{}", fields.replace('\n', &format!("\n{:indent$}", "")))?;
        write!(out, ",\n{:1$}\"children\": [", "", indent + 2)?;
        levels.push(children.into_iter());
        first = true;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::palette::Palette;

    /// A node is how many children it has; each of them has one less.
    struct Countdown;

    impl Forest for Countdown {
        type Node = u32;
        type Document = serde_json::Value;

        fn enter(&mut self, node: &mut u32) -> Vec<u32> {
            vec![node.saturating_sub(1); *node as usize]
        }

        fn line(&self, node: &u32) -> Line {
            let mut line = Line::default();
            line.plain(format_args!("node {node}"));
            line
        }

        fn properties(&self, node: &u32) -> Vec<Line> {
            if node.is_multiple_of(2) {
                return Vec::new();
            }
            let mut line = Line::default();
            line.plain("is odd");
            vec![line.clone(), line]
        }

        fn document(&self, node: &u32) -> serde_json::Value {
            serde_json::json!({"n": node, "odd": [node % 2]})
        }
    }

    fn check(roots: &[u32], style: TreeStyle, width: Option<usize>, expected: &str) {
        let mut out = Vec::new();
        let mut screen = Screen { out: &mut out, palette: Palette::PLAIN, width };
        write(&mut Countdown, roots.to_vec(), style, &mut screen).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn trees_of_lines() {
        check(
            &[2, 1],
            TreeStyle::Line,
            None,
            "\
node 2
├─ node 1
│  │  ⋄─ is odd
│  │  ⋄─ is odd
│  └─ node 0
└─ node 1
   │  ⋄─ is odd
   │  ⋄─ is odd
   └─ node 0
node 1
│  ⋄─ is odd
│  ⋄─ is odd
└─ node 0
",
        );
    }

    #[test]
    fn trees_of_ascii() {
        check(
            &[2],
            TreeStyle::Ascii,
            None,
            "\
node 2
\\_ node 1
|  |  o- is odd
|  |  o- is odd
|  \\_ node 0
\\_ node 1
   |  o- is odd
   |  o- is odd
   \\_ node 0
",
        );
    }

    #[test]
    fn deep_trees_need_no_stack() {
        struct Chain;
        impl Forest for Chain {
            type Node = u32;
            type Document = serde_json::Value;
            fn enter(&mut self, node: &mut u32) -> Vec<u32> {
                node.checked_sub(1).into_iter().collect()
            }
            fn line(&self, _: &u32) -> Line {
                Line::default()
            }
            fn properties(&self, _: &u32) -> Vec<Line> {
                Vec::new()
            }
            fn document(&self, node: &u32) -> serde_json::Value {
                (*node).into()
            }
        }
        let mut screen = Screen { out: &mut io::sink(), palette: Palette::PLAIN, width: None };
        write(&mut Chain, vec![10_000], TreeStyle::Line, &mut screen).unwrap();
        write_json(&mut Chain, vec![10_000], &mut io::sink()).unwrap();
    }

    #[test]
    fn json_nests_children() {
        for (roots, expected) in [
            (vec![], serde_json::json!({"namespaces": []})),
            (
                vec![1, 0],
                serde_json::json!({"namespaces": [
                    {"n": 1, "odd": [1], "children": [{"n": 0, "odd": [0], "children": []}]},
                    {"n": 0, "odd": [0], "children": []},
                ]}),
            ),
        ] {
            let mut out = Vec::new();
            write_json(&mut Countdown, roots, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value, expected, "{text}");
            // As serde_json would have laid it out, if order of keys did not matter.
            let pretty = serde_json::to_string_pretty(&expected).unwrap() + "\n";
            assert_eq!(text.lines().count(), pretty.lines().count(), "{text}");
        }
    }
}
