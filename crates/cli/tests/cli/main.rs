//! The tools as their users meet them: as programs, with arguments and exit codes.
//!
//! Nothing here depends on the machine that the tests run on: what the tools show comes from fixed
//! snapshots, except where it is about what cannot be shown at all.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

mod diff;
mod fixtures;
mod golden;
mod help;
mod partial;
mod pipes;
mod terminal;
mod tool;
mod usage;
mod why;
