//! The fuzz targets: one function for each parser of what others wrote.
//!
//! Each takes any bytes, and panics if a parser does, or breaks its promise; the strongest is that
//! what was read, written and read again is the same. Two machines drive them: libFuzzer, from the
//! workspace in `fuzz/` (`cargo xtask fuzz`), which searches for new paths through the code for as
//! long as it is let; and the test of this crate, which tries some variations of the seeds wherever
//! the tests run.
//!
//! Parsers that are private to a crate have their target in its hidden module `fuzzing`. Left out
//! is what only the kernel writes, as numbers in structures of fixed size: the answers of
//! listns(2), listmount(2) and statmount(2).

mod documents;
mod names;

pub use documents::{lxkns, pidmap, portable, snapshot};
pub use lxkns_cli::fuzzing::{arguments, escape, namespace, theme};
pub use lxkns_discover::fuzzing::{
    bpf_records, btf, cgroup, cmdline, id_map, mountinfo, passwd, reexec, stat, status,
};

pub use names::{conmon, engine_state, mark};

use lxkns_species::NamespaceId;

/// A fuzz target.
pub type Target = fn(&[u8]);

/// All targets by name, which is also that of the folder with the seeds.
pub const TARGETS: [(&str, Target); 22] = [
    ("arguments", arguments),
    ("bpf_records", bpf_records),
    ("btf", btf),
    ("cgroup", cgroup),
    ("cmdline", cmdline),
    ("conmon", conmon),
    ("engine_state", engine_state),
    ("escape", escape),
    ("id_map", id_map),
    ("link", link),
    ("lxkns", lxkns),
    ("mark", mark),
    ("mountinfo", mountinfo),
    ("namespace", namespace),
    ("passwd", passwd),
    ("pidmap", pidmap),
    ("portable", portable),
    ("reexec", reexec),
    ("snapshot", snapshot),
    ("stat", stat),
    ("status", status),
    ("theme", theme),
];

/// The text of a link below `/proc/PID/ns` or `/proc/PID/fd`: an id is never read out of anything
/// but its own text.
pub fn link(bytes: &[u8]) {
    let id = NamespaceId::from_link(bytes);
    if let Some(id) = id {
        assert_eq!(id.to_string().as_bytes(), bytes);
    }
    if let Ok(text) = str::from_utf8(bytes) {
        assert_eq!(text.parse().ok(), id);
    }
}
