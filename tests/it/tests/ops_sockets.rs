//! The network namespaces of sockets, one's own and those of others.

use std::time::Duration;

use lxkns_nstest::{Call, Dir, Script, answer_on_this_thread, need};
use lxkns_ops::socket::Asker;
use lxkns_ops::{NamespaceFd, pidfd, socket, visit};
use lxkns_species::NamespaceType::{Mnt, Net};
use rustix::io::Errno;

#[test]
fn a_socket_tells_its_network_namespace() {
    need!(root);
    let child =
        Script::new().in_new(Net, |inside| inside.note("net", Net).tcp_socket(3)).spawn().unwrap();
    let pidfd = pidfd::of_process(child.pid()).unwrap();
    let socket = pidfd::get_fd(&pidfd, 3).unwrap();
    let namespace = socket::network_namespace(&socket).unwrap();
    assert_eq!(namespace.id(), child.noted("net"));
    if let (Ok(cookie), Ok(unique_id)) = (socket::cookie(&socket), namespace.unique_id()) {
        assert_eq!(cookie, unique_id);
    }
    assert_eq!(pidfd::get_fd(&pidfd, 77).unwrap_err().errno(), Some(Errno::BADF));
}

/// The caller of clone(2) would take itself for the child.
#[test]
fn a_clone_that_makes_no_child_is_an_error() {
    let sandboxed = || {
        answer_on_this_thread(Call::Clone, 0).unwrap();
        let mnt = NamespaceFd::of_self(Mnt).unwrap();
        let errors = [Asker::start().map(drop).unwrap_err(), visit::root_of(&mnt).unwrap_err()];
        errors.map(|error| error.errno())
    };
    let errors = std::thread::spawn(sandboxed).join().unwrap();
    assert_eq!(errors, [Some(Errno::NOSYS); 2]);
}

/// Other drivers give that number another meaning.
#[test]
fn only_sockets_and_tun_devices_are_asked() {
    let dir = Dir::new().unwrap();
    let file = std::fs::File::create(dir.join("file")).unwrap();
    let files = [std::fs::File::open("/dev/null").unwrap(), file];
    for file in files {
        let error = socket::network_namespace(file).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::BADF));
    }
}

#[test]
fn files_of_another_process_are_asked_all_at_once() {
    need!(root);
    let dir = Dir::new().unwrap();
    let fifo = dir.join("fifo");
    let child = Script::new()
        .mkfifo(&fifo)
        .tcp_socket(3)
        .tcp_socket(4)
        .open_path(&fifo, 5)
        .in_new(Net, |net| net.note("net", Net).tcp_socket(6))
        .spawn()
        .unwrap();
    let pidfd = pidfd::of_process(child.pid()).unwrap();
    let mut asker = Asker::start().unwrap();
    let mut ask = || asker.ask(&pidfd, &[3, 4, 5, 6, 99], Duration::from_secs(60));
    let told = ask();
    let namespace = |at: usize| {
        let told = told[at].as_ref().unwrap();
        told.namespace.as_ref().map(NamespaceFd::id)
    };
    assert_eq!(namespace(0), Some(child.namespace(Net)));
    assert_eq!(namespace(3), Some(child.noted("net")));
    for at in [2, 4] {
        assert_eq!(told[at].as_ref().unwrap_err().errno(), Some(Errno::BADF));
    }
    let cookies = [0, 1, 3].map(|at| told[at].as_ref().unwrap().cookie);
    let [Some(cookie), same, Some(other)] = cookies else {
        // Before Linux 5.14 every socket tells its namespace.
        assert_eq!(namespace(1), Some(child.namespace(Net)));
        return;
    };
    assert_eq!(same, Some(cookie));
    assert_ne!(other, cookie);
    // What was handed over is not handed over again.
    assert_eq!(namespace(1), None);
    let told = ask();
    for at in [0, 1, 3] {
        assert!(told[at].as_ref().unwrap().namespace.is_none());
    }
    assert!(asker.is_well());
}
