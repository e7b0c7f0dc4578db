//! What only newer kernels can tell: 64-bit ids, their list, and PIDs elsewhere; and which kernel
//! can.

use lxkns_nstest::{Script, need};
use lxkns_ops::{Feature, NamespaceFd, Support, listns, pids};
use lxkns_species::NamespaceType::{Net, Pid, User, Uts};
use lxkns_species::{NamespaceId, NamespaceTypes, Pid as ProcessId};
use rustix::io::Errno;

#[test]
fn a_namespace_is_opened_by_its_64_bit_id() {
    need!(root, initpidns, nshandles);
    let child = Script::new().unshare([Net, Uts]).spawn().unwrap();
    let net = NamespaceFd::of_process(child.pid(), Net).unwrap();
    let (id, unique_id) = (net.id(), net.unique_id().unwrap());
    drop(net);
    assert_eq!(NamespaceFd::by_unique_id(unique_id, Some(id)).unwrap().id(), id);

    // Neither type nor inode may be another.
    let uts = NamespaceId::new(Uts, id.inode()).unwrap();
    let other = NamespaceId::new(Net, id.inode() + 1).unwrap();
    for wrong in [uts, other, child.namespace(Uts)] {
        let error = NamespaceFd::by_unique_id(unique_id, Some(wrong)).unwrap_err();
        assert!(error.is_gone(), "{error}: {:?}", error.errno());
    }

    match (Feature::HandlesByIdOnly.supported(), NamespaceFd::by_unique_id(unique_id, None)) {
        (Support::Supported, opened) => assert_eq!(opened.unwrap().id(), id),
        (_, opened) => assert!(opened.unwrap_err().is_unsupported()),
    }

    drop(child);
    // A network namespace takes its time to die.
    let error = loop {
        match NamespaceFd::by_unique_id(unique_id, Some(id)) {
            Ok(_) => std::thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert!(error.is_gone(), "{error}: {:?}", error.errno());
}

#[test]
fn the_kernels_list_has_what_a_process_is_in() {
    need!(root, initpidns, listns);
    let child = Script::new().unshare([Net, Uts]).spawn().unwrap();
    let unique_id =
        |ns_type| NamespaceFd::of_process(child.pid(), ns_type).unwrap().unique_id().unwrap();
    let all = listns::all(NamespaceTypes::ALL).unwrap();
    assert!(all.is_sorted());
    assert!(all.contains(&unique_id(Net)) && all.contains(&unique_id(Uts)));
    let nets = listns::all(NamespaceTypes::of([Net])).unwrap();
    assert!(nets.contains(&unique_id(Net)) && !nets.contains(&unique_id(Uts)));
    assert!(listns::all(NamespaceTypes::NONE).unwrap().is_empty());
}

#[test]
fn pids_are_translated_down_and_up() {
    need!(root, pidns_ioctls);
    let child = Script::new()
        .unshare([Pid])
        .fork("first", Script::new().fork("second", Script::new().thread("thread", Script::new())))
        .spawn()
        .unwrap();
    let (first, second) = (child.pid_of("first"), child.pid_of("second"));
    let inside = NamespaceFd::of_process(first, Pid).unwrap();
    assert_eq!(pids::pid_in(&inside, first).unwrap(), ProcessId(1));
    assert_eq!(pids::pid_from(&inside, ProcessId(1)).unwrap(), first);
    let second_inside = pids::pid_in(&inside, second).unwrap();
    assert_eq!(pids::pid_from(&inside, second_inside).unwrap(), second);

    let thread = child.pid_of("thread");
    let thread_inside = pids::pid_in(&inside, thread).unwrap();
    assert_ne!(thread_inside, second_inside);
    assert_eq!(pids::tgid_in(&inside, thread).unwrap(), second_inside);
    assert_eq!(pids::tgid_from(&inside, thread_inside).unwrap(), second);

    // The tests themselves have no PID in there.
    let stranger = ProcessId(std::process::id());
    for error in [
        pids::pid_in(&inside, stranger).unwrap_err(),
        pids::tgid_in(&inside, stranger).unwrap_err(),
        pids::pid_from(&inside, ProcessId(0)).unwrap_err(),
        pids::tgid_from(&inside, ProcessId(0)).unwrap_err(),
    ] {
        assert!(error.is_gone(), "{error}: {:?}", error.errno());
    }
    let user = NamespaceFd::of_self(User).unwrap();
    assert_eq!(pids::pid_in(&user, first).unwrap_err().errno(), Some(Errno::INVAL));
}

#[test]
fn features_are_those_that_the_kernel_has() {
    // Two ways to find out the same thing.
    let gates = [
        (Feature::Mounts, lxkns_nstest::is_met("listmount")),
        (Feature::MountNamespaceIds, lxkns_nstest::is_met("mntns_id")),
        (Feature::ThreadPidfds, lxkns_nstest::is_met("pidfd_thread")),
        (Feature::PidTranslation, lxkns_nstest::is_met("pidns_ioctls")),
        (Feature::UniqueIds, lxkns_nstest::is_met("nsid")),
        (Feature::Listns, lxkns_nstest::is_met("listns")),
        (Feature::CachedOpen, lxkns_nstest::is_met("openat2cached")),
    ];
    for (feature, met) in gates {
        assert_eq!(feature.supported() == Support::Supported, met, "{feature}");
    }
    let ordered = Feature::ALL.map(|feature| {
        let (major, minor) = feature.since().split_once('.').unwrap();
        (major.parse::<u32>().unwrap(), minor.parse::<u32>().unwrap())
    });
    assert!(ordered.is_sorted());
    assert!(!Feature::ALL.iter().any(|feature| feature.needs().is_empty()));
}
