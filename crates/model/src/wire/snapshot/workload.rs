//! One workload.

use std::borrow::Cow;

use lxkns_species::{Pid, Uid};
use serde::{Deserialize, Serialize};

use super::text::{self, Hex};
use crate::{Engine, Evidence, Voucher, WorkloadFacts, WorkloadKind};

/// A container, unit, machine or sandbox that processes belong to.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Workload"))]
#[serde(rename_all = "kebab-case")]
pub struct WorkloadDoc<'s> {
    /// The engine that made it, such as `podman`.
    engine: Cow<'s, str>,
    /// Its kind, such as `container`.
    r#type: Cow<'s, str>,
    /// The ID that the engine gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'s, str>>,
    /// The bytes of `id`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_bytes: Option<Hex<'s>>,
    /// Its name, as the engine shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'s, str>>,
    /// The bytes of `name`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_bytes: Option<Hex<'s>>,
    /// The name of its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<Cow<'s, str>>,
    /// The bytes of `image`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_bytes: Option<Hex<'s>>,
    /// The ID of the pod that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pod: Option<Cow<'s, str>>,
    /// The bytes of `pod`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pod_bytes: Option<Hex<'s>>,
    /// The systemd unit that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<Cow<'s, str>>,
    /// The bytes of `unit`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit_bytes: Option<Hex<'s>>,
    /// The authority behind name and ID: `machine` is its root, `nobody` that the workload may
    /// have chosen them itself.
    vouched_by: VoucherDoc,
    /// The processes that are known to be in it, by PID.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<u32>"))]
    processes: Vec<Pid>,
    /// The process that looks after it from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    supervisor: Option<Pid>,
    /// The sources of all this.
    #[serde(default)]
    evidence: Vec<EvidenceDoc<'s>>,
}

/// The authority behind a name.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Voucher"))]
#[serde(rename_all = "kebab-case")]
enum VoucherDoc {
    /// Root of the machine.
    Machine,
    /// The user with this UID.
    #[cfg_attr(feature = "schema", schemars(with = "u32"))]
    Uid(Uid),
    /// None.
    Nobody,
}

/// The statement of a source: it has one of these fields.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Evidence"))]
#[serde(rename_all = "kebab-case")]
struct EvidenceDoc<'s> {
    /// The cgroup of its processes, up to the component that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cgroup: Option<Cow<'s, str>>,
    /// The bytes of `cgroup`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cgroup_bytes: Option<Hex<'s>>,
    /// A state file of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<Cow<'s, str>>,
    /// The bytes of `file`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file_bytes: Option<Hex<'s>>,
    /// The process that looks after it, by its command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    supervisor: Option<Pid>,
}

impl<'s> From<&'s WorkloadFacts> for WorkloadDoc<'s> {
    fn from(workload: &'s WorkloadFacts) -> Self {
        let (id, id_bytes) = text::split_option(workload.id.as_ref());
        let (name, name_bytes) = text::split_option(workload.name.as_ref());
        let (image, image_bytes) = text::split_option(workload.image.as_ref());
        let (pod, pod_bytes) = text::split_option(workload.pod.as_ref());
        let (unit, unit_bytes) = text::split_option(workload.unit.as_ref());
        WorkloadDoc {
            engine: workload.engine.name().into(),
            r#type: workload.kind.name().into(),
            id,
            id_bytes,
            name,
            name_bytes,
            image,
            image_bytes,
            pod,
            pod_bytes,
            unit,
            unit_bytes,
            vouched_by: match workload.vouched_by {
                Voucher::Machine => VoucherDoc::Machine,
                Voucher::User(uid) => VoucherDoc::Uid(uid),
                Voucher::Nobody => VoucherDoc::Nobody,
            },
            processes: workload.processes.clone(),
            supervisor: workload.supervisor,
            evidence: workload.evidence.iter().map(EvidenceDoc::from).collect(),
        }
    }
}

impl<'s> From<&'s Evidence> for EvidenceDoc<'s> {
    fn from(evidence: &'s Evidence) -> Self {
        let none = EvidenceDoc::default();
        match evidence {
            Evidence::Cgroup(path) => {
                let (cgroup, cgroup_bytes) = text::split_option(Some(path));
                EvidenceDoc { cgroup, cgroup_bytes, ..none }
            }
            Evidence::File(path) => {
                let (file, file_bytes) = text::split_option(Some(path));
                EvidenceDoc { file, file_bytes, ..none }
            }
            Evidence::Supervisor(pid) => EvidenceDoc { supervisor: Some(*pid), ..none },
        }
    }
}

impl WorkloadDoc<'_> {
    /// What this object says. Statements that this version does not know are left out.
    pub(super) fn into_model(self) -> WorkloadFacts {
        WorkloadFacts {
            id: text::join(self.id, self.id_bytes),
            name: text::join(self.name, self.name_bytes),
            image: text::join(self.image, self.image_bytes),
            pod: text::join(self.pod, self.pod_bytes),
            unit: text::join(self.unit, self.unit_bytes),
            vouched_by: match self.vouched_by {
                VoucherDoc::Machine => Voucher::Machine,
                VoucherDoc::Uid(uid) => Voucher::User(uid),
                VoucherDoc::Nobody => Voucher::Nobody,
            },
            processes: self.processes,
            supervisor: self.supervisor,
            evidence: self.evidence.into_iter().filter_map(EvidenceDoc::into_model).collect(),
            ..WorkloadFacts::new(Engine::of_name(&self.engine), WorkloadKind::of_name(&self.r#type))
        }
    }
}

impl EvidenceDoc<'_> {
    fn into_model(self) -> Option<Evidence> {
        let cgroup = text::join(self.cgroup, self.cgroup_bytes).map(Evidence::Cgroup);
        let file = || text::join(self.file, self.file_bytes).map(Evidence::File);
        cgroup.or_else(file).or(self.supervisor.map(Evidence::Supervisor))
    }
}
