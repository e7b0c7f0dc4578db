//! What a view does not show, told on standard error.
//!
//! The view itself stays free of it: what could be read is true, and what could not is marked where
//! it would stand. One line names the most important gap, `-v` lists all of them, `-q` none.

use std::io::{self, Write as _};

use lxkns_model::{Gap, Missing, Reason, Snapshot};
use lxkns_species::{Capability, NamespaceType};

use crate::args::noise::Volume;
use crate::render::escape::{one_line, quoted};

/// Tells what a snapshot does not show; `name` says which one it is, where there are several.
pub(crate) fn tell(snapshot: &Snapshot, live: bool, name: Option<&str>, volume: Volume) {
    let mut err = io::stderr().lock();
    let lines: Vec<String> = match volume {
        Volume::Quiet => return,
        Volume::Normal => summary(snapshot, live).into_iter().collect(),
        Volume::Verbose | Volume::Trace => snapshot.gaps().iter().map(in_full).collect(),
    };
    for line in lines {
        // In one piece, as others may write there, too. The view is complete by now; a standard
        // error that is gone takes nothing away from it.
        let name = name.map(|name| format!("{name}: ")).unwrap_or_default();
        let line = format!("note: {name}{}\n", one_line(&line));
        let _ = err.write_all(line.as_bytes());
    }
}

/// Whether a snapshot could not see everything.
pub(crate) fn is_partial(snapshot: &Snapshot) -> bool {
    lasting(snapshot).next().is_some()
}

/// The gaps but for what is gone: coming and going is what processes do.
fn lasting(snapshot: &Snapshot) -> impl Iterator<Item = &Gap> {
    snapshot.gaps().iter().filter(|gap| gap.why != Reason::Gone)
}

/// One line, the most important thing first.
fn summary(snapshot: &Snapshot, live: bool) -> Option<String> {
    let gaps = || lasting(snapshot);
    let first = gaps().max_by_key(|gap| (importance(&gap.what), gap.count))?;
    let mut text = if first.what == Missing::ProcessNamespaces {
        let listed = snapshot.counts().listed.max(first.count);
        format!("{} of {listed} processes could not be read ({})", first.count, first.why)
    } else {
        format!("{} ({})", thing(first), first.why)
    };
    if gaps().nth(1).is_some() {
        text += ", and more is missing (-v tells)";
    }
    let may_more = gaps().any(|gap| matches!(gap.why, Reason::Denied | Reason::Restricted));
    if live && may_more && !has_all_it_takes(snapshot) {
        text += "; run as root for a complete view";
    }
    Some(text)
}

fn importance(what: &Missing) -> u8 {
    match what {
        Missing::ProcessNamespaces => 3,
        Missing::Processes => 2,
        Missing::Other(_) => 0,
        _ => 1,
    }
}

/// Whether running as root would change nothing.
fn has_all_it_takes(snapshot: &Snapshot) -> bool {
    let needed = [Capability::SYS_PTRACE, Capability::SYS_ADMIN, Capability::DAC_READ_SEARCH];
    let host = snapshot.host();
    let user = host.scanner_namespaces.get(NamespaceType::User);
    // In a user namespace of one's own, capabilities are worth nothing outside.
    user.is_some_and(|user| user.inode() == NamespaceType::User.initial_inode())
        && host
            .scanner_capabilities
            .is_some_and(|set| needed.into_iter().all(|one| set.contains(one)))
}

/// `the file descriptors of 3 processes could not be read`.
fn thing(gap: &Gap) -> String {
    let many = |one: &str| match gap.count {
        1 => format!("1 {one}"),
        n if one.ends_with("s") => format!("{n} {one}es"),
        n => format!("{n} {one}s"),
    };
    let process = many("process");
    let namespace = many("namespace");
    match &gap.what {
        Missing::ProcessNamespaces => format!("the namespaces of {process} could not be read"),
        Missing::Processes => "not all processes are listed".into(),
        Missing::ProcessDetails => format!("details of {process} could not be read"),
        Missing::Names => format!("the names of {} could not be read", many("container")),
        Missing::Threads => format!("the threads of {process} could not be read"),
        Missing::PendingChildren => {
            format!("the namespaces for children of {process} could not be told")
        }
        Missing::Fds => format!("the file descriptors of {process} could not be read"),
        Missing::Sockets => {
            let socket = many("socket");
            format!("the network namespace of {socket} could not be told")
        }
        Missing::TunDevices => {
            let device = many("tun device");
            format!("the network namespace of {device} could not be told")
        }
        Missing::Mounts => format!("the mounts of {} could not be read", many("mount namespace")),
        Missing::BindMounts => format!("{} could not be looked at", many("bind mount")),
        Missing::ProcMounts => {
            let mount = many("procfs mount");
            format!("the PID namespace of {mount} could not be told")
        }
        Missing::MountNamespaces => "mount namespaces without processes could not be listed".into(),
        Missing::KernelList => "the kernel's own list of namespaces could not be had".into(),
        Missing::Owners => format!("the owner of {namespace} could not be told"),
        Missing::Parents => format!("the parent of {namespace} could not be told"),
        Missing::Creators => format!("the creator of {} could not be told", many("user namespace")),
        Missing::Holders => "of each namespace all but one holder are missing".into(),
        Missing::Identity => {
            format!("{namespace} may have been replaced during the scan, without a way to tell")
        }
        Missing::LiveFacts => "what only a living kernel can tell is missing".into(),
        other => format!("{other}: {} missing", gap.count),
    }
}

/// One thing that could not be seen, with examples.
pub(crate) fn in_full(gap: &Gap) -> String {
    let mut text = format!("{} ({})", thing(gap), gap.why);
    let examples: Vec<_> = gap
        .examples
        .iter()
        .map(|example| match example.to_str() {
            Some(example) => example.to_owned(),
            None => quoted(example.as_bytes()),
        })
        .collect();
    if !examples.is_empty() {
        let more = gap.count > examples.len() as u64;
        text += &format!(": {}{}", examples.join(", "), if more { ", …" } else { "" });
    }
    text
}

#[cfg(test)]
mod tests {
    use lxkns_model::{Counts, Facts, Joined, Text};
    use lxkns_species::{Capabilities, NamespaceId};

    use super::*;

    fn facts(gaps: &[(Missing, Reason, u64)], capabilities: Capabilities) -> Facts {
        let gap = |(what, why, count): &(Missing, Reason, u64)| Gap {
            what: what.clone(),
            why: why.clone(),
            count: *count,
            examples: vec![Text::from("pid 1")],
        };
        let mut facts = Facts {
            counts: Counts { listed: 410, ..Counts::default() },
            gaps: gaps.iter().map(gap).collect(),
            ..Facts::default()
        };
        facts.host.scanner_capabilities = Some(capabilities);
        let initial = NamespaceType::User.initial_inode();
        facts.host.scanner_namespaces = Joined::of(NamespaceId::new(NamespaceType::User, initial));
        facts
    }

    #[test]
    fn one_line_names_the_most_important() {
        let all = Capabilities::from_bits(u64::MAX);
        let check = |gaps: &[_], capabilities, expected: Option<&str>| {
            let summary = summary(&Snapshot::assemble(facts(gaps, capabilities)), true);
            assert_eq!(summary.as_deref(), expected);
        };
        let denied = (Missing::ProcessNamespaces, Reason::Denied, 312);
        let fds = (Missing::Fds, Reason::Denied, 400);
        let gone = (Missing::ProcessNamespaces, Reason::Gone, 2);
        check(&[], all, None);
        check(std::slice::from_ref(&gone), all, None);
        check(
            std::slice::from_ref(&denied),
            Capabilities::NONE,
            Some(
                "312 of 410 processes could not be read (permission denied); \
                 run as root for a complete view",
            ),
        );
        check(
            &[fds, denied, gone],
            all,
            Some(
                "312 of 410 processes could not be read (permission denied), \
                 and more is missing (-v tells)",
            ),
        );
        // Root of a user namespace of one's own.
        let mut facts = facts(&[(Missing::ProcessNamespaces, Reason::Denied, 312)], all);
        facts.host.scanner_namespaces = Joined::of(NamespaceId::new(NamespaceType::User, 7));
        let summary = summary(&Snapshot::assemble(facts), true).unwrap();
        assert!(summary.ends_with("; run as root for a complete view"), "{summary}");
    }

    #[test]
    fn in_full_there_are_examples() {
        let facts = facts(&[(Missing::Fds, Reason::Denied, 3)], Capabilities::NONE);
        let snapshot = Snapshot::assemble(facts);
        assert_eq!(
            in_full(&snapshot.gaps()[0]),
            "the file descriptors of 3 processes could not be read (permission denied): pid 1, …"
        );
    }
}
