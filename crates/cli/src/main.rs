//! See `lxkns --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lxkns_cli::main()
}
