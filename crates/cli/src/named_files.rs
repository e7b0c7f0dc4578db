//! Files that a user named: the one place that opens them.
//!
//! None of them is waited for longer than a file server may take, but those that take a writer:
//! standard input, and a FIFO or a terminal that the user has named, such as the one that the shell
//! makes of `<(…)`.
//!
//! The tools may run with raised privileges (set-user-ID, file capabilities) so that ordinary users
//! see more. They must not lend these privileges to whoever names a file that only root may read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;
use lxkns_model::wire;
use lxkns_ops::foreign::{self, TIMEOUT};
use lxkns_ops::{Error, NamespaceFd};

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
        return Ok(content);
    }
    // Some files ask who reads, not who has opened them.
    let read = with_own_privileges(|| {
        if is_open(path) || foreign::is_stream(foreign::find(path, TIMEOUT)?)? {
            File::open(path)?.take(LIMIT).read_to_end(&mut content)?;
            return Ok(content);
        }
        foreign::read(path, LIMIT as usize, TIMEOUT)
    });
    read.with_context(|| format!("cannot read {}", shown(path)))
}

/// The content of a file, if there is one and it is a regular one.
pub(crate) fn read_if_regular(path: &Path) -> Option<anyhow::Result<Vec<u8>>> {
    match with_own_privileges(|| foreign::read(path, LIMIT as usize, TIMEOUT)) {
        Err(error) if is_nothing_to_read(&error) => None,
        read => Some(read.with_context(|| format!("cannot read {}", shown(path)))),
    }
}

fn is_nothing_to_read(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), InvalidInput | IsADirectory | NotADirectory | NotFound)
}

/// Whether a path names a file that this process has open: a shell's `<(…)` is `/dev/fd/63`.
fn is_open(path: &Path) -> bool {
    path == Path::new("/dev/stdin")
        || ["/dev/fd", "/proc/self/fd"].map(Path::new).contains(&path.parent().unwrap_or(path))
}

/// The namespace at a path.
pub(crate) fn namespace(path: &Path) -> Result<NamespaceFd, Error> {
    lxkns_ops::with_own_privileges(|| NamespaceFd::at_path(path))?
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
