//! What a scan could not see.

use std::fmt;

use lxkns_species::{NamespaceType, NamespaceTypes};

use crate::Text;
use crate::why::may_hide_holders;

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// Something that this version knows no name for, from another version's document.
            Other(String),
        }

        impl $name {
            /// The name in documents.
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $text,)*
                    $name::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => $name::$variant,)*
                    other => $name::Other(other.into()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

named! {
    /// What is missing from a snapshot.
    Missing {
        /// The namespaces that a process is joined to, all or some.
        ProcessNamespaces = "process-namespaces",
        /// Processes that the procfs does not list at all.
        Processes = "processes",
        /// Command line, cgroup or credentials of a process.
        ProcessDetails = "process-details",
        /// Threads that differ from their process.
        Threads = "threads",
        /// The namespace for the children of a process or thread.
        PendingChildren = "pending-children",
        /// The file descriptors of a process or thread.
        Fds = "fds",
        /// Which network namespace a socket belongs to.
        Sockets = "sockets",
        /// Which network namespace a tun/tap device file belongs to.
        TunDevices = "tun-devices",
        /// Files that are queued in a Unix socket, sent and not received yet.
        InFlight = "in-flight",
        /// The mounts of a mount namespace.
        Mounts = "mounts",
        /// What a bind mount refers to.
        BindMounts = "bind-mounts",
        /// Which PID namespace a procfs mount shows.
        ProcMounts = "proc-mounts",
        /// The mount namespaces that no process is in.
        MountNamespaces = "mount-namespaces",
        /// The kernel's own list of namespaces.
        KernelList = "kernel-list",
        /// The owner of a namespace.
        Owners = "owners",
        /// The parent of a namespace.
        Parents = "parents",
        /// The creator of a user namespace.
        Creators = "creators",
        /// What else holds a namespace, besides its processes and one holder.
        Holders = "holders",
        /// The names of containers.
        Names = "names",
        /// Whether an inode number was one and the same namespace throughout the scan.
        Identity = "identity",
        /// Everything that only asking the kernel directly can tell.
        LiveFacts = "live-facts",
    }
}

named! {
    /// Why something is missing.
    Reason {
        /// The scanner lacks a privilege.
        Denied = "permission denied",
        /// It went away while it was looked at.
        Gone = "gone",
        /// It changed while it was read.
        Changing = "changing",
        /// This kernel cannot tell.
        Unsupported = "not supported by this kernel",
        /// It did not answer in time.
        TimedOut = "timed out",
        /// Another mount lies over it.
        Covered = "covered by another mount",
        /// The procfs hides other users' processes (`hidepid`), or all but processes (`subset`).
        Restricted = "hidden by the mount options of procfs",
        /// The procfs shows another PID namespace than the scanner's.
        ForeignProc = "foreign procfs",
        /// The kernel does not show a PID namespace before its first process is born.
        Unborn = "not shown before its first process",
        /// Only a part of that file system is mounted there.
        Partial = "only a part is mounted",
        /// It is not in the scanner's PID namespace, nor below it.
        Outside = "outside of this PID namespace",
        /// No process of it can be asked any more.
        NobodyToAsk = "nobody left to ask",
        /// It is queued behind another message, or in a connection that is not accepted yet.
        Queued = "further back in a queue",
        /// The look at it would change what its owner sees.
        Disturbing = "a look would disturb its owner",
        /// A limit on open files, memory or size was reached.
        Limit = "limit reached",
        /// What was read made no sense.
        Malformed = "malformed",
        /// The program runs with raised privileges (setuid, file capabilities) and must not do
        /// this.
        SecureExecution = "secure-execution mode",
        /// The document's format has no place for it.
        Format = "not in this format",
        /// Another error.
        Failed = "failed",
    }
}

/// Something that the scan could not see: what, why, how often.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gap {
    /// What is missing.
    pub what: Missing,
    /// Why.
    pub why: Reason,
    /// How often.
    pub count: u64,
    /// A few of the things concerned, such as `pid 1`; at most [`Gap::MAX_EXAMPLES`].
    pub examples: Vec<Text>,
}

impl Gap {
    /// Whether namespaces of this type, or what holds them, may be behind it.
    pub fn may_hide(&self, namespace_type: NamespaceType) -> bool {
        self.why != Reason::Gone
            && may_hide_holders(&self.what, NamespaceTypes::of([namespace_type]))
    }

    /// So many examples a gap has at most.
    pub const MAX_EXAMPLES: usize = 4;
}

/// How many processes the scan came across. `listed` is always the sum of the other three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Processes that the procfs listed.
    pub listed: u64,
    /// Those whose namespaces could be read, all or some.
    pub read: u64,
    /// Those of which no namespace could be read, for lack of privilege or because they are dead.
    pub unreadable: u64,
    /// Those that were gone when it was their turn.
    pub vanished: u64,
}
