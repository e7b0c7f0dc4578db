//! Why a namespace is alive, as JSON: only written, never read.

use std::borrow::Cow;
use std::collections::BTreeSet;

use lxkns_species::{NamespaceId, NamespaceType, Pid};
use serde::Serialize;

use super::head::GapDoc;
use super::text::{self, Hex};
use super::{NamespaceDoc, ProcessDoc};
use crate::why::{Action, MountPoint, Never, OpenFile, Release, Step};
use crate::{Holder, Namespace, Why, blind_spots};

/// Why a namespace is alive, and what has to happen for it to go away; what `lxkns why --json`
/// prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WhyDoc<'s> {
    /// The namespace; its holders stand with it.
    namespace: NamespaceDoc<'s>,
    /// How many processes each of its leaders leads, by seniority.
    members: Vec<MembersDoc>,
    /// The namespaces that nest in it.
    children: Vec<NamespaceId>,
    /// The namespaces that it owns.
    owned: Vec<NamespaceId>,
    /// Why it never goes away; then there are no steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    never: Option<NeverDoc>,
    /// What has to happen for it to go away, in order.
    steps: Vec<StepDoc<'s>>,
    /// Whether no fewer steps are enough.
    is_least: bool,
    /// The namespaces that go away by these steps, in order.
    gone: Vec<NamespaceId>,
    /// The mounts that go with their mount namespaces, and cannot be unmounted before.
    out_of_reach: Vec<MountPointDoc<'s>>,
    /// Those of `gone` that something unseen holds: the steps are not enough.
    unexplained: Vec<NamespaceId>,
    /// All processes mentioned, by PID.
    processes: Vec<ProcessDoc<'s>>,
    /// What could not be seen and may hide holders.
    gaps: Vec<GapDoc<'s>>,
    /// The parts of a scan that were skipped and might show holders.
    skipped: Vec<&'static str>,
    /// The types of namespaces that were skipped and might hold it.
    skipped_types: Vec<NamespaceType>,
    /// The kinds of holders that no scan can see, by name.
    blind_spots: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct MembersDoc {
    leader: Pid,
    count: usize,
}

#[derive(Debug, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum NeverDoc {
    Initial,
    KernelThread { pid: Pid, namespace: NamespaceId },
}

#[derive(Debug, Serialize)]
struct StepDoc<'s> {
    #[serde(flatten)]
    action: ActionDoc<'s>,
    frees: Vec<NamespaceId>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "action", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
enum ActionDoc<'s> {
    End {
        pid: Pid,
        along: Vec<Pid>,
    },
    Reap {
        pid: Pid,
        #[serde(skip_serializing_if = "Option::is_none")]
        parent: Option<Pid>,
    },
    LetGo {
        pid: Pid,
        sharers: Vec<Pid>,
        threads: Vec<Pid>,
        closes: Vec<OpenFileDoc>,
        empties: Vec<OpenFileDoc>,
    },
    Receive {
        sockets: Vec<SocketDoc>,
    },
    Unmount {
        #[serde(skip_serializing_if = "Option::is_none")]
        mount_namespace: Option<NamespaceId>,
        path: Cow<'s, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        path_bytes: Option<Hex<'s>>,
        /// Its number in mountinfo.
        #[serde(skip_serializing_if = "Option::is_none")]
        mount: Option<u64>,
        along: Vec<MountPointDoc<'s>>,
    },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct MountPointDoc<'s> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mount_namespace: Option<NamespaceId>,
    path: Cow<'s, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Hex<'s>>,
}

impl<'s> From<&'s MountPoint> for MountPointDoc<'s> {
    fn from(mount: &'s MountPoint) -> Self {
        let (path, path_bytes) = text::split(&mount.path);
        MountPointDoc { mount_namespace: mount.mount_namespace, path, path_bytes }
    }
}

#[derive(Debug, Serialize)]
struct SocketDoc {
    pid: Pid,
    #[serde(flatten)]
    file: OpenFileDoc,
}

#[derive(Debug, Serialize)]
struct OpenFileDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<Pid>,
    fd: u32,
}

impl<'s> From<&'s Why<'s>> for WhyDoc<'s> {
    fn from(why: &'s Why<'s>) -> Self {
        let namespace = why.namespace;
        let (never, plan) = match &why.release {
            Release::Never(never) => (Some(NeverDoc::from(*never)), None),
            Release::After(plan) => (None, Some(plan)),
        };
        let steps = plan.map_or(&[][..], |plan| &plan.steps);
        let snapshot = namespace.snapshot;
        WhyDoc {
            namespace: namespace.into(),
            members: why
                .members
                .iter()
                .map(|members| MembersDoc { leader: members.leader.pid(), count: members.count })
                .collect(),
            children: namespace.children().map(Namespace::id).collect(),
            owned: namespace.owned().map(Namespace::id).collect(),
            never,
            steps: steps.iter().map(StepDoc::from).collect(),
            is_least: plan.is_some_and(|plan| plan.is_least),
            gone: plan.map(|plan| plan.gone.clone()).unwrap_or_default(),
            out_of_reach: plan
                .map(|plan| plan.out_of_reach.iter().map(MountPointDoc::from).collect())
                .unwrap_or_default(),
            unexplained: plan.map(|plan| plan.unexplained.clone()).unwrap_or_default(),
            processes: mentioned(why)
                .into_iter()
                .filter_map(|pid| snapshot.process(pid))
                .map(ProcessDoc::from)
                .collect(),
            gaps: why.gaps.iter().map(|gap| GapDoc::from(*gap)).collect(),
            skipped: why.skipped.iter().map(|part| part.name()).collect(),
            skipped_types: why.skipped_types.iter().collect(),
            blind_spots: blind_spots(why.types).map(|spot| spot.name).collect(),
        }
    }
}

/// Everybody whom somebody may want to know more about; not those who just end along.
fn mentioned(why: &Why<'_>) -> BTreeSet<Pid> {
    let mut pids: BTreeSet<Pid> = why.members.iter().map(|it| it.leader.pid()).collect();
    pids.extend(why.namespace.holders().iter().filter_map(Holder::pid));
    match &why.release {
        Release::Never(Never::KernelThread { pid, .. }) => _ = pids.insert(*pid),
        Release::Never(Never::Initial) => {}
        Release::After(plan) => {
            for step in &plan.steps {
                match &step.action {
                    Action::End { pid, .. } => _ = pids.insert(*pid),
                    Action::LetGo { pid, sharers, .. } => {
                        pids.extend([pid].into_iter().chain(sharers));
                    }
                    Action::Reap { pid, parent } => pids.extend([pid].into_iter().chain(parent)),
                    Action::Receive { sockets } => pids.extend(sockets.iter().map(|it| it.0)),
                    Action::Unmount { .. } => {}
                }
            }
        }
    }
    pids
}

impl From<Never> for NeverDoc {
    fn from(never: Never) -> Self {
        match never {
            Never::Initial => NeverDoc::Initial,
            Never::KernelThread { pid, namespace } => NeverDoc::KernelThread { pid, namespace },
        }
    }
}

impl<'s> From<&'s Step> for StepDoc<'s> {
    fn from(step: &'s Step) -> Self {
        StepDoc { action: ActionDoc::from(&step.action), frees: step.frees.clone() }
    }
}

fn open_files(files: &[OpenFile]) -> Vec<OpenFileDoc> {
    files.iter().copied().map(OpenFileDoc::from).collect()
}

impl From<OpenFile> for OpenFileDoc {
    fn from(OpenFile { tid, fd }: OpenFile) -> Self {
        OpenFileDoc { tid, fd }
    }
}

impl<'s> From<&'s Action> for ActionDoc<'s> {
    fn from(action: &'s Action) -> Self {
        match action {
            Action::End { pid, along } => ActionDoc::End { pid: *pid, along: along.clone() },
            Action::Reap { pid, parent } => ActionDoc::Reap { pid: *pid, parent: *parent },
            Action::LetGo { pid, sharers, threads, closes, empties } => ActionDoc::LetGo {
                pid: *pid,
                sharers: sharers.clone(),
                threads: threads.clone(),
                closes: open_files(closes),
                empties: open_files(empties),
            },
            Action::Receive { sockets } => {
                let doc = |&(pid, file): &(Pid, OpenFile)| SocketDoc { pid, file: file.into() };
                ActionDoc::Receive { sockets: sockets.iter().map(doc).collect() }
            }
            Action::Unmount { mount_namespace, path, mount, along } => {
                let (path, path_bytes) = text::split(path);
                ActionDoc::Unmount {
                    mount_namespace: *mount_namespace,
                    path,
                    path_bytes,
                    mount: *mount,
                    along: along.iter().map(MountPointDoc::from).collect(),
                }
            }
        }
    }
}
