//! `cargo xtask lint`: what the compiler, clippy and rustdoc say, whether generated files are
//! up to date, then the house rules of [`tidy`]. Every step runs, whatever the steps before it found.

use std::path::Path;
use std::process::Command;

use crate::generate;
use crate::tidy;
use crate::workspace::Workspace;

/// The architecture that no developer here runs, but whose ioctl numbers and types differ.
const OTHER_TARGET: &str = "aarch64-unknown-linux-gnu";

/// Runs every step; `true` when none found anything.
pub(crate) fn run(workspace: &Workspace) -> bool {
    let mut clean = step("format", workspace.cargo().args(["fmt", "--all", "--check"]));
    clean &= step(
        "clippy",
        workspace
            .cargo()
            .args(["clippy", "--workspace", "--all-targets", "--all-features", "--quiet"])
            .args(["--", "-D", "warnings"]),
    );
    clean &= fuzz_targets(workspace);
    clean &= step(
        "rustdoc",
        workspace
            .cargo()
            .args(["doc", "--workspace", "--no-deps", "--all-features", "--quiet"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    );
    if target_is_installed(OTHER_TARGET) {
        clean &= step(
            OTHER_TARGET,
            workspace
                .cargo()
                .args(["check", "--workspace", "--all-features", "--quiet"])
                .args(["--target", OTHER_TARGET]),
        );
    } else {
        println!("lint: {OTHER_TARGET}: not checked, the target is not installed");
    }
    clean &= generated(workspace);
    clean & tidy::run(workspace)
}

fn step(name: &str, command: &mut Command) -> bool {
    println!("lint: {name}");
    match command.status() {
        Ok(status) if status.success() => true,
        Ok(status) => {
            eprintln!("lint: {name} failed ({status})");
            false
        }
        Err(error) => {
            eprintln!("lint: {name} could not be started: {error}");
            false
        }
    }
}

/// The fuzz targets are a workspace of their own. That they build can be seen without a fuzzer.
fn fuzz_targets(workspace: &Workspace) -> bool {
    let target = workspace.target_folder();
    let target = target.inspect_err(|error| eprintln!("lint: fuzz targets: {error:#}"));
    target.is_ok_and(|target| {
        step(
            "fuzz targets",
            workspace
                .cargo()
                .args(["clippy", "--manifest-path", "fuzz/Cargo.toml"])
                .args(["--no-default-features", "--quiet", "--target-dir"])
                .arg(target)
                .args(["--", "-D", "warnings"]),
        )
    })
}

fn generated(workspace: &Workspace) -> bool {
    println!("lint: generated files");
    generate::check(workspace).unwrap_or_else(|error| {
        eprintln!("lint: generated files: {error:#}");
        false
    })
}

fn target_is_installed(target: &str) -> bool {
    let Ok(output) =
        Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output()
    else {
        return false;
    };
    output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
}
