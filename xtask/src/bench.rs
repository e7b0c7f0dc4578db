//! `cargo xtask bench`: how long the tools take on a machine full of namespaces, next to others.
//!
//! Times of one run say little on another machine, or on this one an hour later. So everything is
//! compared within one run: the tools in each of their ways, `lsns` where it is installed, and the
//! [`floor`], which is the least that reading /proc takes. They take turns, round by round, and
//! what is told is the median over the rounds of the ratio within a round. CPU time is told as
//! well: it hardly minds what else the machine does.
//!
//! The load is real: processes in mount and UTS namespaces of their own, mount namespaces that no
//! process is in. Whatever lives on the machine besides is seen by all contenders alike, and
//! counts.
//!
//! Nothing here fails for being slow: what is to be reached stands beside what was measured.

mod contenders;
mod floor;
mod goals;
mod load;
mod measure;
mod stage;
mod strace;

use std::env;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};

use self::contenders::Contenders;
use self::load::{Load, Shape};
use self::stage::Stage;
use crate::workspace::Workspace;

/// The options of `cargo xtask bench`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    shape: Shape,
    /// So many mount namespaces without a process are measured on their own
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    processless: usize,
    /// How often everything is measured
    #[arg(long, value_name = "COUNT", default_value = "5")]
    rounds: NonZeroUsize,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What the benchmark starts itself again for.
#[derive(Subcommand, Debug)]
enum Part {
    /// Measure, with everything built for release
    #[command(hide = true)]
    Run,
    /// Run a program and print what it took
    #[command(hide = true)]
    Measure {
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<OsString>,
    },
    /// Read the least of every process
    #[command(hide = true)]
    Floor { threads: NonZeroUsize },
}

pub(crate) fn run(options: &Options) -> Result<bool> {
    match &options.part {
        None => start_for_release(),
        Some(Part::Run) => run_stages(options).map(|()| true),
        Some(Part::Measure { command }) => measure::run(command),
        Some(Part::Floor { threads }) => floor::run(*threads).map(|()| true),
    }
}

/// Builds the tools and this program for release and goes on in there.
fn start_for_release() -> Result<bool> {
    let workspace = Workspace::find()?;
    println!("bench: build");
    let status = workspace
        .cargo()
        .args(["build", "--quiet", "--release"])
        .args(["--package", "lxkns-cli", "--package", "xtask"])
        .args(["--bin", "lxkns", "--bin", "xtask"])
        .status()
        .context("cannot start cargo build")?;
    ensure!(status.success(), "cargo build failed ({status})");
    let folder = workspace.target_folder()?.join("release");
    let status = Command::new(folder.join("xtask"))
        .args(env::args_os().skip(1))
        .arg("run")
        .status()
        .context("cannot start the benchmark")?;
    Ok(status.success())
}

fn run_stages(options: &Options) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("only root can create that many namespaces, and see them");
    }
    ensure!(options.shape.fds >= 3, "a process of the load has 3 files at least");
    let contenders = Contenders::find()?;
    contenders.introduce();

    let all = contenders.all();
    let measure = |name| {
        let mut stage = Stage::new(name);
        (0..options.rounds.get()).try_for_each(|_| stage.round(&all))?;
        stage.count_calls(&all)?;
        stage.print();
        anyhow::Ok(stage)
    };
    let idle = measure("idle")?;
    let load = Load::of_processes(&options.shape, options.shape.processes / 10)?;
    let tenth = measure("a tenth of the load")?;
    drop(load);
    let load = Load::of_processes(&options.shape, options.shape.processes)?;
    let full = measure("the whole load")?;
    drop(load);

    // By turns without and with them: what they add is little beside the rest of the machine.
    let tiers = contenders.tiers();
    let mut without = Stage::new("without process-less namespaces");
    let mut with = Stage::new("with process-less namespaces");
    for _ in 0..options.rounds.get() {
        without.round(&tiers)?;
        let load = Load::of_processless(options.processless)?;
        with.round(&tiers)?;
        drop(load);
    }
    goals::print(&goals::Stages {
        idle,
        tenth,
        full,
        without,
        with,
        processless: options.processless,
    });
    Ok(())
}
