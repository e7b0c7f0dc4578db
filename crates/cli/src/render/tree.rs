//! Trees, written while they are walked.
//!
//! A tree is asked for one node at a time, so that nothing but the siblings on the way down is ever
//! kept, and however deep it is, no call stack grows with it. Nor does what stands before a line:
//! any user can make processes that nest thousands deep, and if each line repeated what is above
//! it, the output would grow with the square of that. So it starts anew after every [`DEEP`]
//! levels.

use std::collections::VecDeque;
use std::{io, vec};

use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::blanks;
use super::line::Line;
use super::screen::Screen;

/// Something that can be shown as trees.
pub(crate) trait Forest {
    /// A node.
    type Node;
    /// A node as JSON, without its children.
    type Document: Serialize;

    /// Comes to a node, before anything else is asked about it, and returns what stands below it.
    /// Nodes come from the top down.
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

/// So many levels of a tree stand below one another. Those below them start again at the left,
/// after the number of levels above; in JSON they stand in a list of their own.
///
/// JSON nests twice as deep, and parsers refuse what is deeper than 128 (serde_json) or 256 (jq
/// 1.6).
pub(crate) const DEEP: usize = 48;

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
    /// How many levels are above them.
    depth: usize,
    /// What stands before each of them.
    prefix: String,
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
    let mut levels = vec![Level { nodes: roots.into_iter(), depth: 0, prefix: String::new() }];
    while let Some(mut level) = levels.pop() {
        let Some(mut node) = level.nodes.next() else { continue };
        let last = level.nodes.len() == 0;
        let (connector, guide) = match level.depth {
            0 => ("", ""),
            _ if last => (glyphs.last_child, BLANK),
            _ => (glyphs.child, glyphs.bar),
        };
        let children = forest.enter(&mut node);
        let below = if children.is_empty() { BLANK } else { glyphs.bar };
        let prefix = &level.prefix;
        let first = format!("{prefix}{connector}");
        let inner = format!("{prefix}{guide}");
        let next = format!("{inner}{below}");
        indented(screen, forest.line(&node), &first, &next)?;
        for property in forest.properties(&node) {
            let first = format!("{next}{}", glyphs.property);
            indented(screen, property, &first, &format!("{next}{BLANK}"))?;
        }
        let depth = level.depth + 1;
        let prefix = if depth.is_multiple_of(DEEP) { format!("…({depth}) ") } else { inner };
        // A level without further nodes is not kept, or a chain would take memory for each of its
        // links.
        if !last {
            levels.push(level);
        }
        levels.push(Level { nodes: children.into_iter(), depth, prefix });
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
///
/// A node [`DEEP`] levels down that has children has the number of a list in `continued` instead,
/// which stands after `namespaces`: there they are. `more` has further fields of the object.
pub(crate) fn write_json<F: Forest>(
    forest: &mut F,
    roots: Vec<F::Node>,
    more: &impl Serialize,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut walk = Json { forest, out, waiting: VecDeque::new(), taken: 0 };
    write!(walk.out, "{{\n  \"namespaces\": ")?;
    walk.list(roots, Layout::Pretty)?;
    let mut separator = ",\n  \"continued\": [\n    ";
    while let Some(nodes) = walk.waiting.pop_front() {
        walk.out.write_all(separator.as_bytes())?;
        walk.list(nodes, Layout::Compact)?;
        separator = ",\n    ";
    }
    if walk.taken > 0 {
        write!(walk.out, "\n  ]")?;
    }
    let more = serde_json::to_string_pretty(more)?;
    match more.strip_prefix('{').filter(|fields| *fields != "}") {
        Some(fields) => writeln!(walk.out, ",{fields}"),
        None => writeln!(walk.out, "\n}}"),
    }
}

/// How a list of nodes is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Each field on a line, below what it is in.
    Pretty,
    /// All on one line.
    Compact,
}

/// Trees on their way into JSON.
struct Json<'w, F: Forest> {
    forest: &'w mut F,
    out: &'w mut dyn io::Write,
    /// The lists to come in `continued`.
    waiting: VecDeque<Vec<F::Node>>,
    /// How many lists there have been, with those that wait.
    taken: usize,
}

impl<F: Forest> Json<'_, F> {
    fn list(&mut self, nodes: Vec<F::Node>, layout: Layout) -> io::Result<()> {
        const STEP: usize = 4;
        write!(self.out, "[")?;
        let mut levels = vec![nodes.into_iter()];
        let mut first = true;
        while let Some(level) = levels.last_mut() {
            let next = level.next();
            let depth = levels.len();
            let indent = depth * STEP;
            let Some(mut node) = next else {
                levels.pop();
                if !first {
                    self.line_break(layout, indent - 2)?;
                }
                write!(self.out, "]")?;
                if !levels.is_empty() {
                    // The end of the object that these were the children of.
                    self.line_break(layout, indent - STEP)?;
                    write!(self.out, "}}")?;
                }
                first = false;
                continue;
            };
            if !first {
                write!(self.out, ",")?;
            }
            self.line_break(layout, indent)?;
            let children = self.forest.enter(&mut node);
            self.fields(&node, layout, indent)?;
            write!(self.out, ",")?;
            self.line_break(layout, indent + 2)?;
            if depth < DEEP || children.is_empty() {
                write!(self.out, "\"children\": [")?;
                levels.push(children.into_iter());
                first = true;
            } else {
                write!(self.out, "\"continued\": {}", self.taken)?;
                self.waiting.push_back(children);
                self.taken += 1;
                self.line_break(layout, indent)?;
                write!(self.out, "}}")?;
                first = false;
            }
        }
        Ok(())
    }

    /// A node's object, but for its end.
    fn fields(&mut self, node: &F::Node, layout: Layout, indent: usize) -> io::Result<()> {
        let document = self.forest.document(node);
        if layout == Layout::Compact {
            let document = serde_json::to_string(&document)?;
            let fields = document.strip_suffix('}').unwrap_or(&document);
            return self.out.write_all(fields.as_bytes());
        }
        let document = serde_json::to_string_pretty(&document)?;
        let fields = document.strip_suffix("\n}").unwrap_or(&document);
        for (at, line) in fields.split('\n').enumerate() {
            if at > 0 {
                self.line_break(layout, indent)?;
            }
            self.out.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    fn line_break(&mut self, layout: Layout, indent: usize) -> io::Result<()> {
        if layout == Layout::Compact {
            return Ok(());
        }
        writeln!(self.out)?;
        blanks::write(self.out, indent)
    }
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

    /// A node is how many stand below it, each below the one before.
    struct Chain;

    impl Forest for Chain {
        type Node = usize;
        type Document = serde_json::Value;

        fn enter(&mut self, node: &mut usize) -> Vec<usize> {
            node.checked_sub(1).into_iter().collect()
        }

        fn line(&self, node: &usize) -> Line {
            let mut line = Line::default();
            line.plain(node);
            line
        }

        fn properties(&self, _: &usize) -> Vec<Line> {
            Vec::new()
        }

        fn document(&self, node: &usize) -> serde_json::Value {
            serde_json::json!({"n": node})
        }
    }

    fn chain(length: usize) -> String {
        let mut out = Vec::new();
        let mut screen = Screen { out: &mut out, palette: Palette::PLAIN, width: None };
        write(&mut Chain, vec![length - 1], TreeStyle::Ascii, &mut screen).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn chain_as_json(length: usize) -> String {
        let mut out = Vec::new();
        let more = serde_json::json!({"more": []});
        write_json(&mut Chain, vec![length - 1], &more, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn deep_trees_start_anew() {
        let text = chain(2 * DEEP + 2);
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        assert_eq!(lines.first(), Some(&"97"));
        assert_eq!(lines.get(DEEP - 1), Some(&"\\_ 50"));
        assert_eq!(lines.get(DEEP), Some(&"…(48) \\_ 49"));
        assert_eq!(lines.get(DEEP + 1), Some(&"…(48)    \\_ 48"));
        assert_eq!(lines.get(2 * DEEP + 1), Some(&"…(96)    \\_ 0"));
    }

    #[test]
    fn deep_trees_grow_with_their_depth() {
        for output in [chain, chain_as_json] {
            let (once, four_times) = (output(10_000).len(), output(40_000).len());
            assert!(2 * four_times <= 9 * once, "{once} bytes, then {four_times}");
        }
    }

    #[test]
    fn deep_trees_go_on_in_another_list() {
        const LENGTH: usize = 3 * DEEP + 1;
        let text = chain_as_json(LENGTH);
        // Refuses what nests too deep.
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value.get("more"), Some(&serde_json::json!([])));
        let mut list = value.get("namespaces");
        for expected in (0..LENGTH).rev() {
            let node = list.unwrap().get(0).unwrap();
            assert_eq!(node.get("n").unwrap(), expected);
            list = node.get("children").or_else(|| {
                let number = node.get("continued")?.as_u64()?;
                value.get("continued")?.get(number as usize)
            });
        }
        assert_eq!(list, Some(&serde_json::json!([])));
        assert_eq!(value.get("continued").unwrap().as_array().unwrap().len(), 3);
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
            write_json(&mut Countdown, roots, &serde_json::json!({}), &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value, expected, "{text}");
            // As serde_json would have laid it out, if order of keys did not matter.
            let pretty = serde_json::to_string_pretty(&expected).unwrap() + "\n";
            assert_eq!(text.lines().count(), pretty.lines().count(), "{text}");
        }
    }
}
