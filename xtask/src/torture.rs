//! `cargo xtask torture`: the torture test of the integration tests, for as long as one likes.
//!
//! Scans amid neighbours that do as they please; what the scans say is judged by what the neighbours
//! have written down. The test itself, and what it holds true, is `torture` in tests/it; in the
//! other runs of the tests it takes some seconds.

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace::Workspace;

/// The options of `cargo xtask torture`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// How long
    #[arg(long, value_name = "NUMBER", default_value_t = 10.0)]
    minutes: f64,
    /// At this tier only: proc, mounts, ids, listns [default: at all, in turns]
    #[arg(long)]
    tier: Option<String>,
    /// What the neighbours do follows from this number [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs it; `false` if it has found something.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let workspace = Workspace::find()?;
    let mut command = workspace.cargo();
    command
        .args(["test", "--package", "lxkns-it", "--test", "torture"])
        .args(["--", "--nocapture"])
        .env("LXKNS_TORTURE_MINUTES", options.minutes.to_string());
    if let Some(tier) = &options.tier {
        command.env("LXKNS_TORTURE_TIER", tier);
    }
    if let Some(seed) = options.seed {
        command.env("LXKNS_TORTURE_SEED", seed.to_string());
    }
    let status = command.status().context("cannot start cargo test")?;
    Ok(status.success())
}
