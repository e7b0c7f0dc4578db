//! See `lspidns --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lxkns_cli::main_of(lxkns_cli::Tool::Lspidns)
}
