//! Rust source with its comments and literals blanked out, so that a word is only found where it
//! is code. Line numbers and columns stay as they were.

/// Blanks out comments, strings and characters.
pub(super) fn code_only(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let previous = out.chars().next_back();
        let in_word = previous.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let blank = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest, 1),
            'b' | 'c' if !in_word && rest.get(1..2) == Some("\"") => string(rest, 2),
            'r' | 'b' | 'c' if !in_word => raw_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if blank == 0 {
            out.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        } else {
            let (gone, left) = rest.split_at_checked(blank).unwrap_or((rest, ""));
            out.extend(gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = left;
        }
    }
    out
}

/// The length of the block comment that `rest` starts with; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match rest.get(at..) {
            None | Some("") => return rest.len(),
            Some(tail) if tail.starts_with("/*") => {
                depth += 1;
                at += 2;
            }
            Some(tail) if tail.starts_with("*/") => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            Some(tail) => at += tail.chars().next().map_or(1, char::len_utf8),
        }
    }
}

/// The length of the string that `rest` starts with, of which `opening` bytes come before the text.
fn string(rest: &str, opening: usize) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(opening) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of the raw string that `rest` starts with, 0 when it does not start with one.
fn raw_string(rest: &str) -> usize {
    let prefix = rest.strip_prefix('b').or_else(|| rest.strip_prefix('c')).unwrap_or(rest);
    let Some(after_r) = prefix.strip_prefix('r') else {
        return 0;
    };
    let text = after_r.trim_start_matches('#');
    let hashes = after_r.len() - text.len();
    let Some(text) = text.strip_prefix('"') else {
        return 0;
    };
    let closing = format!("\"{}", "#".repeat(hashes));
    let opening = rest.len() - text.len();
    text.find(&closing).map_or(rest.len(), |at| opening + at + closing.len())
}

/// The length of the character literal that `rest` starts with, 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((after, escaped))) => {
            let from = after + escaped.len_utf8();
            rest.get(from..).and_then(|tail| tail.find('\'')).map_or(0, |at| from + at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Where `word` stands in `code` as a whole word: the byte offsets.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).filter_map(move |(at, _)| {
        let before = code.get(..at)?.chars().next_back();
        let after = code.get(at + word.len()..)?.chars().next();
        let alone = !before.is_some_and(is_word) && !after.is_some_and(is_word);
        alone.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        assert_eq!(code_only(source), expected);
    }

    #[test]
    fn comments_and_literals_go() {
        check("a // unsafe\nb", "a          \nb");
        check("a /* x /* y */ z\n */ b", "a               \n    b");
        check(r#"f("un\"safe", x)"#, "f(          , x)");
        check("f(b\"x\", br#\"y\"z\"#, r\"\\\")", "f(    ,          ,     )");
        check(
            r"match '\'' { '\u{41}' => 'x', '\\' => 'ä' }",
            r"match      {          =>    ,      =>     }",
        );
        check("\"never closed", "             ");
    }

    #[test]
    fn lifetimes_and_names_stay() {
        check("fn f<'a>(x: &'a str, bar: r#type)", "fn f<'a>(x: &'a str, bar: r#type)");
        check("for (r, b) in c", "for (r, b) in c");
    }

    #[test]
    fn words_are_whole() {
        let at: Vec<_> = words("unsafe_code unsafe {} not_unsafe (unsafe)", "unsafe").collect();
        assert_eq!(at, [12, 34]);
    }
}
