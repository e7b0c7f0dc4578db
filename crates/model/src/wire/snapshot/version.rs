//! The version of the format.

use crate::wire::Error;

/// What `schema` says in documents of this version.
pub const SCHEMA: &str = "lxkns.snapshot/1";

/// Whether the schema is one that can be read.
pub(in crate::wire) fn check_schema(found: &str) -> Result<(), Error> {
    if found == SCHEMA {
        return Ok(());
    }
    Err(Error::Schema { found: found.to_owned(), known: SCHEMA })
}
