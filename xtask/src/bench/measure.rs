//! What one run of a program takes, told by the kernel when it has ended.
//!
//! The kernel sums up what all children of a process have used. So a small process of its own
//! starts the program, and has no other child. It has to be small: until it becomes the program, a
//! child counts as being as large as its parent.

use std::ffi::OsString;
use std::fmt;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};

use crate::process::output_of;

/// What one run took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) wall: Duration,
    /// Of all threads, in user space and in the kernel.
    pub(super) cpu: Duration,
    /// The most memory it had at a time, in KiB.
    pub(super) peak: u64,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sample { wall, cpu, peak } = self;
        write!(f, "{} {} {peak}", wall.as_nanos(), cpu.as_nanos())
    }
}

impl FromStr for Sample {
    type Err = Error;

    fn from_str(text: &str) -> Result<Sample> {
        let mut numbers = text.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next().context("a number is missing")?.map_err(Error::from);
        Ok(Sample {
            wall: Duration::from_nanos(next()?),
            cpu: Duration::from_nanos(next()?),
            peak: next()?,
        })
    }
}

/// Measures a program by way of another process.
///
/// A process that ends under its hands can make lsns fail: it gets some more tries.
pub(super) fn of(command: &Command) -> Result<Sample> {
    const TRIES: usize = 5;
    let mut measuring = Command::new(std::env::current_exe()?);
    measuring.args(["bench", "measure", "--"]).arg(command.get_program()).args(command.get_args());
    let mut output = output_of(&mut measuring);
    for _ in 1..TRIES {
        if output.is_ok() {
            break;
        }
        output = output_of(&mut measuring);
    }
    output?.parse()
}

/// That other process.
pub(super) fn run(command: &[OsString]) -> Result<bool> {
    let (program, arguments) = command.split_first().context("no program")?;
    let start = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let wall = start.elapsed();
    ensure!(status.success(), "{} failed ({status})", program.display());
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().tv_sec() * 1_000_000
        + usage.user_time().tv_usec()
        + usage.system_time().tv_sec() * 1_000_000
        + usage.system_time().tv_usec();
    let sample = Sample {
        wall,
        cpu: Duration::from_micros(micros.unsigned_abs()),
        peak: usage.max_rss().unsigned_abs(),
    };
    println!("{sample}");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_read_as_it_was_written() {
        let sample = Sample {
            wall: Duration::from_nanos(1_234_567_890),
            cpu: Duration::from_micros(17),
            peak: 4096,
        };
        assert_eq!(sample.to_string().parse::<Sample>().unwrap(), sample);
        assert!("1 2".parse::<Sample>().is_err());
    }
}
