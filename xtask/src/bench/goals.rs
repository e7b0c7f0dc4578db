//! What is to be reached, and what has been: each goal as a line.
//!
//! The goals are meant for 5,000 processes in 1,000 mount and 1,000 UTS namespaces; with another
//! load the lines say how it scales, not how good it is.

use super::contenders::{Contender, Way};
use super::stage::{Ratio, Stage};
use Contender::{Everything, Floor, Lsallns, Lsns, LsnsJson, Relations};

/// All that was measured.
pub(super) struct Stages {
    /// The machine as it was.
    pub(super) idle: Stage,
    /// A tenth of the load, and all of it.
    pub(super) tenth: Stage,
    pub(super) full: Stage,
    /// The machine as it was, by turns without and with mount namespaces without a process.
    pub(super) without: Stage,
    pub(super) with: Stage,
    /// How many of these.
    pub(super) processless: usize,
}

pub(super) fn print(stages: &Stages) {
    let Stages { idle, tenth, full, .. } = stages;
    println!("\nGoals, by time and by CPU time:\n");
    println!("| goal | time | CPU | to be reached |");
    println!("|---|--:|--:|--:|");

    let floors = |contender| full.ratio(contender, Floor);
    row("relations, /proc: × the floor", floors(Relations(Way::Proc)), "1.5 at most");
    row("relations, BPF: × the floor", floors(Relations(Way::Bpf)), "1 at most");
    let faster = |slow, contender| full.ratio(slow, contender);
    row(
        "everything, /proc: lsns --json takes ×",
        faster(LsnsJson, Everything(Way::Proc)),
        "5 at least",
    );
    row(
        "everything, BPF: lsns --json takes ×",
        faster(LsnsJson, Everything(Way::Bpf)),
        "8 at least",
    );
    row("lsallns, BPF: lsns takes ×", faster(Lsns, Lsallns(Way::Bpf)), "15 at least");
    for contender in [Relations(Way::Proc), Everything(Way::Proc)] {
        let growth = |of: fn(&Stage, Contender) -> Option<f64>| {
            Some(of(full, contender)? / of(tenth, contender)?)
        };
        let ratio = growth(Stage::wall_per_process)
            .zip(growth(Stage::cpu_per_process))
            .map(|(wall, cpu)| Ratio { wall, cpu });
        let what = format!("{contender}: per process, × that at a tenth");
        row(&what, ratio, "1.3 at most");
    }
    for way in Way::ALL {
        let contender = Everything(way);
        let each = |of: fn(&Stage, Contender) -> Option<f64>| {
            let more = of(&stages.with, contender)? - of(&stages.without, contender)?;
            Some(more / stages.processless.max(1) as f64)
        };
        let micros = each(Stage::wall).zip(each(Stage::cpu)).map(|(wall, cpu)| Ratio { wall, cpu });
        let what = format!("{contender}: µs per process-less mount namespace");
        row(&what, micros, "100 at most");
    }

    println!("\n| goal | | to be reached |");
    println!("|---|--:|--:|");
    for (contender, goal) in [(Relations(Way::Proc), 16), (Everything(Way::Proc), 40)] {
        if let Some(calls) = full.calls_per_process(contender) {
            println!("| {contender}: system calls per process | {calls:.1} | {goal} at most |");
        }
    }
    for (stage, goal, when) in [(full, 40, ""), (idle, 10, ", idle machine")] {
        for way in [Way::Proc, Way::Bpf] {
            if let Some(peak) = stage.peak(Everything(way)) {
                let what = Everything(way);
                println!("| {what}: peak memory in MiB{when} | {peak:.1} | {goal} at most |");
            }
        }
    }
}

fn row(what: &str, ratio: Option<Ratio>, goal: &str) {
    match ratio {
        Some(Ratio { wall, cpu }) => println!("| {what} | {wall:.2} | {cpu:.2} | {goal} |"),
        None => println!("| {what} | – | – | {goal} |"),
    }
}
