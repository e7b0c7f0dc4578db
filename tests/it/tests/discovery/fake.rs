//! A tree of plain files in place of a procfs: what is in it is read, and nothing else is asked.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use lxkns_discover::Options;
use lxkns_it::{gap, scan_with};
use lxkns_model::{FileKind, Holder, Missing, MountKind, Reason, Snapshot, Text};
use lxkns_nstest::Dir;
use lxkns_species::{NamespaceId, NamespaceType, Pid, Uid};

/// A tree under construction.
pub(crate) struct Tree(Dir);

/// A process's links, the inodes being 1000 and the type's place among all.
const LINKS: [(&str, &str); 8] = [
    ("cgroup", "cgroup:[1000]"),
    ("ipc", "ipc:[1001]"),
    ("mnt", "mnt:[1002]"),
    ("net", "net:[1003]"),
    ("pid", "pid:[1004]"),
    ("time", "time:[1005]"),
    ("user", "user:[1006]"),
    ("uts", "uts:[1007]"),
];

impl Tree {
    pub(crate) fn new() -> Tree {
        Tree(Dir::new().unwrap())
    }

    fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Tree {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn link(&self, path: &str, target: &str) -> &Tree {
        let path: PathBuf = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    /// A process with all namespaces but those of some types.
    pub(crate) fn process(&self, pid: u32, ppid: u32, without: &[&str]) -> &Tree {
        let stat = format!(
            "{pid} (a) b) S {ppid} 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 {} 0 0\n",
            pid * 10
        );
        self.file(&format!("{pid}/stat"), stat);
        let status = format!(
            "Name:\ta) b\nUid:\t7\t8\t9\t10\nCapEff:\t0000000000000003\nNSpid:\t{pid}\t5\n"
        );
        self.file(&format!("{pid}/status"), status);
        self.file(&format!("{pid}/cmdline"), "x\0--y z\0");
        self.file(&format!("{pid}/cgroup"), "0::/\n");
        for (name, target) in LINKS {
            if !without.contains(&name) {
                self.link(&format!("{pid}/ns/{name}"), target);
            }
        }
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn scan(&self) -> Snapshot {
        let snapshot = scan_with(&Options::everything().proc_root(self.0.path()));
        assert!(gap(&snapshot, Missing::LiveFacts, Reason::ForeignProc).is_some());
        snapshot
    }
}

#[test]
fn processes_are_read_from_it() {
    let tree = Tree::new();
    tree.process(1, 0, &[]).process(12, 1, &[]);
    let snapshot = tree.scan();
    let ids: Vec<String> =
        snapshot.namespaces().map(|namespace| namespace.id().to_string()).collect();
    assert_eq!(ids, LINKS.map(|(_, target)| target));
    assert_eq!(snapshot.counts().listed, 2);
    assert_eq!(snapshot.counts().read, 2);
    let process = snapshot.process(Pid(12)).unwrap();
    assert_eq!(process.comm(), Some(&Text::from("a) b")));
    assert_eq!(process.ppid(), Some(Pid(1)));
    assert_eq!(process.start_time(), Some(120));
    assert_eq!(process.euid(), Some(Uid(8)));
    assert_eq!(process.effective_capabilities().unwrap().bits(), 3);
    assert_eq!(process.pids(), Some(&[Pid(12), Pid(5)][..]));
    let arguments = &process.cmdline().unwrap().arguments;
    assert_eq!(*arguments, [Text::from("x"), Text::from("--y z")]);
    let net = process.namespace(NamespaceType::Net).unwrap();
    assert_eq!(net.senior_leader().unwrap().pid(), Pid(1));
}

#[test]
fn nothing_else_is_asked() {
    let tree = Tree::new();
    // The PID is that of a living process, and the inode that of a living namespace.
    let own = std::process::id();
    tree.process(own, 1, &["user"])
        .link(&format!("{own}/ns/user"), "user:[4026531837]")
        .link(&format!("{own}/fd/3"), "net:[77]")
        .link(&format!("{own}/fd/4"), "socket:[78]")
        .link(&format!("{own}/fd/5"), "/dev/net/tun");
    let snapshot = tree.scan();
    let net = NamespaceId::new(NamespaceType::Net, 77).unwrap();
    let fd = Holder::File { kind: FileKind::Namespace, pid: Pid(own), tid: None, fd: 3 };
    assert_eq!(snapshot.namespace(net).unwrap().holders(), [fd]);
    for namespace in snapshot.namespaces() {
        assert_eq!(namespace.owner(), None, "{namespace:?}");
        assert_eq!(namespace.unique_id(), None, "{namespace:?}");
        if namespace.id() != net {
            assert_eq!(namespace.holders(), [], "{namespace:?}");
        }
    }
    assert_eq!(snapshot.namespaces().len(), 9);
}

#[test]
fn a_kernel_without_time_namespaces() {
    let tree = Tree::new();
    tree.process(1, 0, &["time"]).process(2, 1, &["time"]);
    let snapshot = tree.scan();
    assert_eq!(snapshot.namespaces_of(NamespaceType::Time).count(), 0);
    assert_eq!(snapshot.namespaces().len(), 7);
    assert_eq!(snapshot.counts().read, 2);
}

#[test]
fn cgroups_of_any_version() {
    let check = |content: &str, expected: &str| {
        let tree = Tree::new();
        tree.process(1, 0, &[]).file("1/cgroup", content);
        let snapshot = tree.scan();
        let process = snapshot.process(Pid(1)).unwrap();
        assert_eq!(process.cgroup(), Some(&Text::from(expected)), "{content}");
    };
    check("0::/a:b/c\n", "/a:b/c");
    check("4:cpu,cpuacct:/x:y\n3:pids:/\n1:name=systemd:/z\n", "/x:y");
    check("1:name=systemd:/payload\n0::/unified\n", "/unified");
    check("1:name=systemd:/hybrid\n0::/\n", "/hybrid");
}

#[test]
fn a_mount_table_is_believed_as_far_as_it_goes() {
    let tree = Tree::new();
    let mountinfo = "20 1 0:1 / / rw - ext4 /dev/x rw\n\
                     21 20 0:4 net:[99] /run/a\\040b rw - nsfs nsfs rw\n\
                     22 20 0:4 net:[x] /run/c rw - nsfs nsfs rw\n\
                     garbage\n";
    tree.process(1, 0, &[]).file("1/mountinfo", mountinfo);
    let snapshot = tree.scan();
    let net = NamespaceId::new(NamespaceType::Net, 99).unwrap();
    let mount = Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: NamespaceId::new(NamespaceType::Mnt, 1002),
        path: Text::from("/run/a b"),
    };
    assert_eq!(snapshot.namespace(net).unwrap().holders(), [mount]);
    assert_eq!(snapshot.namespaces().len(), 9);
}

#[test]
fn what_is_malformed_does_no_harm() {
    let tree = Tree::new();
    tree.process(1, 0, &[])
        .file("2/stat", "nonsense")
        .file("3/stat", "")
        .file("4/comm", "no stat at all\n")
        .file("5", "a file, no directory")
        .file("99999999999999999999/stat", "99999999999999999999 (x) S 1")
        .process(6, 1, &["net", "uts"])
        .link("6/ns/net", "net:[]")
        .link("6/ns/uts", "ipc:[5]")
        .file("6/status", "Uid:\nCapEff:\tx\nNSpid:\ty\n");
    let snapshot = tree.scan();
    let process = snapshot.process(Pid(6)).unwrap();
    assert_eq!(process.joined().get(NamespaceType::Net), None);
    assert_eq!(process.joined().get(NamespaceType::Uts), None);
    assert_eq!((process.euid(), process.effective_capabilities()), (None, None));
    assert_eq!(process.pids(), None);
    let read: Vec<Pid> = snapshot
        .processes()
        .filter(|process| !process.joined().is_empty())
        .map(|process| process.pid())
        .collect();
    assert_eq!(read, [Pid(1), Pid(6)]);
}

/// A process may have thousands of groups, and be in long paths of many hierarchies.
#[test]
fn long_files_are_read_to_their_end() {
    let tree = Tree::new();
    let groups = "4000000000 ".repeat(60_000);
    let status = format!(
        "Name:\ta\nUid:\t7\t8\t9\t10\nGroups:\t{groups}\nNSpid:\t1\t5\nCapEff:\t0000000000000003\n"
    );
    let path = "/a".repeat(2000);
    let cgroup = format!("9:pids:{path}\n8:freezer:{path}\n7:memory:{path}\n1:cpu:/b\n");
    tree.process(1, 0, &[]).file("1/status", status).file("1/cgroup", cgroup);
    let snapshot = tree.scan();
    let process = snapshot.process(Pid(1)).unwrap();
    assert_eq!(process.euid(), Some(Uid(8)));
    assert_eq!(process.effective_capabilities().unwrap().bits(), 3);
    assert_eq!(process.pids(), Some(&[Pid(1), Pid(5)][..]));
    assert_eq!(process.cgroup(), Some(&Text::from("/b")));
}
