//! The load of the machine: processes, and namespaces without any.

use std::num::NonZeroUsize;

use anyhow::Result;
use clap::Args;
use lxkns_nstest::{Child, Dir, Script};
use lxkns_species::NamespaceType::{Mnt, Net, Uts};

/// The shape of the processes.
#[derive(Args, Debug)]
pub(super) struct Shape {
    /// The number of processes added to those that are there
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    pub(super) processes: usize,
    /// The number of those that have a mount and a UTS namespace of their own [default: a fifth]
    #[arg(long, value_name = "COUNT")]
    pub(super) groups: Option<usize>,
    /// The number of files that each has open, at least 3
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    pub(super) fds: u16,
    /// The number of threads of each
    #[arg(long, value_name = "COUNT", default_value_t = NonZeroUsize::MIN)]
    pub(super) threads: NonZeroUsize,
}

/// Part of the load, until it is dropped.
pub(super) struct Load {
    _processes: Option<Child>,
    _mounts: Option<Dir>,
}

impl Load {
    /// So many processes, in groups that have mount and UTS namespaces of their own.
    pub(super) fn of_processes(shape: &Shape, processes: usize) -> Result<Load> {
        let groups = match shape.groups {
            Some(groups) => groups * processes / shape.processes.max(1),
            None => processes / 5,
        };
        let processes = processes.max(1);
        let groups = groups.clamp(1, processes);
        let members = (processes / groups).max(1);
        let threads = |script: Script, label: &str| {
            (1..shape.threads.get()).fold(script, |script, number| {
                script.thread(&format!("{label}'s thread {number}"), Script::new())
            })
        };
        let member = threads(Script::new(), "member");
        let group = threads(Script::new().unshare([Mnt, Uts]), "leader");
        let lone = threads(Script::new(), "lone");
        // All inherit what the first one has open. Instead of the standard three there are those
        // that their orders come through.
        let script = (3..i32::from(shape.fds))
            .fold(Script::new().close(0).close(1).close(2), |script, fd| {
                script.open("/dev/null", fd)
            });
        let script = script
            .forks("group", groups, group.forks("member", members - 1, member))
            .forks("lone", processes - groups * members, lone);
        Ok(Load { _processes: Some(script.spawn()?), _mounts: None })
    }

    /// So many mount namespaces that are only bind-mounted, and in each of them a bind mount of a
    /// network namespace.
    pub(super) fn of_processless(count: usize) -> Result<Load> {
        const PASSING: i32 = 3;
        let dir = Dir::new()?;
        let inside = dir.join("net");
        let mut script = Script::new().private_mount_point(&dir).touch(&inside);
        for number in 0..count {
            script = script
                .in_new(Mnt, |mnt| {
                    mnt.in_new(Net, |net| net.bind("/proc/thread-self/ns/net", &inside))
                        .open_namespace(Mnt, PASSING)
                })
                .bind_fd(PASSING, dir.join(format!("mnt-{number}")))
                .close(PASSING);
        }
        script.spawn()?.finish();
        Ok(Load { _processes: None, _mounts: Some(dir) })
    }
}
