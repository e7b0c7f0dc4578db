//! Finding programs: the tools under test, and foreign ones in PATH.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The directory with the tools under test, set by `cargo xtask test`.
const BIN_DIR: &str = "LXKNS_BIN_DIR";

/// The one program of this project; the tools are its subcommands.
const PROGRAM: &str = "lxkns";

/// One of the tools of this project, such as `lsallns`, or an example, such as `examples/list`,
/// ready to get its arguments.
///
/// The program is in the directory named by the environment variable `LXKNS_BIN_DIR`, which
/// `cargo xtask test` sets. Without that it is beside the running test; if cargo runs the test, it
/// builds the program first, so that it is not an old one.
///
/// # Panics
///
/// If the program is not there, or cannot be built.
pub fn tool(name: &str) -> Command {
    let directory = match std::env::var_os(BIN_DIR) {
        Some(directory) => PathBuf::from(directory),
        None => {
            let directory = beside_the_test();
            if let Some(cargo) = std::env::var_os("CARGO") {
                static BUILT: OnceLock<()> = OnceLock::new();
                BUILT.get_or_init(|| build(&cargo, &directory));
            }
            directory
        }
    };
    let is_subcommand = name != PROGRAM && !name.contains('/');
    let name_of_file = if is_subcommand { PROGRAM } else { name };
    let path = directory.join(name_of_file);
    assert!(
        path.is_file(),
        "no tool {name} in {}: run the tests with `cargo xtask test`, or build the tools and set {BIN_DIR}",
        directory.display()
    );
    let mut command = Command::new(path);
    command.args(is_subcommand.then_some(name));
    command
}

/// Builds the programs into a directory such as `target/debug`.
fn build(cargo: &OsStr, directory: &Path) {
    let profile = match directory.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "lxkns-cli", "--package", "lxkns"])
        .args(["--bins", "--examples", "--profile", profile, "--target-dir"])
        .arg(directory.parent().unwrap_or(directory))
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("cannot build the tools ({status})"),
        Err(error) => panic!("cannot start cargo to build the tools: {error}"),
    }
}

/// `target/debug`, where the running test is `target/debug/deps/test-…`.
fn beside_the_test() -> PathBuf {
    match std::env::current_exe() {
        Ok(test) => test.ancestors().nth(2).map(Path::to_owned).unwrap_or_default(),
        Err(error) => panic!("cannot tell where the running test is: {error}"),
    }
}

/// The path of a program that is in PATH.
pub(crate) fn in_path(name: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}
