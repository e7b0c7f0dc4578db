//! Many short words in columns, read from top to bottom.

/// As many columns as fit into a width, as ls(1) does it.
pub(crate) fn columns(words: &[String], width: usize) -> Vec<String> {
    const GAP: usize = 2;
    let widest = words.iter().map(String::len).max().unwrap_or(0);
    let fitting = ((width + GAP) / (widest + GAP)).max(1);
    let height = words.len().div_ceil(fitting).max(1);
    let row = |at| {
        let words: Vec<String> =
            words.iter().skip(at).step_by(height).map(|word| padded(word, widest)).collect();
        words.join("  ").trim_end().to_owned()
    };
    (0..height.min(words.len())).map(row).collect()
}

fn padded(word: &str, width: usize) -> String {
    let blanks = width.saturating_sub(word.len());
    let mut padded = word.to_owned();
    padded.extend(std::iter::repeat_n(' ', blanks));
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], width: usize, expected: &[&str]) {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        assert_eq!(columns(&words, width), expected);
    }

    #[test]
    fn words_go_down_the_columns() {
        check(&["a", "b", "c", "dd", "e"], 10, &["a   c   e", "b   dd"]);
        check(&["a", "b", "c"], 100, &["a  b  c"]);
        check(&["aaaa", "b"], 2, &["aaaa", "b"]);
        check(&[], 10, &[]);
    }
}
