//! PID maps as documents.

use lxkns_species::NamespaceId;

use super::*;

const MAP: &str = r#"[
    [{"pid": 1, "nsid": 4026531836}],
    [{"pid": 1, "nsid": 33}, {"pid": 7, "nsid": 22}, {"pid": 812, "nsid": 4026531836}],
    [{"pid": 3, "nsid": 22}, {"pid": 813, "nsid": 4026531836}]
]"#;

fn id(inode: u64) -> NamespaceId {
    NamespaceId::new(NamespaceType::Pid, inode).unwrap()
}

#[test]
fn a_map_is_read_and_written() {
    let snapshot = read(MAP.as_bytes()).unwrap();
    let map = PidMap::new(&snapshot);
    assert_eq!(map.translate(Pid(1), id(33), id(22)), Some(Pid(7)));
    assert_eq!(map.translate(Pid(812), id(4026531836), id(33)), Some(Pid(1)));
    assert_eq!(map.translate(Pid(3), id(22), id(33)), None);
    let mut written = Vec::new();
    write(&map, &mut written).unwrap();
    let value = |text| serde_json::from_slice::<serde_json::Value>(text).unwrap();
    assert_eq!(value(&written), value(MAP.as_bytes()));
    assert!(written.ends_with(b"]\n"));
}

#[test]
fn processes_with_holes_are_left_out() {
    let mut facts = Facts::default();
    facts.host.scanner_namespaces.set(id(1));
    let process = |pid, own, pids: Option<Vec<Pid>>| ProcessFacts {
        pids,
        namespaces: Joined::of([id(own)]),
        ..ProcessFacts::new(Pid(pid))
    };
    facts.processes = vec![
        process(5, 1, Some(vec![Pid(5)])),
        process(6, 1, None),
        process(7, 3, Some(vec![Pid(7), Pid(2), Pid(1)])),
        process(8, 4, Some(vec![Pid(8)])),
    ];
    let snapshot = Snapshot::assemble(facts);
    let mut written = Vec::new();
    write(&PidMap::new(&snapshot), &mut written).unwrap();
    assert_eq!(written, b"[[{\"pid\":5,\"nsid\":1}]]\n");
}

#[test]
fn contradictory_maps_are_refused() {
    let check = |document: &str, message: &str| {
        assert_eq!(read(document.as_bytes()).unwrap_err().to_string(), message);
    };
    check("[[]]", "process [0] of the PID map has no PID");
    check(r#"[[{"pid": 1, "nsid": 0}]]"#, "process [0] of the PID map is in a namespace 0");
    check(
        r#"[[{"pid": 1, "nsid": 5}], [{"pid": 1, "nsid": 5}]]"#,
        "process [1] of the PID map has the PID of another one, or 0",
    );
    check(
        r#"[[{"pid": 1, "nsid": 5}], [{"pid": 1, "nsid": 6}]]"#,
        "process [1] of the PID map has no PID in the others' outermost namespace",
    );
    check(
        r#"[[{"pid": 1, "nsid": 6}, {"pid": 2, "nsid": 5}], [{"pid": 2, "nsid": 6}]]"#,
        "process [1] of the PID map has a PID namespace that nests elsewhere for others",
    );
    check(
        r#"[[{"pid": 1, "nsid": 5}, {"pid": 2, "nsid": 5}]]"#,
        "process [0] of the PID map has a PID namespace that nests elsewhere for others",
    );
    check(
        r#"[[{"pid": 7, "nsid": 6}, {"pid": 1, "nsid": 5}]]"#,
        "process [0] of the PID map is PID 1 outside of its own PID namespace",
    );
    assert!(matches!(read(b"{}"), Err(Error::Malformed(_))));
    assert!(matches!(read(b"[[{\"pid\": -1, \"nsid\": 1}]]"), Err(Error::Malformed(_))));
}

#[test]
fn maps_that_take_too_much_memory_are_refused() {
    let map = |rows: usize| format!("[{}]", vec![r#"[{"pid": 1, "nsid": 5}]"#; rows].join(","));
    let check = |rows, always| left_after_rows(map(rows).as_bytes(), always).is_ok();
    assert!(check(100, 100_000));
    assert!(!check(1000, 100_000));
    assert!(check(1000, ALWAYS));
    // Brackets alone take memory, too.
    assert!(left_after_rows(&[b'['; 1000], 100_000).is_err());
}
