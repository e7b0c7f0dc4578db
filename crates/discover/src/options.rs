//! What to look for, and how.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use lxkns_model::{Details, Part, Parts, Scope};
use lxkns_species::NamespaceTypes;

/// What a discovery looks for, and how; a builder.
///
/// ```
/// use lxkns_discover::{Options, Tier};
/// use lxkns_model::Part;
/// use lxkns_species::{NamespaceType, NamespaceTypes};
///
/// // All network namespaces and their owners, but no command lines.
/// let options = Options::everything()
///     .types(NamespaceTypes::of([NamespaceType::Net]))
///     .without(Part::Cmdline)
///     .tier(Tier::Mounts);
/// assert!(options.scope().parts.contains(Part::Sockets));
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    scope: Scope,
    tier: Tier,
    bpf: Bpf,
    proc_root: PathBuf,
    workers: Option<NonZeroUsize>,
}

/// How much of the kernel to make use of: each tier includes the ones before it.
///
/// What the running kernel and the scanner's privileges do not offer is never used, whatever the
/// tier. Every tier yields the same snapshot; a higher one may know more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tier {
    /// /proc, the nsfs ioctls, and visits to mount namespaces.
    Proc,
    /// And what lists mounts and mount namespaces without a visit (Linux 6.12).
    Mounts,
    /// And 64-bit ids and handles (Linux 6.18).
    Ids,
    /// And the kernel's own list of namespaces (Linux 6.19).
    #[default]
    Listns,
}

impl Tier {
    /// All tiers, the lowest first.
    pub const ALL: [Tier; 4] = [Tier::Proc, Tier::Mounts, Tier::Ids, Tier::Listns];

    /// The name on command lines and in documents.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Proc => "proc",
            Tier::Mounts => "mounts",
            Tier::Ids => "ids",
            Tier::Listns => "listns",
        }
    }
}

/// Whether to let the kernel's BPF task iterator (Linux 5.8) list the tasks, instead of /proc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Bpf {
    /// Where it works and pays.
    #[default]
    Auto,
    /// Wherever it works.
    On,
    /// Never.
    Off,
}

impl Default for Options {
    fn default() -> Options {
        Options::everything()
    }
}

impl Options {
    /// Look for everything, everywhere.
    pub fn everything() -> Options {
        Options {
            scope: Scope::default(),
            tier: Tier::default(),
            bpf: Bpf::default(),
            proc_root: PathBuf::from("/proc"),
            workers: None,
        }
    }

    /// Look for all types of namespaces, but nowhere yet: a start for picking a few [`Part`]s.
    pub fn nothing() -> Options {
        let scope = Scope { parts: Parts::NONE, details: Details::Nobody, ..Scope::default() };
        Options { scope, ..Options::everything() }
    }

    /// Look for these types only. Others appear where they are needed to tell an owner.
    #[must_use]
    pub fn types(mut self, types: NamespaceTypes) -> Options {
        self.scope.types = types;
        self
    }

    /// Look here, too.
    #[must_use]
    pub fn with(mut self, part: Part) -> Options {
        self.scope.parts = self.scope.parts.with(part);
        self
    }

    /// Do not look here.
    #[must_use]
    pub fn without(mut self, part: Part) -> Options {
        self.scope.parts = self.scope.parts.without(part);
        self
    }

    /// Whose command lines and cgroups to read, if these parts are wanted at all.
    #[must_use]
    pub fn details(mut self, details: Details) -> Options {
        self.scope.details = details;
        self
    }

    /// Use nothing of the kernel above this tier.
    #[must_use]
    pub fn tier(mut self, tier: Tier) -> Options {
        self.tier = tier;
        self
    }

    /// Whether to use the BPF task iterator.
    #[must_use]
    pub fn bpf(mut self, bpf: Bpf) -> Options {
        self.bpf = bpf;
        self
    }

    /// Read this procfs instead of `/proc`.
    ///
    /// If it shows another PID namespace than the caller's, or is no procfs at all, only what can
    /// be read from it is used; a gap says so.
    #[must_use]
    pub fn proc_root(mut self, path: impl Into<PathBuf>) -> Options {
        self.proc_root = path.into();
        self
    }

    /// Use this many threads to read processes; by default as many as there are CPUs, at most 4.
    #[must_use]
    pub fn workers(mut self, workers: NonZeroUsize) -> Options {
        self.workers = Some(workers);
        self
    }

    /// What is looked for.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn tier_cap(&self) -> Tier {
        self.tier
    }

    #[cfg(feature = "bpf")]
    pub(crate) fn bpf_use(&self) -> Bpf {
        self.bpf
    }

    pub(crate) fn proc_path(&self) -> &Path {
        &self.proc_root
    }

    pub(crate) fn worker_count(&self) -> usize {
        self.workers.map_or_else(
            || std::thread::available_parallelism().map_or(1, |cpus| cpus.get().min(4)),
            NonZeroUsize::get,
        )
    }
}
