//! All contenders on one load: round by round, each once a round.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::contenders::Contender;
use super::measure::{self, Sample};
use super::strace;

/// What was measured on one load.
pub(super) struct Stage {
    name: &'static str,
    /// How many there were on the machine, counted once a round.
    processes: Vec<f64>,
    /// One sample a round.
    samples: BTreeMap<Contender, Vec<Sample>>,
    calls: BTreeMap<Contender, u64>,
}

/// How one contender compares with another: the median over the rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio {
    pub(super) wall: f64,
    pub(super) cpu: f64,
}

impl Stage {
    pub(super) fn new(name: &'static str) -> Stage {
        Stage { name, processes: Vec::new(), samples: BTreeMap::new(), calls: BTreeMap::new() }
    }

    /// Lets everybody run once.
    pub(super) fn round(&mut self, contenders: &[(Contender, Command)]) -> Result<()> {
        self.processes.push(count_processes()? as f64);
        for (contender, command) in contenders {
            let sample = measure::of(command).with_context(|| contender.to_string())?;
            self.samples.entry(*contender).or_default().push(sample);
        }
        Ok(())
    }

    /// Counts everybody's system calls, if that is possible.
    pub(super) fn count_calls(&mut self, contenders: &[(Contender, Command)]) -> Result<()> {
        for (contender, command) in contenders {
            let calls = strace::count(command).with_context(|| contender.to_string())?;
            self.calls.extend(calls.map(|calls| (*contender, calls)));
        }
        Ok(())
    }

    /// The median number of processes.
    fn processes(&self) -> Option<f64> {
        median(self.processes.clone())
    }

    /// The median of something over a contender's rounds.
    fn median(&self, contender: Contender, of: impl Fn(&Sample) -> f64) -> Option<f64> {
        median(self.samples.get(&contender)?.iter().map(of).collect())
    }

    /// In microseconds.
    pub(super) fn wall(&self, contender: Contender) -> Option<f64> {
        self.median(contender, |sample| sample.wall.as_secs_f64() * 1e6)
    }

    /// In microseconds.
    pub(super) fn wall_per_process(&self, contender: Contender) -> Option<f64> {
        Some(self.wall(contender)? / self.processes()?)
    }

    /// In microseconds.
    pub(super) fn cpu_per_process(&self, contender: Contender) -> Option<f64> {
        Some(self.cpu(contender)? / self.processes()?)
    }

    /// In microseconds.
    pub(super) fn cpu(&self, contender: Contender) -> Option<f64> {
        self.median(contender, |sample| sample.cpu.as_secs_f64() * 1e6)
    }

    /// The highest of all rounds, in MiB.
    pub(super) fn peak(&self, contender: Contender) -> Option<f64> {
        let peaks = self.samples.get(&contender)?.iter();
        Some(peaks.map(|sample| sample.peak).max()? as f64 / 1024.0)
    }

    pub(super) fn calls_per_process(&self, contender: Contender) -> Option<f64> {
        Some(*self.calls.get(&contender)? as f64 / self.processes()?)
    }

    /// How many times as long the first one takes as the second one.
    pub(super) fn ratio(&self, first: Contender, second: Contender) -> Option<Ratio> {
        let rounds = || {
            let second = self.samples.get(&second)?.iter();
            Some(self.samples.get(&first)?.iter().zip(second))
        };
        let wall = rounds()?.map(|(a, b)| a.wall.as_secs_f64() / b.wall.as_secs_f64());
        let cpu = rounds()?.map(|(a, b)| a.cpu.as_secs_f64() / b.cpu.as_secs_f64());
        Some(Ratio { wall: median(wall.collect())?, cpu: median(cpu.collect())? })
    }

    /// Prints a table in Markdown.
    pub(super) fn print(&self) {
        println!("\n{}: {} processes\n", self.name, cell(self.processes(), 0));
        println!(
            "| {:<17} | time, ms | CPU, ms | × floor | × lsns | calls per process | peak, MiB |",
            ""
        );
        println!("|---|--:|--:|--:|--:|--:|--:|");
        for contender in self.samples.keys().copied() {
            let millis = |micros: Option<f64>| micros.map(|micros| micros / 1e3);
            let than = |other| self.ratio(contender, other).map(|ratio| ratio.wall);
            println!(
                "| {:<17} | {:>8} | {:>7} | {:>7} | {:>6} | {:>17} | {:>9} |",
                contender.to_string(),
                cell(millis(self.wall(contender)), 1),
                cell(millis(self.cpu(contender)), 1),
                cell(than(Contender::Floor), 2),
                cell(than(Contender::Lsns), 3),
                cell(self.calls_per_process(contender), 1),
                cell(self.peak(contender), 1),
            );
        }
    }
}

fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

/// The middle one, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = values.len().checked_sub(1)? / 2;
    Some(f64::midpoint(*values.get(lower)?, *values.get(upper)?))
}

/// The processes on this machine.
fn count_processes() -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        count += usize::from(name.as_encoded_bytes().iter().all(u8::is_ascii_digit));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn processes_are_counted() {
        assert!(count_processes().unwrap() >= 1);
    }
}
