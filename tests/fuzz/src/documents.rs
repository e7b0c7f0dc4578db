//! JSON that somebody else wrote: what is read, written and read again is the same.

use lxkns_model::wire::{self, Layout};
use lxkns_model::{Diff, Snapshot};
use lxkns_ops::Portable;
use lxkns_pidmap::PidMap;

/// A snapshot in the native format, as one document or as lines; and all the views of it.
pub fn snapshot(bytes: &[u8]) {
    let Ok(read) = wire::read(bytes) else { return };
    let mut document = Vec::new();
    let written = wire::snapshot::write(&read, &mut document, Layout::Compact);
    assert!(written.is_ok());
    assert_same(&read, &document);
    document.clear();
    let written = wire::snapshot::write_lines(&read, &mut document);
    assert!(written.is_ok());
    assert_same(&read, &document);
    look_at_all(&read);
}

/// A snapshot in the format of the Go lxkns project, which cannot carry everything.
pub fn lxkns(bytes: &[u8]) {
    let Ok(read) = wire::lxkns::read(bytes) else {
        return;
    };
    let mut document = Vec::new();
    // Fails where an inode is said to be of two types.
    if wire::lxkns::write(&read, &mut document, Layout::Compact).is_err() {
        return;
    }
    let again = wire::lxkns::read(&document);
    let mut document_again = Vec::new();
    let written = again.map(|it| wire::lxkns::write(&it, &mut document_again, Layout::Compact));
    assert!(matches!(written, Ok(Ok(()))), "{written:?}");
    assert_eq!(String::from_utf8_lossy(&document), String::from_utf8_lossy(&document_again));
    look_at_all(&read);
}

/// A map of PIDs.
pub fn pidmap(bytes: &[u8]) {
    let Ok(read) = lxkns_pidmap::json::read(bytes) else {
        return;
    };
    let mut document = Vec::new();
    let written = lxkns_pidmap::json::write(&PidMap::new(&read), &mut document);
    assert!(written.is_ok());
    let again = lxkns_pidmap::json::read(&document).ok();
    assert_eq!(
        format!("{:#?}", Some(read)),
        format!("{again:#?}"),
        "{}",
        String::from_utf8_lossy(&document)
    );
}

/// A portable reference.
pub fn portable(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<Portable>(bytes) else {
        return;
    };
    let text = serde_json::to_string(&read).unwrap_or_default();
    assert_eq!(serde_json::from_str(&text).ok(), Some(read));
}

fn assert_same(read: &Snapshot, document: &[u8]) {
    let again = wire::read(document);
    assert_eq!(
        format!("{read:#?}"),
        again.map_or_else(|error| error.to_string(), |again| format!("{again:#?}")),
        "{}",
        String::from_utf8_lossy(document)
    );
}

/// Whatever it says, it can be asked anything, and does not differ from itself.
fn look_at_all(snapshot: &Snapshot) {
    for namespace in snapshot.namespaces() {
        let why = snapshot.why(namespace.id());
        assert!(why.is_some(), "{namespace:?}");
    }
    let written = lxkns_pidmap::json::write(&PidMap::new(snapshot), std::io::sink());
    assert!(written.is_ok());
    if let Ok(diff) = Diff::between(snapshot, snapshot, lxkns_model::diff::Ignore::default()) {
        assert!(diff.is_empty(), "{diff:?}");
    }
}
