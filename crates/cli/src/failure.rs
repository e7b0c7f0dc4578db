//! How a tool ends: exit codes, and the one line that says why.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done; also if the view is partial, and if nobody reads the output any more |
//! | 1 | failed |
//! | 2 | wrong usage |
//! | 4 | done, with `--strict`, and the view is partial |
//!
//! Some tools give codes a meaning of their own, with [`Exit`].

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::render::escape::one_line;

/// The command line makes no sense.
#[derive(Debug)]
pub(crate) struct Usage(String);

impl Usage {
    pub(crate) fn new(text: impl Into<String>) -> Usage {
        Usage(text.into())
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The tool ends with a code of its own.
#[derive(Debug)]
pub(crate) struct Exit {
    code: u8,
    /// Why, unless all has been said.
    why: Option<anyhow::Error>,
}

impl Exit {
    /// There is nothing more to say.
    pub(crate) fn with(code: u8) -> Exit {
        Exit { code, why: None }
    }

    /// This went wrong.
    pub(crate) fn after(why: anyhow::Error, code: u8) -> Exit {
        Exit { code, why: Some(why) }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.code)
    }
}

impl std::error::Error for Exit {}

/// Says what went wrong, and turns it into an exit code.
pub(crate) fn end_with(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    let (error, code) = match error.downcast::<Exit>() {
        Ok(Exit { code, why: None }) => return ExitCode::from(code),
        Ok(Exit { code, why: Some(why) }) => (why, code),
        Err(error) => {
            let code = if error.is::<Usage>() { 2 } else { 1 };
            (error, code)
        }
    };
    // Nothing but writing to standard output fails without a context.
    let bare = error.chain().len() == 1;
    match error.downcast_ref::<io::Error>().filter(|_| bare) {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Some(error) => complain(&format!("cannot write to standard output: {error}")),
        None => complain(&format!("{error:#}")),
    }
    ExitCode::from(code)
}

/// Writes an error to standard error, as one line.
pub(crate) fn complain(text: &str) {
    // In one piece, as others may write there, too. Where standard error is gone, nobody can be
    // told.
    let line = format!("error: {}\n", one_line(text));
    let _ = io::stderr().lock().write_all(line.as_bytes());
}
