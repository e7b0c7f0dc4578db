//! Sets of namespace types.

use std::fmt;

use crate::NamespaceType;

/// A set of namespace types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NamespaceTypes(u8);

impl NamespaceTypes {
    /// The empty set.
    pub const NONE: NamespaceTypes = NamespaceTypes(0);
    /// All eight types.
    pub const ALL: NamespaceTypes = NamespaceTypes(0xff);

    /// The set of the given types.
    pub fn of(types: impl IntoIterator<Item = NamespaceType>) -> NamespaceTypes {
        types.into_iter().collect()
    }

    /// Whether the set has this type.
    pub const fn contains(self, namespace_type: NamespaceType) -> bool {
        self.0 & (1 << namespace_type.index()) != 0
    }

    /// Whether the set has no type at all.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds a type.
    pub fn insert(&mut self, namespace_type: NamespaceType) {
        self.0 |= 1 << namespace_type.index();
    }

    /// The types in the set, in the order of [`NamespaceType::ALL`].
    pub fn iter(self) -> impl Iterator<Item = NamespaceType> {
        NamespaceType::ALL.into_iter().filter(move |ns_type| self.contains(*ns_type))
    }

    /// The `CLONE_NEW…` flags of all types in the set.
    pub fn clone_flags(self) -> u32 {
        self.iter().fold(0, |flags, ns_type| flags | ns_type.clone_flag())
    }
}

impl FromIterator<NamespaceType> for NamespaceTypes {
    fn from_iter<I: IntoIterator<Item = NamespaceType>>(types: I) -> Self {
        let mut set = NamespaceTypes::NONE;
        set.extend(types);
        set
    }
}

impl Extend<NamespaceType> for NamespaceTypes {
    fn extend<I: IntoIterator<Item = NamespaceType>>(&mut self, types: I) {
        types.into_iter().for_each(|ns_type| self.insert(ns_type));
    }
}

/// The names, separated by commas.
impl fmt::Display for NamespaceTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ns_type) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", ns_type.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for NamespaceTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        let mut set = NamespaceTypes::of([NamespaceType::Uts, NamespaceType::Cgroup]);
        assert!(set.contains(NamespaceType::Uts) && !set.contains(NamespaceType::Net));
        assert_eq!(set.to_string(), "cgroup,uts");
        set.extend(NamespaceType::ALL);
        assert_eq!(set, NamespaceTypes::ALL);
        assert_eq!(set.clone_flags(), 0x7e02_0080);
        assert!(NamespaceTypes::default().is_empty());
        assert_eq!(NamespaceTypes::NONE.to_string(), "");
    }
}
