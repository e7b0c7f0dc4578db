//! Discover every Linux kernel namespace of a machine, wherever it hides.

#[cfg_attr(not(test), expect(dead_code, reason = "not a source yet"))]
mod bpf;
mod error;
mod options;

pub use error::Error;
pub use options::{Bpf, Options, Tier};

use lxkns_model::{Facts, Snapshot};

/// Looks for namespaces.
pub fn discover(options: &Options) -> Result<Snapshot, Error> {
    Ok(Snapshot::assemble(Facts {
        scope: *options.scope(),
        ..Facts::default()
    }))
}
