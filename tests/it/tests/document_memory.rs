//! Reading a document takes a bounded amount of memory, whatever it says.
//!
//! A program of its own with a single test, as the memory is that of the whole process.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::fs;

use lxkns_model::wire::{self, ALWAYS, Error, MAX_EXPANSION};

/// What is never given back between two documents, and what the allocator keeps.
const SLACK: usize = 24 << 20;

/// The most memory that the process has had since [`forget`], in bytes.
fn most() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// See proc_pid_clear_refs(5).
fn forget() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// What a reader returns, and the memory it took, the document included.
fn measured<T>(document: &[u8], read: impl FnOnce(&[u8]) -> T) -> (T, usize) {
    forget();
    let others = most() - document.len();
    let read = read(document);
    (read, most() - others)
}

#[track_caller]
fn check(name: &str, taken: usize, size: usize) {
    let times = taken as f64 / size as f64;
    assert!(taken <= MAX_EXPANSION * size + SLACK, "{name}: {times:.1} times {size} bytes");
}

/// A document with as many elements in a list as fit this many bytes.
fn document(bytes: usize, before: &str, element: &dyn Fn(usize) -> String, after: &str) -> Vec<u8> {
    let mut document = before.to_owned();
    for number in 1.. {
        if document.len() > bytes {
            break;
        }
        document += if number > 1 { "," } else { "" };
        document += &element(number);
    }
    document += after;
    document.into_bytes()
}

const HEAD: &str = r#"{"schema":"lxkns.snapshot/1","host":{},
    "options":{"types":["net"],"parts":["processes"],"details":"nobody"},
    "counts":{"listed":0,"read":0,"unreadable":0,"vanished":0},"gaps":[],"#;

#[test]
fn no_document_takes_much_more_than_its_size() {
    let native = |list: &str| format!("{HEAD}{list}");
    let processes = native(r#""namespaces":[],"processes":["#);
    let namespaces = native(r#""processes":[],"namespaces":["#);
    let mounts = native(r#""namespaces":[],"processes":[],"mounts":["#);
    let threads = native(r#""namespaces":[],"processes":[{"pid":1,"threads":["#);
    let holders =
        native(r#""processes":[],"namespaces":[{"id":"net:[1]","type":"net","holders":["#);
    let arguments = native(r#""namespaces":[],"processes":[{"pid":1,"cmdline":["#);
    // Blanks make it as sparse as it has to be to be read.
    let filled = |text: String, size: usize| format!("{text:size$}");
    type Element = Box<dyn Fn(usize) -> String>;
    let shapes: [(&str, &str, Element, &str); 9] = [
        ("pids only", &processes, Box::new(move |n| filled(format!(r#"{{"pid":{n}}}"#), 90)), "]}"),
        (
            "each in a namespace of its own",
            &processes,
            Box::new(move |n| {
                let text = format!(r#"{{"pid":{n},"namespaces":{{"net":"net:[{n}]"}}}}"#);
                filled(text, 200)
            }),
            "]}",
        ),
        (
            "namespaces",
            &namespaces,
            Box::new(move |n| filled(format!(r#"{{"id":"net:[{n}]","type":"net"}}"#), 125)),
            "]}",
        ),
        (
            "threads",
            &threads,
            Box::new(move |n| {
                let text = format!(r#"{{"tid":{n},"namespaces":{{"net":"net:[7]"}}}}"#);
                filled(text, 85)
            }),
            "]}]}",
        ),
        (
            "holders",
            &holders,
            Box::new(move |n| filled(format!(r#"{{"kind":"fd","pid":{n},"fd":1}}"#), 70)),
            "]}]}",
        ),
        (
            "mounts",
            &mounts,
            Box::new(move |n| {
                let text = format!(
                    r#"{{"mount-namespace":"mnt:[7]","id":{n},"parent":1,"path":"/x","device":4,"root":"/"}}"#
                );
                filled(text, 125)
            }),
            "]}",
        ),
        ("arguments", &arguments, Box::new(move |_| filled(r#""x""#.into(), 20)), "]}]}"),
        (
            "the lxkns format",
            r#"{"processes":{"#,
            Box::new(move |n| filled(format!(r#""{n}":{{"pid":{n}}}"#), 120)),
            "}}",
        ),
        ("too dense", &processes, Box::new(|n| format!(r#"{{"pid":{n}}}"#)), "]}"),
    ];
    let map = |width: usize| {
        let element = move |n: usize| filled(format!(r#"[{{"pid":{n},"nsid":1}}]"#), width);
        document(ALWAYS / MAX_EXPANSION + (1 << 20), "[", &element, "]")
    };
    for (width, is_read) in [(130, true), (0, false)] {
        let map = map(width);
        let (read, taken) = measured(&map, lxkns_pidmap::json::read);
        assert_eq!(read.is_ok(), is_read);
        check("a PID map", taken, map.len());
    }
    for (name, before, element, after) in shapes {
        let document = document(ALWAYS / MAX_EXPANSION + (1 << 20), before, &element, after);
        let (read, taken) = measured(&document, wire::read);
        check(name, taken, document.len());
        match read {
            Ok(_) => assert_ne!(name, "too dense"),
            Err(error) => {
                assert!(matches!(error, Error::TooDense { .. }), "{name}: {error}");
                assert_eq!(name, "too dense", "{error}");
            }
        }
    }
}
