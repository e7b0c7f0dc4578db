//! One holder of a namespace.
//!
//! A flat object with a `kind`, rather than one type per kind, so that errors name the field and a
//! kind that this version does not know is no error.

use std::borrow::Cow;

use lxkns_species::{NamespaceId, NamespaceType, Pid};
use serde::{Deserialize, Serialize};

use super::text::{self, Hex};
use crate::wire::Error;
use crate::{FileKind, Holder, MountKind};

/// What keeps a namespace alive, besides its processes, children and possessions.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Holder"))]
#[serde(rename_all = "kebab-case")]
pub(super) struct HolderDoc<'s> {
    /// `thread`, `pending-children`, `fd`, `socket`, `tun`, `in-flight`, `bind-mount`,
    /// `proc-mount`, `unseen`.
    kind: Cow<'s, str>,
    /// The process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    pid: Option<Pid>,
    /// The thread; with descriptors only where it has a file table of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    tid: Option<Pid>,
    /// The number of the file descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fd: Option<u32>,
    /// The inode of the Unix socket that a file is queued in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inode: Option<u64>,
    /// The mount namespace that the mount is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::schema::Id>"))]
    mount_namespace: Option<NamespaceId>,
    /// The mount point, as seen from the root of that mount namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'s, str>>,
    /// The bytes of `path`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Hex<'s>>,
}

impl<'s> From<&'s Holder> for HolderDoc<'s> {
    fn from(holder: &'s Holder) -> Self {
        let mut doc =
            HolderDoc { kind: holder.kind().into(), pid: holder.pid(), ..HolderDoc::default() };
        match holder {
            Holder::Thread { pid: _, tid } => doc.tid = Some(*tid),
            Holder::PendingChildren { pid: _, tid } => doc.tid = *tid,
            Holder::File { kind, pid: _, tid, fd } => {
                doc.tid = *tid;
                doc.fd = Some(*fd);
                if let FileKind::InFlight { inode } = kind {
                    doc.inode = Some(*inode);
                }
            }
            Holder::Mount { kind: _, mount_namespace, path } => {
                doc.mount_namespace = *mount_namespace;
                let (path, path_bytes) = text::split(path);
                doc.path = Some(path);
                doc.path_bytes = path_bytes;
            }
            Holder::Unseen => {}
        }
        doc
    }
}

impl HolderDoc<'_> {
    /// A kind from another version is [`Holder::Unseen`]: the namespace is held, this version just
    /// cannot tell by what.
    pub(super) fn into_model(self, place: &str) -> Result<Holder, Error> {
        let missing = |field: &str| {
            let reason = format!("a holder of kind {:?} needs {field:?}", &*self.kind);
            Error::content(place, reason)
        };
        let pid = || self.pid.ok_or_else(|| missing("pid"));
        let fd = || self.fd.ok_or_else(|| missing("fd"));
        let tid = self.tid;
        let file = |kind| Ok(Holder::File { kind, pid: pid()?, tid, fd: fd()? });
        Ok(match &*self.kind {
            "thread" => Holder::Thread { pid: pid()?, tid: tid.ok_or_else(|| missing("tid"))? },
            "pending-children" => Holder::PendingChildren { pid: pid()?, tid },
            "fd" => file(FileKind::Namespace)?,
            "socket" => file(FileKind::Socket)?,
            "tun" => file(FileKind::Tun)?,
            "in-flight" => {
                let inode = self.inode.ok_or_else(|| missing("inode"))?;
                file(FileKind::InFlight { inode })?
            }
            kind @ ("bind-mount" | "proc-mount") => {
                let mount_namespace = self.mount_namespace;
                if mount_namespace.is_some_and(|id| id.namespace_type() != NamespaceType::Mnt) {
                    let place = format!("{place}.mount-namespace");
                    return Err(Error::content(place, "not a mount namespace"));
                }
                let is_bind = kind == "bind-mount";
                let no_path = missing("path");
                let path = text::join(self.path, self.path_bytes).ok_or(no_path)?;
                let kind = if is_bind { MountKind::Bind } else { MountKind::Proc };
                Holder::Mount { kind, mount_namespace, path }
            }
            _ => Holder::Unseen,
        })
    }
}
