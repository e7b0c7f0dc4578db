//! `cargo xtask lint`: what the compiler, clippy and rustdoc say, whether generated files are up to
//! date, then the house rules of [`tidy`]. Every step runs, whatever the steps before it found.

use std::path::Path;
use std::process::Command;

use crate::generate;
use crate::tidy;
use crate::workspace::Workspace;

/// The architectures that lxkns supports. Most are not that of the machine at hand, and the numbers
/// of their ioctls, their types, byte orders and arguments of clone(2) differ.
const TARGETS: [&str; 5] = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "riscv64gc-unknown-linux-gnu",
    "powerpc64le-unknown-linux-gnu",
    "s390x-unknown-linux-gnu",
];

/// The features of the facade; each is one of the crates behind it.
const FEATURES: [&str; 3] = ["wire", "bpf", "reexec"];

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
    for target in TARGETS.into_iter().filter(|target| !target.starts_with(std::env::consts::ARCH)) {
        clean &= architecture(workspace, target);
    }
    clean &= features(workspace);
    clean &= generated(workspace);
    clean & tidy::run(workspace)
}

/// Type-checks the workspace for another architecture, if its standard library is installed.
fn architecture(workspace: &Workspace, target: &str) -> bool {
    if !target_is_installed(target) {
        println!("lint: {target}: not checked, the target is not installed");
        return true;
    }
    step(
        target,
        workspace
            .cargo()
            .args(["check", "--workspace", "--all-features", "--quiet"])
            .args(["--target", target]),
    )
}

/// Checks the library with every choice of its features, as its users may build it.
fn features(workspace: &Workspace) -> bool {
    (0..1 << FEATURES.len()).fold(true, |clean, choice| {
        let chosen = FEATURES.iter().enumerate().filter(|(at, _)| choice & 1 << at != 0);
        let chosen: Vec<&str> = chosen.map(|(_, feature)| *feature).collect();
        let chosen = chosen.join(",");
        clean
            & step(
                &format!("features {chosen:?}"),
                workspace
                    .cargo()
                    .args(["clippy", "--package", "lxkns", "--quiet", "--no-default-features"])
                    .args(["--features", &chosen, "--", "-D", "warnings"]),
            )
    })
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
