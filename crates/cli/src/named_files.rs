//! Files that a user named: the one place that opens them.
//!
//! The tools may run with raised privileges (set-user-ID, file capabilities) so that ordinary users
//! see more. They must not lend these privileges to whoever names a file that only root may read.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context as _;
use lxkns_model::wire;

use crate::render::escape::quoted;

/// So many bytes are read at most: one more than what is accepted as a document.
const LIMIT: u64 = wire::MAX_BYTES as u64 + 1;

/// The content of a file; `-` is standard input.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut content = Vec::new();
    if path == Path::new("-") {
        let stdin = io::stdin().lock();
        let read = with_own_privileges(|| stdin.take(LIMIT).read_to_end(&mut content));
        read.context("cannot read standard input")?;
    } else {
        // Some files ask who reads, not who has opened them.
        let read = with_own_privileges(|| {
            let file = File::open(path)?;
            file.take(LIMIT).read_to_end(&mut content)
        });
        read.with_context(|| format!("cannot read {}", shown(path)))?;
    }
    Ok(content)
}

/// Whether there is such a file, and it is a plain one: it takes no waiting to read that.
pub(crate) fn is_file(path: &Path) -> bool {
    with_own_privileges(|| fs::metadata(path)).is_ok_and(|metadata| metadata.is_file())
}

/// What a symbolic link says; `None` if it is none.
pub(crate) fn link_text(path: &Path) -> Option<Vec<u8>> {
    let target = with_own_privileges(|| fs::read_link(path)).ok()?;
    Some(target.into_os_string().into_vec())
}

/// The device and inode of a file.
pub(crate) fn identity(path: &Path) -> anyhow::Result<(u64, u64)> {
    let metadata = with_own_privileges(|| fs::metadata(path))
        .with_context(|| format!("cannot look at {}", shown(path)))?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Opens or looks up a file as the user who started the tool might do it.
fn with_own_privileges<T>(access: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    lxkns_ops::with_own_privileges(access).map_err(io::Error::other)?
}

/// How to speak of a file that [`read`] takes.
pub(crate) fn shown(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".into();
    }
    quoted(path.as_os_str().as_encoded_bytes())
}
