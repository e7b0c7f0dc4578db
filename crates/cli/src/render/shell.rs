//! Words for a shell: commands that are printed to be copied.
//!
//! Which shell they are pasted into is not known, and the text may be a neighbour's choice. So a
//! word uses only what means the same to POSIX shells, zsh, fish and csh, with or without history:
//! single quotes, in which nothing stands that any of them treats specially there, and backslashes
//! outside of quotes.

use super::escape::is_visible;

/// The text as one word of a shell's; `None` if it cannot be shown as what it is.
pub(crate) fn word(bytes: &[u8]) -> Option<String> {
    let text = str::from_utf8(bytes).ok()?;
    // Not `=`, which zsh expands, nor `%`, which stands for jobs.
    let is_harmless = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,".contains(c);
    if !text.is_empty() && text.chars().all(is_harmless) {
        return Some(text.to_owned());
    }
    if text.is_empty() {
        return Some("''".into());
    }
    let can_be_shown = text.chars().all(|c| c == ' ' || is_visible(c));
    can_be_shown.then(|| quoted(text))
}

/// Single quotes are ended before what they do not protect everywhere: the quote itself, the
/// backslash (fish), and the exclamation mark (csh).
fn quoted(text: &str) -> String {
    let mut word = String::with_capacity(text.len() + 2);
    let mut is_open = false;
    for c in text.chars() {
        let is_special = matches!(c, '\'' | '\\' | '!');
        if is_special == is_open {
            word.push('\'');
            is_open = !is_open;
        }
        if is_special {
            word.push('\\');
        }
        word.push(c);
    }
    if is_open {
        word.push('\'');
    }
    word
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use lxkns_nstest::need;
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;

    #[test]
    fn words_mean_what_they_say() {
        let check = |text: &[u8], expected| assert_eq!(word(text).as_deref(), expected);
        check(b"/run/netns/blue", Some("/run/netns/blue"));
        check(b"", Some("''"));
        check(b"/a b/$(x)", Some("'/a b/$(x)'"));
        check(b"/it's", Some(r"'/it'\''s'"));
        check(br"/x\'; y", Some(r"'/x'\\\''; y'"));
        check(b"/wow!", Some(r"'/wow'\!"));
        check(b"=ls", Some("'=ls'"));
        check(b"%1", Some("'%1'"));
        check(b"/\x1b[2J", None);
        check(b"/\xff", None);
    }

    /// Each case starts a shell and shows it up to 40 words.
    fn cases() -> ProptestConfig {
        match std::env::var_os("PROPTEST_CASES") {
            Some(_) => ProptestConfig::default(),
            None => ProptestConfig::with_cases(16),
        }
    }

    /// Has a shell print words, each followed by a NUL, from a script on its standard input.
    #[track_caller]
    fn check_words(shell: &[&str], preparation: &str) {
        let special = r##"[ '"\\!=%~^#$&*?<>|;(){}\[\]`@,+:.a1/éß日-]{1,12}"##;
        let words =
            proptest::collection::vec(prop_oneof![special, r"\PC{0,20}", r"[\\'!]{1,8}"], 1..40);
        let (program, arguments) = shell.split_first().unwrap();
        let check = |texts: Vec<String>| {
            let shown = texts.iter().filter_map(|text| Some((text, word(text.as_bytes())?)));
            let mut script = preparation.to_owned();
            let mut expected = Vec::new();
            for (text, word) in shown {
                script += &format!("printf '%s\\0' {word}\n");
                expected.extend_from_slice(text.as_bytes());
                expected.push(0);
            }
            let mut child = Command::new(program)
                .args(arguments)
                .env("LC_ALL", "C.UTF-8")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            prop_assert_eq!(
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&expected),
                "{}\n{}",
                script,
                stderr
            );
            Ok(())
        };
        let mut known = vec![
            r"/mnt/x\'; touch /dev/shm/proof; #".to_owned(),
            "=ls".into(),
            "~root".into(),
            "!!".into(),
            "a!b!$".into(),
            r"\\\'\'".into(),
            "--".into(),
            "{a,b}".into(),
        ];
        known.extend((' '..='~').map(String::from));
        check(known).unwrap();
        TestRunner::new(cases()).run(&words, check).unwrap();
    }

    #[test]
    fn dash_reads_them_so() {
        need!(dash);
        check_words(&["dash"], "");
    }

    #[test]
    fn bash_reads_them_so() {
        need!(bash);
        check_words(&["bash", "--norc", "--noprofile"], "");
        check_words(
            &["bash", "--norc", "--noprofile"],
            "HISTFILE=\nset -o history\nset -o histexpand\nshopt -s extglob failglob globstar\n",
        );
    }

    #[test]
    fn zsh_reads_them_so() {
        need!(zsh);
        check_words(&["zsh", "-f", "-s"], "");
        check_words(
            &["zsh", "-f", "-s"],
            "setopt rcquotes magicequalsubst extendedglob braceccl cshjunkiequotes\n",
        );
    }

    #[test]
    fn ksh_reads_them_so() {
        need!(ksh);
        check_words(&["ksh"], "");
    }

    #[test]
    fn fish_reads_them_so() {
        need!(fish);
        check_words(&["fish", "--no-config"], "");
    }
}
