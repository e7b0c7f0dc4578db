//! The chores of this workspace as one program: `cargo xtask lint`, `test`, `ci`.
//!
//! What a contributor runs by hand and what the automation runs is the same code, so that a green
//! run here means a green run there. Nothing of it is needed to use or to install lxkns.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports to a person"
)]

mod lint;
mod process;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::test::report::Report;
use crate::workspace::Workspace;

/// The chores of the lxkns workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check formatting, clippy, rustdoc, and the house rules that no other tool checks
    Lint,
    /// Build and run all tests; as root each of them twice, as root and as an ordinary user
    Test,
    /// Everything that must be green before a merge: lint and test
    Ci,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Carries out a task; `false` is a task that ran and found something wrong.
fn run(task: &Task) -> anyhow::Result<bool> {
    let workspace = Workspace::find()?;
    match task {
        Task::Lint => Ok(lint::run(&workspace)),
        Task::Test => Ok(test_and_report(&workspace)),
        Task::Ci => {
            let clean = lint::run(&workspace);
            let passed = test_and_report(&workspace);
            Ok(clean && passed)
        }
    }
}

fn test_and_report(workspace: &Workspace) -> bool {
    let mut report = Report::default();
    test::run(workspace, &mut report);
    report.print();
    report.is_success()
}
