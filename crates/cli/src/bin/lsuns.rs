//! See `lsuns --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lxkns_cli::main_of(lxkns_cli::Tool::Lsuns)
}
