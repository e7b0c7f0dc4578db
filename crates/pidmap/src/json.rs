//! PID maps as the Go lxkns project writes them.
//!
//! A list with a list for each process, which has its PIDs from its own PID namespace up to the
//! outermost: `[[{"pid": 7, "nsid": 4026532177}, {"pid": 812, "nsid": 4026531836}], …]`.
//! Namespaces go by their inode. A process of which not all PIDs are known has no place in it.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write as _};

use lxkns_model::wire::{ALWAYS, MAX_BYTES, MAX_EXPANSION};
use lxkns_model::{
    Facts, Joined, Namespace, NamespaceFacts, Process, ProcessFacts, Relation, Snapshot,
};
use lxkns_species::{NamespaceId, NamespaceType, Pid};
use serde::{Deserialize, Serialize, Serializer};

use crate::PidMap;

/// Why a PID map could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is larger than [`MAX_BYTES`].
    #[error("the PID map is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// It would take more memory than [`MAX_EXPANSION`] times its size, and more than [`ALWAYS`].
    #[error(
        "the PID map lists too much for its {bytes} bytes: it would take more than \
         {MAX_EXPANSION} times that in memory"
    )]
    TooDense {
        /// The size of the document.
        bytes: usize,
    },
    /// It is no JSON, or not of the right form.
    #[error("malformed PID map: {0}")]
    Malformed(serde_json::Error),
    /// It contradicts itself.
    #[error("process [{index}] of the PID map {reason}")]
    Process {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Upper bounds for the memory that a process takes, each of its PIDs, and a PID namespace. A test
/// holds them against the memory of a process that reads.
const PROCESS: usize = 520;
const ENTRY: usize = 100;
const NAMESPACE: usize = 520;

#[derive(Serialize, Deserialize)]
struct Entry {
    pid: Pid,
    nsid: u64,
}

/// Writes a map on one line, by the processes' PIDs in the outermost PID namespace.
///
/// # Errors
///
/// Only those of `out`.
pub fn write(map: &PidMap<'_>, out: impl io::Write) -> io::Result<()> {
    struct Rows<'a, 's>(&'a PidMap<'s>);
    impl Serialize for Rows<'_, '_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let processes = self.0.snapshot.processes();
            serializer.collect_seq(processes.filter_map(|process| {
                let pids = all_pids(process)?;
                let entry = |(namespace, pid): &(lxkns_model::Namespace<'_>, Pid)| Entry {
                    pid: *pid,
                    nsid: namespace.id().inode(),
                };
                Some(pids.iter().rev().map(entry).collect::<Vec<_>>())
            }))
        }
    }
    let mut out = io::BufWriter::new(out);
    serde_json::to_writer(&mut out, &Rows(map))?;
    out.write_all(b"\n")?;
    out.flush()
}

/// All PIDs of a process, if everything about them is known.
fn all_pids(process: Process<'_>) -> Option<Vec<(Namespace<'_>, Pid)>> {
    process.joined().get(NamespaceType::Pid)?;
    let levels = process.levels()?.into_iter();
    levels.map(|(namespace, pid)| Some((namespace?, pid))).collect()
}

/// Reads a map into a snapshot that knows of nothing but PIDs and PID namespaces, for
/// [`PidMap::new`].
///
/// # Errors
///
/// If the map is too large, or takes too much memory for its size; if it is malformed; or
/// contradicts itself, so that a PID is there twice, or a PID namespace has two parents, or not all
/// processes have a PID in the same outermost one.
pub fn read(document: &[u8]) -> Result<Snapshot, Error> {
    if document.len() > MAX_BYTES {
        return Err(Error::TooLarge);
    }
    let mut left = left_after_rows(document, ALWAYS)?;
    let rows: Vec<Vec<Entry>> = serde_json::from_slice(document).map_err(Error::Malformed)?;
    let mut facts = Facts::default();
    let mut parents: HashMap<NamespaceId, Option<NamespaceId>> = HashMap::new();
    let mut taken = HashSet::new();
    for (index, row) in rows.into_iter().enumerate() {
        let wrong = |reason| Error::Process { index, reason };
        let mut pids = Vec::with_capacity(row.len());
        let mut namespaces = Vec::with_capacity(row.len());
        for entry in row.iter().rev() {
            let namespace = NamespaceId::new(NamespaceType::Pid, entry.nsid)
                .ok_or_else(|| wrong("is in a namespace 0"))?;
            let parent = namespaces.last().copied();
            if !parents.contains_key(&namespace) {
                let too_dense = || Error::TooDense { bytes: document.len() };
                left = left.checked_sub(NAMESPACE).ok_or_else(too_dense)?;
            }
            if *parents.entry(namespace).or_insert(parent) != parent {
                return Err(wrong("has a PID namespace that nests elsewhere for others"));
            }
            if entry.pid == Pid(0) || !taken.insert((namespace, entry.pid)) {
                return Err(wrong("has the PID of another one, or 0"));
            }
            namespaces.push(namespace);
            pids.push(entry.pid);
        }
        let (Some(&outermost), Some(&own), Some(&pid)) =
            (namespaces.first(), namespaces.last(), pids.first())
        else {
            return Err(wrong("has no PID"));
        };
        // A PID namespace ends with its PID 1, which never leaves it.
        let outer = pids.len().saturating_sub(1);
        if pids.iter().take(outer).any(|pid| *pid == Pid(1)) {
            return Err(wrong("is PID 1 outside of its own PID namespace"));
        }
        let scanners = &mut facts.host.scanner_namespaces;
        if scanners.get(NamespaceType::Pid).unwrap_or(outermost) != outermost {
            return Err(wrong("has no PID in the others' outermost namespace"));
        }
        scanners.set(outermost);
        facts.processes.push(ProcessFacts {
            pids: Some(pids),
            namespaces: Joined::of([own]),
            ..ProcessFacts::new(pid)
        });
    }
    let namespace = |(id, parent): (_, Option<_>)| NamespaceFacts {
        parent: parent.map_or(Relation::Unknown, Relation::Known),
        ..NamespaceFacts::new(id)
    };
    facts.namespaces = parents.into_iter().map(namespace).collect();
    Ok(Snapshot::assemble(facts))
}

/// The memory that a map may take beyond its processes and their PIDs.
fn left_after_rows(document: &[u8], always: usize) -> Result<usize, Error> {
    let most = document.len().saturating_mul(MAX_EXPANSION).max(always);
    // A map has no texts, so each bracket is a list, and each brace a PID.
    let weight = |byte: &u8| match byte {
        b'[' => PROCESS,
        b'{' => ENTRY,
        _ => 0,
    };
    let taken: usize = document.iter().map(weight).sum::<usize>() + document.len();
    most.checked_sub(taken).ok_or(Error::TooDense { bytes: document.len() })
}

#[cfg(test)]
mod tests;
