//! What was looked for: `discovery-options`.

use lxkns_species::{NamespaceType, NamespaceTypes};
use serde::{Deserialize, Serialize};

use crate::{Details, Part, Parts, Scope};

/// As lxkns 0.15.5 writes them.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Written {
    skipped_procs: bool,
    skipped_tasks: bool,
    skipped_fds: bool,
    skipped_bindmounts: bool,
    skipped_hierarchy: bool,
    skipped_ownership: bool,
    scanned_namespace_types: Vec<NamespaceType>,
}

impl From<&Scope> for Written {
    fn from(scope: &Scope) -> Self {
        let skipped = |part| !scope.parts.contains(part);
        Written {
            skipped_procs: skipped(Part::Processes),
            skipped_tasks: skipped(Part::Threads),
            skipped_fds: skipped(Part::Fds),
            skipped_bindmounts: skipped(Part::Mounts),
            skipped_hierarchy: skipped(Part::Hierarchy),
            skipped_ownership: skipped(Part::Ownership),
            scanned_namespace_types: scope.types.iter().collect(),
        }
    }
}

/// As any lxkns writes them: what was skipped, or in newer ones what was not.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Read {
    skipped_procs: Option<bool>,
    skipped_tasks: Option<bool>,
    skipped_fds: Option<bool>,
    skipped_bindmounts: Option<bool>,
    skipped_hierarchy: Option<bool>,
    skipped_ownership: Option<bool>,
    from_procs: Option<bool>,
    from_tasks: Option<bool>,
    from_fds: Option<bool>,
    from_bindmounts: Option<bool>,
    with_hierarchy: Option<bool>,
    with_ownership: Option<bool>,
    scanned_namespace_types: Option<Vec<NamespaceType>>,
}

impl From<Read> for Scope {
    fn from(options: Read) -> Scope {
        let asked = [
            (Part::Processes, options.skipped_procs, options.from_procs),
            (Part::Threads, options.skipped_tasks, options.from_tasks),
            (Part::Fds, options.skipped_fds, options.from_fds),
            (Part::Mounts, options.skipped_bindmounts, options.from_bindmounts),
            (Part::Hierarchy, options.skipped_hierarchy, options.with_hierarchy),
            (Part::Ownership, options.skipped_ownership, options.with_ownership),
        ];
        let parts: Parts = asked
            .into_iter()
            .filter(|(_, skipped, wanted)| wanted.or(skipped.map(|it| !it)).unwrap_or(true))
            .map(|(part, ..)| part)
            // What lxkns always tells; it knows nothing of the other parts.
            .chain([Part::Cmdline, Part::Cgroup])
            .collect();
        Scope {
            types: match options.scanned_namespace_types {
                Some(types) => NamespaceTypes::of(types),
                None => NamespaceTypes::ALL,
            },
            parts,
            details: Details::Everyone,
        }
    }
}
