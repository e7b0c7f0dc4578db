//! Finding programs: the tools under test, and foreign ones in PATH.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory with the tools under test, set by `cargo xtask test`.
const BIN_DIR: &str = "LXKNS_BIN_DIR";

/// The one program of this project; the tools are its subcommands.
const PROGRAM: &str = "lxkns";

/// One of the tools of this project, such as `lsallns`, or an example, such as `examples/list`,
/// ready to get its arguments.
///
/// The program is looked for in the directory named by the environment variable `LXKNS_BIN_DIR`,
/// and without that where cargo puts the binaries of the build that the running test belongs to.
///
/// # Panics
///
/// If it is not there.
pub fn tool(name: &str) -> Command {
    let directory = match std::env::var_os(BIN_DIR) {
        Some(directory) => PathBuf::from(directory),
        None => beside_the_test(),
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
