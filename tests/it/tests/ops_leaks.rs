//! No open file, no thread and no child process stays behind: counted in a process with this one
//! test.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};

use lxkns_nstest::{Script, need};
use lxkns_ops::mounts::Of;
use lxkns_ops::{NamespaceFd, Portable, enter, mounts, pidfd};
use lxkns_species::NamespaceType::{Mnt, Net, Pid, User, Uts};
use lxkns_species::Reference;

fn count(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

fn children() -> String {
    // Those of all threads.
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).ok())
        .collect()
}

#[test]
fn nothing_stays_behind() {
    need!(root);
    let child = Script::new()
        .user_namespace()
        .unshare([Mnt, Net, Uts, Pid])
        .fork("inside", Script::new())
        .spawn()
        .unwrap();
    let pid = child.pid_of("inside");
    let before = (count("/proc/self/fd"), count("/proc/self/task"), children());
    let everything = || {
        let [user, mnt, net, inner] =
            [User, Mnt, Net, Pid].map(|ns_type| NamespaceFd::of_process(pid, ns_type).unwrap());
        enter::run(&[&net, &mnt], || ()).unwrap();
        enter::spawn(&[&net, &mnt], || ()).unwrap().join().unwrap();
        let panics = AssertUnwindSafe(|| enter::run(&[&net], || panic!("on purpose")));
        assert!(catch_unwind(panics).is_err());
        assert!(enter::run(&[&user], || ()).is_err());
        let program = || {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.arg("--list").stdout(Stdio::null());
            command
        };
        for namespaces in [[&inner, &user], [&user, &inner]] {
            enter::command(&namespaces, program()).unwrap().wait().unwrap();
            assert!(enter::command(&namespaces, Command::new("/no/such/program")).is_err());
        }
        Portable::of_process(pid, Net).unwrap().open().unwrap();
        let place = Box::new(Reference::Process(pid, Mnt));
        let missing = Reference::PathIn(place, "/no/such/file".into());
        assert!(NamespaceFd::open(&missing).is_err());
        let proc_file = Reference::PathIn(Box::new(Reference::Own(Mnt)), "/proc/1".into());
        assert!(NamespaceFd::open(&proc_file).is_err());
        drop(pidfd::namespace(pidfd::of_process(pid).unwrap(), Uts));
        drop((mnt.owner().unwrap(), inner.parent().unwrap()));
        drop(mounts::walk().map(Iterator::count));
        drop(mounts::list(Of::Own));
    };
    // Once for all that is remembered.
    everything();
    everything();
    let after = (count("/proc/self/fd"), count("/proc/self/task"), children());
    assert_eq!(after, before);
}
