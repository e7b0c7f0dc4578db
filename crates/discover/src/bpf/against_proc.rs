//! The iterators on the running kernel, compared with `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use lxkns_ops::bpf::KernelTypes;
use lxkns_species::{NamespaceId, NamespaceType, Pid};

use super::tasks::Tasks;
use super::*;

const PF_KTHREAD: u32 = 0x0020_0000;

/// The iterators, unless they cannot be had here.
fn load(threads: Threads) -> Option<(TaskIterator, FileIterator)> {
    let load = || {
        let types = KernelTypes::open()?;
        let btf = scan(&types)?;
        let tasks = TaskIterator::new(&btf, threads)?;
        let files = FileIterator::new(&btf, tasks.read()?.level)?;
        Ok::<_, Unavailable>((tasks, files))
    };
    load()
        .inspect_err(|error| println!("skipped: {error}: {:?}", std::error::Error::source(error)))
        .ok()
}

/// What `/proc` says of a thread, as far as it lets itself be read.
#[derive(Debug, PartialEq)]
struct Seen {
    pid: u32,
    /// Fields 3 to 22 of the stat file: state, parent, … flags, … threads, …, start time.
    stat: Vec<String>,
    comm: Vec<u8>,
    status: BTreeMap<String, String>,
    links: Vec<(NamespaceType, bool, NamespaceId)>,
}

fn see(directory: &Path, pid: u32) -> Option<Seen> {
    let stat = fs::read(directory.join("stat")).ok()?;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let stat = String::from_utf8(stat[end + 1..].to_vec()).unwrap();
    let status = String::from_utf8_lossy(&fs::read(directory.join("status")).ok()?).into_owned();
    let status = status.lines().filter_map(|line| line.split_once(':'));
    let mut comm = fs::read(directory.join("comm")).ok()?;
    comm.pop();
    let link = |file: Option<&str>, ns_type, children| {
        let text = fs::read_link(directory.join(file?)).ok()?;
        let id = NamespaceId::from_link(text.as_os_str().as_bytes())?;
        Some((ns_type, children, id))
    };
    let links = NamespaceType::ALL.into_iter().flat_map(|ns_type| {
        let children = ns_type.proc_file_for_children();
        [
            link(Some(ns_type.proc_file()), ns_type, false),
            link(children, ns_type, true),
        ]
    });
    Some(Seen {
        pid,
        stat: stat.split_whitespace().take(20).map(String::from).collect(),
        comm,
        status: status
            .filter(|(key, _)| ["Uid", "CapEff", "NSpid"].contains(key))
            .map(|(key, value)| (key.into(), value.trim().into()))
            .collect(),
        links: links.flatten().collect(),
    })
}

/// The directories whose names are numbers, with these.
fn numbered(directory: &Path) -> Vec<(u32, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        Some((number, entry.path()))
    });
    numbers.collect()
}

/// All threads, by their own PID.
fn see_all() -> BTreeMap<u32, Seen> {
    let processes = numbered(Path::new("/proc")).into_iter();
    let threads = processes.flat_map(|(pid, path)| {
        let threads = numbered(&path.join("task")).into_iter();
        threads.map(move |(tid, path)| (tid, see(&path, pid)))
    });
    threads
        .filter_map(|(tid, seen)| Some((tid, seen?)))
        .collect()
}

#[test]
fn tasks_are_what_proc_says() {
    let Some((iterator, _)) = load(Threads::All) else {
        return;
    };
    let before = see_all();
    let Tasks { tasks, level } = iterator.read().unwrap();
    let after = see_all();
    assert!(tasks.is_sorted_by_key(|task| task.tid));
    let tasks: BTreeMap<u32, Task> = tasks.into_iter().map(|task| (task.tid.0, task)).collect();

    let mut compared = 0;
    for (tid, seen) in before.iter().filter(|(tid, seen)| {
        let steady = |other: &Seen| other.stat[1..] == seen.stat[1..] && other.links == seen.links;
        // A hardened kernel may hide a process from both sides, which its links tell.
        !seen.links.is_empty() && after.get(tid).is_some_and(steady)
    }) {
        let Some(task) = tasks.get(tid) else {
            panic!("{tid} is missing: {seen:?}");
        };
        let context = format!("{seen:?}\n{task:?}");
        assert_eq!(task.pid, Pid(seen.pid), "{context}");
        assert_eq!(task.parent.to_string(), seen.stat[1], "{context}");
        assert_eq!(task.flags.to_string(), seen.stat[6], "{context}");
        assert_eq!(task.threads.to_string(), seen.stat[17], "{context}");
        assert_eq!(task.start_ticks.to_string(), seen.stat[19], "{context}");
        assert_eq!(task.exit_state != 0, seen.stat[0] == "Z", "{context}");
        if task.flags & PF_KTHREAD == 0 {
            assert_eq!(task.comm(), seen.comm, "{context}");
        }
        let uid = seen.status["Uid"].split_whitespace().nth(1).unwrap();
        assert_eq!(task.effective_uid.to_string(), uid, "{context}");
        let effective = format!("{:016x}", task.effective.bits());
        assert_eq!(effective, seen.status["CapEff"], "{context}");
        let nested: Vec<&str> = seen.status["NSpid"].split_whitespace().collect();
        let pids: Option<Vec<_>> = task
            .nested_pids()
            .map(|pids| pids.iter().map(u32::to_string).collect());
        match pids {
            Some(pids) => assert_eq!(pids, nested, "{context}"),
            None => assert!(
                level + nested.len() > super::task_program::LEVELS,
                "{context}"
            ),
        }
        if let Ok(shared) = lxkns_ops::pidfd::share_files(task.tid, task.pid) {
            assert_eq!(task.own_files, !shared, "{context}");
        }
        // Others may be joining namespaces while we look.
        if !task.settled {
            continue;
        }
        for (ns_type, children, id) in &seen.links {
            let found = match children {
                true => task.namespace_for_children(*ns_type),
                false => task.namespace(*ns_type),
            };
            assert_eq!(found, Some(*id), "{context}");
        }
        compared += 1;
    }
    assert!(compared > 0 && tasks.contains_key(&std::process::id()));
}

#[test]
fn threads_with_namespaces_of_their_own_are_reported() {
    let Some((iterator, _)) = load(Threads::Deviating) else {
        return;
    };
    let uts = fs::File::open("/proc/self/ns/uts").unwrap();
    let uts = uts.as_fd();
    let (ready, started) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let (stay_ordinary, ordinary_ends) = std::sync::mpsc::channel::<()>();
        let (stay_deviating, deviating_ends) = std::sync::mpsc::channel::<()>();
        let ready_too = ready.clone();
        scope.spawn(move || {
            ready_too
                .send(("ordinary", rustix::thread::gettid()))
                .unwrap();
            ordinary_ends.recv().unwrap_err();
        });
        scope.spawn(move || {
            // Joining a namespace, even the same one, gives a thread an nsproxy of its own.
            rustix::thread::move_into_link_name_space(uts, None).unwrap();
            ready.send(("deviating", rustix::thread::gettid())).unwrap();
            deviating_ends.recv().unwrap_err();
        });
        let threads: BTreeMap<_, _> = started.iter().take(2).collect();
        let tasks = iterator.read().unwrap().tasks;
        drop((stay_ordinary, stay_deviating));
        let reported = |tid: i32| {
            let found = tasks.iter().find(|task| task.tid.0 == tid as u32)?;
            Some((found.pid.0, found.own_files))
        };
        let process = std::process::id();
        assert_eq!(reported(process as i32), Some((process, false)));
        assert_eq!(reported(threads["ordinary"].as_raw_nonzero().get()), None);
        let deviating = threads["deviating"].as_raw_nonzero().get();
        assert_eq!(reported(deviating), Some((process, false)));
    });
}

#[test]
fn open_files_are_what_they_are() {
    let Some((_, iterator)) = load(Threads::Deviating) else {
        return;
    };
    let net_id = |path: &str| {
        let text = fs::read_link(path).unwrap();
        NamespaceId::from_link(text.as_os_str().as_bytes()).unwrap()
    };
    let net = net_id("/proc/self/ns/net");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let tun = fs::File::open("/dev/net/tun").ok();
    let null = fs::File::open("/dev/null").unwrap();
    let namespaces: Vec<(fs::File, NamespaceId)> = NamespaceType::ALL
        .into_iter()
        .map(|ns_type| format!("/proc/self/{}", ns_type.proc_file()))
        .map(|path| (fs::File::open(&path).unwrap(), net_id(&path)))
        .collect();

    let files = iterator.read().unwrap();
    let own = |fd: &dyn AsRawFd| {
        let pid = Pid(std::process::id());
        let fd = fd.as_raw_fd() as u32;
        let mut found = files.iter().filter(|file| file.pid == pid && file.fd == fd);
        let kind = found.next().map(|file| file.kind);
        assert!(found.next().is_none());
        kind
    };
    assert_eq!(own(&socket), Some(OpenFileKind::Socket(Some(net))));
    assert_eq!(own(&null), None);
    for (file, id) in &namespaces {
        assert_eq!(own(file), Some(OpenFileKind::Namespace(Some(*id))));
    }
    if let Some(tun) = tun.filter(|tun| tun.metadata().unwrap().file_type().is_char_device()) {
        assert_eq!(own(&tun), Some(OpenFileKind::Tun));
    }
}

/// The descriptors of all processes that are sockets, as their links say.
fn sockets() -> Vec<(u32, u32)> {
    let mut sockets = Vec::new();
    for (pid, process) in numbered(Path::new("/proc")) {
        for (fd, link) in numbered(&process.join("fd")) {
            let text = fs::read_link(link).unwrap_or_default();
            if text.as_os_str().as_bytes().starts_with(b"socket:[") {
                sockets.push((pid, fd));
            }
        }
    }
    sockets.sort_unstable();
    sockets
}

#[test]
fn all_sockets_are_found() {
    let Some((_, iterator)) = load(Threads::Deviating) else {
        return;
    };
    let _one_at_least = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (before, files, after) = (sockets(), iterator.read().unwrap(), sockets());
    let steady: Vec<_> = before
        .iter()
        .filter(|socket| after.contains(socket))
        .collect();
    assert!(!steady.is_empty());
    for (pid, fd) in steady {
        let found = files
            .iter()
            .find(|file| (file.tid, file.fd) == (Pid(*pid), *fd));
        let Some(OpenFile {
            kind: OpenFileKind::Socket(Some(net)),
            ..
        }) = found
        else {
            panic!("descriptor {fd} of {pid}: {found:?}");
        };
        assert_eq!(net.namespace_type(), NamespaceType::Net);
    }
}
