//! JSON that a terminal can be shown.
//!
//! JSON escapes the C0 control characters only. Everything else that is not visible, see
//! [`is_visible`], can stand in JSON nowhere but in strings, where `\u…` means the same.

use std::io::{self, Write};

use super::escape::is_visible;

/// A writer of JSON that escapes what is not visible.
#[derive(Debug)]
pub(crate) struct Harmless<W> {
    out: W,
    /// The beginning of a character whose end has not been written yet.
    partial: Vec<u8>,
}

impl<W: Write> Harmless<W> {
    pub(crate) fn new(out: W) -> Harmless<W> {
        Harmless { out, partial: Vec::new() }
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        let mut rest = text;
        // Line breaks and tabs are the layout's: inside of strings they are escaped already.
        let harmful = |c: char| !matches!(c, ' ' | '\n' | '\t') && !is_visible(c);
        while let Some(at) = rest.find(harmful) {
            let (before, from) = rest.split_at(at);
            self.out.write_all(before.as_bytes())?;
            let mut chars = from.chars();
            if let Some(c) = chars.next() {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(self.out, "\\u{unit:04x}")?;
                }
            }
            rest = chars.as_str();
        }
        self.out.write_all(rest.as_bytes())
    }
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Mostly there is nothing to do, which is quickly seen.
        let is_plain = |byte: &u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
        if self.partial.is_empty() && bytes.iter().all(is_plain) {
            self.out.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let joined;
        let mut rest = bytes;
        if !self.partial.is_empty() {
            self.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.partial);
            rest = &joined;
        }
        loop {
            match str::from_utf8(rest) {
                Ok(text) => {
                    self.text(text)?;
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    self.text(str::from_utf8(valid).unwrap_or_default())?;
                    let Some(invalid) = error.error_len() else {
                        self.partial = after.to_vec();
                        break;
                    };
                    // No JSON at all; but not our business here.
                    self.text("\u{fffd}")?;
                    rest = after.get(invalid..).unwrap_or_default();
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_visible_is_escaped() {
        let mut out = Harmless::new(Vec::new());
        let json = "{\n\t\"größe\": \"\u{9b}31m \u{7f}\u{202e}\u{e0001}\u{301}\"\n}";
        for byte in json.as_bytes() {
            out.write_all(&[*byte]).unwrap();
        }
        assert_eq!(
            String::from_utf8(out.out).unwrap(),
            "{\n\t\"größe\": \"\\u009b31m \\u007f\\u202e\\udb40\\udc01\\u0301\"\n}"
        );
    }

    proptest! {
        #[test]
        fn the_meaning_stays(text: String, chunk in 1usize..9) {
            let mut out = Harmless::new(Vec::new());
            let json = serde_json::to_vec(&text).unwrap();
            for chunk in json.chunks(chunk) {
                out.write_all(chunk).unwrap();
            }
            let back: String = serde_json::from_slice(&out.out).unwrap();
            prop_assert_eq!(back, text);
        }
    }
}
