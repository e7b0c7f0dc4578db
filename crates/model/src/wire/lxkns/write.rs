//! Writing, in the form of lxkns 0.15.5.

use std::borrow::Cow;
use std::io;

use lxkns_species::{NamespaceType, Pid, Uid};
use serde::{Serialize, Serializer};

use super::options;
use crate::wire::{Layout, stream};
use crate::{Joined, Namespace, Process, Snapshot, Text};

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<N, P> {
    discovery_options: options::Written,
    namespaces: N,
    processes: P,
}

/// Writes a snapshot, with a line break at its end.
///
/// # Errors
///
/// Those of `out`; and [`io::ErrorKind::InvalidInput`] if two namespaces of different types have
/// the same inode, as this format tells them apart by nothing else. The kernel never gives one
/// inode to two living namespaces.
pub fn write(snapshot: &Snapshot, out: impl io::Write, layout: Layout) -> io::Result<()> {
    check_inodes(snapshot)?;
    let document = Document {
        discovery_options: options::Written::from(snapshot.scope()),
        namespaces: stream::Object(|| {
            snapshot
                .namespaces()
                .map(|namespace| (namespace.id().inode(), NamespaceDoc::from(namespace)))
        }),
        processes: stream::Object(|| {
            snapshot.processes().map(|process| (process.pid(), ProcessDoc::from(process)))
        }),
    };
    stream::write(&document, out, layout)
}

fn check_inodes(snapshot: &Snapshot) -> io::Result<()> {
    let mut inodes: Vec<u64> =
        snapshot.namespaces().map(|namespace| namespace.id().inode()).collect();
    inodes.sort_unstable();
    match inodes.windows(2).find(|pair| pair.first() == pair.last()) {
        Some(pair) => {
            let inode = pair.first().copied().unwrap_or_default();
            let message = format!("two namespaces have the inode {inode}");
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
        None => Ok(()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct NamespaceDoc<'s> {
    nsid: u64,
    r#type: NamespaceType,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leaders: Vec<Pid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ealdorman: Option<Pid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Uid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<Cow<'s, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    possessions: Vec<u64>,
}

impl<'s> From<Namespace<'s>> for NamespaceDoc<'s> {
    fn from(namespace: Namespace<'s>) -> Self {
        let inode = |namespace: Namespace<'_>| namespace.id().inode();
        let creator =
            namespace.creator().filter(|_| namespace.namespace_type() == NamespaceType::User);
        let creator_name =
            namespace.creator_name().map_or(Cow::Borrowed(""), Text::to_string_lossy);
        NamespaceDoc {
            nsid: inode(namespace),
            r#type: namespace.namespace_type(),
            owner: namespace.owner().map(inode),
            reference: namespace.path().map(|path| path.to_string_lossy().into_owned()),
            leaders: namespace.leaders().map(Process::pid).collect(),
            ealdorman: namespace.senior_leader().map(Process::pid),
            parent: namespace.parent().known().map(inode),
            children: namespace.children().map(inode).collect(),
            user_id: creator,
            user_name: creator.map(|_| creator_name),
            possessions: namespace.owned().map(inode).collect(),
        }
    }
}

/// All of these must be there; the Go decoder fails on a process without `namespaces`.
#[derive(Serialize)]
struct ProcessDoc<'s> {
    namespaces: Inodes<'s>,
    pid: Pid,
    ppid: Pid,
    name: Cow<'s, str>,
    cmdline: Vec<Cow<'s, str>>,
    starttime: u64,
    cgroup: Cow<'s, str>,
}

impl<'s> From<Process<'s>> for ProcessDoc<'s> {
    fn from(process: Process<'s>) -> Self {
        let lossy = |text: Option<&'s Text>| text.map_or(Cow::Borrowed(""), Text::to_string_lossy);
        let cmdline = match process.cmdline() {
            None => Vec::new(),
            Some(cmdline) if cmdline.arguments.is_empty() => vec![Cow::Borrowed("")],
            Some(cmdline) => cmdline.arguments.iter().map(Text::to_string_lossy).collect(),
        };
        ProcessDoc {
            namespaces: Inodes(process.joined()),
            pid: process.pid(),
            ppid: process.ppid().unwrap_or(Pid(0)),
            name: lossy(process.comm()),
            cmdline,
            starttime: process.start_time().unwrap_or(0),
            cgroup: lossy(process.cgroup()),
        }
    }
}

/// The inodes of namespaces by type.
struct Inodes<'s>(&'s Joined);

impl Serialize for Inodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|id| (id.namespace_type(), id.inode())))
    }
}
