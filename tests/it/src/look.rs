//! Taking snapshots: through the library, and through the tool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output};

use lxkns_discover::{Options, discover};
use lxkns_model::{Holder, MountKind, Reason, Snapshot, wire};
use lxkns_nstest::{Script, tool};
use lxkns_species::NamespaceType;

/// Scans for everything, through the library.
///
/// # Panics
///
/// If the scan fails, or breaks one of the [`invariants`].
#[track_caller]
pub fn scan() -> Snapshot {
    scan_with(&Options::everything())
}

/// Scans with these options, through the library.
///
/// # Panics
///
/// As [`scan`] does.
#[track_caller]
pub fn scan_with(options: &Options) -> Snapshot {
    match discover(options) {
        Ok(snapshot) => {
            invariants(&snapshot);
            snapshot
        }
        Err(error) => panic!("the scan failed: {error}"),
    }
}

/// The command that prints everything in the native format, for [`snapshot_of`].
pub fn tool_snapshot() -> Command {
    let mut command = tool("lxkns");
    command.args(["snapshot", "--compact"]);
    command
}

/// Reads what [`tool_snapshot`] printed.
///
/// # Panics
///
/// If the tool failed, if what it printed cannot be read, if that breaks one of the [`invariants`],
/// or if the tool has seen itself.
#[track_caller]
pub fn snapshot_of(output: &Output) -> Snapshot {
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaints}", output.status);
    let snapshot = match wire::read(&output.stdout) {
        Ok(snapshot) => snapshot,
        Err(error) => panic!("the tool printed what cannot be read: {error}"),
    };
    invariants(&snapshot);
    let itself = snapshot.host().scanner_pid;
    for namespace in snapshot.namespaces() {
        let own =
            namespace.holders().iter().find(|holder| itself.is_some() && holder.pid() == itself);
        assert_eq!(own, None, "the scanner has seen itself at {namespace:?}");
    }
    snapshot
}

/// Checks what is said of a snapshot of the library, and of one of the tool.
///
/// On a busy machine a scan may run out of time, and says so in a gap. Then it is repeated if the
/// check fails.
///
/// # Panics
///
/// If the check does, or as [`scan`] and [`snapshot_of`] do.
#[track_caller]
pub fn everywhere(check: impl Fn(&Snapshot)) {
    in_time(&check, scan);
    in_time(&check, || match tool_snapshot().output() {
        Ok(output) => snapshot_of(&output),
        Err(error) => panic!("the tool cannot be run: {error}"),
    });
}

#[track_caller]
fn in_time(check: impl Fn(&Snapshot), scan: impl Fn() -> Snapshot) {
    const TRIES: usize = 4;
    for _ in 1..TRIES {
        let snapshot = scan();
        if !snapshot.gaps().iter().any(|gap| gap.why == Reason::TimedOut) {
            return check(&snapshot);
        }
        if catch_unwind(AssertUnwindSafe(|| check(&snapshot))).is_ok() {
            return;
        }
    }
    check(&scan());
}

/// From here on an ordinary user: the one who runs the test, or nobody in particular if that is
/// root.
pub fn ordinary(script: Script) -> Script {
    const NOBODY: u32 = 65534;
    if rustix::process::geteuid().is_root() { script.become_user(NOBODY, NOBODY) } else { script }
}

/// What holds of every snapshot: nothing is counted twice or lost, and nobody is referred to who is
/// not there.
///
/// # Panics
///
/// If anything does not.
#[track_caller]
pub fn invariants(snapshot: &Snapshot) {
    let counts = snapshot.counts();
    assert_eq!(counts.listed, counts.read + counts.unreadable + counts.vanished, "{counts:?}");
    for gap in snapshot.gaps() {
        let examples = gap.examples.len() as u64;
        assert!(gap.count == 0 || examples <= gap.count, "{gap:?}");
    }
    for process in snapshot.processes() {
        for id in process.joined().iter() {
            assert!(snapshot.namespace(id).is_some(), "{process:?} is in {id}");
        }
        for thread in process.threads() {
            let tid = thread.tid;
            for id in thread.namespaces.iter() {
                assert!(snapshot.namespace(id).is_some(), "thread {tid} is in {id}");
            }
        }
    }
    let has_mounts = snapshot.scope().types.contains(NamespaceType::Mnt);
    for namespace in snapshot.namespaces().filter(|_| has_mounts) {
        for holder in namespace.holders() {
            if let Holder::Mount { kind: MountKind::Bind, mount_namespace: Some(id), .. } = holder {
                assert!(snapshot.namespace(*id).is_some(), "{holder:?}");
            }
        }
    }
}
