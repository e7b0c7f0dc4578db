//! Words for a shell: commands that are printed to be copied.

use super::escape::is_visible;

/// The text as one word of a POSIX shell's; `None` if it cannot be shown as what it is.
pub(crate) fn word(bytes: &[u8]) -> Option<String> {
    let text = str::from_utf8(bytes).ok()?;
    let is_harmless = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,%=".contains(c);
    if !text.is_empty() && text.chars().all(is_harmless) {
        return Some(text.to_owned());
    }
    let can_be_shown = text.chars().all(|c| c == ' ' || is_visible(c));
    can_be_shown.then(|| format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_they_say() {
        let check = |text: &[u8], expected| assert_eq!(word(text).as_deref(), expected);
        check(b"/run/netns/blue", Some("/run/netns/blue"));
        check(b"", Some("''"));
        check(b"/a b/$(x)", Some("'/a b/$(x)'"));
        check(b"/it's", Some(r"'/it'\''s'"));
        check(b"/\x1b[2J", None);
        check(b"/\xff", None);
    }
}
