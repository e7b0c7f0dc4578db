//! What the integration tests have in common: ways to take a snapshot, and questions to one.
//!
//! Tests run beside each other on a living machine. So they state facts about what they have built
//! themselves, and what they ask for here is made for that: a namespace is *held by* something,
//! whoever else may hold it for a moment (other tests' scans do).

mod judge;
mod look;
mod outcome;
mod possessions;
mod question;
mod scale;

pub use judge::{Judge, Judged};
pub use look::{everywhere, invariants, ordinary, scan, scan_with, snapshot_of, tool_snapshot};
pub use outcome::{assert_failure, json, stdout};
pub use possessions::{assert_possessions, possessions};
pub use question::{assert_held, assert_hidden, assert_owner, gap, held, owner};
pub use scale::scaled;

/// The programs in the pages for readers, as doctests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;

    #[doc = include_str!("../../../docs/guide.md")]
    struct Guide;

    #[doc = include_str!("../../../crates/species/README.md")]
    struct Species;

    #[doc = include_str!("../../../crates/ops/README.md")]
    struct Ops;

    #[doc = include_str!("../../../crates/model/README.md")]
    struct Model;

    #[doc = include_str!("../../../crates/discover/README.md")]
    struct Discover;

    #[doc = include_str!("../../../crates/pidmap/README.md")]
    struct Pidmap;
}
