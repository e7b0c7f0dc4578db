//! What a source of one process is given, and what it fills.

use lxkns_model::{Holder, Joined, ThreadFacts};
use lxkns_species::{NamespaceId, Pid};

use crate::procfs::stat::Stat;
use crate::procfs::task::TaskDir;
use crate::sightings::OpenSocket;

/// A process whose directory is open: whatever is read through it concerns this process.
pub(crate) struct OpenProcess<'s> {
    pub(crate) pid: Pid,
    pub(crate) dir: &'s TaskDir,
    pub(crate) stat: Stat<'s>,
    /// The namespaces that could be read.
    pub(crate) namespaces: Joined,
}

/// A further thread of a process, whose directory is open.
pub(crate) struct OpenThread {
    pub(crate) tid: Pid,
    pub(crate) dir: TaskDir,
}

/// What the sources have seen of one process.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) threads: Vec<ThreadFacts>,
    pub(crate) holders: Vec<(NamespaceId, Holder)>,
    /// Sockets whose network namespaces are still to be found.
    pub(crate) sockets: Vec<OpenSocket>,
    /// The threads whose file tables have been looked at, one for each table.
    pub(crate) file_tables: Vec<Pid>,
}

/// A file table and whose it is.
#[derive(Clone, Copy)]
pub(crate) struct Table<'p> {
    pub(crate) pid: Pid,
    /// The thread, if the table is not the process's.
    pub(crate) tid: Option<Pid>,
    pub(crate) task: &'p TaskDir,
}

impl Table<'_> {
    pub(crate) fn name(&self) -> String {
        match self.tid {
            Some(tid) => format!("thread {tid} of pid {}", self.pid),
            None => format!("pid {}", self.pid),
        }
    }
}
