//! NAMESPACE on a command line, in all the forms that people have at hand.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{anyhow, bail};
use lxkns_model::{Namespace, Snapshot, Workload};
use lxkns_ops::Error;
use lxkns_species::{NamespaceId, NamespaceType, ParseError, Pid};

use super::WorkloadArg;
use super::pid_arg::{known_process, unread};
use crate::failure::Usage;
use crate::named_files;
use crate::render::escape::quoted;

/// A namespace, as somebody named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NamespaceArg {
    Id(NamespaceId),
    Inode(u64),
    OfProcess(NamespaceType, Pid),
    /// The one of this type that a workload is in, or all that belong to it.
    OfWorkload(Option<NamespaceType>, WorkloadArg),
    Path(PathBuf),
}

impl FromStr for NamespaceArg {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<NamespaceArg, ParseError> {
        if let Ok(workload) = text.parse() {
            return Ok(NamespaceArg::OfWorkload(None, workload));
        }
        let of_workload = text.split_once('@').map(|(name, it)| (name.parse(), it.parse()));
        if let Some((Ok(namespace_type), Ok(workload))) = of_workload {
            return Ok(NamespaceArg::OfWorkload(Some(namespace_type), workload));
        }
        if text.contains('/') {
            return Ok(NamespaceArg::Path(text.into()));
        }
        let malformed = || ParseError::Malformed(text.into());
        if let Some((name, pid)) = text.split_once('@') {
            let pid = number(pid).and_then(|pid| u32::try_from(pid).ok());
            let pid = pid.ok_or_else(malformed)?;
            return Ok(NamespaceArg::OfProcess(name.parse()?, Pid(pid)));
        }
        if let Some(inode) = number(text) {
            return Ok(NamespaceArg::Inode(inode));
        }
        if let Some((name, inode)) = text.split_once(':')
            && let Some(inode) = number(inode)
        {
            let id = NamespaceId::new(name.parse()?, inode).ok_or_else(malformed)?;
            return Ok(NamespaceArg::Id(id));
        }
        text.parse().map(NamespaceArg::Id)
    }
}

impl fmt::Display for NamespaceArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NamespaceArg::Id(id) => write!(f, "{id}"),
            NamespaceArg::Inode(inode) => write!(f, "{inode}"),
            NamespaceArg::OfProcess(namespace_type, pid) => write!(f, "{namespace_type}@{pid}"),
            NamespaceArg::OfWorkload(Some(namespace_type), workload) => {
                write!(f, "{namespace_type}@{workload}")
            }
            NamespaceArg::OfWorkload(None, workload) => write!(f, "{workload}"),
            NamespaceArg::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A positive decimal number, without signs.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number > 0)
}

impl NamespaceArg {
    /// Finds the namespace in a snapshot, which is one of this very moment if it is `live`.
    pub(crate) fn find<'s>(
        &self,
        snapshot: &'s Snapshot,
        live: bool,
    ) -> anyhow::Result<Namespace<'s>> {
        match self {
            NamespaceArg::Id(id) => known(snapshot, *id),
            NamespaceArg::Inode(inode) => only_one(snapshot, *inode),
            NamespaceArg::OfProcess(namespace_type, pid) => {
                let process = known_process(snapshot, *pid)?;
                let found = process.namespace(*namespace_type);
                found.ok_or_else(|| unread(snapshot, process, Some(*namespace_type)))
            }
            NamespaceArg::OfWorkload(Some(namespace_type), workload) => {
                in_workload(workload.find(snapshot)?, *namespace_type, workload)
            }
            NamespaceArg::OfWorkload(None, _) => match self.find_all(snapshot, live)?.as_slice() {
                [only] => Ok(*only),
                several => Err(say_which(several, self).into()),
            },
            NamespaceArg::Path(path) if !live => {
                let path = quoted(path.as_os_str().as_encoded_bytes());
                Err(Usage::new(format!(
                    "path {path} names a namespace of this machine, not of the snapshot; \
                     give it as net:[4026531840]"
                ))
                .into())
            }
            NamespaceArg::Path(path) => at_path(snapshot, path),
        }
    }

    /// Finds the namespaces: for a workload without a type, all that belong to it.
    pub(crate) fn find_all<'s>(
        &self,
        snapshot: &'s Snapshot,
        live: bool,
    ) -> anyhow::Result<Vec<Namespace<'s>>> {
        let NamespaceArg::OfWorkload(None, workload) = self else {
            return self.find(snapshot, live).map(|namespace| vec![namespace]);
        };
        let own: Vec<_> = workload.find(snapshot)?.namespaces().collect();
        if own.is_empty() {
            let workload = quoted(workload.to_string().as_bytes());
            bail!("{workload} has no namespaces of its own, as far as can be seen");
        }
        Ok(own)
    }

    /// Likewise, where this option takes PID namespaces only.
    pub(crate) fn find_pid_namespace<'s>(
        &self,
        snapshot: &'s Snapshot,
        live: bool,
        option: &str,
    ) -> anyhow::Result<Namespace<'s>> {
        let wrong = |what: String| {
            Usage::new(format!(
                "{option} takes a PID namespace, such as pid:[4026531836]; {what} is none"
            ))
        };
        // Those of other types have not even been looked for, perhaps.
        match self {
            NamespaceArg::Id(id) if id.namespace_type() != NamespaceType::Pid => {
                return Err(wrong(id.to_string()).into());
            }
            NamespaceArg::OfProcess(other, pid) if *other != NamespaceType::Pid => {
                return Err(wrong(format!("{other}@{pid}")).into());
            }
            _ => {}
        }
        let namespace = self.find(snapshot, live)?;
        if namespace.namespace_type() != NamespaceType::Pid {
            return Err(wrong(namespace.id().to_string()).into());
        }
        Ok(namespace)
    }
}

fn known(snapshot: &Snapshot, id: NamespaceId) -> anyhow::Result<Namespace<'_>> {
    snapshot.namespace(id).ok_or_else(|| {
        anyhow!(
            "there is no namespace {id}, as far as can be seen; see 'lxkns' for those there are"
        )
    })
}

fn in_workload<'s>(
    workload: Workload<'s>,
    namespace_type: NamespaceType,
    named: &WorkloadArg,
) -> anyhow::Result<Namespace<'s>> {
    let found = workload.first_process().and_then(|first| first.namespace(namespace_type));
    found.ok_or_else(|| {
        let named = quoted(named.to_string().as_bytes());
        anyhow!("the {namespace_type} namespace of {named} could not be read")
    })
}

fn say_which(several: &[Namespace<'_>], named: &NamespaceArg) -> Usage {
    let types: Vec<&str> = several.iter().map(|it| it.namespace_type().name()).collect();
    let named = named.to_string();
    let example = format!("{}@{named}", types.first().unwrap_or(&"net"));
    Usage::new(format!(
        "{} has {} namespaces ({}); say which, as in {}",
        quoted(named.as_bytes()),
        types.len(),
        types.join(", "),
        quoted(example.as_bytes())
    ))
}

fn only_one(snapshot: &Snapshot, inode: u64) -> anyhow::Result<Namespace<'_>> {
    let mut found = snapshot.namespaces_with_inode(inode);
    match (found.next(), found.next()) {
        (Some(namespace), None) => Ok(namespace),
        (Some(one), Some(other)) => {
            bail!("{inode} may be {} or {}; say which", one.id(), other.id())
        }
        (None, _) => bail!(
            "there is no namespace {inode}, as far as can be seen; see 'lxkns' for those there are"
        ),
    }
}

fn at_path<'s>(snapshot: &'s Snapshot, path: &Path) -> anyhow::Result<Namespace<'s>> {
    let shown = || quoted(path.as_os_str().as_encoded_bytes());
    match named_files::namespace(path) {
        Ok(namespace) => known(snapshot, namespace.id()),
        Err(Error::NotNamespace { .. }) => {
            bail!("{} is no namespace, but another kind of file", shown())
        }
        Err(Error::Open { source, .. }) => {
            Err(anyhow::Error::from(source).context(format!("cannot look at {}", shown())))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read() {
        let check = |text: &str, expected| assert_eq!(text.parse(), Ok(expected));
        let id = NamespaceId::new(NamespaceType::Net, 4026532281).unwrap();
        check("net:[4026532281]", NamespaceArg::Id(id));
        check("net:4026532281", NamespaceArg::Id(id));
        check("4026532281", NamespaceArg::Inode(4026532281));
        check("net@812", NamespaceArg::OfProcess(NamespaceType::Net, Pid(812)));
        let workload = |text: &str| text.parse::<WorkloadArg>().unwrap();
        check("container:web", NamespaceArg::OfWorkload(None, workload("container:web")));
        let net = Some(NamespaceType::Net);
        check("net@podman:web", NamespaceArg::OfWorkload(net, workload("podman:web")));
        check("net@1000/lxc:web", NamespaceArg::OfWorkload(net, workload("1000/lxc:web")));
        for path in ["/proc/812/ns/net", "./x", "a/b:[1]"] {
            check(path, NamespaceArg::Path(path.into()));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<NamespaceArg>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check("net:", "malformed namespace \"net:\"");
        check("net:[x]", "malformed namespace \"net:[x]\"");
        check("net:0", "malformed namespace \"net:0\"");
        check("net:+1", "malformed namespace \"net:+1\"");
        check("net@", "malformed namespace \"net@\"");
        check("net@4294967296", "malformed namespace \"net@4294967296\"");
        check("", "malformed namespace \"\"");
        check("-1", "malformed namespace \"-1\"");
        check("99999999999999999999", "malformed namespace \"999");
        check("foo:[1]", "unknown namespace type \"foo\"");
        check("foo:1", "unknown namespace type \"foo\"");
        check("foo@1", "unknown namespace type \"foo\"");
    }
}
