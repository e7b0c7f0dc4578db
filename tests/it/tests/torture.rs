//! Scans amid neighbours that do as they please: none fails, and none says what never was true.
//!
//! A program of its own with one test only: it counts the open files of its process. The short form
//! runs with all the other tests; `cargo xtask torture` runs it for minutes, at one tier or at all,
//! with a seed that repeats what the neighbours did.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::env;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lxkns_discover::{Bpf, Options, Tier, discover};
use lxkns_it::{Judge, Judged, assert_possessions, invariants, possessions, scaled};
use lxkns_nstest::{Dir, Neighbours, need};

/// So many families are more than enough to keep two CPUs busy.
const NEIGHBOURS: usize = 3;

/// How many KiB of memory a scanner may have in the end that it did not have in the beginning:
/// allocators keep some, and so does the judge.
const GROWTH: u64 = 48 * 1024;

/// What a variable says, for longer runs.
fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}

fn tiers() -> Vec<Tier> {
    let wanted = env::var("LXKNS_TORTURE_TIER").ok();
    let is_wanted = |tier: &Tier| wanted.as_deref().is_none_or(|wanted| wanted == tier.name());
    let tiers: Vec<Tier> = Tier::ALL.into_iter().filter(is_wanted).collect();
    assert!(!tiers.is_empty(), "there is no tier {wanted:?}");
    tiers
}

/// The memory that is this process's own, in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.map_or(0, |number| number.parse().unwrap())
}

#[test]
fn no_scan_says_of_neighbours_what_never_was() {
    need!(userns);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = variable("LXKNS_TORTURE_SEED").unwrap_or(u64::from(now.subsec_nanos()));
    let count = variable("LXKNS_TORTURE_NEIGHBOURS").unwrap_or(NEIGHBOURS);
    let minutes: Option<f64> = variable("LXKNS_TORTURE_MINUTES");
    let scans = scaled(80);
    let limit = minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    eprintln!("torture: the seed is {seed}");

    let ways: Vec<Options> = tiers()
        .into_iter()
        .flat_map(|tier| [Bpf::Off, Bpf::On].map(|bpf| (tier, bpf)))
        .map(|(tier, bpf)| Options::everything().tier(tier).bpf(bpf))
        .collect();
    // What is opened once for good, is opened now.
    ways.iter().for_each(|options| drop(discover(options).unwrap()));
    let dir = Dir::new().unwrap();
    let before = possessions();
    let mut remembered = 0;

    let mut neighbours = Neighbours::start(seed, count, &dir).unwrap();
    let mut judge = Judge::default();
    let mut all = Judged::default();
    let start = Instant::now();
    let mut done = 0;
    for options in ways.iter().cycle() {
        let began = neighbours.now();
        let scan = discover(options);
        let ended = neighbours.now();
        judge.learn(&neighbours.pause());
        let snapshot = match scan {
            Ok(snapshot) => snapshot,
            Err(error) => panic!("scan {done} with seed {seed} failed: {error}"),
        };
        invariants(&snapshot);
        match judge.judge(&neighbours, &snapshot, (began, ended)) {
            Ok(judged) => all.add(judged),
            Err(lies) => panic!(
                "scan {done} with seed {seed}, {:?}, was not true:\n{}",
                snapshot.host().tier,
                lies.join("\n")
            ),
        }
        judge.forget_before(ended);
        neighbours.go_on();
        done += 1;
        if done == scans / 4 {
            remembered = memory();
        }
        if done >= scans && limit.is_none_or(|limit| start.elapsed() >= limit) {
            break;
        }
    }
    let memory = memory();
    drop(neighbours);
    drop(judge);
    eprintln!(
        "torture: {done} scans, {} pairs: {all:?}; {remembered} and {memory} KiB",
        all.pairs()
    );
    assert!(all.pairs() > done, "hardly anything was judged");
    assert_possessions(&before);
    assert!(memory < remembered + GROWTH, "{remembered} and then {memory} KiB");
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(dir.path().to_str().unwrap()));
}
