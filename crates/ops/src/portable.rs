//! References that can be kept, or passed on, and still be trusted.
//!
//! A PID, an inode, a path: each may soon belong to something else. A [`Portable`] reference
//! combines what is known of a namespace, and when it is opened, all of it must hold: else the
//! namespace that was meant has gone, or cannot be told from others, and the error says by which
//! fact. While the [`NamespaceFd`] that it opens is held, none of this can change any more.
//!
//! All facts are those of one boot, and as the reader of `/proc` sees them: PIDs of its PID
//! namespace, paths of its mount namespace, start times of its time namespace.

use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use lxkns_species::{NamespaceId, NamespaceType, Pid, Reference};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::{Error, NamespaceFd};

/// What is known of a namespace: enough to open it later, or elsewhere, and to be sure that it is
/// the same.
///
/// Where to find it says at least one of 64-bit id, path and PID. With the `serde` feature it can
/// be serialised; a path that is no UTF-8 cannot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
// What is not known cannot be verified, so it is no fact to be passed over.
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Portable {
    /// Its type.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub namespace_type: NamespaceType,
    /// Its inode on nsfs.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub inode: Option<u64>,
    /// Its 64-bit id, see [`NamespaceFd::unique_id`].
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub unique_id: Option<u64>,
    /// The path of a file that refers to it.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub path: Option<PathBuf>,
    /// A process that is joined to it.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub pid: Option<Pid>,
    /// When that process started, in clock ticks since boot, see proc_pid_stat(5).
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub start_time: Option<u64>,
}

/// A fact of a [`Portable`] reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fact {
    /// The inode.
    Inode,
    /// The 64-bit id.
    UniqueId,
    /// The path: it leads to another namespace than the other facts.
    Path,
    /// The start time of the process.
    StartTime,
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Fact::Inode => "inode",
            Fact::UniqueId => "64-bit id",
            Fact::Path => "namespace at the path",
            Fact::StartTime => "start time of the process",
        })
    }
}

impl Portable {
    /// Nothing is known but the type.
    ///
    /// ```
    /// use lxkns_ops::Portable;
    /// use lxkns_species::NamespaceType;
    ///
    /// // Without any further fact there is nowhere to look.
    /// assert!(Portable::new(NamespaceType::Net).open().is_err());
    /// ```
    pub fn new(namespace_type: NamespaceType) -> Portable {
        Portable {
            namespace_type,
            inode: None,
            unique_id: None,
            path: None,
            pid: None,
            start_time: None,
        }
    }

    /// Type, inode, and, if the kernel has them, 64-bit id of an open namespace.
    ///
    /// ```
    /// use lxkns_ops::{NamespaceFd, Portable};
    /// use lxkns_species::NamespaceType;
    ///
    /// let net = NamespaceFd::of_self(NamespaceType::Net)?;
    /// assert_eq!(Portable::of(&net).inode, Some(net.id().inode()));
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn of(namespace: &NamespaceFd) -> Portable {
        Portable {
            inode: Some(namespace.id().inode()),
            unique_id: namespace.unique_id().ok(),
            ..Portable::new(namespace.id().namespace_type())
        }
    }

    /// The namespace of this type that a process is joined to, with all facts.
    ///
    /// # Errors
    ///
    /// As [`NamespaceFd::of_process`].
    ///
    /// ```
    /// use lxkns_ops::Portable;
    /// use lxkns_species::{NamespaceType, Pid};
    ///
    /// let kept = Portable::of_process(Pid(std::process::id()), NamespaceType::Net)?;
    /// // Later:
    /// let net = kept.open()?;
    /// assert_eq!(Some(net.id().inode()), kept.inode);
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn of_process(pid: Pid, namespace_type: NamespaceType) -> Result<Portable, Error> {
        let process = Process::open(pid, namespace_type)?;
        let namespace = process.namespace()?;
        Ok(Portable {
            pid: Some(pid),
            start_time: Some(process.start_time()?),
            ..Portable::of(&namespace)
        })
    }

    /// The namespace that a file on nsfs stands for, with all facts.
    ///
    /// # Errors
    ///
    /// As [`NamespaceFd::at_path`].
    ///
    /// ```
    /// use lxkns_ops::{Error, Fact, Portable};
    ///
    /// let mut kept = Portable::at_path("/proc/self/ns/uts")?;
    /// assert!(kept.open().is_ok());
    /// kept.inode = Some(1);
    /// let error = kept.open().unwrap_err();
    /// assert!(matches!(error, Error::Differs { fact: Fact::Inode, .. }));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn at_path(path: impl Into<PathBuf>) -> Result<Portable, Error> {
        let path = path.into();
        let namespace = NamespaceFd::at_path(&path)?;
        Ok(Portable { path: Some(path), ..Portable::of(&namespace) })
    }

    /// Opens the namespace, and verifies every fact.
    ///
    /// # Errors
    ///
    /// [`Error::Nowhere`] without a process, path or 64-bit id; [`Error::Open`] if what there is of
    /// them is not there any more ([`Error::is_gone`]). [`Error::WrongType`] if the path leads to
    /// another type. [`Error::Differs`] if another fact is not so; [`Error::Unverifiable`] if that
    /// cannot be told, as with a 64-bit id on a kernel without.
    ///
    /// ```
    /// use lxkns_ops::Portable;
    /// use lxkns_species::{NamespaceType, Pid};
    ///
    /// let kept = Portable::of_process(Pid(std::process::id()), NamespaceType::Net)?;
    /// assert_eq!(Some(kept.open()?.id().inode()), kept.inode);
    /// # Ok::<(), lxkns_ops::Error>(())
    /// ```
    pub fn open(&self) -> Result<NamespaceFd, Error> {
        let by_process = self.pid.map(|pid| self.open_by_process(pid)).transpose()?;
        let by_path = match &self.path {
            Some(path) => {
                Some(NamespaceFd::open_as(&Reference::Path(path.clone()), self.namespace_type)?)
            }
            None => None,
        };
        let namespace = match (by_process, by_path) {
            (Some(namespace), Some(same)) => {
                let (expected, found) = (namespace.id(), same.id());
                agree(Fact::Path, &expected, &found)?;
                namespace
            }
            (Some(namespace), None) | (None, Some(namespace)) => namespace,
            (None, None) => self.open_by_id()?,
        };
        if let Some(expected) = self.inode {
            agree(Fact::Inode, &expected, &namespace.id().inode())?;
        }
        if let Some(expected) = self.unique_id {
            let found = namespace.unique_id().map_err(|error| Error::Unverifiable {
                fact: Fact::UniqueId,
                source: error.errno().unwrap_or(Errno::OPNOTSUPP),
            })?;
            agree(Fact::UniqueId, &expected, &found)?;
        }
        Ok(namespace)
    }

    fn open_by_process(&self, pid: Pid) -> Result<NamespaceFd, Error> {
        let process = Process::open(pid, self.namespace_type)?;
        if let Some(expected) = self.start_time {
            agree(Fact::StartTime, &expected, &process.start_time()?)?;
        }
        process.namespace()
    }

    fn open_by_id(&self) -> Result<NamespaceFd, Error> {
        let id = self.inode.and_then(|inode| NamespaceId::new(self.namespace_type, inode));
        match self.unique_id {
            Some(unique_id) => {
                NamespaceFd::open_as(&Reference::UniqueId(unique_id, id), self.namespace_type)
            }
            None => Err(Error::Nowhere { namespace_type: self.namespace_type }),
        }
    }
}

fn agree<T: PartialEq + fmt::Display>(fact: Fact, expected: &T, found: &T) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Differs { fact, expected: expected.to_string(), found: found.to_string() })
}

/// A process, by its directory in /proc: which stays its own, even if its PID is reused.
struct Process {
    directory: OwnedFd,
    reference: Reference,
    namespace_type: NamespaceType,
}

impl Process {
    fn open(pid: Pid, namespace_type: NamespaceType) -> Result<Process, Error> {
        let reference = Reference::Process(pid, namespace_type);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(CWD, format!("/proc/{pid}"), flags, Mode::empty()) {
            Ok(directory) => Ok(Process { directory, reference, namespace_type }),
            Err(source) => Err(Error::Open { reference, source }),
        }
    }

    fn failed(&self, source: Errno) -> Error {
        Error::Open { reference: self.reference.clone(), source }
    }

    fn namespace(&self) -> Result<NamespaceFd, Error> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = self.namespace_type.proc_file();
        let fd = openat(&self.directory, file, flags, Mode::empty())
            .map_err(|source| self.failed(source))?;
        NamespaceFd::checked(fd, || self.reference.clone())
    }

    fn start_time(&self) -> Result<u64, Error> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let mut text = [0; 4096];
        let length = openat(&self.directory, "stat", flags, Mode::empty())
            .and_then(|file| rustix::io::read(file, &mut text))
            .map_err(|source| self.failed(source))?;
        start_time(text.get(..length).unwrap_or_default())
            .ok_or(Error::Unverifiable { fact: Fact::StartTime, source: Errno::BADMSG })
    }
}

/// Field 22 of proc_pid_stat(5); field 2, in parentheses, may contain anything.
fn start_time(stat: &[u8]) -> Option<u64> {
    let end_of_name = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = stat.get(end_of_name + 1..)?;
    let field = str::from_utf8(rest).ok()?.split_ascii_whitespace().nth(19)?;
    field.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_times_are_read() {
        let check = |stat: &str, expected| assert_eq!(start_time(stat.as_bytes()), expected);
        let rest = "S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 2";
        check(&format!("1 (init) {rest}\n"), Some(4711));
        check(&format!("1 (a) S 1) (b\n) {rest}\n"), Some(4711));
        check("1 (init) S 1 1\n", None);
        check("1 init\n", None);
        check("", None);
    }

    #[test]
    fn nothing_but_a_type_leads_nowhere() {
        let error = Portable::new(NamespaceType::Net).open().unwrap_err();
        assert_eq!(error.to_string(), "nothing says where the net namespace is");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn references_are_serialised_with_what_is_known_only() {
        let reference = Portable {
            inode: Some(4026531840),
            pid: Some(Pid(812)),
            ..Portable::new(NamespaceType::Net)
        };
        let json = serde_json::to_string(&reference).unwrap();
        assert_eq!(json, r#"{"type":"net","inode":4026531840,"pid":812}"#);
        assert_eq!(serde_json::from_str::<Portable>(&json).unwrap(), reference);
        let unknown = r#"{"type":"net","colour":"red"}"#;
        assert!(serde_json::from_str::<Portable>(unknown).is_err());
    }
}
