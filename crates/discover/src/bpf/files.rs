//! The open files that hold namespaces, as a BPF iterator finds them.

use std::mem::offset_of;
use std::time::Instant;

use lxkns_species::{NamespaceId, NamespaceType, Pid};
use tracing::debug;

use super::Unavailable;
use super::btf::Btf;
use super::file_program::{self, NAMESPACE, Record, SOCKET, UNKNOWN};
use super::iterator::{KernelIterator, word};

/// An open file that holds a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFile {
    /// The process, in our own PID namespace.
    pub(crate) pid: Pid,
    /// The thread whose table this is in: the leader unless another has a table of its own.
    pub(crate) tid: Pid,
    /// The file descriptor.
    pub(crate) fd: u32,
    /// What it is.
    pub(crate) kind: OpenFileKind,
    /// How many files are queued in it, if it is a Unix socket; `None` if the kernel has to be
    /// asked.
    pub(crate) in_flight: Option<u32>,
}

/// What an open file is; namespaces are `None` if they could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenFileKind {
    /// A socket, and its network namespace.
    Socket(Option<NamespaceId>),
    /// A namespace, however it was opened.
    Namespace(Option<NamespaceId>),
    /// A tun or tap device; its network namespace is to be asked for.
    Tun,
}

/// Lists the sockets, namespaces and tun devices that are open anywhere, whenever asked.
#[derive(Debug)]
pub(crate) struct FileIterator {
    iterator: KernelIterator,
}

impl FileIterator {
    /// Loads the iterator's program; `level` is how deep our own PID namespace is nested.
    pub(crate) fn new(btf: &Btf<'_>, level: usize) -> Result<FileIterator, Unavailable> {
        let depth = u16::try_from(level).map_err(|_| Unavailable::Nested(level))?;
        let iterator = KernelIterator::load(btf, file_program::TARGET, |program| {
            file_program::assemble(program, depth)
        })?;
        Ok(FileIterator { iterator })
    }

    /// Looks at all open files of all tasks, by ascending PID of the thread, then by descriptor.
    pub(crate) fn read(&self) -> Result<Vec<OpenFile>, Unavailable> {
        let started = Instant::now();
        let mut files = Vec::new();
        self.iterator.read(size_of::<Record>(), |record| files.push(file(record)))?;
        debug!(files = files.len(), elapsed = ?started.elapsed(), "open files read through BPF");
        Ok(files)
    }
}

pub(super) fn file(record: &[u8]) -> OpenFile {
    let field = |offset| word(record, offset);
    let inode = field(offset_of!(Record, inode)).into();
    let kind = match field(offset_of!(Record, kind)) {
        SOCKET => OpenFileKind::Socket(NamespaceId::new(NamespaceType::Net, inode)),
        NAMESPACE => OpenFileKind::Namespace(
            NamespaceType::from_clone_flag(field(offset_of!(Record, clone_flag)))
                .and_then(|ns_type| NamespaceId::new(ns_type, inode)),
        ),
        _ => OpenFileKind::Tun,
    };
    OpenFile {
        pid: Pid(field(offset_of!(Record, tgid))),
        tid: Pid(field(offset_of!(Record, pid))),
        fd: field(offset_of!(Record, fd)),
        kind,
        in_flight: Some(field(offset_of!(Record, in_flight))).filter(|count| *count != UNKNOWN),
    }
}
