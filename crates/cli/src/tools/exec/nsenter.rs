//! The nsenter(1) command that does the same, as far as it can.

use std::ffi::OsString;

use anyhow::bail;
use lxkns_species::NamespaceType;

use super::Target;
use crate::render::escape::quoted;
use crate::render::shell;

pub(super) fn line(
    targets: &[Target],
    preserve_credentials: bool,
    command: &[OsString],
) -> anyhow::Result<String> {
    let mut words = vec!["nsenter".to_owned()];
    for target in targets {
        let id = target.namespace.id();
        let Some(path) = &target.path else {
            bail!("no path leads to {id}, so nsenter cannot enter it");
        };
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

/// A word of a shell's that means just these bytes.
fn word(bytes: &[u8]) -> anyhow::Result<String> {
    match shell::word(bytes) {
        Some(word) => Ok(word),
        None => bail!("{} cannot be written for a shell", quoted(bytes)),
    }
}
