//! Mounts: what goes along with what, and what comes first.

use proptest::prelude::*;

use super::*;
use crate::MountFacts;
use crate::why::MountPoint;

/// A mount namespace's mounts, made one after the other.
struct Tables(Vec<MountFacts>);

impl Tables {
    fn new() -> Tables {
        Tables(Vec::new())
    }

    /// `peers` is `(peer group, master)`, 0 for none.
    fn mount(
        mut self,
        (mount_namespace, id, parent): (&str, u64, u64),
        path: &str,
        root: &str,
        peers: (u64, u64),
    ) -> Tables {
        let known = |group: u64| Some(group).filter(|group| *group != 0);
        let holds = root.starts_with("net:[").then(|| self::id(root));
        self.0.push(MountFacts {
            path: path.into(),
            device: if holds.is_some() { 4 } else { 40 },
            root: root.into(),
            peer_group: known(peers.0),
            master: known(peers.1),
            holds,
            ..MountFacts::new(self::id(mount_namespace), id, parent)
        });
        self
    }

    /// Mount namespaces but the initial one have a process each.
    fn machine(self) -> Machine {
        let mut machine = Machine::new();
        for (at, it) in self.0.iter().enumerate() {
            if let Some(held) = it.holds {
                let holder = Holder::Mount {
                    kind: MountKind::Bind,
                    mount_namespace: Some(it.mount_namespace),
                    path: it.path.clone(),
                };
                machine = machine.held(&held.to_string(), [holder]);
            }
            let first = self.0.iter().position(|other| other.mount_namespace == it.mount_namespace);
            if first == Some(at) && it.mount_namespace != self::id("mnt:[1]") {
                // Somebody else keeps these.
                machine =
                    machine.process(&[1000 + at as u32], 0, &[&it.mount_namespace.to_string()]);
            }
        }
        machine.0.host.scanner_namespaces = Joined::of([id("mnt:[1]")]);
        machine.0.mounts = self.0;
        machine
    }

    /// The steps: which mount, and how many go along.
    fn steps(self) -> (Vec<(u64, usize)>, bool) {
        let plan = self.machine().plan("net:[5]");
        let steps = plan.steps.iter().map(|step| match &step.action {
            Action::Unmount { mount, along, .. } => (mount.unwrap(), along.len()),
            other => panic!("{other:?}"),
        });
        (steps.collect(), plan.is_least)
    }
}

const NET: &str = "net:[5]";

#[test]
fn one_unmount_takes_all_slaves_along() {
    let mut tables = Tables::new().mount(("mnt:[1]", 10, 10), "/run", "/", (7, 0)).mount(
        ("mnt:[1]", 11, 10),
        "/run/blue",
        NET,
        (8, 0),
    );
    for at in 2..7 {
        let (run, blue) = (at * 10, at * 10 + 1);
        let place = format!("mnt:[{at}]");
        tables = tables.mount((&place, run, run), "/run", "/", (0, 7)).mount(
            (&place, blue, run),
            "/run/blue",
            NET,
            (0, 8),
        );
    }
    assert_eq!(tables.steps(), (vec![(11, 5)], true));
}

#[test]
fn a_slave_does_not_take_its_master_along() {
    // 20 is a slave of 10, and shared with 30.
    let tables = Tables::new()
        .mount(("mnt:[1]", 10, 10), "/run", "/", (7, 0))
        .mount(("mnt:[2]", 20, 20), "/run", "/", (9, 7))
        .mount(("mnt:[2]", 21, 20), "/run/blue", NET, (0, 0))
        .mount(("mnt:[3]", 30, 30), "/elsewhere", "/", (9, 7))
        .mount(("mnt:[3]", 31, 30), "/elsewhere/blue", NET, (0, 0));
    assert_eq!(tables.steps(), (vec![(21, 1)], true));
}

#[test]
fn private_mounts_are_unmounted_each() {
    let tables = Tables::new()
        .mount(("mnt:[1]", 10, 10), "/run", "/", (0, 0))
        .mount(("mnt:[1]", 11, 10), "/run/blue", NET, (0, 0))
        .mount(("mnt:[2]", 20, 20), "/run", "/", (0, 0))
        .mount(("mnt:[2]", 21, 20), "/run/blue", NET, (0, 0));
    assert_eq!(tables.steps(), (vec![(11, 0), (21, 0)], true));
}

/// As `ip netns add` does it: a folder is mounted on itself.
#[test]
fn peers_at_one_path() {
    let tables = Tables::new()
        .mount(("mnt:[1]", 10, 10), "/run", "/", (7, 0))
        .mount(("mnt:[1]", 12, 10), "/run/netns", "/netns", (7, 0))
        .mount(("mnt:[1]", 13, 12), "/run/netns/blue", NET, (8, 0))
        .mount(("mnt:[1]", 14, 10), "/run/netns/blue", NET, (8, 0));
    assert_eq!(tables.steps(), (vec![(13, 1)], true));
}

#[test]
fn what_lies_over_the_path_comes_first() {
    let tables = Tables::new()
        .mount(("mnt:[1]", 10, 10), "/", "/", (0, 0))
        .mount(("mnt:[1]", 11, 10), "/run/blue", NET, (0, 0))
        .mount(("mnt:[1]", 12, 10), "/run", "/x", (0, 0))
        .mount(("mnt:[1]", 13, 12), "/run/deep", "/y", (0, 0));
    assert_eq!(tables.steps(), (vec![(13, 0), (12, 0), (11, 0)], true));
}

/// As switch_root(8) does it, and others who move a mount over the root directory.
#[test]
fn below_a_covered_root_the_mount_namespace_has_to_end() {
    let tables = || {
        Tables::new()
            .mount(("mnt:[2]", 20, 20), "/", "/", (0, 0))
            .mount(("mnt:[2]", 21, 20), "/run", "/", (0, 0))
            .mount(("mnt:[2]", 22, 21), "/run/blue", NET, (0, 0))
            .mount(("mnt:[2]", 23, 20), "/", "/new", (0, 0))
            .mount(("mnt:[2]", 24, 23), "/run/blue", NET, (0, 0))
    };
    let plan = tables().machine().plan(NET);
    let ended = plan.steps.iter().map(|step| match &step.action {
        Action::End { pid, .. } => *pid,
        other => panic!("{other:?}"),
    });
    assert_eq!(ended.collect::<Vec<_>>(), [Pid(1000)]);
    assert_eq!(plan.gone, [id("mnt:[2]"), id(NET)]);
    let place = MountPoint { mount_namespace: Some(id("mnt:[2]")), path: "/run/blue".into() };
    assert_eq!(plan.out_of_reach, [place]);
    // What is above the cover can be unmounted.
    let mut above = tables().0;
    above.retain(|it| it.id != 22);
    assert_eq!(Tables(above).steps(), (vec![(24, 0)], true));
}

#[test]
fn what_is_stacked_comes_off_from_the_top() {
    let tables = Tables::new()
        .mount(("mnt:[1]", 10, 10), "/run", "/", (0, 0))
        .mount(("mnt:[1]", 11, 10), "/run/blue", NET, (0, 0))
        .mount(("mnt:[1]", 12, 11), "/run/blue", "net:[6]", (0, 0));
    assert_eq!(tables.steps(), (vec![(12, 0), (11, 0)], true));
}

#[test]
fn a_copy_goes_from_under_what_covers_it() {
    let tables = Tables::new()
        .mount(("mnt:[1]", 10, 10), "/run", "/", (7, 0))
        .mount(("mnt:[1]", 11, 10), "/run/blue", NET, (0, 0))
        .mount(("mnt:[2]", 20, 20), "/run", "/", (0, 7))
        .mount(("mnt:[2]", 21, 20), "/run/blue", NET, (0, 0))
        .mount(("mnt:[2]", 22, 21), "/run/blue", "/hosts", (0, 0));
    assert_eq!(tables.steps(), (vec![(11, 1)], true));
}

#[test]
fn what_may_be_locked_is_a_step_of_its_own() {
    let machine = Tables::new()
        .mount(("mnt:[1]", 10, 10), "/run", "/", (7, 0))
        .mount(("mnt:[1]", 11, 10), "/run/blue", NET, (0, 0))
        .mount(("mnt:[2]", 20, 20), "/run", "/", (0, 7))
        .mount(("mnt:[2]", 21, 20), "/run/blue", NET, (0, 0))
        .machine()
        .owned("mnt:[2]", "user:[9]");
    let plan = machine.plan(NET);
    assert_eq!(plan.steps.len(), 2);
    assert!(!plan.is_least);
}

#[test]
fn an_unknown_mount_is_a_step_but_not_known_to_be_needed() {
    let mut machine = Tables::new()
        .mount(("mnt:[1]", 10, 10), "/run", "/", (0, 0))
        .mount(("mnt:[1]", 11, 10), "/run/blue", NET, (0, 0))
        .machine();
    machine = machine.held(NET, [mount("mnt:[1]", "/other")]);
    let plan = machine.plan(NET);
    assert_eq!(plan.steps.len(), 2);
    assert!(!plan.is_least);
}

#[test]
fn circles_end() {
    let tables = Tables::new()
        .mount(("mnt:[1]", 10, 11), "/run", "/", (7, 8))
        .mount(("mnt:[1]", 11, 10), "/run", NET, (8, 7))
        .mount(("mnt:[1]", 12, 10), "/run", NET, (8, 7))
        .mount(("mnt:[1]", 13, 12), "/run", NET, (7, 8));
    let (steps, _) = tables.steps();
    assert!(!steps.is_empty());
}

#[test]
fn many_mounts_take_as_many_steps() {
    let mut tables = Tables::new();
    for at in 2..2000u64 {
        let (run, blue) = (at * 10, at * 10 + 1);
        let place = format!("mnt:[{at}]");
        tables = tables.mount((&place, run, run), "/run", "/", (at, 0)).mount(
            (&place, blue, run),
            "/run/blue",
            NET,
            (0, 0),
        );
    }
    let (steps, is_least) = tables.steps();
    assert_eq!((steps.len(), is_least), (1998, true));
}

/// What the kernel does: mounts by number, as far as umount(2) is concerned.
#[derive(Clone, Debug)]
struct Kernel {
    /// By number: parent, place on it, peer group and master of the parent's kind (0 for none).
    mounts: std::collections::BTreeMap<u64, Placed>,
}

#[derive(Clone, Copy, Debug)]
struct Placed {
    parent: u64,
    /// The directory entry on the parent; 0 is its root.
    entry: u8,
    group: u64,
    master: u64,
    target: bool,
}

impl Kernel {
    fn children(&self, at: u64) -> Vec<u64> {
        let mounts = self.mounts.iter();
        mounts.filter(|(id, it)| it.parent == at && **id != at).map(|(id, _)| *id).collect()
    }

    /// Whether `to` receives what happens on `from`.
    fn receives(&self, from: u64, to: u64) -> bool {
        let group = self.mounts[&from].group;
        let masters: std::collections::HashMap<u64, u64> =
            self.mounts.values().map(|it| (it.group, it.master)).collect();
        let to = self.mounts[&to];
        let mut at = if to.group != 0 { to.group } else { to.master };
        while at != 0 && group != 0 {
            if at == group {
                return true;
            }
            at = masters.get(&at).copied().unwrap_or(0);
        }
        false
    }

    /// umount(2), as propagate_umount of the kernel has it. `false`: EBUSY.
    fn unmount(&mut self, at: u64) -> bool {
        if !self.children(at).is_empty() {
            return false;
        }
        let it = self.mounts[&at];
        let copies: Vec<u64> = self
            .mounts
            .iter()
            .filter(|(id, other)| {
                **id != at
                    && **id != other.parent
                    && other.entry == it.entry
                    && self.receives(it.parent, other.parent)
            })
            .map(|(id, _)| *id)
            .collect();
        self.mounts.remove(&at);
        for copy in copies {
            match self.children(copy)[..] {
                [] => _ = self.mounts.remove(&copy),
                [top] if self.mounts[&top].entry == 0 => {
                    let (parent, entry) = (self.mounts[&copy].parent, self.mounts[&copy].entry);
                    self.mounts.remove(&copy);
                    let top = self.mounts.get_mut(&top).unwrap();
                    (top.parent, top.entry) = (parent, entry);
                }
                _ => {}
            }
        }
        true
    }
}

/// A few mount namespaces, each with `/r` of one file system, and in there mounts of the target,
/// some covered.
fn forest() -> impl Strategy<Value = Kernel> {
    // Of each: its peer group, the target's place there if any, whether that is covered.
    let place = (0u64..4, prop::option::of(1u8..3), any::<bool>());
    let masters = prop::collection::vec(0u64..3, 3);
    (prop::collection::vec((place, 0u64..4), 1..6), masters).prop_map(|(places, masters)| {
        let mut mounts = std::collections::BTreeMap::new();
        // A group is a slave of a lower one at most.
        let master_of = |group: u64| match group {
            0 => 0,
            group => masters[group as usize - 1].min(group - 1),
        };
        for (at, ((group, target, covered), master)) in (1u64..).zip(places) {
            let run = at * 10;
            let master = if group == 0 { master } else { master_of(group) };
            let none = Placed { parent: run, entry: 0, group, master, target: false };
            mounts.insert(run, none);
            if let Some(entry) = target {
                let target = Placed { parent: run, entry, group: 0, master: 0, target: true };
                mounts.insert(run + 1, target);
                if covered {
                    let over = Placed { parent: run + 1, entry: 0, target: false, ..target };
                    mounts.insert(run + 2, over);
                }
            }
        }
        Kernel { mounts }
    })
}

fn tables_of(kernel: &Kernel) -> Tables {
    let mut tables = Tables::new();
    for (id, it) in &kernel.mounts {
        let place = format!("mnt:[{}]", id / 10 + 1);
        let (path, root) = match id % 10 {
            0 => ("/r".to_owned(), "/"),
            1 => (format!("/r/{}", it.entry), NET),
            _ => (format!("/r/{}", kernel.mounts[&(id - 1)].entry), "/over"),
        };
        tables = tables.mount((&place, *id, it.parent), &path, root, (it.group, it.master));
    }
    tables
}

/// Carries out steps, and tells whether any mount of the target is left.
fn carry_out(kernel: &Kernel, steps: impl Iterator<Item = u64>) -> (Kernel, bool) {
    let mut kernel = kernel.clone();
    let mut went = true;
    for step in steps {
        went &= kernel.mounts.contains_key(&step) && kernel.unmount(step);
    }
    (kernel, went)
}

fn is_held(kernel: &Kernel) -> bool {
    kernel.mounts.values().any(|it| it.target)
}

/// A mount stacked on itself many times: the time for it grows with its height, not faster.
#[test]
fn high_stacks_come_off_from_the_top() {
    const HEIGHT: u64 = 20_000;
    let mut tables = Tables::new().mount(("mnt:[1]", 1, 1), "/", "/", (0, 0));
    for id in 2..HEIGHT {
        tables = tables.mount(("mnt:[1]", id, id - 1), "/x", NET, (0, 0));
    }
    let (steps, is_least) = tables.steps();
    let expected: Vec<(u64, usize)> = (2..HEIGHT).rev().map(|id| (id, 0)).collect();
    assert_eq!((steps, is_least), (expected, true));
}

#[test]
fn mounts_that_go_round_in_a_circle_end_anyway() {
    const LENGTH: u64 = 2000;
    let mut tables = Tables::new();
    for id in 1..=LENGTH {
        let parent = if id == 1 { LENGTH } else { id - 1 };
        tables = tables.mount(("mnt:[1]", id, parent), "/x", NET, (0, 0));
    }
    let (steps, _) = tables.steps();
    assert_eq!(steps.len(), LENGTH as usize);
}

proptest! {
    #[test]
    fn a_plan_carried_out_is_enough_and_least(kernel in forest()) {
        if !is_held(&kernel) {
            return Ok(());
        }
        let plan = tables_of(&kernel).machine().plan(NET);
        let steps: Vec<(u64, Vec<MountPoint>)> = plan
            .steps
            .iter()
            .map(|step| match &step.action {
                Action::Unmount { mount, along, .. } => (mount.unwrap(), along.clone()),
                other => panic!("{other:?}"),
            })
            .collect();
        // Each step does what it says.
        let mut now = kernel.clone();
        for (mount, along) in &steps {
            let before = now.mounts.len();
            prop_assert!(now.mounts.contains_key(mount) && now.unmount(*mount), "{mount} of {steps:?}");
            prop_assert_eq!(before - now.mounts.len(), 1 + along.len(), "{} of {:?}", mount, steps);
        }
        prop_assert!(!is_held(&now), "{steps:?} are not enough");
        if plan.is_least {
            for left_out in 0..steps.len() {
                let others = steps.iter().enumerate().filter(|(at, _)| *at != left_out);
                let (then, _) = carry_out(&kernel, others.map(|(_, step)| step.0).filter(|step| kernel.mounts.contains_key(step)));
                prop_assert!(is_held(&then), "without step {left_out} of {steps:?}");
            }
        }
    }
}
