//! `lxkns umount`: unmounts something in another mount namespace, without anything of it.
//!
//! | status | meaning |
//! |---|---|
//! | 0 | unmounted |
//! | 1 | another failure: no such namespace, no such kernel interface |
//! | 2 | wrong usage |
//! | 3 | no answer in time: the outcome is not known, or nothing was unmounted |
//! | 4 | in use |
//! | 5 | locked |
//! | 6 | nothing is mounted there |
//! | 7 | another mount is there than the one that was meant |
//! | 8 | denied |

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use lxkns_ops::unmount::{Failure, How, MountPoint, unmount};
use lxkns_species::{NamespaceId, NamespaceType};

use super::{Run, exec, refuse_with_privileges};
use crate::args::noise::Volume;
use crate::args::{NamespaceArg, Show};
use crate::failure::{Exit, Usage};
use crate::render::escape::quoted;
use crate::view::View;

/// Timeout for the look-up of a mount point, and again for the unmount itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `lxkns umount` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Umount {
    /// The mount namespace to unmount in
    namespace: NamespaceArg,

    /// The mount point, from the root of that mount namespace
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    path: PathBuf,

    /// Detach the mount at once, even if it is in use, and all mounts below it
    #[arg(long)]
    lazy: bool,

    /// Unmount only the mount with this ID
    ///
    /// From 2147483648 on it is the unique ID of a mount, as in statmount(2) (Linux 6.8). A smaller
    /// number is the ID in /proc/PID/mountinfo, which the kernel uses again (Linux 5.8).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    mount_id: Option<u64>,
}

impl Run for Umount {
    fn volume(&self) -> Volume {
        Volume::Normal
    }

    fn show(&self) -> Option<&Show> {
        None
    }

    fn run(self) -> anyhow::Result<View> {
        // A user must not unmount anything with the privileges of lxkns.
        refuse_with_privileges("umount")?;
        let path = quoted(self.path.as_os_str().as_encoded_bytes());
        let mount_point = MountPoint::new(&self.path).ok_or_else(|| {
            Usage::new(format!(
                "{path} is no mount point below the root of a mount namespace: give an absolute \
                 path without . and .."
            ))
        })?;
        let not_mount = |what: String| Usage::new(format!("{what} is no mount namespace"));
        match &self.namespace {
            NamespaceArg::Id(id) if id.namespace_type() != NamespaceType::Mnt => {
                return Err(not_mount(id.to_string()).into());
            }
            NamespaceArg::OfProcess(other, pid) if *other != NamespaceType::Mnt => {
                return Err(not_mount(format!("{other}@{pid}")).into());
            }
            _ => {}
        }
        let namespace = exec::open_named(&self.namespace)?;
        let id = namespace.id();
        if id.namespace_type() != NamespaceType::Mnt {
            return Err(not_mount(id.to_string()).into());
        }
        let how = How { mount_id: self.mount_id, lazy: self.lazy };
        let unmounted = unmount(&namespace, &mount_point, how, PATIENCE);
        unmounted.map(|()| View::of_nothing()).map_err(|failure| {
            let text = format!("cannot unmount {path} in {id}: {}", self.reason(failure, id));
            Exit::after(anyhow!(text), status(failure)).into()
        })
    }
}

impl Umount {
    fn reason(&self, failure: Failure, id: NamespaceId) -> String {
        match failure {
            Failure::Enter { source, .. } => {
                let hint = if failure.is_denied() { exec::hint(NamespaceType::Mnt) } else { "" };
                format!("cannot enter the mount namespace: {source}{hint}")
            }
            Failure::Link => "a symbolic link is in the path; nothing was unmounted".into(),
            Failure::LookUp { source } => {
                format!("cannot look up the path: {source}; nothing was unmounted")
            }
            Failure::NotMounted => "it is no mount point".into(),
            Failure::OtherMount { found } => {
                let expected = self.mount_id.unwrap_or_default();
                format!("mount {found} is there, not mount {expected}; nothing was unmounted")
            }
            Failure::NoMountIds => {
                "this kernel does not report mount IDs of this kind; nothing was unmounted".into()
            }
            Failure::Locked => format!(
                "the mount is locked to its place, as it came from a mount namespace of a more \
                 privileged user; it ends with the mount namespace: lxkns why mnt:{}",
                id.inode()
            ),
            Failure::Busy => "the mount is in use: a file or directory of it is open, or another \
                              mount is below it; --lazy detaches it nevertheless"
                .into(),
            Failure::NoAnswer { may_have_unmounted, left_behind } => {
                let mut text = format!("no answer within {} seconds; ", PATIENCE.as_secs());
                text += match (may_have_unmounted, left_behind) {
                    (false, _) => "nothing was unmounted",
                    (true, None) => "it is not known whether it was unmounted",
                    (true, Some(_)) => "it may still be unmounted",
                };
                if let Some(pid) = left_behind {
                    text += &format!(
                        "; child process {pid} is left behind until the file server answers"
                    );
                }
                text
            }
            other => format!("{:#}", anyhow::Error::from(other)),
        }
    }
}

fn status(failure: Failure) -> u8 {
    match failure {
        _ if failure.is_denied() => 8,
        Failure::NoAnswer { .. } => 3,
        Failure::Busy => 4,
        Failure::Locked => 5,
        Failure::LookUp { .. } | Failure::Link | Failure::NotMounted => 6,
        Failure::OtherMount { .. } => 7,
        _ => 1,
    }
}
