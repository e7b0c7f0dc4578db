//! The whole library under one name.

#![doc = include_str!("../README.md")]

#[cfg(feature = "reexec")]
#[doc(inline)]
pub use lxkns_discover::reexec;
#[doc(inline)]
pub use lxkns_discover::{
    Bpf, Error, LeakCheck, Leaks, MountPoint, Mounted, MountedIn, Options, Scanner,
    ThreadCredentials, Tier, discover, features, mounted, open, thread_credentials,
};
#[cfg(feature = "wire")]
#[doc(inline)]
pub use lxkns_model::wire;
#[doc(inline)]
pub use lxkns_model::{
    BlindSpot, Cmdline, Counts, Details, Diff, Engine, Evidence, Facts, FileKind, Gap, HeldBy,
    Holder, Host, IdMapping, Ignore, Initials, Joined, Missing, MountFacts, MountKind, Namespace,
    NamespaceFacts, Part, Parts, Process, ProcessFacts, Reason, Relation, Scope, Snapshot, Text,
    ThreadFacts, UnknownPart, Voucher, Why, Workload, WorkloadFacts, WorkloadKind, blind_spots,
    diff, why,
};
/// All about single namespaces, and the kernel calls behind them.
pub use lxkns_ops as ops;
#[doc(inline)]
pub use lxkns_ops::{NamespaceFd, enter};
#[doc(inline)]
pub use lxkns_pidmap::{self as pidmap, PidMap};
#[doc(inline)]
pub use lxkns_species::{
    Capabilities, Capability, NamespaceId, NamespaceType, NamespaceTypes, ParseError, Pid,
    Reference, Uid,
};
