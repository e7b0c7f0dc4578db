//! The mount namespaces with which a walk begins: processes are in them, or have them open.

use std::collections::HashMap;
use std::os::fd::AsFd as _;

use lxkns_model::{FileKind, Holder, Reason};
use lxkns_ops::NamespaceFd;
use lxkns_species::{NamespaceId, NamespaceType, Pid};

use crate::context::Context;
use crate::gaps::reason;
use crate::sightings::Sightings;

/// A mount namespace, and who can help to look into it.
pub(super) struct Target {
    pub(super) id: NamespaceId,
    /// Processes joined to it, the scanner first.
    pub(super) members: Vec<Pid>,
    /// Threads joined to it and file descriptors on it.
    handles: Vec<Holder>,
    /// A member that may stand on another root directory than who comes in from outside.
    pub(super) witness: Option<Pid>,
}

impl Target {
    /// All ways to open the mount namespace that need no bind mount.
    pub(super) fn handles<'t>(
        &'t self,
        context: &'t Context<'_>,
    ) -> impl Iterator<Item = Result<NamespaceFd, Reason>> + 't {
        let members = self.members.iter().map(|pid| format!("{pid}/ns/mnt"));
        let handles = self.handles.iter().filter_map(|holder| match holder {
            Holder::Thread { pid, tid } => Some(format!("{pid}/task/{tid}/ns/mnt")),
            Holder::File { kind: FileKind::Namespace, pid, tid, fd } => {
                Some(format!("{pid}/task/{}/fd/{fd}", tid.unwrap_or(*pid)))
            }
            _ => None,
        });
        members.chain(handles).map(move |path| {
            let fd = context.proc.open_if_namespace(context.proc.as_fd(), &path);
            let fd = fd.map_err(reason)?;
            NamespaceFd::expecting(fd, self.id)
                .map_err(|error| error.errno().map_or(Reason::Gone, reason))
        })
    }
}

pub(super) fn targets(context: &Context<'_>, sightings: &Sightings) -> Vec<Target> {
    let mut targets: HashMap<NamespaceId, Target> = HashMap::new();
    let mut target = |id: NamespaceId, member: Option<Pid>, handle: Option<&Holder>| {
        let new = || Target { id, members: Vec::new(), handles: Vec::new(), witness: None };
        let target = targets.entry(id).or_insert_with(new);
        target.members.extend(member);
        target.handles.extend(handle.cloned());
    };
    let own = context.own_pid.zip(context.proc.own_process().ok());
    if let Some((pid, own)) = own
        && let Ok(id) = own.namespace(NamespaceType::Mnt)
    {
        target(id, Some(pid), None);
    }
    for process in &sightings.processes {
        if let Some(id) = process.namespaces.get(NamespaceType::Mnt) {
            target(id, Some(process.pid), None);
        }
        for thread in &process.threads {
            let holder = Holder::Thread { pid: process.pid, tid: thread.tid };
            if let Some(id) = thread.namespaces.get(NamespaceType::Mnt) {
                target(id, None, Some(&holder));
            }
        }
    }
    for (id, holder) in &sightings.holders {
        if id.namespace_type() == NamespaceType::Mnt {
            target(*id, None, Some(holder));
        }
    }
    // Kernel threads stand on a root directory that no other process sees any more.
    for process in sightings.processes.iter().filter(|process| !process.kernel_thread) {
        let joined = process.namespaces.get(NamespaceType::Mnt);
        if let Some(target) = joined.and_then(|id| targets.get_mut(&id)) {
            target.witness = target.witness.or(Some(process.pid));
        }
    }
    let mut targets: Vec<Target> = targets.into_values().collect();
    targets.sort_by_key(|target| target.id);
    targets
}
