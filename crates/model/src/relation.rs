//! What is known of one namespace's place above another.

/// What is known of the parent of a namespace.
///
/// The kernel answers "there is none" and "it is beyond what you may see" with the same EPERM
/// (ioctl_ns(2)); the two are kept apart here, because only the first is a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Relation<T> {
    /// It is this one.
    Known(T),
    /// There is none: the namespace is the initial one, or its type has no hierarchy.
    None,
    /// Nobody could tell.
    #[default]
    Unknown,
}

impl<T> Relation<T> {
    /// The namespace, if one is known.
    pub fn known(self) -> Option<T> {
        match self {
            Relation::Known(it) => Some(it),
            Relation::None | Relation::Unknown => None,
        }
    }

    /// Replaces the namespace, if one is known.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Relation<U> {
        match self {
            Relation::Known(it) => Relation::Known(f(it)),
            Relation::None => Relation::None,
            Relation::Unknown => Relation::Unknown,
        }
    }
}
