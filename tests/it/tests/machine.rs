//! The whole machine at every tier: the same, where nobody else is there to change it.

use lxkns_discover::{Bpf, Options, Tier, discover};
use lxkns_nstest::{Script, differences, need};
use lxkns_species::NamespaceType::{Cgroup, Ipc, Mnt, Net, Pid, User, Uts};

/// The kernel's own threads come and go, and change their names, at any time.
const TRIES: usize = 20;

#[test]
fn the_whole_machine_is_the_same_at_every_tier() {
    need!(root, alone);
    let inner = Script::new().unshare([Cgroup, Ipc, Mnt, Net, Uts]).fork("member", Script::new());
    let _child = Script::new()
        .user_namespace()
        .thread("loner", Script::new().unshare([Net]))
        .in_new(Net, |net| net.tcp_socket(3))
        .in_new(Uts, |uts| uts.open_namespace(Uts, 4))
        .in_new(User, |user| user.open_namespace(User, 5))
        .unshare([Pid])
        .fork("inner", inner)
        .spawn()
        .unwrap();
    let lowest = Options::everything().tier(Tier::Proc).bpf(Bpf::Off);
    for tier in Tier::ALL {
        for bpf in [Bpf::Off, Bpf::On] {
            if (tier, bpf) == (Tier::Proc, Bpf::On) {
                continue;
            }
            let higher = Options::everything().tier(tier).bpf(bpf);
            let mut lines = Vec::new();
            for _ in 0..TRIES {
                let (one, other) = (discover(&lowest).unwrap(), discover(&higher).unwrap());
                // A higher tier may know of more, which nothing explains; in all else they agree.
                let known = |id| one.namespace(id).is_some();
                lines = differences(&one, &other, known);
                if lines.is_empty() {
                    break;
                }
            }
            assert!(lines.is_empty(), "{tier:?}, BPF {bpf:?}:\n{}", lines.join("\n"));
        }
    }
}
