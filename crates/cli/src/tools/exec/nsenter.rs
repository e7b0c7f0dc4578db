//! The nsenter(1) command that does the same, as far as it can.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::bail;
use lxkns_discover::{Options, discover};
use lxkns_species::{Capability, NamespaceType};

use super::Target;
use crate::named_files;
use crate::render::escape::quoted;
use crate::render::shell;

pub(super) fn line(
    targets: &[Target],
    mut preserve_credentials: bool,
    command: &[OsString],
) -> anyhow::Result<String> {
    let mut words = vec!["nsenter".to_owned()];
    for target in targets {
        let id = target.namespace.id();
        let Some(path) = &target.path else {
            bail!("no path leads to {id}, so nsenter cannot enter it");
        };
        preserve_credentials |= id.namespace_type() == NamespaceType::User && keeps_groups(path)?;
        let option = match id.namespace_type() {
            NamespaceType::Mnt => "mount",
            other => other.name(),
        };
        words.push(format!("--{option}={}", word(path)?));
    }
    if preserve_credentials {
        words.push("--preserve-credentials".to_owned());
    }
    words.push("--".to_owned());
    for argument in command {
        words.push(word(argument.as_encoded_bytes())?);
    }
    Ok(words.join(" "))
}

/// Whether nsenter would fail to empty the list of groups, and so not even try to become root, in a
/// user namespace below `/proc`. That is one that an ordinary user has made; its only user is who
/// entered it, and there is nobody else to become.
fn keeps_groups(path: &[u8]) -> anyhow::Result<bool> {
    let Some(process) = path.strip_suffix(b"/ns/user") else {
        return Ok(false);
    };
    let setgroups = Path::new(OsStr::from_bytes(process)).join("setgroups");
    // Where that cannot be read, the namespace has been left by now, or is bind-mounted.
    if named_files::read(&setgroups).ok().as_deref() != Some(b"deny\n") {
        return Ok(false);
    }
    // Elsewhere it has emptied the list before it enters.
    let own = discover(&Options::nothing())?.host().scanner_capabilities;
    Ok(own.is_some_and(|own| !own.contains(Capability::SETGID)))
}

/// A word of a shell's that means just these bytes.
fn word(bytes: &[u8]) -> anyhow::Result<String> {
    match shell::word(bytes) {
        Some(word) => Ok(word),
        None => bail!("{} cannot be written for a shell", quoted(bytes)),
    }
}
