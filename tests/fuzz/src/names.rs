//! What engines wrote: cgroup paths, command lines of supervisors, state files.

use lxkns_model::Text;
use lxkns_names::{cgroup, state, supervisor};

/// A cgroup path: the mark of its beginning, up to the component that names the workload, is the
/// same, and nothing below changes it.
pub fn mark(bytes: &[u8]) {
    let Some(mark) = cgroup::mark(bytes) else { return };
    assert!(mark.id.is_some() || mark.name.is_some());
    let beginning = bytes.get(..mark.end).unwrap_or_default();
    assert_eq!(cgroup::mark(beginning).as_ref(), Some(&mark));
    // A unit is one only as long as no container is below it.
    if mark.engine != lxkns_model::Engine::Systemd {
        let below = [beginning, b"/docker/", &[b'a'; 64]].concat();
        assert_eq!(cgroup::mark(&below), Some(mark));
    }
}

/// A command line as in `/proc/PID/cmdline`: the ID and the name are arguments of it.
pub fn conmon(bytes: &[u8]) {
    let arguments: Vec<Text> = bytes.split(|byte| *byte == 0).map(Text::from).collect();
    if let Some(conmon) = supervisor::conmon(&arguments) {
        assert!(arguments.contains(&conmon.id) && arguments.contains(&conmon.name));
    }
}

/// The state file of an engine: no entry lacks ID and name.
pub fn engine_state(bytes: &[u8]) {
    let mut entries = state::containers_storage(bytes).unwrap_or_default();
    entries.extend(state::docker(bytes));
    assert!(entries.iter().all(|entry| !entry.name.is_empty()));
}
