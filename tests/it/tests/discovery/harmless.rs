//! Scans beside others who take namespaces, links and devices away: these do not notice.

use std::process::Command;

use lxkns_discover::{Bpf, Options, Tier};
use lxkns_it::{scaled, scan_with};
use lxkns_nstest::{Dir, need};

/// Makes and deletes a network namespace with the same links, and a mount of a loop device in a
/// mount namespace of its own, again and again. In vain, if the kernel lets go of a link or a
/// device not within five seconds.
const LOOP: &str = r#"
set -eu
mount -t tmpfs none /run
image=$1 place=$2 rounds=$3
within() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 500 ] || { echo "round $round: $*" >&2; exit 1; }
        sleep 0.01
    done
}
links() { ip link add lxkns0 type veth peer name lxkns1 netns blue 2>/dev/null; }
free() { [ "$(losetup -n -O BACK-FILE "$device" 2>/dev/null)" != "$image" ]; }
round=0
while [ $round -lt "$rounds" ]; do
    ip netns add blue
    within links
    ip netns del blue
    device=$(losetup --show -f "$image")
    unshare --mount mount "$device" "$place"
    losetup -d "$device"
    within free
    round=$((round + 1))
done
"#;

#[test]
fn links_and_loop_devices_are_free_again() {
    need!(root, sh, unshare, ip, losetup, mkfs);
    let dir = Dir::new().unwrap();
    let (image, place) = (dir.join("image"), dir.join("place"));
    std::fs::File::create(&image).unwrap().set_len(8 << 20).unwrap();
    std::fs::create_dir(&place).unwrap();
    let made = Command::new("mkfs.ext4").arg("-q").arg(&image).status().unwrap();
    assert!(made.success());
    let mut child = Command::new("unshare")
        .args(["--mount", "--net", "sh", "-c", LOOP, "sh"])
        .args([&image, &place])
        .arg(scaled(20).to_string())
        .spawn()
        .unwrap();
    let ways = Tier::ALL.into_iter().flat_map(|tier| [Bpf::Off, Bpf::On].map(|bpf| (tier, bpf)));
    let ways: Vec<Options> =
        ways.map(|(tier, bpf)| Options::everything().tier(tier).bpf(bpf)).collect();
    let mut scans = 0;
    for options in ways.iter().cycle() {
        scan_with(options);
        scans += 1;
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
    }
    assert!(scans > 1, "nothing was beside it");
}
