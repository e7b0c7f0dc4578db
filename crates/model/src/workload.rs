//! Workloads: the containers, pods, units, machines and sandboxes that processes belong to.

use std::fmt;
use std::hash::{Hash, Hasher};

use lxkns_species::{NamespaceType, Pid, Uid};

use crate::snapshot::WorkloadIndex;
use crate::{Namespace, Process, Snapshot, Text};

/// Defines an enumeration of words: one table of variants and their names in documents.
macro_rules! words {
    (
        $(#[$attribute:meta])* $name:ident {
            $($(#[$note:meta])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$note])* $variant,)*
            /// Another one, from a document of a newer lxkns.
            Other,
        }

        impl $name {
            /// All that have a name of their own.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The name on command lines and in documents.
            pub fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                    $name::Other => "other",
                }
            }

            /// The one with this name, [`Other`](Self::Other) if there is none.
            pub fn of_name(name: &str) -> $name {
                let all = $name::ALL.iter().copied();
                all.into_iter().find(|it| it.name() == name).unwrap_or($name::Other)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

words! {
    /// The program that made a workload.
    Engine {
        /// Docker.
        Docker = "docker",
        /// Podman.
        Podman = "podman",
        /// nerdctl, on containerd.
        Nerdctl = "nerdctl",
        /// CRI-O.
        Crio = "cri-o",
        /// An engine behind the container runtime interface of Kubernetes, such as containerd.
        Cri = "cri",
        /// LXC, or Incus.
        Lxc = "lxc",
        /// systemd-nspawn.
        Nspawn = "nspawn",
        /// libvirt.
        Libvirt = "libvirt",
        /// buildah.
        Buildah = "buildah",
        /// Flatpak.
        Flatpak = "flatpak",
        /// snapd.
        Snap = "snap",
        /// systemd.
        Systemd = "systemd",
    }
}

words! {
    /// The kind of a workload.
    WorkloadKind {
        /// A container.
        Container = "container",
        /// A process that only holds the namespaces of a pod or of a user.
        Infra = "infra",
        /// A container with an init system of its own.
        Machine = "machine",
        /// A unit of systemd.
        Unit = "unit",
        /// A sandbox around one program.
        Sandbox = "sandbox",
        /// A virtual machine.
        Vm = "vm",
        /// A container that an image is being built in.
        Build = "build",
    }
}

/// The authority behind the name and the ID of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Voucher {
    /// Root of the machine.
    Machine,
    /// This user, who can give such names to their own processes only.
    User(Uid),
    /// None that could be made out: the workload may have chosen its name itself.
    Nobody,
}

/// The statement of a source about a workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// The cgroup of its processes, up to the component that names it.
    Cgroup(Text),
    /// A state file of the engine.
    File(Text),
    /// The command line of the process that looks after it.
    Supervisor(Pid),
}

/// The facts of one workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadFacts {
    /// The engine.
    pub engine: Engine,
    /// The kind.
    pub kind: WorkloadKind,
    /// The ID that the engine gave it.
    pub id: Option<Text>,
    /// Its name, as the engine shows it.
    pub name: Option<Text>,
    /// The name of its image.
    pub image: Option<Text>,
    /// The ID of the pod that it is in.
    pub pod: Option<Text>,
    /// The systemd unit that it runs in.
    pub unit: Option<Text>,
    /// The authority behind this.
    pub vouched_by: Voucher,
    /// The processes that are known to be in it, in any order.
    pub processes: Vec<Pid>,
    /// The process that looks after it from outside.
    pub supervisor: Option<Pid>,
    /// The sources of all this.
    pub evidence: Vec<Evidence>,
}

impl WorkloadFacts {
    /// A workload of which nothing but engine and kind is known.
    pub fn new(engine: Engine, kind: WorkloadKind) -> WorkloadFacts {
        WorkloadFacts {
            engine,
            kind,
            id: None,
            name: None,
            image: None,
            pod: None,
            unit: None,
            vouched_by: Voucher::Nobody,
            processes: Vec::new(),
            supervisor: None,
            evidence: Vec::new(),
        }
    }
}

/// One workload of a [`Snapshot`]; as cheap to copy as a reference.
///
/// Two are equal if they are the same workload of the same snapshot.
#[derive(Clone, Copy)]
pub struct Workload<'s> {
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) index: WorkloadIndex,
}

impl<'s> Workload<'s> {
    /// All that is known of it by itself.
    pub fn facts(self) -> &'s WorkloadFacts {
        self.snapshot.workload_facts(self.index)
    }

    /// Its name; its ID where it has no name. `None` of a few sandboxes.
    pub fn name(self) -> Option<&'s Text> {
        self.facts().name.as_ref().or(self.facts().id.as_ref())
    }

    /// Whether an authority is behind its name and ID.
    pub fn is_vouched(self) -> bool {
        self.facts().vouched_by != Voucher::Nobody
    }

    /// Whether its name is of the time when it was made, and may have changed since: only the
    /// process that looks after it tells the name.
    pub fn may_be_renamed(self) -> bool {
        let evidence = &self.facts().evidence;
        evidence.iter().any(|it| matches!(it, Evidence::Supervisor(_)))
            && !evidence.iter().any(|it| matches!(it, Evidence::File(_)))
    }

    /// The processes that are known to be in it, by PID.
    pub fn processes(self) -> impl Iterator<Item = Process<'s>> {
        self.facts().processes.iter().filter_map(move |pid| self.snapshot.process(*pid))
    }

    /// The process of it that started first.
    pub fn first_process(self) -> Option<Process<'s>> {
        self.processes().min_by_key(|it| (it.start_time().unwrap_or(u64::MAX), it.pid()))
    }

    /// Its own namespaces, by type, then inode, see [`Namespace::workload`].
    pub fn namespaces(self) -> impl Iterator<Item = Namespace<'s>> {
        self.snapshot.namespaces().filter(move |namespace| namespace.workload() == Some(self))
    }

    /// The namespace of this type that it uses without owning it: its first process's.
    pub fn shared(self, namespace_type: NamespaceType) -> Option<Namespace<'s>> {
        let id = self.first_process()?.joined().get(namespace_type)?;
        let namespace = self.snapshot.namespace(id)?;
        (namespace.workload() != Some(self)).then_some(namespace)
    }
}

impl PartialEq for Workload<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.snapshot, other.snapshot) && self.index == other.index
    }
}

impl Eq for Workload<'_> {}

impl Hash for Workload<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.snapshot, state);
        self.index.hash(state);
    }
}

impl fmt::Debug for Workload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.facts();
        write!(f, "Workload({} {:?})", facts.engine, self.name())
    }
}
