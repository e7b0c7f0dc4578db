//! `cargo xtask torture`: the torture test of the integration tests, for as long as one likes.
//!
//! Scans amid neighbours that do as they please; what the scans say is judged by what the
//! neighbours have written down. The test itself, and what it holds true, is `torture` in tests/it;
//! in the other runs of the tests it takes some seconds.

pub(crate) mod how;

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use self::how::How;
use crate::test::report::Report;
use crate::vm::{self, Job};
use crate::workspace::Workspace;

/// The options of `cargo xtask torture`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// In a virtual machine with this kernel, as in `vm --kernel`
    #[arg(long, value_name = "SERIES")]
    kernel: Option<String>,
    #[command(flatten)]
    how: How,
}

/// Runs it; `false` if it has found something.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let workspace = Workspace::find()?;
    let how = &options.how;
    let Some(kernel) = &options.kernel else {
        let mut command = workspace.cargo();
        command
            .args(["test", "--package", "lxkns-it", "--test", "torture"])
            .args(["--", "--nocapture"]);
        let status = how.apply(&mut command).status();
        return Ok(status.context("cannot start cargo test")?.success());
    };
    let mut report = Report::default();
    let job = Job::Torture {
        arguments: how.arguments(),
        minutes: Duration::from_secs_f64(how.minutes * 60.0),
    };
    vm::run(&workspace, std::slice::from_ref(kernel), &job, &mut report);
    report.print();
    Ok(report.is_success())
}
