//! The fuzz targets of what nobody outside of this crate can call.
//!
//! Each takes any bytes, and panics if what was made of them breaks a promise.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt as _;

use clap::Command;
use serde_json::Value;

use crate::args::NamespaceArg;
use crate::cli::usage_error;
use crate::render::escape::{is_visible, one_line, quoted};
use crate::render::harmless::Harmless;
use crate::render::theme_file;
use crate::tool::Tool;
use crate::tools::command;

thread_local! {
    /// To describe the command line of a tool takes far longer than to parse one.
    static COMMANDS: RefCell<Vec<Command>> =
        RefCell::new(Tool::ALL.into_iter().map(command).collect());
}

/// A command line, its arguments separated by NUL; the first byte chooses the tool. What is wrong
/// with it is said in one line without control characters.
pub fn arguments(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let tool = Tool::ALL.into_iter().cycle().nth(usize::from(*first));
    let Some(tool) = tool else { return };
    let arguments = rest.split(|byte| *byte == 0).map(|argument| argument.to_vec());
    let arguments = [tool.name().as_bytes().to_vec()].into_iter().chain(arguments);
    let arguments = arguments.map(OsString::from_vec);
    let parsed = COMMANDS.with_borrow_mut(|commands| {
        let command = commands.iter_mut().find(|it| it.get_name() == tool.name());
        command.map(|command| command.try_get_matches_from_mut(arguments))
    });
    if let Some(Err(error)) = parsed {
        assert_harmless(&one_line(&usage_error(tool, &error)));
    }
}

/// A namespace on a command line: what is read is the same when it is written in full.
pub fn namespace(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match text.parse::<NamespaceArg>() {
        Ok(read) => {
            let full = read.to_string();
            assert_eq!(full.parse(), Ok(read));
        }
        Err(error) => assert_harmless(&one_line(&error.to_string())),
    }
}

/// A theme file: what is read is the same when it is written again.
pub fn theme(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match theme_file::read(text) {
        Ok(theme) => assert_eq!(theme_file::read(&theme.to_string()), Ok(theme)),
        Err(fault) => {
            assert!(fault.line <= text.matches('\n').count() + 1);
            assert_harmless(&one_line(&fault.text));
        }
    }
}

/// Text on its way to a terminal: none of it acts there, and in JSON its meaning stays.
pub fn escape(bytes: &[u8]) {
    let shown = quoted(bytes);
    assert_harmless(&shown);
    let inside = shown.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let mut escaped = false;
    for c in inside.unwrap_or("\"").chars() {
        assert!(escaped || c != '"', "{shown}");
        escaped = !escaped && c == '\\';
    }

    let mut whole = Vec::new();
    let written = Harmless::new(&mut whole).write_all(bytes);
    let mut pieces = Vec::new();
    let mut piecewise = Harmless::new(&mut pieces);
    let piecewise = bytes.chunks(3).try_for_each(|it| piecewise.write_all(it));
    assert!(written.is_ok() && piecewise.is_ok());
    assert_eq!(whole, pieces);
    for line in String::from_utf8_lossy(&whole).split(['\n', '\t']) {
        assert_harmless(line);
    }
    // No tool puts a carriage return between the parts of a document; inside a string it is
    // escaped.
    if !bytes.contains(&b'\r')
        && let Ok(value) = serde_json::from_slice::<Value>(bytes)
    {
        assert_eq!(serde_json::from_slice::<Value>(&whole).ok(), Some(value));
    }
}

fn assert_harmless(line: &str) {
    assert!(line.chars().all(|c| c == ' ' || is_visible(c)), "{line:?}");
}
