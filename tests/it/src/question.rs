//! Questions to a snapshot.

use lxkns_model::{Gap, Holder, Missing, Namespace, Reason, Snapshot};
use lxkns_species::NamespaceId;

/// The namespace, which must be there and be held by these, and by nothing else that lasts.
///
/// Another scan that runs at the same time opens each namespace for a moment, has copies of sockets
/// and tun devices, and a thread in a network namespace. The process is unknown to the test, and
/// what it holds is overlooked.
///
/// # Panics
///
/// If it is not so.
#[track_caller]
pub fn held<'s>(snapshot: &'s Snapshot, id: NamespaceId, expected: &[Holder]) -> Namespace<'s> {
    let Some(namespace) = snapshot.namespace(id) else {
        panic!("{id} was not found; gaps: {:?}", snapshot.gaps());
    };
    let holders = namespace.holders();
    for holder in expected {
        assert!(holders.contains(holder), "{id} is not held by {holder:?}, but by {holders:?}");
    }
    let is_known = |pid| expected.iter().any(|holder| holder.pid() == Some(pid));
    for holder in holders {
        let passes_by = match holder {
            Holder::File { pid, .. } | Holder::Thread { pid, .. } => !is_known(*pid),
            _ => false,
        };
        assert!(passes_by || expected.contains(holder), "{id} is also held by {holder:?}");
    }
    namespace
}

/// As [`held`], where nothing more is to be said of the namespace.
///
/// # Panics
///
/// As [`held`] does.
#[track_caller]
pub fn assert_held(snapshot: &Snapshot, id: NamespaceId, expected: &[Holder]) {
    held(snapshot, id, expected);
}

/// A namespace without processes, held by nothing but related namespaces: it is hidden, unless
/// another scan holds it for a moment, see [`held`].
///
/// # Panics
///
/// If it is not so.
#[track_caller]
pub fn assert_hidden(namespace: Namespace<'_>, snapshot: &Snapshot) {
    held(snapshot, namespace.id(), &[]);
    assert_eq!(namespace.processes().len(), 0, "{namespace:?}");
    assert_eq!(namespace.is_hidden(), namespace.holders().is_empty(), "{namespace:?}");
}

/// Who owns a namespace: the parent of a user namespace, the owner of others.
pub fn owner(namespace: Namespace<'_>) -> Option<NamespaceId> {
    let above = namespace.owner().or(match namespace.namespace_type() {
        lxkns_species::NamespaceType::User => namespace.parent().known(),
        _ => None,
    });
    above.map(Namespace::id)
}

/// Asserts that a namespace is owned by this user namespace.
///
/// # Panics
///
/// If it is not, or if its owner is unknown.
#[track_caller]
pub fn assert_owner(namespace: Namespace<'_>, user: NamespaceId) {
    assert_eq!(owner(namespace), Some(user), "owner of {namespace:?}");
}

/// The gap of this kind, if there is one.
pub fn gap(snapshot: &Snapshot, what: Missing, why: Reason) -> Option<&Gap> {
    snapshot.gaps().iter().find(|gap| gap.what == what && gap.why == why)
}
