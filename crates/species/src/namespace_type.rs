//! The one table of the eight namespace types.
//!
//! Whatever differs between types and is a plain fact of the kernel's interface is a column here;
//! no other place in lxkns matches on a type to find a file name or a flag.

use std::fmt;
use std::str::FromStr;

use crate::ParseError;

/// A type of Linux namespace.
///
/// The order of the variants is the order in which lxkns lists namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamespaceType {
    /// cgroup_namespaces(7), since Linux 4.6.
    Cgroup,
    /// ipc_namespaces(7).
    Ipc,
    /// mount_namespaces(7).
    Mnt,
    /// network_namespaces(7).
    Net,
    /// pid_namespaces(7).
    Pid,
    /// time_namespaces(7), since Linux 5.6.
    Time,
    /// user_namespaces(7).
    User,
    /// uts_namespaces(7).
    Uts,
}

struct Row {
    name: &'static str,
    letter: &'static str,
    proc_file: &'static str,
    proc_file_for_children: Option<&'static str>,
    clone_flag: u32,
    initial_inode: u64,
    always_initial: bool,
}

const fn row(
    name: &'static str,
    letter: &'static str,
    proc_file: &'static str,
    proc_file_for_children: Option<&'static str>,
    clone_flag: u32,
    initial_inode: u64,
    always_initial: bool,
) -> Row {
    Row {
        name,
        letter,
        proc_file,
        proc_file_for_children,
        clone_flag,
        initial_inode,
        always_initial,
    }
}

// Initial inodes: include/uapi/linux/nsfs.h (6.18), before that include/linux/proc_ns.h.
#[rustfmt::skip]
static TABLE: [Row; 8] = [
    row("cgroup", "c", "ns/cgroup", None,                         0x0200_0000, 4_026_531_835, true),
    row("ipc",    "i", "ns/ipc",    None,                         0x0800_0000, 4_026_531_839, true),
    row("mnt",    "m", "ns/mnt",    None,                         0x0002_0000, 4_026_531_832, false),
    row("net",    "n", "ns/net",    None,                         0x4000_0000, 4_026_531_833, false),
    row("pid",    "p", "ns/pid",    Some("ns/pid_for_children"),  0x2000_0000, 4_026_531_836, true),
    row("time",   "t", "ns/time",   Some("ns/time_for_children"), 0x0000_0080, 4_026_531_834, true),
    row("user",   "U", "ns/user",   None,                         0x1000_0000, 4_026_531_837, true),
    row("uts",    "u", "ns/uts",    None,                         0x0400_0000, 4_026_531_838, true),
];

impl NamespaceType {
    /// All eight, in the order in which lxkns lists them.
    pub const ALL: [NamespaceType; 8] = [
        NamespaceType::Cgroup,
        NamespaceType::Ipc,
        NamespaceType::Mnt,
        NamespaceType::Net,
        NamespaceType::Pid,
        NamespaceType::Time,
        NamespaceType::User,
        NamespaceType::Uts,
    ];

    #[expect(clippy::indexing_slicing, reason = "the table has one row per variant")]
    fn row(self) -> &'static Row {
        &TABLE[self.index()]
    }

    /// The position of this type in [`NamespaceType::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    const fn bit(self) -> usize {
        self.index()
    }

    /// The name, as in `/proc/PID/ns` and in `net:[4026531840]`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The letter that unshare(1) and nsenter(1) use for this type; `t` stands for time.
    pub fn letter(self) -> &'static str {
        self.row().letter
    }

    /// The link to a process's namespace, relative to `/proc/PID`: `ns/net`.
    pub fn proc_file(self) -> &'static str {
        self.row().proc_file
    }

    /// The link to the namespace that a process's *children* will be in, relative to `/proc/PID`.
    ///
    /// Only PID and time namespaces have one, see namespaces(7).
    pub fn proc_file_for_children(self) -> Option<&'static str> {
        self.row().proc_file_for_children
    }

    /// The `CLONE_NEW…` flag of this type, see clone(2).
    #[doc(alias = "CLONE_NEWNET")]
    pub fn clone_flag(self) -> u32 {
        self.row().clone_flag
    }

    /// The type with this `CLONE_NEW…` flag.
    pub fn from_clone_flag(flag: u32) -> Option<NamespaceType> {
        NamespaceType::ALL.into_iter().find(|ns_type| ns_type.clone_flag() == flag)
    }

    /// The inode of the initial namespace of this type, where the kernel fixes it.
    ///
    /// Six types have had a fixed inode ever since; net and mnt from Linux 6.18 on, and before that
    /// an inode that differs between boots. See [`NamespaceType::always_fixed`].
    pub fn initial_inode(self) -> u64 {
        self.row().initial_inode
    }

    /// Whether [`NamespaceType::initial_inode`] holds on every kernel.
    pub fn always_fixed(self) -> bool {
        self.row().always_initial
    }

    /// Whether namespaces of this type form a hierarchy: PID and user namespaces do.
    pub fn is_hierarchical(self) -> bool {
        matches!(self, NamespaceType::Pid | NamespaceType::User)
    }
}

crate::bit_set! {
    /// A set of namespace types.
    NamespaceTypes(u8) of NamespaceType, in the order of NamespaceType::ALL
}

impl NamespaceTypes {
    /// All eight types.
    pub const ALL: NamespaceTypes = NamespaceTypes(0xff);

    /// The `CLONE_NEW…` flags of all types in the set.
    pub fn clone_flags(self) -> u32 {
        self.iter().fold(0, |flags, ns_type| flags | ns_type.clone_flag())
    }
}

impl fmt::Display for NamespaceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for NamespaceType {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        NamespaceType::ALL
            .into_iter()
            .find(|ns_type| ns_type.name() == text)
            .ok_or_else(|| ParseError::UnknownType(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_rows_stand_in_variant_order() {
        for (index, ns_type) in NamespaceType::ALL.into_iter().enumerate() {
            assert_eq!(ns_type.index(), index);
            assert_eq!(ns_type.name().parse(), Ok(ns_type));
            assert_eq!(NamespaceType::from_clone_flag(ns_type.clone_flag()), Some(ns_type));
            assert_eq!(ns_type.proc_file(), format!("ns/{ns_type}"));
        }
        assert!(NamespaceType::ALL.is_sorted_by_key(|ns_type| ns_type.name()));
    }

    #[test]
    fn unknown_names_are_refused() {
        for bad in ["", "Net", "mount", "net ", "zip"] {
            assert_eq!(bad.parse::<NamespaceType>(), Err(ParseError::UnknownType(bad.into())));
        }
    }
}
