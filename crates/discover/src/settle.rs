//! Reading at one moment what takes several calls.
//!
//! A process may change while it is read: setns(2) and unshare(2) move it to several namespaces at
//! once. Half of the old set and half of the new one is a set that never was. So a set counts if it
//! reads the same several times in a row, or if another process was seen in that very set before.
//! Most processes share theirs, so hardly any is read again.

use lxkns_model::Joined;
use lxkns_species::NamespaceTypes;

use crate::procfs::task::{Links, TaskDir};
use crate::scan::Scan;

/// How many readings in a row must confirm a new set. One is not enough: a process that goes back
/// and forth may do so in step with the readings.
const CONFIRMATIONS: usize = 3;

/// How often a task that changes all the time is read.
const READINGS: usize = 16;

/// Reads the namespace links of a task, and makes the namespaces known.
///
/// The second result has the types that never read the same twice in a row: of these, no link is
/// in the first one.
pub(crate) fn namespaces(
    scan: &Scan<'_>,
    dir: &TaskDir,
    types: NamespaceTypes,
) -> (Links, NamespaceTypes) {
    let resolver = &scan.resolver;
    let time = resolver.now();
    let mut links = dir.namespaces(types);
    if links.joined.is_empty() || resolver.knows_set(&links.joined, time) {
        return (links, NamespaceTypes::NONE);
    }
    let mut changing = NamespaceTypes::NONE;
    let mut confirmed = 0;
    for _ in 0..READINGS {
        if confirmed == 0 {
            for id in links.joined.iter() {
                resolver.meet(id, time, || dir.open_namespace(id.namespace_type()));
            }
        }
        // All have been met, so from here on their numbers mean what was met.
        let again = dir.namespaces(types);
        let differ = differing(&links.joined, &again.joined);
        links = again;
        confirmed = if differ.is_empty() { confirmed + 1 } else { 0 };
        if confirmed == CONFIRMATIONS {
            if links.joined.iter().all(|id| resolver.has(id)) {
                resolver.learn_set(&links.joined);
            }
            return (links, NamespaceTypes::NONE);
        }
        differ.iter().for_each(|namespace_type| changing.insert(namespace_type));
    }
    changing.iter().for_each(|namespace_type| links.joined.clear(namespace_type));
    (links, changing)
}

/// The types of which two sets have not the same namespace.
fn differing(one: &Joined, other: &Joined) -> NamespaceTypes {
    let types = one.types().iter().chain(other.types().iter());
    types.filter(|namespace_type| one.get(*namespace_type) != other.get(*namespace_type)).collect()
}
