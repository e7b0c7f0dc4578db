//! The fuzz targets of the parsers that no other crate can call.
//!
//! Each takes any bytes, and panics if what a parser made of them is not what it promises: where a
//! text can be written down again from what was read, that must read the same.

use lxkns_model::IdMapping;
use rustix::fs::{major, minor};
use serde_json::Value;

use crate::procfs::{cgroup, id_map as id_maps, mountinfo, stat, status};
use crate::reexec::wire::{Reply, request, split};
use crate::{bpf, describe, passwd};

pub fn btf(bytes: &[u8]) {
    bpf::fuzzing::type_information(bytes);
}

pub fn bpf_records(bytes: &[u8]) {
    bpf::fuzzing::records(bytes);
}

pub fn stat(bytes: &[u8]) {
    let Some(read) = stat::parse(bytes) else {
        return;
    };
    let kernel_thread = if read.kernel_thread { 0x0020_0000 } else { 0 };
    let flags = kernel_thread | if read.ending { 4 } else { 0 };
    let (ppid, threads, start_time) = (read.ppid, read.threads, read.start_time);
    let mut text = b"1 (".to_vec();
    text.extend_from_slice(read.comm);
    text.extend_from_slice(b") ");
    text.extend(u8::try_from(read.state));
    let exit_signal = if read.is_thread { -1 } else { 17 };
    let before = format!(" {ppid} 0 0 0 0 {flags} 0 0 0 0 0 0 0 0 0 0 {threads} 0 {start_time}");
    let rest = format!("{before} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 {exit_signal}");
    text.extend_from_slice(rest.as_bytes());
    assert_eq!(stat::parse(&text), Some(read));
}

pub fn status(bytes: &[u8]) {
    let read = status::parse(bytes);
    let mut text = String::new();
    if let Some(euid) = read.euid {
        text += &format!("Uid:\t7\t{euid}\t7\t7\n");
    }
    if let Some(effective) = read.effective {
        text += &format!("CapEff:\t{:016x}\n", effective.bits());
    }
    text += "NSpid:";
    let pids: Vec<_> = read.pids.collect();
    for pid in &pids {
        text += &format!("\t{pid}");
    }
    let again = status::parse(text.as_bytes());
    assert_eq!((again.euid, again.effective), (read.euid, read.effective));
    assert!(again.pids.eq(pids));
}

pub fn cgroup(bytes: &[u8]) {
    let Some(path) = cgroup::parse(bytes) else {
        return;
    };
    assert!(!path.contains(&b'\n'));
    assert_eq!(cgroup::parse(&[b"0::", path].concat()), Some(path));
}

pub fn mountinfo(bytes: &[u8]) {
    for mount in mountinfo::parse(bytes) {
        let device = (major(mount.device), minor(mount.device));
        let tag = |name: &str, group: Option<u64>| {
            group.map_or_else(String::new, |group| format!(" {name}:{group}"))
        };
        let text = [
            format!("{} {} {}:{} ", mount.id, mount.parent, device.0, device.1).as_bytes(),
            &escaped(&mount.root),
            b" ",
            &escaped(&mount.mount_point),
            b" rw",
            tag("shared", mount.peer_group).as_bytes(),
            tag("master", mount.master).as_bytes(),
            b" - ",
            mount.fs_type,
            b" ",
            &escaped(&mount.source),
            b" rw\n",
        ]
        .concat();
        let again: Vec<_> = mountinfo::parse(&text).collect();
        assert_eq!(again, [mount]);
    }
}

/// As the kernel escapes what would break the line.
fn escaped(plain: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
        other => vec![*other],
    };
    plain.iter().flat_map(escape).collect()
}

pub fn id_map(bytes: &[u8]) {
    let read = id_maps::parse(bytes);
    let line =
        |map: &IdMapping| format!("{:>10} {:>10} {:>10}\n", map.inside, map.outside, map.count);
    let text: String = read.iter().map(line).collect();
    assert_eq!(id_maps::parse(text.as_bytes()), read);
}

pub fn cmdline(bytes: &[u8]) {
    let read = describe::cmdline(bytes, false);
    let mut text: Vec<u8> = Vec::new();
    for argument in &read.arguments {
        assert!(!argument.as_bytes().contains(&0));
        text.extend_from_slice(argument.as_bytes());
        text.push(0);
    }
    // A process may have overwritten the last NUL; and one argument that is empty is none at all.
    let ended = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let expected = if ended.is_empty() { Vec::new() } else { [ended, b"\0"].concat() };
    assert_eq!(text, expected);
}

pub fn passwd(bytes: &[u8]) {
    for (uid, name) in passwd::parse(bytes) {
        let line = [name.as_bytes(), format!(":x:{uid}").as_bytes()].concat();
        assert_eq!(passwd::parse(&line).get(&uid), Some(&name));
    }
}

/// Both what a copy of the program is asked, and what it answers.
pub fn reexec(bytes: &[u8]) {
    if let Some((action, rest)) = split(bytes)
        && let Ok(question) = serde_json::from_slice::<Value>(rest)
        && is_kept(&question)
    {
        let again = request(action, &question).unwrap_or_default();
        let (name, rest) = split(&again).unwrap_or_default();
        assert_eq!(name, action);
        assert_eq!(serde_json::from_slice::<Value>(rest).ok(), Some(question));
    }
    if let Ok(reply) = serde_json::from_slice::<Reply<Value>>(bytes)
        && serde_json::from_slice(bytes).is_ok_and(|reply| is_kept(&reply))
    {
        let text = serde_json::to_string(&reply).unwrap_or_default();
        let again = serde_json::from_str::<Reply<Value>>(&text);
        assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, ()>(reply)));
    }
}

/// Whether JSON itself keeps a value: of a fraction with too many digits it keeps the beginning.
fn is_kept(value: &Value) -> bool {
    serde_json::from_str::<Value>(&value.to_string()).is_ok_and(|again| again == *value)
}
