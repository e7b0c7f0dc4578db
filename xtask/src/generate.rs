//! `cargo xtask gen`: the file in the repository that follows from the code, the JSON schema.
//!
//! It is kept there so that a change of the format shows in a review. `--check` writes nothing and
//! says whether it differs; it is part of `cargo xtask lint`.

use std::fs;

use anyhow::{Context, Result};

use crate::workspace::Workspace;

const SCHEMA: &str = "docs/schema/lxkns.snapshot-1.json";

/// Writes the schema.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    fs::write(workspace.root().join(SCHEMA), schema()?)
        .with_context(|| format!("cannot write {SCHEMA}"))
}

/// Compares the schema with what would be written; `true` if it does not differ.
pub(crate) fn check(workspace: &Workspace) -> Result<bool> {
    let found = fs::read_to_string(workspace.root().join(SCHEMA))
        .with_context(|| format!("cannot read {SCHEMA}"))?;
    let is_same = found == schema()?;
    if !is_same {
        eprintln!("{SCHEMA}: error: not as the code would have it; run `cargo xtask gen`");
    }
    Ok(is_same)
}

fn schema() -> Result<String> {
    let schema = serde_json::to_string_pretty(&lxkns_model::wire::snapshot::schema())?;
    Ok(schema + "\n")
}
