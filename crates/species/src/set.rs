//! Sets of things that are few and numbered, as bits of one number.

/// Defines a set of items, each of which has a bit: `fn bit(self) -> u32`, a `const fn`.
///
/// `all` is an iterator over all items, in the order in which the set lists them.
#[doc(hidden)]
#[macro_export]
macro_rules! bit_set {
    ($(#[$meta:meta])* $set:ident($bits:ty) of $item:ty, in the order of $all:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $set($bits);

        impl $set {
            /// The empty set.
            pub const NONE: $set = $set(0);

            /// The set of the given items.
            pub fn of(items: impl IntoIterator<Item = $item>) -> $set {
                items.into_iter().collect()
            }

            /// Whether the set is empty.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Whether the set has this item.
            pub const fn contains(self, item: $item) -> bool {
                self.0 & (1 << item.bit()) != 0
            }

            /// The set with this item.
            #[must_use]
            pub const fn with(self, item: $item) -> $set {
                $set(self.0 | 1 << item.bit())
            }

            /// The set without this item.
            #[must_use]
            pub const fn without(self, item: $item) -> $set {
                $set(self.0 & !(1 << item.bit()))
            }

            /// Adds an item.
            pub const fn insert(&mut self, item: $item) {
                *self = self.with(item);
            }

            /// The items in the set, in their usual order.
            pub fn iter(self) -> impl Iterator<Item = $item> {
                $all.into_iter().filter(move |item| self.contains(*item))
            }
        }

        impl FromIterator<$item> for $set {
            fn from_iter<I: IntoIterator<Item = $item>>(items: I) -> $set {
                items.into_iter().fold($set::NONE, $set::with)
            }
        }

        impl Extend<$item> for $set {
            fn extend<I: IntoIterator<Item = $item>>(&mut self, items: I) {
                items.into_iter().for_each(|item| self.insert(item));
            }
        }

        /// The names, separated by commas.
        impl ::core::fmt::Display for $set {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                for (index, item) in self.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{item}")?;
                }
                Ok(())
            }
        }

        impl ::core::fmt::Debug for $set {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                write!(f, "{{{self}}}")
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::{NamespaceType, NamespaceTypes};

    #[test]
    fn sets_hold_what_was_put_in() {
        let mut set = NamespaceTypes::of([NamespaceType::Uts, NamespaceType::Cgroup]);
        assert!(set.contains(NamespaceType::Uts) && !set.contains(NamespaceType::Net));
        assert_eq!(
            (set.to_string(), format!("{set:?}")),
            ("cgroup,uts".into(), "{cgroup,uts}".into())
        );
        assert_eq!(
            set.without(NamespaceType::Uts).with(NamespaceType::Net).to_string(),
            "cgroup,net"
        );
        set.extend(NamespaceType::ALL);
        assert_eq!(set, NamespaceTypes::ALL);
        assert_eq!(set.clone_flags(), 0x7e02_0080);
        assert!(NamespaceTypes::default().is_empty());
        assert_eq!(NamespaceTypes::NONE.to_string(), "");
    }
}
