//! BTF built by hand, damaged BTF, and that of the running kernel.

use proptest::prelude::*;

use super::*;

/// Writes BTF: a table of types of words, and their names.
struct Builder {
    types: Vec<u32>,
    names: Vec<u8>,
}

impl Builder {
    fn new() -> Builder {
        Builder { types: Vec::new(), names: vec![0] }
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = self.names.len() as u32;
        self.names.extend(name.bytes().chain([0]));
        at
    }

    fn entry(&mut self, name: &str, kind: u32, count: u32, size_or_type: u32, rest: &[u32]) {
        let name = self.name(name);
        self.types.extend([name, kind << 24 | count, size_or_type]);
        self.types.extend(rest);
    }

    fn structure(&mut self, name: &str, kind: u32, size: u32, members: &[(&str, u32, u32)]) {
        let members: Vec<u32> = members
            .iter()
            .flat_map(|(name, number, bits)| [self.name(name), *number, *bits])
            .collect();
        self.entry(name, kind, members.len() as u32 / 3, size, &members);
    }

    fn build(&self) -> Vec<u8> {
        let length = self.types.len() as u32 * 4;
        let header = [24, 0, length, length, self.names.len() as u32];
        let words = header.iter().chain(&self.types).flat_map(|it| it.to_ne_bytes());
        let mut bytes = [&MAGIC.to_ne_bytes()[..], &[1, 0]].concat();
        bytes.extend(words);
        bytes.extend(&self.names);
        bytes
    }
}

const NESTED: u32 = 1;

/// Every kind of type once, and a structure in which to look for members.
fn sample() -> Vec<u8> {
    let mut btf = Builder::new();
    btf.entry("int", INT, 0, 4, &[32]); // 1
    btf.structure("inner", STRUCT, 16, &[("low", 1, 0), ("high", 1, 64)]); // 2
    btf.structure("", UNION, 8, &[("left", 1, 0), ("", 4, 0)]); // 3
    btf.structure("", STRUCT, 8, &[("first", 1, 0), ("second", 1, 32)]); // 4
    btf.entry("alias", TYPEDEF, 0, 2, &[]); // 5
    btf.entry("", CONST, 0, 5, &[]); // 6
    btf.entry("", POINTER, 0, 2, &[]); // 7
    btf.entry("", ARRAY, 0, 0, &[2, 1, 3]); // 8
    btf.entry("values", ENUM, 2, 4, &[0, 0, 0, 1]); // 9
    btf.entry("elsewhere", FORWARD, 0, 0, &[]); // 10
    btf.entry("", VOLATILE, 0, 1, &[]); // 11
    btf.entry("", RESTRICT, 0, 7, &[]); // 12
    btf.entry("", FUNCTION_PROTOTYPE, 2, 1, &[0, 1, 0, 7]); // 13
    btf.entry("variable", VARIABLE, 0, 1, &[0]); // 14
    btf.entry(".data", DATA_SECTION, 1, 4, &[14, 0, 4]); // 15
    btf.entry("float", FLOAT, 0, 4, &[]); // 16
    btf.entry("tag", DECLARATION_TAG, 0, 1, &[0]); // 17
    btf.entry("user", TYPE_TAG, 0, 1, &[]); // 18
    btf.entry("big", ENUM64, 1, 8, &[0, 0, 0]); // 19
    btf.entry("run", FUNCTION, 1, 13, &[]); // 20
    for _ in 0..100 {
        btf.entry("", POINTER, 0, 0, &[]);
    }
    let members = [
        ("number", 11, 0),
        ("", 3, 64),
        ("embedded", 6, 128),
        ("pointer", 12, 256),
        ("array", 8, 320),
        ("value", 9, 704),
        ("wide", 19, 768),
        ("far", 1, 8 * 40_000),
        ("odd", 1, 801),
        ("self", 121, 0),
    ];
    btf.structure("outer", STRUCT, 104, &members); // 121
    btf.build()
}

#[test]
fn members_are_found_wherever_they_are() {
    let bytes = sample();
    let btf = Btf::scan(&bytes, &["outer", "inner"], &["run"]).unwrap();
    let check = |path, offset, size| {
        let expected = Member { offset, size };
        assert_eq!(btf.member("outer", path), Ok(expected), "{path}");
    };
    check("number", 0, 4);
    check("left", 8, 4);
    check("first", 8, 4);
    check("second", 12, 4);
    check("embedded", 16, 16);
    check("embedded.high", 24, 4);
    check("pointer", 32, size_of::<usize>() as u32);
    check("array", 40, 48);
    check("array.high", 48, 4);
    check("value", 88, 4);
    check("wide", 96, 8);
    for path in ["low", "embedded.middle", "number.low", "pointer.low", "far", "odd"] {
        let error = BtfError::NoMember("outer", path);
        assert_eq!(btf.member("outer", path), Err(error), "{path}");
    }
    assert_eq!(btf.function("run"), Ok(20));
    assert_eq!(btf.structure("outer"), Ok(121));
    assert_eq!(btf.size("inner"), Ok(16));
}

#[test]
fn what_is_missing_is_named() {
    let bytes = sample();
    let btf = Btf::scan(&bytes, &["nowhere"], &["inner"]).unwrap();
    assert_eq!(btf.member("nowhere", "x"), Err(BtfError::NoStruct("nowhere")));
    assert_eq!(btf.size("nowhere"), Err(BtfError::NoStruct("nowhere")));
    assert_eq!(btf.function("inner"), Err(BtfError::NoFunction("inner")));
}

#[test]
fn bit_fields_are_no_members_but_their_neighbours_are() {
    let mut builder = Builder::new();
    builder.entry("int", INT, 0, 4, &[32]);
    let members = [("flag", 1, 1 << 24), ("plain", 1, 32)];
    builder.structure("flags", STRUCT, 8, &members);
    let info = builder.types.len() - 3 * members.len() - 2;
    builder.types[info] |= 1 << 31;
    let bytes = builder.build();
    let btf = Btf::scan(&bytes, &["flags"], &[]).unwrap();
    assert_eq!(btf.member("flags", "plain"), Ok(Member { offset: 4, size: 4 }));
    assert!(btf.member("flags", "flag").is_err());
}

#[test]
fn nonsense_is_refused() {
    for bytes in [&b""[..], b"\x9f", b"\xff\xff\x01\x00", &[0; 64]] {
        assert_eq!(Btf::scan(bytes, &["a"], &[]).unwrap_err(), BtfError::NoHeader);
    }
    let mut builder = Builder::new();
    builder.entry("odd", 20, 0, 0, &[]);
    let error = Btf::scan(&builder.build(), &["a"], &[]).unwrap_err();
    assert_eq!(error, BtfError::UnknownKind(20));
}

#[test]
fn types_that_contain_themselves_come_to_an_end() {
    let mut builder = Builder::new();
    builder.entry("loop", TYPEDEF, 0, 1, &[]); // 1
    builder.entry("", ARRAY, 0, 0, &[2, 1, 3]); // 2
    builder.structure("tree", STRUCT, 8, &[("", 3, 0); 40]); // 3
    builder.structure("all", STRUCT, 8, &[("typedef", 1, 0), ("array", 2, 0)]);
    let bytes = builder.build();
    let btf = Btf::scan(&bytes, &["tree", "all"], &[]).unwrap();
    assert_eq!(btf.member("all", "typedef"), Err(Inconsistent));
    assert_eq!(btf.member("all", "array"), Err(Inconsistent));
    assert_eq!(btf.member("tree", "leaf"), Err(Inconsistent));
}

/// Asks everything that there is to ask; the answers do not matter.
fn ask(bytes: &[u8]) {
    let Ok(btf) = Btf::scan(bytes, &["outer", "inner"], &["run"]) else {
        return;
    };
    for path in ["number", "second", "embedded.high", "array", "array.high", "wide", "none"] {
        if let Ok(member) = btf.member("outer", path) {
            assert!(member.offset >= 0);
        }
    }
    drop(btf.function("run"));
    drop(btf.size("inner"));
    for number in [0, NESTED, 121, u32::MAX] {
        drop(btf.size_of(number, DEPTH));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(mut bytes: Vec<u8>, header: bool) {
        if header && bytes.len() >= 8 {
            bytes[..2].copy_from_slice(&MAGIC.to_ne_bytes());
            bytes[4..8].copy_from_slice(&8u32.to_ne_bytes());
        }
        ask(&bytes);
    }

    #[test]
    fn damage_is_survived(length: prop::sample::Index, damage: Vec<(prop::sample::Index, u8)>) {
        let mut bytes = sample();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        ask(&bytes);
        ask(&bytes[..length.index(bytes.len() + 1)]);
    }

    #[test]
    fn damaged_words_are_survived(at: prop::sample::Index, value in 0u32..200) {
        let mut bytes = sample();
        let at = at.index(bytes.len() / 4) * 4;
        bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        ask(&bytes);
    }
}

#[test]
fn the_running_kernel_is_described() {
    let types = match lxkns_ops::bpf::KernelTypes::open() {
        Ok(types) => types,
        Err(error) => return println!("skipped: no BTF here: {error}"),
    };
    let btf = Btf::scan(types.bytes(), &["list_head", "task_struct"], &["schedule"]).unwrap();
    let size = size_of::<usize>() as u32;
    let next = btf.member("list_head", "next").unwrap();
    assert_eq!((next.offset, next.size), (0, size));
    assert_eq!(btf.size("list_head"), Ok(2 * size));
    assert_eq!(btf.member("task_struct", "comm").unwrap().size, 16);
    assert!(btf.function("schedule").unwrap() > 0);
}
