//! BPF iterators, from the kernel's type information to what a program has written.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests")]

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;

use lxkns_nstest::need;
use lxkns_ops::bpf::{
    Instruction, KernelTypes, link_iterator, load_iterator, open_iterator, verifier_log,
};
use rustix::io::Errno;

const LICENCE: &CStr = c"Dual MIT/GPL";

const EXIT: Instruction = Instruction::new(0x95, 0, 0, 0, 0);

/// Writes one byte for each object, and one more at the end.
const ONE_BYTE_EACH: [Instruction; 9] = [
    // r1 = context->meta->seq
    Instruction::new(0x79, 1, 1, 0, 0),
    Instruction::new(0x79, 1, 1, 0, 0),
    // *(u8 *)(r10 - 1) = '.'; bpf_seq_write(r1, r10 - 1, 1)
    Instruction::new(0x72, 10, 0, 0, b'.' as i32).with_offset(-1),
    Instruction::new(0xbf, 2, 10, 0, 0),
    Instruction::new(0x07, 2, 0, 0, -1),
    Instruction::new(0xb7, 3, 0, 0, 1),
    Instruction::new(0x85, 0, 0, 0, 127),
    // return r0, once it is known to be 0
    Instruction::new(0xb7, 0, 0, 0, 0),
    EXIT,
];

/// The BTF id of a function of the kernel's, see Documentation/bpf/btf.rst.
fn function(types: &[u8], wanted: &str) -> Option<u32> {
    let u32_at = |at: usize| u32::from_ne_bytes(types[at..at + 4].try_into().unwrap());
    let offset = |at| u32_at(at) as usize;
    let (header, all, length, names) = (offset(4), offset(8), offset(12), offset(16));
    let (mut at, end, names) = (header + all, header + all + length, header + names);
    let mut id = 0;
    while at < end {
        id += 1;
        let (name, info) = (&types[names + offset(at)..], u32_at(at + 4));
        let (kind, members) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let is_function = kind == 12;
        if is_function && CStr::from_bytes_until_nul(name).unwrap().to_bytes() == wanted.as_bytes()
        {
            return Some(id);
        }
        at += 12
            + match kind {
                1 | 14 | 17 => 4,
                3 => 12,
                4 | 5 | 15 | 19 => 12 * members,
                6 | 13 => 8 * members,
                _ => 0,
            };
    }
    None
}

#[test]
fn an_iterator_tells_of_all_tasks_each_time_it_is_read() {
    need!(root, initpidns, bpf, btf);
    let types = KernelTypes::open().unwrap();
    let target = function(types.bytes(), "bpf_iter_task").unwrap();
    let program = load_iterator(&ONE_BYTE_EACH, target, LICENCE).unwrap();
    let link = link_iterator(&program).unwrap();
    drop(program);
    let processes = std::fs::read_dir("/proc")
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_str().is_some_and(|name| name.parse::<u32>().is_ok())
        })
        .count();
    for _ in 0..2 {
        let mut output = Vec::new();
        File::from(open_iterator(&link).unwrap()).read_to_end(&mut output).unwrap();
        // Others come and go, but not half of them at a time.
        assert!(output.len() > processes / 2, "{} of {processes}", output.len());
        assert!(output.iter().all(|byte| *byte == b'.'));
    }
}

#[test]
fn the_verifier_says_why_it_refuses() {
    need!(root, bpf, btf);
    let types = KernelTypes::open().unwrap();
    let target = function(types.bytes(), "bpf_iter_task").unwrap();
    // Nothing has been returned.
    let error = load_iterator(&[EXIT], target, LICENCE).unwrap_err();
    assert!(matches!(error.errno(), Some(Errno::ACCESS | Errno::INVAL)), "{error}");
    let log = verifier_log(&[EXIT], target, LICENCE);
    assert!(log.contains("R0"), "{log:?}");
}

#[test]
fn an_iterator_is_not_for_everybody() {
    need!(btf);
    if rustix::process::geteuid().is_root() {
        return;
    }
    let types = KernelTypes::open().unwrap();
    let target = function(types.bytes(), "bpf_iter_task").unwrap();
    let error = load_iterator(&ONE_BYTE_EACH, target, LICENCE).unwrap_err();
    assert!(error.is_denied(), "{error}");
    assert_eq!(verifier_log(&ONE_BYTE_EACH, target, LICENCE), "");
}
