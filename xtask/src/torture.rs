//! `cargo xtask torture`: the torture test of the integration tests, for as long as one likes.
//!
//! Scans amid neighbours that do as they please; what the scans say is judged by what the
//! neighbours have written down. The test itself, and what it holds true, is `torture` in tests/it;
//! in the other runs of the tests it takes some seconds.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

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

/// How to torture.
#[derive(Args, Debug)]
pub(crate) struct How {
    /// How long
    #[arg(long, value_name = "NUMBER", default_value_t = 10.0)]
    minutes: f64,
    /// At this tier only: proc, mounts, ids, listns [default: at all, in turns]
    #[arg(long)]
    tier: Option<String>,
    /// What the neighbours do follows from this number [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// How many families of neighbours [default: 3]
    #[arg(long, value_name = "NUMBER")]
    neighbours: Option<u8>,
}

impl How {
    /// Tells the test, which is run by this command.
    pub(crate) fn apply<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("LXKNS_TORTURE_MINUTES", self.minutes.to_string());
        if let Some(tier) = &self.tier {
            command.env("LXKNS_TORTURE_TIER", tier);
        }
        if let Some(seed) = self.seed {
            command.env("LXKNS_TORTURE_SEED", seed.to_string());
        }
        if let Some(neighbours) = self.neighbours {
            command.env("LXKNS_TORTURE_NEIGHBOURS", neighbours.to_string());
        }
        command
    }

    /// The same as arguments, for the machine's init.
    fn arguments(&self) -> String {
        let mut arguments = format!("--minutes {}", self.minutes);
        if let Some(tier) = &self.tier {
            arguments += &format!(" --tier {tier}");
        }
        if let Some(seed) = self.seed {
            arguments += &format!(" --seed {seed}");
        }
        if let Some(neighbours) = self.neighbours {
            arguments += &format!(" --neighbours {neighbours}");
        }
        arguments
    }
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
