//! What is written is read back.

use lxkns_model::{Snapshot, wire};
use proptest::prelude::*;

use crate::{arbitrary, cases};

/// Everything there is to know of a snapshot, links included.
fn all_of(snapshot: &Snapshot) -> String {
    format!("{snapshot:#?}")
}

fn lxkns(snapshot: &Snapshot) -> Vec<u8> {
    let mut document = Vec::new();
    wire::lxkns::write(snapshot, &mut document, wire::Layout::Compact).unwrap();
    document
}

fn layout() -> impl Strategy<Value = wire::Layout> {
    prop_oneof![
        Just(wire::Layout::Compact),
        (0u8..9).prop_map(wire::Layout::Spaces),
        Just(wire::Layout::Tab),
    ]
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_native_document_has_everything(
        snapshot in arbitrary::snapshot(),
        layout in layout(),
    ) {
        let mut document = Vec::new();
        wire::snapshot::write(&snapshot, &mut document, layout).unwrap();
        let read = wire::read(&document).unwrap();
        prop_assert_eq!(all_of(&snapshot), all_of(&read));
    }

    #[test]
    fn so_do_native_lines(snapshot in arbitrary::snapshot()) {
        let mut document = Vec::new();
        wire::snapshot::write_lines(&snapshot, &mut document).unwrap();
        let read = wire::read(&document).unwrap();
        prop_assert_eq!(all_of(&snapshot), all_of(&read));
    }

    /// The lxkns format cannot carry everything; what it does must not change any more.
    #[test]
    fn an_lxkns_document_keeps_what_it_has(snapshot in arbitrary::snapshot_for_lxkns()) {
        let document = lxkns(&snapshot);
        let again = lxkns(&wire::read(&document).unwrap());
        prop_assert_eq!(String::from_utf8(document), String::from_utf8(again));
    }
}
