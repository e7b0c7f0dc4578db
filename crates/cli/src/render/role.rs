//! Roles of text: what says something names them, and the palette gives them colours.

use lxkns_species::NamespaceType;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Words and punctuation of our own.
    Plain,
    /// A namespace of this type.
    Namespace(NamespaceType),
    /// A process or thread.
    Process,
    /// A user.
    Owner,
    /// A cgroup path.
    Cgroup,
    /// Something that is not known.
    Unknown,
    /// No capabilities.
    CapsNone,
    /// The effective capabilities.
    CapsEffective,
    /// All capabilities.
    CapsAll,
}
