//! The one way by which foreign text reaches a terminal.
//!
//! Process names, paths, cgroups and login names are bytes that somebody else chose. Shown here,
//! they can neither move the cursor, nor start a new line, nor hide or reorder what stands around
//! them, nor end the quotes they stand in.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

/// The text in double quotes. What is not UTF-8 or not visible stands there as an escape.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            push_visible(&mut out, c);
        }
        for byte in chunk.invalid() {
            push_byte(&mut out, *byte);
        }
    }
    out.push('"');
    out
}

/// A message of our own that may quote foreign text somewhere: made fit for one line.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_visible(&mut out, c));
    out
}

/// Whether a character can stand on a line by itself, as what it is.
///
/// What has no width is refused along with control characters and the like: zero-width and
/// direction marks, but also combining characters, which would pile up on their neighbours.
pub(crate) fn is_visible(c: char) -> bool {
    let printable = || c.escape_debug().len() == 1 || matches!(c, '"' | '\\' | '\'');
    c.width().is_some_and(|width| width > 0) && printable()
}

fn push_visible(out: &mut String, c: char) {
    if is_visible(c) {
        out.push(c);
    } else if let Ok(byte) = u8::try_from(c)
        && byte.is_ascii()
    {
        push_byte(out, byte);
    } else {
        out.extend(c.escape_unicode());
    }
}

fn push_byte(out: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(out, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(quoted(bytes), expected);
    }

    #[test]
    fn visible_text_stays_as_it_is() {
        check(b"", "\"\"");
        check(b"tmux: server", "\"tmux: server\"");
        check("größe 日本 it's".as_bytes(), "\"größe 日本 it's\"");
    }

    #[test]
    fn quotes_cannot_be_ended_from_inside() {
        check(br#"a" (1) "b\"#, r#""a\" (1) \"b\\""#);
    }

    #[test]
    fn control_characters_are_escaped() {
        check(b"\x1b[2J\n\t\r\0\x7f", r#""\x1b[2J\x0a\x09\x0d\x00\x7f""#);
        check("\u{9b}31m\u{85}".as_bytes(), r#""\u{9b}31m\u{85}""#);
        check(b"\x9b31m\xff", r#""\x9b31m\xff""#);
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        let marks = "\u{202e}\u{2066}\u{200b}\u{feff}\u{ad}\u{61c}\u{2028}\u{301}\u{3164}\u{a0}";
        let expected =
            r#""\u{202e}\u{2066}\u{200b}\u{feff}\u{ad}\u{61c}\u{2028}\u{301}\u{3164}\u{a0}""#;
        check(marks.as_bytes(), expected);
    }

    proptest! {
        #[test]
        fn any_bytes_end_up_visible_and_unambiguous(a: Vec<u8>, b: Vec<u8>) {
            let shown = quoted(&a);
            prop_assert!(shown.chars().all(|c| c == ' ' || is_visible(c)), "{shown:?}");
            // Two texts never look the same.
            prop_assert_eq!(a == b, shown == quoted(&b));
        }
    }
}
