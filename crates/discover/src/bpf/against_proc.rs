//! The iterators on the running kernel, compared with `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use lxkns_ops::bpf::KernelTypes;
use lxkns_ops::{NamespaceFd, mounts};
use lxkns_species::{NamespaceId, NamespaceType, Pid};

use super::tasks::Tasks;
use super::*;

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
#[derive(Debug)]
struct Seen {
    pid: u32,
    /// Fields 3 to 22 of the stat file: state, parent, … flags, … threads, …, start time.
    stat: Vec<String>,
    comm: Vec<u8>,
    status: BTreeMap<String, String>,
    links: Vec<(NamespaceType, bool, NamespaceId)>,
    /// What the namespaces without parents answer: owner, 64-bit id, number of mounts.
    answers: Vec<(NamespaceType, NamespaceId, Option<u64>, Option<u32>)>,
    cgroup: Vec<u8>,
    /// Whether it shares its leader's table of file descriptors.
    shares_files: Option<bool>,
}

impl Seen {
    fn is_dead(&self) -> bool {
        self.stat[0] == "Z"
    }

    /// Whether two looks saw the same of what is compared.
    fn same(&self, other: &Seen) -> bool {
        [1, 6, 17, 19].iter().all(|&field| self.stat[field] == other.stat[field])
            && self.is_dead() == other.is_dead()
            && self.status == other.status
            && self.comm == other.comm
            && self.links == other.links
            && self.answers == other.answers
            && self.cgroup == other.cgroup
            && self.shares_files == other.shares_files
    }
}

fn see(directory: &Path, pid: u32, tid: u32) -> Option<Seen> {
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
        [link(Some(ns_type.proc_file()), ns_type, false), link(children, ns_type, true)]
    });
    let answers = NamespaceType::ALL.into_iter().filter_map(|ns_type| {
        let namespace = NamespaceFd::at_path(directory.join(ns_type.proc_file())).ok()?;
        let owner = namespace.owner().ok().filter(|_| !ns_type.is_hierarchical())?;
        let mounts = mounts::info(&namespace).ok().map(|info| info.mounts);
        Some((ns_type, owner.id(), namespace.unique_id().ok(), mounts))
    });
    Some(Seen {
        pid,
        answers: answers.collect(),
        cgroup: fs::read(directory.join("cgroup")).unwrap_or_default(),
        stat: stat.split_whitespace().take(20).map(String::from).collect(),
        comm,
        status: status
            .filter(|(key, _)| ["Uid", "CapEff", "NSpid"].contains(key))
            .map(|(key, value)| (key.into(), value.trim().into()))
            .collect(),
        links: links.flatten().collect(),
        shares_files: lxkns_ops::pidfd::share_files(Pid(tid), Pid(pid)).ok(),
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
        threads.map(move |(tid, path)| (tid, see(&path, pid, tid)))
    });
    threads.filter_map(|(tid, seen)| Some((tid, seen?))).collect()
}

/// What is not as `/proc` says; `level` is that of our own PID namespace.
fn differences(task: &Task, seen: &Seen, level: usize) -> Vec<&'static str> {
    let uid = seen.status["Uid"].split_whitespace().nth(1);
    let pids: Vec<u32> =
        seen.status["NSpid"].split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    let same_pids = match task.nested_pids() {
        Some(nested) => nested == pids,
        None => level + pids.len() > super::task_program::LEVELS,
    };
    let same_namespace = |(ns_type, children, id): &(NamespaceType, bool, NamespaceId)| {
        let found = match children {
            true => task.namespace_for_children(*ns_type),
            false => task.namespace(*ns_type),
        };
        found == Some(*id)
    };
    let same_answers = |answers: &(NamespaceType, NamespaceId, Option<u64>, Option<u32>)| {
        let (ns_type, owner, unique_id, mounts) = *answers;
        task.told(ns_type).is_some_and(|told| {
            told.owner == owner
                && (unique_id.is_none() || told.unique_id == unique_id)
                && (mounts.is_none() || told.mounts == mounts)
        })
    };
    let effective = format!("{:016x}", task.effective.bits());
    let checks = [
        ("process", task.pid == Pid(seen.pid)),
        ("parent", task.parent.to_string() == seen.stat[1]),
        ("flags", task.flags.to_string() == seen.stat[6]),
        ("threads", task.threads.to_string() == seen.stat[17]),
        ("start", task.start_ticks.to_string() == seen.stat[19]),
        ("death", (task.exit_state != 0) == seen.is_dead()),
        ("comm", task.comm() == seen.comm || task.stat().kernel_thread),
        ("uid", Some(&*task.effective_uid.to_string()) == uid),
        ("capabilities", effective == seen.status["CapEff"]),
        ("nested PIDs", same_pids),
        ("files", seen.is_dead() || seen.shares_files != Some(task.own_files)),
        ("namespaces", !task.settled || seen.links.iter().all(same_namespace)),
        ("answers of namespaces", !task.settled || seen.answers.iter().all(same_answers)),
    ];
    let differ = checks.into_iter().filter(|(_, same)| !same);
    differ.map(|(what, _)| what).collect()
}

/// Looks once, and tells whose record is missing or differs from `/proc`.
fn compare(iterator: &TaskIterator) -> BTreeMap<u32, String> {
    let before = see_all();
    let Tasks { tasks, level } = iterator.read().unwrap();
    let after = see_all();
    assert!(tasks.is_sorted_by_key(|task| task.tid));
    let tasks: BTreeMap<u32, Task> = tasks.into_iter().map(|task| (task.tid.0, task)).collect();
    let steady: Vec<_> = before
        .iter()
        // A hardened kernel may hide a process from both sides, which its links tell.
        .filter(|(tid, seen)| {
            !seen.links.is_empty() && after.get(tid).is_some_and(|later| later.same(seen))
        })
        .collect();
    assert!(!steady.is_empty());
    let mut cgroups = BTreeMap::new();
    let different = steady.into_iter().filter_map(|(tid, seen)| {
        let Some(task) = tasks.get(tid) else {
            return Some((*tid, format!("missing: {seen:?}")));
        };
        let mut what = differences(task, seen, level);
        let same_cgroups = *cgroups.entry(task.cgroups).or_insert(&seen.cgroup) == &seen.cgroup;
        if !same_cgroups && task.cgroups != 0 && !seen.is_dead() {
            what.push("cgroup, unlike another's in the same cgroups");
        }
        (!what.is_empty()).then(|| (*tid, format!("{what:?}: {seen:?}\n{task:?}")))
    });
    different.collect()
}

#[test]
fn tasks_are_what_proc_says() {
    let Some((iterator, _)) = load(Threads::All) else {
        return;
    };
    // A process can change and change back between two looks at /proc, but hardly every time.
    let mut different = compare(&iterator);
    for _ in 0..3 {
        if !different.is_empty() {
            let again = compare(&iterator);
            different.retain(|tid, _| again.contains_key(tid));
        }
    }
    let texts: Vec<String> = different.into_values().collect();
    assert!(texts.is_empty(), "{}", texts.join("\n"));
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
            ready_too.send(("ordinary", rustix::thread::gettid())).unwrap();
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
    let steady: Vec<_> = before.iter().filter(|socket| after.contains(socket)).collect();
    assert!(!steady.is_empty());
    for (pid, fd) in steady {
        let found = files.iter().find(|file| (file.tid, file.fd) == (Pid(*pid), *fd));
        let Some(OpenFile { kind: OpenFileKind::Socket(Some(net)), .. }) = found else {
            panic!("descriptor {fd} of {pid}: {found:?}");
        };
        assert_eq!(net.namespace_type(), NamespaceType::Net);
    }
}
