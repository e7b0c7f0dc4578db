//! Facts of one moment, while everything changes. The torture judges the other ones.

use lxkns_discover::{Bpf, Options, Tier};
use lxkns_it::{ordinary, scaled, scan_with};
use lxkns_model::{Process, Snapshot};
use lxkns_nstest::{Child, Script, need, own_namespace};
use lxkns_species::NamespaceType::User;

/// At each tier, without and with BPF.
fn ways() -> impl Iterator<Item = Options> + Clone {
    Tier::ALL
        .into_iter()
        .flat_map(|tier| [Bpf::Off, Bpf::On].map(|bpf| (tier, bpf)))
        .map(|(tier, bpf)| Options::everything().tier(tier).bpf(bpf))
}

/// The children of these processes.
fn children<'s>(
    snapshot: &'s Snapshot,
    child: &'s Child,
    name: &'s str,
) -> impl Iterator<Item = Process<'s>> {
    let parents = child.pids_of(name);
    snapshot
        .processes()
        .filter(move |process| process.ppid().is_some_and(|ppid| parents.contains(&ppid)))
}

#[test]
fn nobody_has_the_capabilities_of_another_user_namespace() {
    need!(root, userns);
    // Children of an ordinary user that get all capabilities with a new user namespace.
    let storm = Script::new().churn([User]);
    let child = ordinary(Script::new()).forks("storm", 8, storm).spawn().unwrap();
    for options in ways().cycle().take(scaled(16)) {
        let snapshot = scan_with(&options);
        for process in children(&snapshot, &child, "storm") {
            let user = process.namespace(User).map(|user| user.id());
            let has_any = process.effective_capabilities().is_some_and(|set| !set.is_empty());
            let was_so = !has_any || user != Some(own_namespace(User));
            assert!(was_so, "{process:?} in {user:?} has capabilities: {options:?}");
        }
    }
}
