//! Theme files.
//!
//! A theme file is TOML: one table per thing, which replaces how the built-in dark theme paints it.
//!
//! ```toml
//! net = { bold = true, fg = "#87d787" }
//! process = { fg = 250, bg = 17 }
//! ```

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::theme::{Color, DARK, KEYS, Paint, Theme};

/// What is wrong with a theme file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Reads a theme file.
pub(crate) fn read(content: &str) -> Result<Theme, Fault> {
    let fault = |at: usize, text: String| {
        let before = content.get(..at).unwrap_or(content);
        Fault { line: before.matches('\n').count() + 1, text }
    };
    let table = DeTable::parse(content).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        fault(at, error.message().to_owned())
    })?;
    let mut theme = DARK;
    for (key, value) in table.get_ref() {
        let name: &str = key.get_ref();
        if !KEYS.contains(&name) {
            let text = format!("unknown key {name:?}; known are {}", KEYS.join(", "));
            return Err(fault(key.span().start, text));
        }
        let paint = paint(value).map_err(|(at, text)| fault(at, format!("{name}: {text}")))?;
        theme.set(name, paint);
    }
    Ok(theme)
}

fn paint(value: &Spanned<DeValue<'_>>) -> Result<Paint, (usize, String)> {
    let DeValue::Table(table) = value.get_ref() else {
        let text = "expected something like { bold = true, fg = \"#ff8700\" }".into();
        return Err((value.span().start, text));
    };
    let mut paint = Paint::default();
    for (key, value) in table {
        let name: &str = key.get_ref();
        let wrong = |expected: &str| {
            let text = format!("{name} must be {expected}");
            (value.span().start, text)
        };
        let attribute = match name {
            "bold" => &mut paint.bold,
            "italic" => &mut paint.italic,
            "underline" => &mut paint.underline,
            "dim" => &mut paint.dim,
            "reverse" => &mut paint.reverse,
            "fg" | "bg" => {
                let color = color(value.get_ref());
                let color = color.ok_or_else(|| wrong("\"#rrggbb\" or a number from 0 to 255"))?;
                let slot = if name == "fg" { &mut paint.fg } else { &mut paint.bg };
                *slot = Some(color);
                continue;
            }
            _ => {
                let known = "bold, italic, underline, dim, reverse, fg, bg";
                let text = format!("unknown attribute {name:?}; known are {known}");
                return Err((key.span().start, text));
            }
        };
        *attribute = match value.get_ref() {
            DeValue::Boolean(on) => *on,
            _ => return Err(wrong("true or false")),
        };
    }
    Ok(paint)
}

fn color(value: &DeValue<'_>) -> Option<Color> {
    match value {
        DeValue::Integer(number) => {
            let index = u8::from_str_radix(number.as_str(), number.radix()).ok()?;
            Some(Color::Indexed(index))
        }
        DeValue::String(text) => {
            let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            let number = u32::from_str_radix(digits, 16).ok()?;
            let [_, r, g, b] = number.to_be_bytes();
            Some(Color::Rgb(r, g, b))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::theme::LIGHT;
    use super::*;

    #[test]
    fn what_is_dumped_is_read_back() {
        for theme in [DARK, LIGHT] {
            assert_eq!(read(&theme.to_string()), Ok(theme));
        }
        assert_eq!(read(""), Ok(DARK));
    }

    #[test]
    fn everything_can_be_set() {
        let text = "net = { bold = true, italic = true, underline = true, dim = true, \
                    reverse = true, fg = 250, bg = \"#0a0B0c\" }\n[user]\nbold = false\n";
        let mut theme = DARK;
        theme.set(
            "net",
            Paint {
                bold: true,
                italic: true,
                underline: true,
                dim: true,
                reverse: true,
                fg: Some(Color::Indexed(250)),
                bg: Some(Color::Rgb(10, 11, 12)),
            },
        );
        theme.set("user", Paint::default());
        assert_eq!(read(text), Ok(theme));
    }

    #[test]
    fn faults_name_key_and_line() {
        let check = |content: &str, line: usize, expected: &str| {
            let fault = read(content).unwrap_err();
            assert_eq!(fault.line, line, "{fault:?}");
            assert!(fault.text.starts_with(expected), "{fault:?}");
        };
        check("\n\nnett = {}", 3, "unknown key \"nett\"; known are cgroup, ipc");
        check("net = 7", 1, "net: expected something like");
        check("pid = {}\nnet = { fg = 256 }", 2, "net: fg must be");
        check("net = { fg = -1 }", 1, "net: fg must be");
        check("net = { bg = \"#12345\" }", 1, "net: bg must be");
        check("net = { bg = \"#+12345\" }", 1, "net: bg must be");
        check("[net]\nbold = 1", 2, "net: bold must be true or false");
        check("[net]\n\nblink = true", 3, "net: unknown attribute \"blink\"");
        check("\nnet = {", 2, "");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text: String) {
            let _ = read(&text);
        }
    }
}
