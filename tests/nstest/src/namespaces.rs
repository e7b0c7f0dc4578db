//! Reading namespaces straight from /proc, as the oracle for what lxkns finds.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use lxkns_species::{NamespaceId, NamespaceType, Pid};

/// The calling thread's namespace of this type.
///
/// # Panics
///
/// If it cannot be read.
#[track_caller]
pub fn own_namespace(ns_type: NamespaceType) -> NamespaceId {
    linked(Path::new("/proc/thread-self").join(ns_type.proc_file()))
}

/// The namespace of this type of a process or thread.
///
/// # Panics
///
/// If it cannot be read.
#[track_caller]
pub fn namespace_of(pid: Pid, ns_type: NamespaceType) -> NamespaceId {
    linked(format!("/proc/{pid}/{}", ns_type.proc_file()))
}

/// The namespace that a link such as `/proc/812/ns/pid_for_children` refers to.
///
/// # Panics
///
/// If it cannot be read, or is no link to a namespace.
#[track_caller]
pub fn linked(link: impl AsRef<Path>) -> NamespaceId {
    let link = link.as_ref();
    let text = match link.read_link() {
        Ok(text) => text,
        Err(error) => panic!("cannot read the link {}: {error}", link.display()),
    };
    match NamespaceId::from_link(text.as_os_str().as_bytes()) {
        Some(id) => id,
        None => panic!("{} is a link to {}, no namespace", link.display(), text.display()),
    }
}

/// Asserts that two sets of namespaces are the same, and else says what is in only one of them.
///
/// # Panics
///
/// If they differ.
#[track_caller]
pub fn assert_same_namespaces(
    found: impl IntoIterator<Item = NamespaceId>,
    expected: impl IntoIterator<Item = NamespaceId>,
) {
    let differences = set_differences(found, expected);
    assert!(differences.is_empty(), "namespaces differ:\n  {}", differences.join("\n  "));
}

fn set_differences(
    found: impl IntoIterator<Item = NamespaceId>,
    expected: impl IntoIterator<Item = NamespaceId>,
) -> Vec<String> {
    let found: std::collections::BTreeSet<_> = found.into_iter().collect();
    let expected: std::collections::BTreeSet<_> = expected.into_iter().collect();
    let missing = expected.difference(&found).map(|id| format!("missing: {id}"));
    let surplus = found.difference(&expected).map(|id| format!("not expected: {id}"));
    missing.chain(surplus).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_what_is_in_one_only() {
        let ids = |texts: &[&str]| -> Vec<NamespaceId> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        assert_eq!(
            set_differences(ids(&["net:[1]", "net:[3]"]), ids(&["uts:[2]", "net:[1]"])),
            ["missing: uts:[2]", "not expected: net:[3]"]
        );
        assert_same_namespaces(ids(&["net:[1]", "uts:[2]"]), ids(&["uts:[2]", "net:[1]"]));
    }
}
