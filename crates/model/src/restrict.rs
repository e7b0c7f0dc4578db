//! Leaving out the facts that were not asked for.

use std::collections::HashSet;

use lxkns_species::{NamespaceId, NamespaceType, NamespaceTypes};

use crate::{Facts, Part, Relation};

impl Facts {
    /// Leaves out the facts that were read on the way but are not in the scope. User namespaces
    /// stay as owners.
    pub fn restrict(&mut self) {
        let Facts { scope, namespaces, processes, mounts, .. } = self;
        let types = scope.types;
        let joins = scope.parts.contains(Part::Processes);
        if types == NamespaceTypes::ALL && joins {
            return;
        }
        for process in &mut *processes {
            for namespace_type in NamespaceType::ALL {
                if !types.contains(namespace_type) || !joins {
                    process.namespaces.clear(namespace_type);
                }
                if !types.contains(namespace_type) {
                    for thread in &mut process.threads {
                        thread.namespaces.clear(namespace_type);
                    }
                }
            }
            let own = process.namespaces;
            process.threads.retain(|thread| thread.namespaces != own);
        }
        for mount in mounts {
            mount.holds = mount.holds.filter(|id| types.contains(id.namespace_type()));
        }
        let owners: HashSet<NamespaceId> = namespaces
            .iter()
            .filter(|namespace| types.contains(namespace.id.namespace_type()))
            .filter_map(|namespace| namespace.owner)
            .collect();
        namespaces.retain_mut(|namespace| {
            let wanted = types.contains(namespace.id.namespace_type());
            if !wanted {
                namespace.holders.clear();
                namespace.parent = Relation::Unknown;
            }
            wanted || owners.contains(&namespace.id)
        });
    }
}
