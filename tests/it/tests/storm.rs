//! Scans in a storm of short-lived processes.
//!
//! A program of its own with one test only: it counts the open files of its process.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeSet;

use lxkns_discover::{Bpf, Options, Tier};
use lxkns_it::{assert_possessions, possessions, scaled, scan_with};
use lxkns_model::{Joined, Snapshot};
use lxkns_nstest::{Child, Script, namespace_of, need, own_namespace};
use lxkns_species::NamespaceType::{self, Net, User, Uts};
use lxkns_species::{NamespaceId, Pid};

/// What is true as long as the storm rages.
struct Truth<'c> {
    child: &'c Child,
    /// Those who stay, and the namespaces that they are in.
    steady: Vec<(Pid, Joined)>,
    storms: Vec<Pid>,
    user: NamespaceId,
    net: NamespaceId,
}

impl Truth<'_> {
    fn of(child: &Child) -> Truth<'_> {
        let joined = |pid: Pid| {
            let own = own_types().map(|ns_type| namespace_of(pid, ns_type));
            (pid, Joined::of(own))
        };
        Truth {
            child,
            steady: child.pids_of("steady").iter().copied().map(joined).collect(),
            storms: [child.pids_of("storm"), child.pids_of("gale")].concat(),
            user: child.namespace(User),
            net: child.noted("net"),
        }
    }

    fn check(&self, snapshot: &Snapshot) {
        for (pid, joined) in &self.steady {
            let process = snapshot.process(*pid).unwrap();
            assert_eq!(process.joined(), joined, "of {process:?}");
            let uts = process.namespace(Uts).unwrap();
            let members: Vec<Pid> = uts.processes().map(|member| member.pid()).collect();
            assert_eq!(members, [*pid], "in {uts:?}");
            assert!(uts.holders().is_empty(), "{:?}", uts.holders());
        }
        let is_ours = |pid: Pid| {
            let process = snapshot.process(pid);
            pid == self.child.pid()
                || self.storms.contains(&pid)
                || self.steady.iter().any(|(steady, _)| *steady == pid)
                || process.is_some_and(|process| {
                    process.ppid().is_some_and(|ppid| self.storms.contains(&ppid))
                })
        };
        let user = snapshot.namespace(self.user).unwrap();
        for process in user.processes() {
            assert!(is_ours(process.pid()), "{process:?} in {user:?}");
        }
        for namespace in user.owned() {
            for process in namespace.processes() {
                assert!(is_ours(process.pid()), "{process:?} in {namespace:?}");
            }
        }
        for process in snapshot.processes() {
            if process.ppid().is_some_and(|ppid| self.storms.contains(&ppid)) {
                // Those of the gale are in one below, which may have been gone before it was asked.
                let user = process.namespace(User);
                let above = user.map(|user| user.parent().known());
                let is_right = user.is_none_or(|user| user.id() == self.user)
                    || above.flatten().is_none_or(|above| above.id() == self.user);
                assert!(is_right, "{process:?} in {user:?} below {above:?}");
                let uts = process.namespace(Uts);
                let owner = uts.and_then(|uts| uts.owner()).map(|owner| owner.id());
                let inherited = uts.is_some_and(|uts| uts.id() == own_namespace(Uts));
                assert!(
                    inherited || owner.is_none_or(|owner| owner == self.user),
                    "{process:?} in {uts:?} of {owner:?}"
                );
            }
        }
        // An fd that every child of the storm has, too, while it lives.
        let net = snapshot.namespace(self.net).unwrap();
        let holders: BTreeSet<Pid> =
            net.holders().iter().filter_map(|holder| holder.pid()).collect();
        for steady in &self.steady {
            assert!(holders.contains(&steady.0), "{steady:?} holds {net:?}");
        }
    }
}

fn own_types() -> impl Iterator<Item = NamespaceType> {
    NamespaceType::ALL
        .into_iter()
        .filter(|ns_type| std::path::Path::new("/proc/self").join(ns_type.proc_file()).exists())
}

#[test]
fn no_scan_fails_and_none_mistakes_one_process_for_another() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
        .forks("steady", 20, Script::new().unshare([Uts]))
        .forks("storm", 2, Script::new().churn([Uts]))
        .forks("gale", 1, Script::new().churn([User]))
        .spawn()
        .unwrap();
    let truth = Truth::of(&child);
    let ways = [
        Options::everything(),
        Options::everything().tier(Tier::Proc).bpf(Bpf::Off),
        Options::everything().bpf(Bpf::On),
    ];
    // What is opened once for good, is opened now.
    ways.iter().for_each(|options| drop(scan_with(options)));
    let before = possessions();
    for options in ways.iter().cycle().take(scaled(90)) {
        truth.check(&scan_with(options));
    }
    assert_possessions(&before);
    drop(child);
}
