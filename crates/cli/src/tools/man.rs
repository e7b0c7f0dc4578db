//! `lxkns man`: manual pages, from the definitions of the command lines.
//!
//! What help texts lack in structure, manual pages are expected to have: the example stands in a
//! section of its own, and so do the exit codes. A subcommand that is also a program has its page
//! under the program's name; the other name refers to it.

use std::io::{self, Write as _};

use clap::Command;
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, roman};

use super::{Run, command};
use crate::Tool;
use crate::args::Show;
use crate::args::noise::Volume;
use crate::failure::Usage;
use crate::view::View;

/// What `lxkns man` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Man {
    /// The command
    #[arg(value_name = "NAME", default_value = "lxkns", hide_default_value = true)]
    name: String,
}

impl Run for Man {
    fn volume(&self) -> Volume {
        Volume::Normal
    }

    fn show(&self) -> Option<&Show> {
        None
    }

    fn run(self) -> anyhow::Result<View> {
        let unknown =
            || Usage::new(format!("there is no manual page {:?}; see 'lxkns --help'", self.name));
        let page = page_of(&self.name)?.ok_or_else(unknown)?;
        let mut out = io::stdout().lock();
        out.write_all(page.as_bytes())?;
        out.flush()?;
        Ok(View::of_nothing())
    }
}

const EXIT_CODES: &str = "\
The exit code is 0 if all went well, also if not everything could be seen; 1 if it failed; and 2 if \
the command line makes no sense.";

/// The paragraph of a help text that is about exit codes starts like this.
const ABOUT_EXIT_CODES: &str = "The exit code ";

/// The manual pages of all tools, by their file names, such as `lxkns-why.1`.
///
/// # Errors
///
/// None that a writer in memory does not have.
pub fn man_pages() -> io::Result<Vec<(String, String)>> {
    let mut pages = Vec::new();
    for tool in Tool::ALL {
        let mut command = command(tool).disable_help_subcommand(true);
        command.build();
        for subcommand in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            let file = format!("{}-{}.1", tool.name(), subcommand.get_name());
            let program = Tool::ALL.into_iter().find(|tool| tool.name() == subcommand.get_name());
            let content = match program {
                Some(program) => format!(".so man1/{}.1\n", program.name()),
                None => page(subcommand)?,
            };
            pages.push((file, content));
        }
        pages.push((format!("{}.1", tool.name()), page(&command)?));
    }
    Ok(pages)
}

/// The manual page of a tool, by its name with or without `lxkns-` before it.
pub(crate) fn page_of(name: &str) -> io::Result<Option<String>> {
    let pages = man_pages()?;
    let names = [format!("{name}.1"), format!("lxkns-{name}.1")];
    let mut found = names.iter().filter_map(|name| {
        let (_, page) = pages.iter().find(|(file, _)| file == name)?;
        Some(page.clone())
    });
    Ok(found.next())
}

fn page(command: &Command) -> io::Result<String> {
    let version = command.get_version().unwrap_or_default();
    let man = Page::new(command.clone()).source(format!("lxkns {version}"));
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;

    let mut synopsis = Roff::default();
    synopsis.control("SH", ["SYNOPSIS"]);
    let usage = command.clone().render_usage().to_string();
    for line in usage.trim_start_matches("Usage:").lines() {
        synopsis.text([roman(line.trim())]);
        synopsis.control("br", []);
    }
    synopsis.to_writer(&mut out)?;

    let more = command.get_after_long_help().or(command.get_after_help());
    let more = more.map(ToString::to_string).unwrap_or_default();
    let (exit, more): (Vec<&str>, Vec<&str>) = more
        .split("\n\n")
        .filter(|paragraph| !paragraph.trim().is_empty())
        .partition(|paragraph| paragraph.starts_with(ABOUT_EXIT_CODES));

    let mut section = Roff::default();
    section.control("SH", ["DESCRIPTION"]);
    let about = command.get_about().map(ToString::to_string);
    paragraphs(&mut section, about.map(|about| about + ".").as_deref().into_iter());
    paragraphs(&mut section, more.into_iter());
    section.to_writer(&mut out)?;

    man.render_options_section(&mut out)?;
    if command.get_subcommands().next().is_some() {
        man.render_subcommands_section(&mut out)?;
    }

    let mut rest = Roff::default();
    rest.control("SH", ["EXIT STATUS"]);
    let exit = if exit.is_empty() { vec![EXIT_CODES] } else { exit };
    paragraphs(&mut rest, exit.into_iter());
    if let Some(example) = command.get_before_help() {
        rest.control("SH", ["EXAMPLE"]);
        let example = example.to_string();
        let (question, lines) = example.split_once('\n').unwrap_or((&example, ""));
        let question = question.trim_start_matches("Example: ");
        paragraphs(&mut rest, [capitalized(question).as_str()].into_iter());
        literal(&mut rest, lines);
    }
    rest.control("SH", ["SEE ALSO"]);
    let own = command.get_display_name().unwrap_or(command.get_name());
    let others = ["lxkns(1)", "namespaces(7)", "lsns(8)", "nsenter(1)"];
    let others: Vec<&str> = others
        .into_iter()
        .filter(|other| other.split_once('(').is_some_and(|(name, _)| name != own))
        .collect();
    rest.text([roman(others.join(", "))]);
    rest.to_writer(&mut out)?;
    Ok(ascii(&String::from_utf8_lossy(&out)))
}

/// With escapes that every roff knows, however the page is read.
fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_ascii() {
            ascii.push(char);
        } else {
            ascii += &format!("\\[u{:04X}]", u32::from(char));
        }
    }
    ascii
}

fn paragraphs<'t>(roff: &mut Roff, paragraphs: impl Iterator<Item = &'t str>) {
    for paragraph in paragraphs {
        if paragraph.starts_with(' ') {
            literal(roff, paragraph);
            continue;
        }
        roff.control("PP", []);
        roff.text([roman(paragraph)]);
    }
}

/// Lines that stay as they are.
fn literal(roff: &mut Roff, lines: &str) {
    roff.control("PP", []);
    roff.control("RS", ["4"]);
    roff.control("EX", []);
    for line in lines.lines() {
        roff.text([roman(line.trim())]);
    }
    roff.control("EE", []);
    roff.control("RE", []);
}

fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_uppercase());
    first.into_iter().flatten().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> String {
        let pages = man_pages().unwrap();
        pages.into_iter().find(|(file, _)| file == name).unwrap().1
    }

    #[test]
    fn a_page_has_the_expected_sections() {
        let page = of("nscaps.1");
        let sections: Vec<&str> =
            page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        assert_eq!(sections[..3], ["NAME", "SYNOPSIS", "DESCRIPTION"]);
        for section in ["OPTIONS", "\"EXIT STATUS\"", "EXAMPLE", "\"SEE ALSO\""] {
            assert!(sections.contains(&section), "{sections:?}");
        }
        assert!(page.contains("nscaps \\-\\-pid 812 net@1"), "{page}");
    }

    #[test]
    fn other_exit_codes_stand_in_their_section() {
        let page = of("lxkns-diff.1");
        let (before, after) = page.split_once(".SH \"EXIT STATUS\"").unwrap();
        assert!(!before.contains(ABOUT_EXIT_CODES), "{before}");
        assert!(after.contains("0 if nothing has changed"), "{after}");
    }

    #[test]
    fn signs_that_are_no_ascii_are_escaped() {
        let page = of("nscaps.1");
        assert!(page.is_ascii() && page.contains("\\[u26D4] no capabilities"));
    }

    #[test]
    fn what_is_also_a_program_has_one_page() {
        assert_eq!(of("lxkns-lsuns.1"), ".so man1/lsuns.1\n");
    }
}
