//! Whether a command has printed what the page says, apart from what is never the same twice.
//!
//! - A line with nothing but `…` stands for any lines, or none.
//! - A number of three or more digits (a PID, an inode) may be any number, but the same one each
//!   time that it occurs in a session.
//! - Blanks between columns may be more or fewer.
//! - Lines that tell gaps, and the `≥` that comes with them, are left out before.

use std::collections::HashMap;

/// What numbers on the page are in truth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Numbers(HashMap<String, String>);

const VARIES: usize = 3;

impl Numbers {
    /// Learns from what was printed, if it is what the page says.
    pub(crate) fn matching(&self, page: &[String], printed: &[&str]) -> Option<Numbers> {
        let Some((line, rest)) = page.split_first() else {
            return printed.is_empty().then(|| self.clone());
        };
        if line.trim() == "…" {
            return (0..=printed.len())
                .find_map(|skipped| self.matching(rest, printed.get(skipped..)?));
        }
        let (first, others) = printed.split_first()?;
        let mut numbers = self.clone();
        numbers.learn(line, first)?;
        numbers.matching(rest, others)
    }

    fn learn(&mut self, page: &str, printed: &str) -> Option<()> {
        let (page, printed) = (tokens(page.trim_end()), tokens(printed.trim_end()));
        if page.len() != printed.len() {
            return None;
        }
        for (expected, found) in page.into_iter().zip(printed) {
            let is_same = match kind(expected) {
                Kind::Number if expected.len() >= VARIES && kind(found) == Kind::Number => {
                    let known = self.0.entry(expected.to_owned());
                    known.or_insert_with(|| found.to_owned()) == found
                }
                Kind::Blank => kind(found) == Kind::Blank,
                _ => expected == found,
            };
            if !is_same {
                return None;
            }
        }
        Some(())
    }

    /// The command with the numbers that it has here.
    pub(crate) fn put_into(&self, command: &str) -> String {
        let number = |token| self.0.get(token).map_or(token, String::as_str);
        tokens(command).into_iter().map(number).collect()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Blank,
    Other,
}

fn kind(token: &str) -> Kind {
    match token.chars().next() {
        Some(c) if c.is_ascii_digit() => Kind::Number,
        Some(' ') => Kind::Blank,
        _ => Kind::Other,
    }
}

/// The line in pieces: numbers, blanks, and what is between.
fn tokens(line: &str) -> Vec<&str> {
    let class = |c: char| (c.is_ascii_digit(), c == ' ');
    let mut tokens = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| class(c) != class(first));
        let (token, after) = rest.split_at(end.unwrap_or(rest.len()));
        tokens.push(token);
        rest = after;
    }
    tokens
}

#[test]
fn numbers_are_learnt() {
    let page = ["PID  NS".to_owned(), "…".to_owned(), "812 net:[4026532177] x1".to_owned()];
    let check = |printed: &[&str]| Numbers::default().matching(&page, printed);
    assert_eq!(check(&["PID NS", "7 net:[40] x2"]), None);
    assert_eq!(check(&["PID NS", "7 net:[40] x1", "more"]), None);
    let numbers = check(&["PID NS", "a", "b", "7    net:[40] x1"]).unwrap();
    assert_eq!(numbers.put_into("why 4026532177 -p 812 9"), "why 40 -p 7 9");
    assert_eq!(numbers.matching(&page[2..], &["8 net:[40] x1"]), None);
}
