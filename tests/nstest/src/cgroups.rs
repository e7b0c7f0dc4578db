//! Where cgroups are made.

use std::fs;
use std::path::PathBuf;

/// The root directory of the cgroup hierarchy whose paths say most of a process: that of the `cpu`
/// controller, or the unified one, see cgroups(7). `None` if neither is mounted.
///
/// ```
/// if let Some(root) = lxkns_nstest::cgroup_root() {
///     assert!(root.join("cgroup.procs").exists());
/// }
/// ```
pub fn cgroup_root() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let root_of = |fs_type: &str, option: &str| {
        let mut lines = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        lines.find_map(|fields| match fields.as_slice() {
            [_, root, found, options, ..] if *found == fs_type => {
                let is_it = option.is_empty() || options.split(',').any(|it| it == option);
                is_it.then(|| PathBuf::from(root))
            }
            _ => None,
        })
    };
    root_of("cgroup", "cpu").or_else(|| root_of("cgroup2", ""))
}
