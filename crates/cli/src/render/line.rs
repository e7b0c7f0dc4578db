//! A line of output: pieces of text, each in a role.
//!
//! Whoever says what there is to say (labels, tools) knows roles only. Which colours a role has, if
//! any, is decided once, by the [`Palette`]; how wide a line may be, by whoever writes it.

use std::fmt::{self, Display};
use std::io;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::palette::Palette;
use super::role::Role;

/// A line, without its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    spans: Vec<(Role, String)>,
}

/// The words alone.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spans.iter().try_for_each(|(_, text)| f.write_str(text))
    }
}

impl Line {
    /// Appends words of our own.
    pub(crate) fn plain(&mut self, text: impl Display) -> &mut Line {
        self.push(Role::Plain, text)
    }

    /// Appends text in a role. Foreign text must have been escaped.
    pub(crate) fn push(&mut self, role: Role, text: impl Display) -> &mut Line {
        self.spans.push((role, text.to_string()));
        self
    }

    pub(crate) fn append(&mut self, other: Line) -> &mut Line {
        self.spans.extend(other.spans);
        self
    }

    /// The same line in as little memory as it takes, for lines that are kept in great number.
    pub(crate) fn compact(mut self) -> Line {
        self.spans.shrink_to_fit();
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.spans.iter().all(|(_, text)| text.is_empty())
    }

    /// The width in columns of a terminal.
    pub(crate) fn width(&self) -> usize {
        self.spans.iter().map(|(_, text)| text.width()).sum()
    }

    /// The first so many columns, the last of them `…` if anything is missing.
    pub(crate) fn cut_to(mut self, width: usize) -> Line {
        if self.width() <= width {
            return self;
        }
        let mut left = width.saturating_sub(1);
        self.spans.retain_mut(|(_, text)| {
            let keep = fitting(text, left);
            // Nothing after the first cut.
            left = if keep < text.len() { 0 } else { left.saturating_sub(text.width()) };
            text.truncate(keep);
            keep > 0
        });
        if width > 0 {
            match self.spans.last_mut() {
                Some((_, text)) => text.push('…'),
                None => self.spans.push((Role::Plain, "…".into())),
            }
        }
        self
    }

    /// The line in pieces that are at most this wide if possible, broken at blanks between words
    /// of our own: a process, a user or a path stays in one piece.
    pub(crate) fn wrap_to(self, width: usize) -> Vec<Line> {
        let mut lines = vec![Line::default()];
        let mut used = 0;
        for word in self.words() {
            let needed = word.width();
            let fits = used + needed <= width + usize::from(word.ends_in_blank());
            if used > 0 && !fits {
                lines.push(Line::default());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.append(word);
            }
            used += needed;
        }
        // A blank at the very edge would make the terminal start a line of its own.
        for line in &mut lines {
            if let Some((_, text)) = line.spans.last_mut() {
                text.truncate(text.trim_end_matches(' ').len());
            }
        }
        lines
    }

    /// What must not be torn apart.
    fn words(self) -> Vec<Line> {
        let mut words = vec![Line::default()];
        for (role, text) in self.spans {
            let parts: Vec<&str> = match role {
                Role::Plain => text.split_inclusive(' ').collect(),
                _ => vec![&text],
            };
            for part in parts {
                if let Some(word) = words.last_mut() {
                    word.push(role, part);
                }
                if role == Role::Plain && part.ends_with(' ') {
                    words.push(Line::default());
                }
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    fn ends_in_blank(&self) -> bool {
        self.spans.last().is_some_and(|(_, text)| text.ends_with(' '))
    }

    pub(crate) fn write(&self, out: &mut dyn io::Write, palette: &Palette) -> io::Result<()> {
        for (role, text) in &self.spans {
            write!(out, "{}", palette.style(*role).style(text))?;
        }
        Ok(())
    }
}

/// How many bytes of a text fit into so many columns.
fn fitting(text: &str, columns: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(spans: &[&str]) -> Line {
        let mut line = Line::default();
        for span in spans {
            line.plain(span);
        }
        line
    }

    fn text(line: &Line) -> String {
        line.spans.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn lines_are_cut_at_columns() {
        let check = |spans: &[&str], width, expected: &str| {
            let cut = line(spans).cut_to(width);
            assert_eq!(text(&cut), expected);
            assert!(cut.width() <= width);
        };
        check(&["net", ":[1]"], 7, "net:[1]");
        check(&["net", ":[1]"], 6, "net:[…");
        check(&["net", ":[1]"], 4, "net…");
        check(&["net", ":[1]"], 1, "…");
        check(&["net"], 0, "");
        check(&["日本", "語"], 4, "日…");
        check(&["日本", "a"], 4, "日…");
    }

    #[test]
    fn lines_are_wrapped_at_blanks() {
        let check = |spans: &[&str], width, expected: &[&str]| {
            let lines = line(spans).wrap_to(width);
            let lines: Vec<_> = lines.iter().map(|line| text(line).trim_end().to_owned()).collect();
            assert_eq!(lines, expected);
        };
        check(&["one two ", "three"], 80, &["one two three"]);
        check(&["one two ", "three"], 8, &["one two", "three"]);
        check(&["one two ", "three"], 7, &["one two", "three"]);
        check(&["one two ", "three"], 2, &["one", "two", "three"]);
        check(&["one ", "two", "three"], 7, &["one", "twothree"]);
        check(&[], 10, &[""]);
        check(&["one "], 3, &["one"]);
    }

    #[test]
    fn what_belongs_together_is_not_wrapped() {
        let mut line = Line::default();
        line.plain("process ").push(Role::Process, "\"a b\"").push(Role::Process, " (1)");
        line.push(Role::Unknown, "?").plain(" created");
        let lines: Vec<_> = line.wrap_to(9).iter().map(text).collect();
        assert_eq!(lines, ["process", "\"a b\" (1)?", "created"]);
    }
}
