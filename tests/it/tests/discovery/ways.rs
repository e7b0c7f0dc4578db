//! However much of the kernel is made use of, the snapshot is the same.

use lxkns_discover::Tier;
use lxkns_it::{snapshot_of, tool_snapshot};
use lxkns_model::{Snapshot, Text};
use lxkns_nstest::{Dir, Script, differences, need};
use lxkns_species::NamespaceId;
use lxkns_species::NamespaceType::{Mnt, Net, Pid, User, Uts};

const BPF: [&str; 3] = ["auto", "on", "off"];

/// One of everything, in a user namespace of its own.
fn one_of_all(dir: &Dir) -> Script {
    let middle = |script: Script| {
        script
            .mount("tmpfs", dir, "")
            .in_new(Net, |net| net.note("by mount", Net).bind_namespace(Net, dir.join("net")))
            .note("middle", Mnt)
            .open_namespace(Mnt, 9)
    };
    let led = Script::new().name("a) b").fork("led", Script::new());
    Script::new()
        .user_namespace()
        .note("hidden", User)
        .user_namespace()
        .note("user", User)
        .unshare([Mnt])
        .mount("tmpfs", dir, "")
        .in_new(Mnt, middle)
        .bind_fd(9, dir.join("middle"))
        .close(9)
        .in_new(Uts, |uts| uts.note("by fd", Uts).open_namespace(Uts, 3))
        .in_new(Net, |net| net.note("by socket", Net).tcp_socket(4))
        .thread("loner", Script::new().name("loner").unshare([Net]).note("loner", Net))
        .fork("dead", Script::new().unshare([Uts]).exit())
        .unshare([Pid])
        .fork("leader", led)
}

#[test]
fn every_tier_sees_the_same() {
    need!(userns);
    let dir = Dir::new().unwrap();
    // Alone in a PID namespace, where nobody comes and goes but the scanner itself.
    let is_root = rustix::process::geteuid().is_root();
    let outside = if is_root { Script::new() } else { Script::new().user_namespace() };
    let mut inside =
        Script::new().unshare([Mnt]).mount("proc", "/proc", "").fork("all", one_of_all(&dir));
    let ways = || Tier::ALL.into_iter().flat_map(|tier| BPF.map(|bpf| (tier.name(), bpf)));
    let is_possible = |(tier, bpf): &(&str, &str)| (*tier, *bpf) != ("proc", "on");
    for (tier, bpf) in ways().filter(is_possible) {
        let mut command = tool_snapshot();
        command.args(["--tier", tier, "--bpf", bpf]);
        inside = inside.run(&format!("{tier} {bpf}"), &command);
    }
    let child = outside.unshare([Pid]).fork("inside", inside).spawn().unwrap();
    let noted = ["hidden", "user", "middle", "by mount", "by fd", "by socket", "loner"];
    let mut ours: Vec<NamespaceId> = noted.into_iter().map(|label| child.noted(label)).collect();
    ours.push(child.namespace_of("all", Mnt));
    ours.push(child.namespace_of("leader", Pid));
    let of_child = |id| ours.contains(&id);

    let plain = snapshot_of(child.output("proc off"));
    for id in &ours {
        assert!(plain.namespace(*id).is_some(), "{id} was not found");
    }
    for (tier, bpf) in ways().filter(is_possible) {
        let other = snapshot_of(child.output(&format!("{tier} {bpf}")));
        let mut differences = differences(&plain, &other, of_child);
        // A higher tier may know more: without ids nothing tells this of a network namespace
        // inside of a container.
        differences.retain(|line| !line.ends_with("initial is unknown, but false in the other"));
        assert!(
            differences.is_empty(),
            "with tier {tier} and bpf {bpf}:\n{}",
            differences.join("\n")
        );
        assert_eq!(processes(&other), processes(&plain));
    }
}

/// PID, name and state of all processes but the scanner.
fn processes(snapshot: &Snapshot) -> Vec<(u32, Text, Option<char>)> {
    let is_scanner = |pid| snapshot.host().scanner_pid == Some(pid);
    snapshot
        .processes()
        .filter(|process| !is_scanner(process.pid()))
        .map(|process| (process.pid().0, process.comm().unwrap().clone(), process.state()))
        .collect()
}
