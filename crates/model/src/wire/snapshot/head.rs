//! The parts of a document around its namespaces and processes: host, options, counts, gaps.

use std::borrow::Cow;
use std::time::SystemTime;

use lxkns_species::{Capability, NamespaceType, NamespaceTypes, Pid};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::capabilities::CapabilitiesDoc;
use super::joined::JoinedDoc;
use super::text::{self, Hex};
use crate::wire::Error;
use crate::{Counts, Details, Gap, Host, Missing, Parts, Reason, Scope};

/// Where, when and by whom the snapshot was taken.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Host"))]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct HostDoc<'s> {
    /// The node name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'s, str>>,
    /// The bytes of `name`, if it is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_bytes: Option<Hex<'s>>,
    /// The boot id: differs after each boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    boot_id: Option<Cow<'s, str>>,
    /// The kernel release.
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<Cow<'s, str>>,
    /// The bytes of `kernel`, if it is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_bytes: Option<Hex<'s>>,
    /// When the scan began, as RFC 3339 has it, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::schema::Time>"))]
    taken_at: Option<Timestamp>,
    /// Name and version of the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<Cow<'s, str>>,
    /// The kernel interfaces that the scan made use of.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<Cow<'s, str>>,
    /// The PID of the scanner.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    scanner_pid: Option<Pid>,
    /// The effective capabilities of the scanner, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<super::schema::CapabilityName>>"))]
    scanner_capabilities: Option<CapabilitiesDoc>,
    /// The namespaces that the scanner was in, by type.
    #[serde(skip_serializing_if = "JoinedDoc::is_empty")]
    scanner_namespaces: JoinedDoc,
    /// The number of the highest capability that the kernel knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::schema::CapabilityNumber>"))]
    last_capability: Option<CapabilityNumber>,
}

impl<'s> From<&'s Host> for HostDoc<'s> {
    fn from(host: &'s Host) -> Self {
        let (name, name_bytes) = text::split_option(host.name.as_ref());
        let (kernel, kernel_bytes) = text::split_option(host.kernel.as_ref());
        HostDoc {
            name,
            name_bytes,
            boot_id: host.boot_id.as_deref().map(Cow::Borrowed),
            kernel,
            kernel_bytes,
            taken_at: host.taken_at.filter(has_rfc3339).map(Timestamp),
            tool: host.tool.as_deref().map(Cow::Borrowed),
            tier: host.tier.as_deref().map(Cow::Borrowed),
            scanner_pid: host.scanner_pid,
            scanner_capabilities: host.scanner_capabilities.map(CapabilitiesDoc),
            scanner_namespaces: JoinedDoc(host.scanner_namespaces),
            last_capability: host.last_capability.map(CapabilityNumber),
        }
    }
}

impl HostDoc<'_> {
    pub(super) fn into_model(self) -> Host {
        Host {
            name: text::join(self.name, self.name_bytes),
            boot_id: self.boot_id.map(Cow::into_owned),
            kernel: text::join(self.kernel, self.kernel_bytes),
            taken_at: self.taken_at.map(|taken_at| taken_at.0),
            tool: self.tool.map(Cow::into_owned),
            tier: self.tier.map(Cow::into_owned),
            scanner_pid: self.scanner_pid,
            scanner_capabilities: self.scanner_capabilities.map(|set| set.0),
            scanner_namespaces: self.scanner_namespaces.0,
            last_capability: self.last_capability.map(|capability| capability.0),
            // Stands with each namespace.
            nsfs_device: None,
        }
    }
}

/// A point in time, in the form of RFC 3339.
#[derive(Debug)]
struct Timestamp(SystemTime);

/// Whether RFC 3339 has a form for it: from 1970 on, up to the year 9999.
fn has_rfc3339(time: &SystemTime) -> bool {
    const YEAR_10000: u64 = 253_402_300_800;
    time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since.as_secs() < YEAR_10000)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339(self.0))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map(Timestamp).map_err(serde::de::Error::custom)
    }
}

#[derive(Debug)]
struct CapabilityNumber(Capability);

impl Serialize for CapabilityNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0.number())
    }
}

impl<'de> Deserialize<'de> for CapabilityNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        Capability::new(number)
            .map(CapabilityNumber)
            .ok_or_else(|| serde::de::Error::custom("a capability has a number below 64"))
    }
}

/// What was looked for.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Options"))]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct OptionsDoc {
    /// The types of namespaces looked for; others appear only as hidden owners.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<super::schema::Type>"))]
    types: Vec<NamespaceType>,
    /// The parts of the discovery. Those that a reader does not know are to be ignored.
    parts: Vec<Cow<'static, str>>,
    /// Whose command lines and cgroups were read.
    details: DetailsDoc,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Details"))]
#[serde(rename_all = "kebab-case")]
enum DetailsDoc {
    Nobody,
    Leaders,
    Everyone,
}

impl Default for OptionsDoc {
    fn default() -> Self {
        OptionsDoc::from(Scope::default())
    }
}

impl From<Scope> for OptionsDoc {
    fn from(scope: Scope) -> Self {
        OptionsDoc {
            types: scope.types.iter().collect(),
            parts: scope.parts.iter().map(|part| part.name().into()).collect(),
            details: match scope.details {
                Details::Nobody => DetailsDoc::Nobody,
                Details::Leaders => DetailsDoc::Leaders,
                Details::Everyone => DetailsDoc::Everyone,
            },
        }
    }
}

impl OptionsDoc {
    pub(super) fn into_model(self) -> Scope {
        Scope {
            types: NamespaceTypes::of(self.types),
            parts: self.parts.iter().filter_map(|name| name.parse().ok()).collect::<Parts>(),
            details: match self.details {
                DetailsDoc::Nobody => Details::Nobody,
                DetailsDoc::Leaders => Details::Leaders,
                DetailsDoc::Everyone => Details::Everyone,
            },
        }
    }
}

/// How many processes the scan came across.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Counts"))]
#[serde(rename_all = "kebab-case")]
pub(super) struct CountsDoc {
    /// The processes listed: the sum of the other three.
    listed: u64,
    /// Those whose namespaces could be read, all or some.
    read: u64,
    /// Those of which no namespace could be read.
    unreadable: u64,
    /// Those that were gone when it was their turn.
    vanished: u64,
}

impl From<Counts> for CountsDoc {
    fn from(counts: Counts) -> Self {
        CountsDoc {
            listed: counts.listed,
            read: counts.read,
            unreadable: counts.unreadable,
            vanished: counts.vanished,
        }
    }
}

impl CountsDoc {
    pub(super) fn into_model(self, place: &str) -> Result<Counts, Error> {
        let sum = [self.read, self.unreadable, self.vanished]
            .into_iter()
            .try_fold(0u64, u64::checked_add);
        if sum != Some(self.listed) {
            let reason = "\"listed\" is not the sum of the others";
            return Err(Error::content(place, reason));
        }
        Ok(Counts {
            listed: self.listed,
            read: self.read,
            unreadable: self.unreadable,
            vanished: self.vanished,
        })
    }
}

/// A gap as an object of the native format; what the tools print with `--json`.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Gap"))]
#[serde(rename_all = "kebab-case")]
pub struct GapDoc<'s> {
    /// What is missing, such as `process-namespaces`.
    what: Cow<'s, str>,
    /// Why, such as `permission denied`.
    why: Cow<'s, str>,
    /// How often.
    count: u64,
    /// A few of the things concerned, such as `pid 1`.
    #[serde(default)]
    examples: Vec<Cow<'s, str>>,
    /// The bytes of all examples, if any is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    examples_bytes: Option<Vec<Hex<'s>>>,
}

impl<'s> From<&'s Gap> for GapDoc<'s> {
    fn from(gap: &'s Gap) -> Self {
        let (examples, examples_bytes) = text::split_list(&gap.examples);
        GapDoc {
            what: gap.what.as_str().into(),
            why: gap.why.as_str().into(),
            count: gap.count,
            examples,
            examples_bytes,
        }
    }
}

impl GapDoc<'_> {
    pub(super) fn into_model(self) -> Gap {
        Gap {
            what: Missing::from(&*self.what),
            why: Reason::from(&*self.why),
            count: self.count,
            examples: text::join_list(self.examples, self.examples_bytes),
        }
    }
}
