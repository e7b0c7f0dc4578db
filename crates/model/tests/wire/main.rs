//! The two JSON formats, from the outside: what is written is read back, old documents stay
//! readable, and nothing that is read can do harm.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod arbitrary;
mod errors;
mod golden;
mod mutated;
mod round_trip;
mod samples;
#[cfg(feature = "schema")]
mod schema;

/// As many cases as the environment variable `PROPTEST_CASES` says; without it so few that nobody
/// has to wait for a debug build.
fn cases(usually: u32) -> proptest::test_runner::Config {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => proptest::test_runner::Config::default(),
        None => proptest::test_runner::Config::with_cases(usually),
    }
}
