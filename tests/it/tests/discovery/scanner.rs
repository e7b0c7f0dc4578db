//! One scanner, several snapshots.

use lxkns_discover::{Bpf, Options, Scanner, discover};
use lxkns_nstest::{Script, differences, need};
use lxkns_species::NamespaceType::{Net, User};

#[test]
fn each_scan_shows_what_there_is() {
    need!(userns);
    for bpf in [Bpf::Off, Bpf::On] {
        let options = Options::everything().bpf(bpf);
        let mut scanner = Scanner::new(options.clone());
        for _ in 0..3 {
            let child = Script::new()
                .user_namespace()
                .note("user", User)
                .in_new(Net, |net| net.note("net", Net).open_namespace(Net, 3))
                .spawn()
                .unwrap();
            let ours = [child.noted("user"), child.noted("net")];
            let (scanned, discovered) = (scanner.scan().unwrap(), discover(&options).unwrap());
            assert!(scanned.namespace(child.noted("net")).is_some(), "{bpf:?}");
            let differences = differences(&scanned, &discovered, |id| ours.contains(&id));
            assert_eq!(differences, [""; 0], "{bpf:?}");
            assert_eq!(scanned.host().tier, discovered.host().tier, "{bpf:?}");

            let pid = child.pid();
            drop(child);
            assert!(scanner.scan().unwrap().process(pid).is_none(), "{bpf:?}");
        }
    }
}
