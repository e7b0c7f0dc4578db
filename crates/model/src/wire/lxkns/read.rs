//! Reading what lxkns 0.15.5 to 0.46 write, and what we write ourselves.

use std::collections::{HashMap, HashSet};

use lxkns_species::{NamespaceId, NamespaceType, Pid};

use super::documents::{Document, Members, NamespaceDoc, ProcessDoc, Reference};
use crate::reference::holder_behind;
use crate::wire::{Error, Kind, error};
use crate::{
    Cmdline, Counts, Facts, Gap, Holder, Initials, Joined, Missing, MountKind, NamespaceFacts,
    ProcessFacts, Reason, Relation, Scope, Snapshot, Text, ThreadFacts,
};

/// Reads a snapshot.
///
/// # Errors
///
/// If the document is of another format, is malformed, lists something twice, or says of one inode
/// that it is of two types; see [`Error`].
pub fn read(document: &[u8]) -> Result<Snapshot, Error> {
    match Kind::of(document)? {
        Kind::Lxkns => read_document(document),
        Kind::Snapshot | Kind::SnapshotLines | Kind::Foreign => Err(Error::Unrecognized),
    }
}

pub(in crate::wire) fn read_document(document: &[u8]) -> Result<Snapshot, Error> {
    let document: Document = error::document(document)?;
    let mut reader = Reader::default();
    reader.list_types(&document.namespaces)?;
    for (key, process) in document.processes.0 {
        let process = reader.process(&key, process)?;
        reader.pids.insert(process.pid, reader.facts.processes.len());
        reader.facts.processes.push(process);
    }
    for (key, namespace) in document.namespaces.0 {
        let namespace = reader.namespace(&key, namespace)?;
        reader.facts.namespaces.push(namespace);
    }
    let mut facts = reader.facts;
    facts.scope = Scope::from(document.discovery_options);
    facts.counts = count(&facts.processes);
    facts.gaps =
        vec![Gap { what: Missing::Holders, why: Reason::Format, count: 0, examples: Vec::new() }];
    Ok(Snapshot::assemble(facts))
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    facts: Facts,
    /// The type of every inode that the document has mentioned.
    types: HashMap<u64, NamespaceType>,
    /// Where in `facts` a process is.
    pids: HashMap<Pid, usize>,
}

impl Reader {
    /// Takes down the types of all that is listed, as it may be referred to before.
    fn list_types(&mut self, namespaces: &Members<NamespaceDoc>) -> Result<(), Error> {
        for (key, namespace) in &namespaces.0 {
            let place = || format!("namespaces.{key:?}");
            if key.parse() != Ok(namespace.nsid) {
                let reason = format!("{} is not what it is listed as", namespace.nsid);
                return Err(Error::content(format!("{}.nsid", place()), reason));
            }
            if self.types.insert(namespace.nsid, namespace.r#type).is_some() {
                return Err(Error::content(place(), "listed twice"));
            }
        }
        Ok(())
    }

    /// The namespace with this inode, of which the place in the document tells the type.
    fn id(
        &mut self,
        namespace_type: NamespaceType,
        inode: u64,
        place: impl Fn() -> String,
    ) -> Result<NamespaceId, Error> {
        let known = *self.types.entry(inode).or_insert(namespace_type);
        if known != namespace_type {
            let reason = format!("{inode} is a {known} namespace, not a {namespace_type} one");
            return Err(Error::content(place(), reason));
        }
        NamespaceId::new(namespace_type, inode)
            .ok_or_else(|| Error::content(place(), "0 is no namespace"))
    }

    fn joined(&mut self, inodes: Members<u64>, place: &str) -> Result<Joined, Error> {
        let mut joined = Joined::default();
        for (name, inode) in inodes.0 {
            let place = || format!("{place}.namespaces");
            let namespace_type: NamespaceType =
                name.parse().map_err(|error| Error::content(place(), format!("{error}")))?;
            let place = || format!("{}.{name}", place());
            if joined.get(namespace_type).is_some() {
                return Err(Error::content(place(), "listed twice"));
            }
            joined.set(self.id(namespace_type, inode, place)?);
        }
        Ok(joined)
    }

    fn process(&mut self, key: &str, process: ProcessDoc) -> Result<ProcessFacts, Error> {
        let place = format!("processes.{key:?}");
        let pid = process.pid;
        if key.parse() != Ok(pid) {
            let reason = format!("{pid} is not what it is listed as");
            return Err(Error::content(format!("{place}.pid"), reason));
        }
        if self.pids.contains_key(&pid) {
            return Err(Error::content(place, "listed twice"));
        }
        let namespaces = self.joined(process.namespaces, &place)?;
        let mut threads = Vec::new();
        let mut tids = HashSet::new();
        for (index, task) in process.tasks.unwrap_or_default().into_iter().enumerate() {
            let place = format!("{place}.tasks[{index}]");
            if !tids.insert(task.tid) {
                return Err(Error::content(format!("{place}.tid"), "listed twice"));
            }
            let joined = self.joined(task.namespaces, &place)?;
            // All tasks are listed, the main one and those that are no different, too.
            if joined.iter().any(|id| namespaces.get(id.namespace_type()) != Some(id)) {
                threads.push(ThreadFacts {
                    tid: task.tid,
                    comm: text(task.name),
                    start_time: Some(task.starttime),
                    namespaces: joined,
                });
            }
        }
        // Nobody is without a name; then these zeros mean nothing.
        let known = !process.name.is_empty() || process.starttime != 0;
        Ok(ProcessFacts {
            ppid: Some(process.ppid).filter(|ppid| known || *ppid != Pid(0)),
            comm: text(process.name),
            cmdline: process.cmdline.and_then(cmdline),
            start_time: known.then_some(process.starttime),
            cgroup: text(process.cgroup).or(text(process.cpucgroup)),
            namespaces,
            threads,
            ..ProcessFacts::new(pid)
        })
    }

    fn namespace(&mut self, key: &str, namespace: NamespaceDoc) -> Result<NamespaceFacts, Error> {
        let place = |field: &str| format!("namespaces.{key:?}.{field}");
        let namespace_type = namespace.r#type;
        let id = self.id(namespace_type, namespace.nsid, || place("nsid"))?;
        let mut facts = NamespaceFacts::new(id);
        facts.initial = Initials::default().contains(id, None);
        let is_user = namespace_type == NamespaceType::User;
        if is_user {
            facts.creator = namespace.user_id;
            facts.creator_name = text(namespace.user_name);
        } else if namespace.owner != 0 {
            let place = || place("owner");
            facts.owner = Some(self.id(NamespaceType::User, namespace.owner, place)?);
        }
        if namespace_type.is_hierarchical() {
            if namespace.parent != 0 {
                let parent = self.id(namespace_type, namespace.parent, || place("parent"))?;
                facts.parent = Relation::Known(parent);
            } else if facts.initial == Some(true) {
                facts.parent = Relation::None;
            }
        }
        facts.holders.extend(self.holder(&namespace.reference));
        for pid in namespace.leaders.unwrap_or_default() {
            self.leader(pid, id);
        }
        Ok(facts)
    }

    /// Makes sure that a process named as a leader is there.
    fn leader(&mut self, pid: Pid, id: NamespaceId) {
        let processes = &mut self.facts.processes;
        let index = *self.pids.entry(pid).or_insert_with(|| {
            processes.push(ProcessFacts::new(pid));
            processes.len() - 1
        });
        if let Some(process) = processes.get_mut(index)
            && process.namespaces.get(id.namespace_type()).is_none()
        {
            process.namespaces.set(id);
        }
    }

    fn holder(&self, reference: &Reference) -> Option<Holder> {
        let mount_namespace_of = |pid| {
            let process = self.facts.processes.get(*self.pids.get(&pid)?)?;
            process.namespaces.get(NamespaceType::Mnt)
        };
        match reference.0.as_slice() {
            [path] => holder_behind(path, mount_namespace_of),
            // Newer ones: the mount namespace first, then the path in it.
            [mount_namespace, path] => {
                let process = mount_namespace.strip_prefix("/proc/")?;
                let pid = process.strip_suffix("/ns/mnt")?.parse().ok()?;
                path.starts_with('/').then_some(())?;
                Some(Holder::Mount {
                    kind: MountKind::Bind,
                    mount_namespace: Some(mount_namespace_of(pid)?),
                    path: path.as_str().into(),
                })
            }
            _ => None,
        }
    }
}

/// The empty text stands for an unknown one.
fn text(text: String) -> Option<Text> {
    (!text.is_empty()).then(|| text.into())
}

/// No argument at all: unknown. A single empty one: there are none.
fn cmdline(arguments: Vec<String>) -> Option<Cmdline> {
    let arguments = match arguments.as_slice() {
        [] => return None,
        [only] if only.is_empty() => Vec::new(),
        _ => arguments.into_iter().map(Text::from).collect(),
    };
    Some(Cmdline { arguments, cut: false })
}

fn count(processes: &[ProcessFacts]) -> Counts {
    let listed = processes.len() as u64;
    let read = processes.iter().filter(|process| !process.namespaces.is_empty()).count() as u64;
    Counts { listed, read, unreadable: listed - read, vanished: 0 }
}
