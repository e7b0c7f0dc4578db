//! The machine that was scanned, and the scanner.

use std::time::SystemTime;

use lxkns_model::{Host, Missing, Reason};
use lxkns_ops::uname;
use lxkns_species::{Capabilities, Capability, NamespaceTypes};

use crate::context::Context;
use crate::procfs::{Kind, number};

/// The facts about the machine, and about the scanner.
pub(crate) fn host(context: &Context<'_>, taken_at: SystemTime, by_bpf: bool) -> Host {
    let (name, kernel) = uname().map_or((None, None), |names| (names.node, names.release));
    let mut buffer = [0; 64];
    let boot_id = context.proc.read_into(c"sys/kernel/random/boot_id", &mut buffer).ok();
    let boot_id = boot_id.map(|id| String::from_utf8_lossy(id.trim_ascii()).into_owned());
    let mut buffer = [0; 64];
    let last = context.proc.read_into(c"sys/kernel/cap_last_cap", &mut buffer).ok();
    let capabilities = rustix::thread::capabilities(None).ok();
    let own = context.proc.own_process().ok();
    let last_capability = last.and_then(|last| number(last.trim_ascii())).and_then(Capability::new);
    if context.proc.kind() != Kind::Tree && boot_id.is_none() && last_capability.is_none() {
        // `subset=pid`: a procfs without all that is not about processes.
        let example = "boot id, last capability";
        context.gaps.add_uncounted(Missing::LiveFacts, Reason::Restricted, example);
    }
    Host {
        name: name.map(|name| name.to_bytes().into()),
        boot_id,
        kernel: kernel.map(|kernel| kernel.to_bytes().into()),
        taken_at: Some(taken_at),
        tool: Some(concat!("lxkns ", env!("CARGO_PKG_VERSION")).into()),
        tier: Some(format!("{}{}", context.tier().name(), if by_bpf { "+bpf" } else { "" })),
        scanner_pid: context.own_pid,
        scanner_capabilities: capabilities
            .map(|sets| Capabilities::from_bits(sets.effective.bits())),
        scanner_namespaces: own
            .map(|own| own.namespaces(NamespaceTypes::ALL).joined)
            .unwrap_or_default(),
        last_capability,
        nsfs_device: context.proc.nsfs_device(),
    }
}
