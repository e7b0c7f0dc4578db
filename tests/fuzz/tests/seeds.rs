//! The fuzz targets on the stable toolchain: the seeds, and what becomes of them when they are cut,
//! overwritten, repeated and mixed.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::fs;
use std::path::Path;

use lxkns_fuzz::TARGETS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

/// The contents of the seeds of a target.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(Path::new("seeds").join(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One way to spoil a text.
#[derive(Clone, Debug)]
enum Change {
    Cut(Index),
    Remove(Index, usize),
    Overwrite(Index, u8),
    Insert(Index, Vec<u8>),
    Repeat(Index, usize),
}

impl Change {
    fn apply(self, text: &mut Vec<u8>) {
        let at = |index: Index| index.index(text.len() + 1);
        let end = |from: usize, length: usize| (from + length).min(text.len());
        match self {
            Change::Cut(index) => text.truncate(at(index)),
            Change::Remove(index, length) => {
                let from = at(index);
                text.drain(from..end(from, length));
            }
            Change::Overwrite(index, byte) => {
                let from = at(index);
                text.splice(from..end(from, 1), [byte]);
            }
            Change::Insert(index, bytes) => {
                let from = at(index);
                text.splice(from..from, bytes);
            }
            Change::Repeat(index, length) => {
                let from = at(index);
                let again = piece(text, from, length);
                text.splice(from..from, again);
            }
        }
    }
}

fn piece(text: &[u8], from: usize, length: usize) -> Vec<u8> {
    text.iter().skip(from).take(length).copied().collect()
}

/// A change, which may put something of another seed there.
fn change(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let telling = select(b"0189:()[]{}\",\\ \n\t\0-/@#=\x1b\xc2\xff".to_vec());
    let byte = prop_oneof![telling, any::<u8>()];
    let piece = (select(seeds), at(), 1..40_usize).prop_map(|(seed, from, length)| {
        let from = from.index(seed.len() + 1);
        piece(&seed, from, length)
    });
    let number = select(vec!["4294967296", "18446744073709551615", "-1", "1e9", ""]);
    prop_oneof![
        1 => at().prop_map(Change::Cut),
        2 => (at(), 1..20_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        4 => (at(), byte).prop_map(|(at, byte)| Change::Overwrite(at, byte)),
        2 => (at(), vec(any::<u8>(), 1..4)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        2 => (at(), piece).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (at(), number).prop_map(|(at, number)| Change::Insert(at, number.into())),
        1 => (at(), 1..60_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

#[test]
fn every_target_survives_its_seeds_and_variations_of_them() {
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default().cases,
        None => 300,
    };
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seed");
        for seed in &seeds {
            target(seed);
        }
        let changes = vec(change(seeds.clone()), 1..6);
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let tried =
            TestRunner::new(config).run(&(select(seeds), changes), |(mut text, changes)| {
                changes.into_iter().for_each(|it| it.apply(&mut text));
                target(&text);
                Ok(())
            });
        if let Err(failure) = tried {
            panic!("{name}: {failure}");
        }
    }
}

/// What libFuzzer drives is listed once more, as Cargo knows no other way.
#[test]
fn libfuzzer_has_every_target() {
    let manifest = include_str!("../../../fuzz/Cargo.toml");
    let listed: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"))
        .filter_map(|path| path.strip_suffix(".rs\""))
        .collect();
    assert_eq!(listed, TARGETS.map(|(name, _)| name));
}
