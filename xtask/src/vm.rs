//! `cargo xtask vm`: runs the tests that talk to the kernel on real kernels of many ages, each in
//! a virtual machine of its own, where nothing else runs.
//!
//! New kernels can tell what old ones hide, and one machine has one kernel only. Where KVM does not
//! work, software emulation does: a boot takes a few seconds.

pub(crate) mod guest;

mod cpio;
mod image;
mod kernel;
mod packages;
mod qemu;
mod record;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use self::kernel::Kernel;
use self::packages::{Files, Packages};
use self::qemu::{Accelerator, Machine, Run};
use crate::process::End;
use crate::test::report::{Counts, Identity, Outcome, Report, TestResult};
use crate::workspace::Workspace;

/// What machines are to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// Run the tests.
    Tests,
    /// Run the torture test for so long, with these arguments.
    Torture { minutes: Duration, arguments: String },
}

impl Job {
    /// The task of the program that is the machine's init.
    fn task(&self) -> String {
        match self {
            Job::Tests => guest::RUN.to_owned(),
            Job::Torture { arguments, .. } => format!("{} --torture {arguments}", guest::RUN),
        }
    }

    fn limit(&self) -> Duration {
        match self {
            Job::Tests => LIMIT,
            Job::Torture { minutes, .. } => LIMIT + *minutes,
        }
    }
}

/// How long a machine may run.
const LIMIT: Duration = Duration::from_secs(2700);

/// How many machines run at a time: emulation keeps one processor busy with each.
const AT_A_TIME: usize = 2;

/// How much of the console of a machine in trouble is shown.
const CONSOLE_LINES: usize = 400;

/// What may be asked for instead of a series.
const ALL: &str = "all";
const NEWEST: &str = "newest";

/// Has the machines do something, with the kernels named: series like `6.1`, `newest`, or `all`.
pub(crate) fn run(workspace: &Workspace, wanted: &[String], job: &Job, report: &mut Report) {
    if let Err(error) = run_matrix(workspace, wanted, job, report) {
        report.fail("vm", &error);
    }
}

fn run_matrix(
    workspace: &Workspace,
    wanted: &[String],
    job: &Job,
    report: &mut Report,
) -> Result<()> {
    println!("vm: kernels");
    let folder = workspace.target_folder()?.join("vm");
    let packages = Packages::update(folder.join("apt"))?;
    let kernels = select(&packages.kernels()?, wanted)?
        .into_iter()
        .map(|kernel| {
            let files = packages.fetch(&kernel)?;
            Ok((kernel, files))
        })
        .collect::<Result<Vec<_>>>()?;
    println!("vm: build");
    let initramfs = folder.join("initramfs.cpio");
    image::build(workspace, &kernels, &initramfs)?;

    let machine = |(kernel, files): &(Kernel, Files)| Machine {
        image: files.image.clone(),
        initramfs: initramfs.clone(),
        logs: folder.join(&kernel.series),
    };
    let Some(first) = kernels.first() else { bail!("no kernel to boot") };
    let accelerator = Accelerator::choose(&machine(first));
    println!("vm: run in {}", accelerator.name());
    let mut rows = side_by_side(&kernels, |kernel| {
        let machine = machine(kernel);
        let boot = || machine.boot(accelerator, &job.task(), job.limit());
        let run = match boot() {
            Ok(run) if run.is_stillborn() => {
                println!("vm: {}: did not boot, once more", kernel.0.series);
                show_console(&run.console);
                boot()
            }
            run => run,
        };
        if let (Job::Torture { .. }, Ok(run)) = (job, &run) {
            show_torture(&run.console);
        }
        Row::of(&kernel.0, run)
    });
    ensure!(rows.len() == kernels.len(), "the run of a machine has panicked");
    rows.sort_by_key(|row| kernel::numbers(&row.release));
    print_table(&rows);
    report.add(rows.into_iter().flat_map(|row| row.results));
    Ok(())
}

/// The kernels asked for, in the order of their age.
fn select(offered: &[Kernel], wanted: &[String]) -> Result<Vec<Kernel>> {
    for series in wanted {
        let known =
            series == ALL || series == NEWEST || offered.iter().any(|k| k.series == *series);
        ensure!(known, "there is no package of a kernel {series}");
    }
    let newest = offered.last();
    let is_wanted = |kernel: &&Kernel| {
        wanted.iter().any(|series| match series.as_str() {
            ALL => true,
            NEWEST => newest == Some(*kernel),
            series => kernel.series == series,
        })
    };
    Ok(offered.iter().filter(is_wanted).cloned().collect())
}

/// Does `work` on each of the things, on a few threads; the results come in no order.
fn side_by_side<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME)
            .map(|_| {
                scope.spawn(|| {
                    let mut results = Vec::new();
                    while let Some(thing) = things.get(next.fetch_add(1, Ordering::Relaxed)) {
                        results.push(work(thing));
                    }
                    results
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    })
}

/// What came out of a kernel.
struct Row {
    series: String,
    release: String,
    took: Duration,
    results: Vec<TestResult>,
}

impl Row {
    /// Judges a run, and says how it went.
    fn of(kernel: &Kernel, run: Result<Run>) -> Self {
        let mut row = Self {
            series: kernel.series.clone(),
            release: kernel.release.clone(),
            took: Duration::ZERO,
            results: Vec::new(),
        };
        let problem = match run {
            Ok(run) => {
                row.took = run.took;
                let (results, complete) = record::read(&run.results, &kernel.series);
                row.results = results;
                let problem = match run.end {
                    _ if complete => None,
                    End::TimedOut => Some("did not end in time".to_owned()),
                    End::Exited(status) => {
                        Some(format!("ended before its tests ({status}) {}", run.complaint.trim()))
                    }
                };
                if problem.is_some() || Counts::of(&row.results).failed > 0 {
                    show_console(&run.console);
                }
                problem
            }
            Err(error) => Some(format!("{error:#}")),
        };
        row.results.extend(problem.map(|problem| TestResult {
            test: "the machine".to_owned(),
            identity: Identity::Own,
            kernel: Some(kernel.series.clone()),
            outcome: Outcome::Failed(Some(problem)),
        }));
        println!("vm: {}: {} ({} s)", row.series, Counts::of(&row.results), row.took.as_secs());
        row
    }
}

/// Shows the end of what a machine said; all of it stays in the file.
fn show_console(path: &Path) {
    let console = fs::read(path).unwrap_or_default();
    let console = String::from_utf8_lossy(&console);
    let lines: Vec<&str> = console.lines().collect();
    println!("---- {} ----", path.display());
    for line in lines.iter().skip(lines.len().saturating_sub(CONSOLE_LINES)) {
        println!("{line}");
    }
    println!("----");
}

/// Shows what the torture test has to say.
fn show_torture(console: &Path) {
    let console = fs::read(console).unwrap_or_default();
    let console = String::from_utf8_lossy(&console);
    let lines = console.lines().map(str::trim_end);
    for line in lines.filter(|line| line.starts_with("torture: ")) {
        println!("vm: {line}");
    }
}

fn print_table(rows: &[Row]) {
    println!("\n| kernel | release | passed | failed | skipped | seconds |");
    println!("|---|---|--:|--:|--:|--:|");
    for Row { series, release, took, results } in rows {
        let Counts { passed, failed, skipped } = Counts::of(results);
        let seconds = took.as_secs();
        println!("| {series} | {release} | {passed} | {failed} | {skipped} | {seconds} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(wanted: &[&str]) -> Result<Vec<String>> {
        let offered = ["5.10", "6.1", "7.3"].map(Kernel::of_series);
        let wanted: Vec<_> = wanted.iter().map(|series| (*series).to_owned()).collect();
        Ok(select(&offered, &wanted)?.into_iter().map(|kernel| kernel.series).collect())
    }

    #[test]
    fn kernels_are_selected_by_name() {
        assert_eq!(selected(&["6.1", "5.10"]).unwrap(), ["5.10", "6.1"]);
        assert_eq!(selected(&["newest", "7.3"]).unwrap(), ["7.3"]);
        assert_eq!(selected(&["all"]).unwrap(), ["5.10", "6.1", "7.3"]);
        let error = selected(&["6.1", "4.19"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no package of a kernel 4.19");
    }

    #[test]
    fn all_work_is_done_once() {
        let mut done = side_by_side(&[1, 2, 3, 4, 5], |number| number * 10);
        done.sort_unstable();
        assert_eq!(done, [10, 20, 30, 40, 50]);
    }
}
