//! Documents that somebody has tampered with are refused or read, and never do harm.

use lxkns_model::wire;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use crate::{cases, samples};

/// The corpus: all the golden documents, and the sample in the lxkns format.
fn corpus() -> Vec<Vec<u8>> {
    let mut sample = Vec::new();
    wire::lxkns::write(&samples::snapshot(), &mut sample, wire::Layout::Compact).unwrap();
    let golden: [&[u8]; 4] = [
        include_bytes!("golden/lxkns-0.15.5.json"),
        include_bytes!("golden/lxkns-0.46.json"),
        include_bytes!("golden/snapshot-1.json"),
        include_bytes!("golden/snapshot-1.jsonl"),
    ];
    let mut corpus: Vec<_> = golden.into_iter().map(<[u8]>::to_vec).collect();
    corpus.push(sample);
    corpus
}

/// Reads, and if that works walks, and writes again what was read.
fn survive(document: &[u8]) {
    let Ok(snapshot) = wire::read(document) else {
        return;
    };
    let mut again = Vec::new();
    wire::snapshot::write(&snapshot, &mut again, wire::Layout::Compact).unwrap();
    assert!(wire::read(&again).is_ok());
    // Fails where the document says of an inode that it is of two types.
    let _ = wire::lxkns::write(&snapshot, &mut again, wire::Layout::Compact);
}

fn strange() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(vec!["net:[1]", "user:[4026532270]", "mnt:[18446744073709551615]", "thread"])
            .prop_map(Value::from),
        Just(Value::Array(vec![])),
        Just(Value::Object(serde_json::Map::default())),
    ]
}

/// All the values in a document, the document itself first.
fn values(value: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    visit(value);
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|it| values(it, visit)),
        Value::Object(members) => members.values_mut().for_each(|it| values(it, visit)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn flipped_and_cut(
        document in select(corpus()),
        flips in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..8),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let mut document = document;
        for (at, byte) in flips {
            let at = at.index(document.len());
            document[at] = byte;
        }
        if let Some(cut) = cut {
            document.truncate(cut.index(document.len()));
        }
        survive(&document);
    }

    #[test]
    fn with_values_in_the_wrong_place(
        document in select(corpus()),
        swaps in proptest::collection::vec((any::<Index>(), any::<Index>()), 0..4),
        strange in proptest::collection::vec((any::<Index>(), strange()), 0..3),
    ) {
        // Of a document of lines the head.
        let mut stream = serde_json::Deserializer::from_slice(&document).into_iter::<Value>();
        let mut document = stream.next().unwrap().unwrap();
        let mut all = Vec::new();
        values(&mut document, &mut |value| all.push(value.clone()));
        let swapped = swaps
            .into_iter()
            .map(|(from, to)| (to, all[from.index(all.len())].clone()));
        for (to, value) in swapped.chain(strange) {
            let mut left = to.index(all.len());
            values(&mut document, &mut |place| {
                if left == 0 {
                    *place = value.clone();
                }
                left = left.wrapping_sub(1);
            });
        }
        survive(document.to_string().as_bytes());
    }

    #[test]
    fn with_lines_in_disorder(lines in proptest::collection::vec(any::<Index>(), 0..12)) {
        let document = include_str!("golden/snapshot-1.jsonl");
        let all: Vec<_> = document.lines().collect();
        let mut mixed = all[0].replace(",\"lines\":16", "");
        assert_ne!(mixed, all[0]);
        for line in lines {
            mixed.push('\n');
            mixed.push_str(all[line.index(all.len())]);
        }
        survive(mixed.as_bytes());
    }

    #[test]
    fn no_document_at_all(bytes: Vec<u8>) {
        survive(&bytes);
    }
}

#[test]
fn every_truncation() {
    for document in corpus() {
        for end in 0..document.len() {
            survive(&document[..end]);
        }
    }
}
