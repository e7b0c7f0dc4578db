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
