//! The lxkns tools: from arguments to a snapshot, from a snapshot to text.
//!
//! Each tool is one argument struct and one run function in `tools`. What they share stands in
//! layers below: `args` (what to look at, how to show it), `render` (escaping, labels, tables,
//! trees, colours), `document` (JSON), `view` and `notes` (what the output does not show), `log`
//! and `failure` (exit codes). Nothing here knows a system call; the facts come from
//! `lxkns-discover` or from a document.
//!
//! This is a library only for the generator of man pages and completions. Programs want the crate
//! `lxkns`.
//!
//! ```
//! // What a man page is made from.
//! let command = lxkns_cli::command(lxkns_cli::Tool::Nscaps);
//! assert!(command.get_arguments().any(|arg| arg.get_long() == Some("input")));
//! ```

mod args;
mod cli;
mod completion;
mod document;
mod failure;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod log;
mod named_files;
mod notes;
mod render;
mod tool;
mod tools;
mod view;

pub use cli::main;
pub use tool::Tool;
pub use tools::command;
pub use tools::completions::Shell;
pub use tools::man::man_pages;
