//! What a process has: to see that a scan leaves nothing behind.

use std::fs::{read_dir, read_link, read_to_string};
use std::thread::yield_now;
use std::time::{Duration, Instant};

use lxkns_ops::visit::reap_abandoned;

/// The own open files, threads, children and mount namespace.
#[derive(Debug, PartialEq, Eq)]
pub struct Possessions {
    fds: Vec<String>,
    threads: usize,
    children: Vec<String>,
    mount_namespace: String,
}

/// What this process has now.
///
/// # Panics
///
/// If its procfs cannot be read.
#[track_caller]
pub fn possessions() -> Possessions {
    let entries = |folder: &str| match read_dir(folder) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())),
        Err(error) => panic!("cannot read {folder}: {error}"),
    };
    let shown = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let mut fds: Vec<String> =
        entries("/proc/self/fd").filter_map(|fd| read_link(fd).ok().map(shown)).collect();
    fds.sort();
    let tasks: Vec<_> = entries("/proc/self/task").collect();
    let children = tasks
        .iter()
        // Absent from kernels without CONFIG_PROC_CHILDREN.
        .filter_map(|task| read_to_string(task.join("children")).ok())
        .flat_map(|children| {
            let pids = children.split_whitespace().map(str::to_owned);
            pids.collect::<Vec<_>>()
        })
        .collect();
    Possessions {
        fds,
        threads: tasks.len(),
        children,
        mount_namespace: read_link("/proc/thread-self/ns/mnt")
            .map_or_else(|_| String::new(), shown),
    }
}

/// Waits until this process has what it had before, no more and no less: the kernel takes its time
/// to let go of threads that have been joined, and of children that have been killed.
///
/// # Panics
///
/// If it never has.
#[track_caller]
pub fn assert_possessions(before: &Possessions) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let start = Instant::now();
    while possessions() != *before && start.elapsed() < PATIENCE {
        reap_abandoned();
        yield_now();
    }
    assert_eq!(possessions(), *before);
}
