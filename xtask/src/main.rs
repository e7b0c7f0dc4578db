//! The chores of this workspace as one program: `cargo xtask lint`, `test`, `ci`.
//!
//! What a contributor runs by hand and what the automation runs is the same code, so that a green
//! run here means a green run there. Nothing of it is needed to use or to install lxkns.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports to a person"
)]

mod api;
mod bench;
mod book;
mod dist;
mod first_steps;
mod fuzz;
mod generate;
mod lint;
mod package;
mod process;
mod test;
mod tidy;
mod torture;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::test::report::Report;
use crate::vm::Job;
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
    /// Write the JSON schema, which follows from the code
    Gen {
        /// Write nothing; name the files that differ from what would be written
        #[arg(long)]
        check: bool,
    },
    /// Write the list of the public interface of each library crate, with cargo-public-api
    Api {
        /// Write nothing; name the lists that differ from what would be written
        #[arg(long)]
        check: bool,
    },
    /// Build and run all tests; as root each of them twice, as root and as an ordinary user
    Test(test::Options),
    /// Build, run and install as README and guide say it
    FirstSteps,
    /// Pack the programs, linked statically, with man pages, completions and licences into dist/
    Dist {
        /// Pack them for Debian as well, with cargo-deb
        #[arg(long)]
        deb: bool,
    },
    /// Package the published crates, and build each from its package
    Package,
    /// Build the book, with mdbook, and the documentation of the crates
    Docs,
    /// Run the tests that talk to the kernel on other kernels, each in a virtual machine
    Vm {
        /// The series of a kernel, as in 6.1, or `newest`, or `all` that there are packages of
        #[arg(long = "kernel", value_name = "SERIES", default_value = "all")]
        kernels: Vec<String>,
    },
    /// Everything that must be green before a merge: lint, test and first-steps, and vm for the
    /// kernels named
    Ci {
        /// As in `vm --kernel`
        #[arg(long = "kernel", value_name = "SERIES")]
        kernels: Vec<String>,
    },
    /// Search the parsers for inputs that break them, with libFuzzer
    Fuzz(fuzz::Options),
    /// Measure the tools on a machine full of namespaces, next to lsns and to the least possible
    Bench(bench::Options),
    /// Scan amid neighbours that do as they please, and judge what the scans say
    Torture(torture::Options),
    /// Be the init of a virtual machine and end it
    #[command(hide = true)]
    GuestProbe,
    /// Be the init of a virtual machine and run the tests in it
    #[command(hide = true)]
    GuestInit(vm::guest::Work),
    /// Run the tests inside a virtual machine
    #[command(hide = true)]
    GuestRun(vm::guest::Work),
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
    let mut report = Report::default();
    let mut clean = true;
    match task {
        Task::Lint => return Ok(lint::run(&Workspace::find()?)),
        Task::Gen { check: true } => return generate::check(&Workspace::find()?),
        Task::Gen { check: false } => {
            return generate::write(&Workspace::find()?).map(|()| true);
        }
        Task::Api { check } => return api::run(&Workspace::find()?, *check),
        Task::FirstSteps => return first_steps::run(&Workspace::find()?).map(|()| true),
        Task::Dist { deb } => return dist::run(&Workspace::find()?, *deb).map(|()| true),
        Task::Package => return package::run(&Workspace::find()?).map(|()| true),
        Task::Docs => return book::run(&Workspace::find()?).map(|()| true),
        Task::Test(options) => test::run(&Workspace::find()?, options, &mut report),
        Task::Vm { kernels } => vm::run(&Workspace::find()?, kernels, &Job::Tests, &mut report),
        Task::Ci { kernels } => {
            let workspace = Workspace::find()?;
            clean = lint::run(&workspace);
            test::run(&workspace, &test::Options::default(), &mut report);
            if let Err(error) = first_steps::run(&workspace) {
                report.fail("first steps", &error);
            }
            if !kernels.is_empty() {
                vm::run(&workspace, kernels, &Job::Tests, &mut report);
            }
        }
        Task::Fuzz(options) => return fuzz::run(&Workspace::find()?, options),
        Task::Bench(options) => return bench::run(options),
        Task::Torture(options) => return torture::run(options),
        Task::GuestProbe => return vm::guest::init(false),
        Task::GuestInit(_) => return vm::guest::init(true),
        Task::GuestRun(work) => return vm::guest::run(work).map(|()| true),
    }
    if !clean {
        println!("\nFAILED: lint has found something, see above");
    }
    report.print();
    Ok(clean && report.is_success())
}
