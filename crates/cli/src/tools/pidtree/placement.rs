//! In which PID namespace to show each process.
//!
//! Not everybody may read `/proc/PID/ns`, but everybody may read the PIDs that a process has
//! (`NSpid`, proc_pid_status(5)). A process that has but one PID is in the PID namespace of the
//! procfs, whoever else may not be told. Where even that does not help, a process is shown where
//! its parent is, and marked.

use std::collections::HashMap;

use lxkns_model::{Namespace, Process, Snapshot};
use lxkns_species::{NamespaceId, NamespaceType, Pid};

/// Where a process is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The PID namespace; `None` if neither it is known nor that of any ancestor.
    pub(super) namespace: Option<NamespaceId>,
    /// Whether it is a fact that the process is in that namespace.
    pub(super) certain: bool,
}

/// The places of all processes.
pub(super) struct Placement(HashMap<Pid, Place>);

impl Placement {
    pub(super) fn of(snapshot: &Snapshot) -> Placement {
        let outermost = snapshot.pid_namespace().map(Namespace::id);
        let mut places = HashMap::with_capacity(snapshot.processes().len());
        let mut without: Vec<Process<'_>> = Vec::new();
        for process in snapshot.processes() {
            // Up to the first ancestor whose place is known, and back down again.
            let mut at = Some(process);
            let mut namespace = None;
            while let Some(process) = at {
                if let Some(known) = places.get(&process.pid()) {
                    let Place { namespace: it, .. } = *known;
                    namespace = it;
                    break;
                }
                if let Some(known) = own(outermost, process) {
                    let place = Place { namespace: Some(known), certain: true };
                    places.insert(process.pid(), place);
                    namespace = Some(known);
                    break;
                }
                without.push(process);
                at = process.parent();
            }
            for process in without.drain(..) {
                let place = Place { namespace, certain: false };
                places.insert(process.pid(), place);
            }
        }
        Placement(places)
    }

    pub(super) fn get(&self, process: Process<'_>) -> Place {
        self.0.get(&process.pid()).copied().unwrap_or(Place { namespace: None, certain: false })
    }

    /// The namespace in which a process is shown.
    pub(super) fn namespace(&self, process: Process<'_>) -> Option<NamespaceId> {
        self.get(process).namespace
    }
}

/// The PID namespace of a process, if it is known or follows from its PIDs.
fn own(outermost: Option<NamespaceId>, process: Process<'_>) -> Option<NamespaceId> {
    let has_one = process.pids().is_some_and(|pids| pids.len() == 1);
    let known = process.joined().get(NamespaceType::Pid);
    known.or_else(|| outermost.filter(|_| has_one))
}
