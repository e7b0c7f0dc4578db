//! The things that a discovery looks for.

use lxkns_model::{Part, Scope};
use lxkns_species::{NamespaceType, NamespaceTypes};

use crate::procfs::task::TaskDir;

/// The things to look for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    scope: Scope,
    /// Also those that may be all that keeps a wanted owner in being.
    sought: NamespaceTypes,
    /// The types of the links in `/proc/PID/ns` to read: those sought, and those needed on the way.
    pub(crate) links: NamespaceTypes,
}

impl Wanted {
    pub(crate) fn new(scope: Scope, own: Option<&TaskDir>) -> Wanted {
        let owners =
            scope.parts.contains(Part::Ownership) && scope.types.contains(NamespaceType::User);
        // Anything, of whatever type, may be all that keeps its owner in being.
        let sought = if owners { NamespaceTypes::ALL } else { scope.types };
        let mut links = sought;
        if scope.parts.contains(Part::Mounts) {
            // Whatever is asked for, it may hide in any mount namespace.
            links.insert(NamespaceType::Mnt);
        }
        // A type that this kernel was built without has no link; that is no gap.
        let absent = own.map(|own| own.namespaces(links).absent).unwrap_or_default();
        Wanted { scope, sought, links: absent.iter().fold(links, NamespaceTypes::without) }
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        self.scope.parts.contains(part)
    }

    /// Whether namespaces of this type are to be shown.
    pub(crate) fn shows(&self, namespace_type: NamespaceType) -> bool {
        self.scope.types.contains(namespace_type)
    }

    /// Whether namespaces of this type are looked for, if only for the sake of their owners.
    pub(crate) fn seeks(&self, namespace_type: NamespaceType) -> bool {
        self.sought.contains(namespace_type)
    }
}
