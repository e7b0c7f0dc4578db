//! What a discovery was asked to look for.

use std::fmt;
use std::str::FromStr;

use lxkns_species::NamespaceTypes;

/// A part of a discovery that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The namespaces that processes are joined to.
    Processes,
    /// Threads that differ from their process.
    Threads,
    /// File descriptors on nsfs.
    Fds,
    /// Sockets and tun/tap device files.
    Sockets,
    /// Bind mounts and procfs mounts, in every mount namespace.
    Mounts,
    /// What the kernel itself enumerates.
    Kernel,
    /// Parents and children.
    Hierarchy,
    /// Owners.
    Ownership,
    /// Command lines.
    Cmdline,
    /// Cgroup paths.
    Cgroup,
    /// Effective UID and capabilities.
    Credentials,
    /// Containers, units and machines by name; needs the cgroup paths.
    Names,
}

impl Part {
    /// All parts.
    pub const ALL: [Part; 12] = [
        Part::Processes,
        Part::Threads,
        Part::Fds,
        Part::Sockets,
        Part::Mounts,
        Part::Kernel,
        Part::Hierarchy,
        Part::Ownership,
        Part::Cmdline,
        Part::Cgroup,
        Part::Credentials,
        Part::Names,
    ];

    /// The name, on command lines and in documents.
    pub fn name(self) -> &'static str {
        match self {
            Part::Processes => "processes",
            Part::Threads => "threads",
            Part::Fds => "fds",
            Part::Sockets => "sockets",
            Part::Mounts => "mounts",
            Part::Kernel => "kernel",
            Part::Hierarchy => "hierarchy",
            Part::Ownership => "ownership",
            Part::Cmdline => "cmdline",
            Part::Cgroup => "cgroup",
            Part::Credentials => "credentials",
            Part::Names => "names",
        }
    }

    const fn bit(self) -> u16 {
        self as u16
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown part {0:?}")]
pub struct UnknownPart(String);

impl FromStr for Part {
    type Err = UnknownPart;

    fn from_str(text: &str) -> Result<Self, UnknownPart> {
        Part::ALL
            .into_iter()
            .find(|part| part.name() == text)
            .ok_or_else(|| UnknownPart(text.into()))
    }
}

lxkns_species::bit_set! {
    /// A set of [`Part`]s.
    Parts(u16) of Part, in the order of Part::ALL
}

impl Parts {
    /// Every part.
    pub const ALL: Parts = Parts((1 << Part::ALL.len()) - 1);
}

/// Whose command line and cgroup to read. Credentials are read of every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Details {
    /// Nobody's.
    Nobody,
    /// Those of processes that lead a namespace.
    Leaders,
    /// Everyone's.
    #[default]
    Everyone,
}

/// What a discovery was asked to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The types of namespaces; others appear only as hidden owners.
    pub types: NamespaceTypes,
    /// The parts.
    pub parts: Parts,
    /// Whose details.
    pub details: Details,
}

impl Default for Scope {
    /// Everything.
    fn default() -> Scope {
        Scope { types: NamespaceTypes::ALL, parts: Parts::ALL, details: Details::Everyone }
    }
}
