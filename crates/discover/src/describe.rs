//! The details of a process: credentials and PIDs, command line, cgroup; and the maps of user
//! namespaces, which a member tells.

use std::collections::HashMap;
use std::ffi::CStr;

use lxkns_model::{Cmdline, IdMapping, Missing, Part, ProcessFacts, Reason, Text};
use lxkns_ops::pidfd;
use lxkns_species::{Capabilities, NamespaceId, NamespaceType, Pid, Uid};
use rustix::io::Errno;
use rustix::path::Arg;

use crate::context::Context;
use crate::gaps::reason;
use crate::procfs::task::TaskDir;
use crate::procfs::{Folder, cgroup, id_map, read_all, read_into, read_whole, stat, status};
use crate::workers::share_out;

/// So much of a command line is kept.
const CMDLINE_LIMIT: usize = 128 * 1024;

/// How often credentials must read the same, if they are unusual.
const READINGS: usize = 8;

/// The effective capabilities of a process, if they are wanted and can be asked for: to be read
/// before its namespaces, and compared by [`credentials`] afterwards.
pub(crate) fn capabilities(context: &Context<'_>, pid: Pid) -> Option<Capabilities> {
    if !context.wanted.has(Part::Credentials) || !context.proc.is_ours() {
        return None;
    }
    let number = rustix::process::Pid::from_raw(pid.0.try_into().ok()?)?;
    let effective = rustix::thread::capabilities(Some(number)).ok()?.effective;
    Some(Capabilities::from_bits(effective.bits()))
}

/// Effective UID and capabilities.
type Credentials = (Uid, Capabilities);

/// Reads effective UID and capabilities, and the PIDs in the inner PID namespaces.
///
/// Capabilities are valid in the user namespace that the process is in, and a process gets all of
/// them with a new one. So they must be what they were `before` the namespaces were read. And they
/// go with the UID: root has some, other users have none. False if it is not so: then they may be
/// of several moments, unless the process has not run meanwhile.
///
/// # Errors
///
/// Only if the process is gone.
pub(crate) fn credentials_once(
    context: &Context<'_>,
    dir: &TaskDir,
    before: Option<Capabilities>,
    process: &mut ProcessFacts,
) -> Result<bool, Errno> {
    let Some(credentials) = read_credentials(context, dir, process)? else {
        return Ok(true);
    };
    keep(context, process, credentials);
    Ok(before == Some(credentials.1) && are_usual(credentials))
}

/// As [`credentials_once`], and what is unusual must read the same several times. Where nothing was
/// asked before, the user namespace must still be the same. False if the process has changed.
///
/// # Errors
///
/// Only if the process is gone.
pub(crate) fn credentials(
    context: &Context<'_>,
    dir: &TaskDir,
    before: Option<Capabilities>,
    process: &mut ProcessFacts,
) -> Result<bool, Errno> {
    let Some((euid, effective)) = read_credentials(context, dir, process)? else {
        return Ok(true);
    };
    let is_same = match before {
        Some(before) => before == effective,
        None => {
            let user = process.namespaces.get(NamespaceType::User);
            user.is_none() || dir.namespace(NamespaceType::User).ok() == user
        }
    };
    let again = || match before {
        Some(_) => ask_for_credentials(context, dir, process.pid),
        None => {
            let mut buffer = [0; 4096];
            let text = dir.read_whole(c"status", &mut buffer).ok()?;
            let status = status::parse(&text);
            status.euid.zip(status.effective)
        }
    };
    let is_steady = are_usual((euid, effective))
        || (1..READINGS).all(|_| again().is_none_or(|now| now == (euid, effective)));
    if is_same && is_steady {
        keep(context, process, (euid, effective));
    }
    Ok(is_same && is_steady)
}

/// Reads effective UID and capabilities, if they are wanted, and keeps the PIDs.
fn read_credentials(
    context: &Context<'_>,
    dir: &TaskDir,
    process: &mut ProcessFacts,
) -> Result<Option<Credentials>, Errno> {
    let pid_namespace = process.namespaces.get(NamespaceType::Pid);
    let at_home = pid_namespace.is_some() && pid_namespace == context.own_pid_namespace;
    if at_home {
        process.pids = Some(vec![process.pid]);
    }
    let wants_pids = !at_home && context.wanted.shows(NamespaceType::Pid);
    if !context.wanted.has(Part::Credentials) && !wants_pids {
        return Ok(None);
    }
    if at_home && let Some(asked) = ask_for_credentials(context, dir, process.pid) {
        return Ok(Some(asked));
    }
    let mut buffer = [0; 4096];
    let text = match dir.read_whole(c"status", &mut buffer) {
        Ok(text) => text,
        Err(errno) => return unread(context, process.pid, errno).map(|()| None),
    };
    let status = status::parse(&text);
    let pids: Vec<_> = status.pids.collect();
    process.pids = Some(pids).filter(|pids| !pids.is_empty());
    Ok(status.euid.zip(status.effective).filter(|_| context.wanted.has(Part::Credentials)))
}

/// Asks for effective UID and capabilities, which is less work than reading them.
fn ask_for_credentials(context: &Context<'_>, dir: &TaskDir, pid: Pid) -> Option<Credentials> {
    let effective = capabilities(context, pid)?;
    Some((dir.effective_uid().ok()?, effective))
}

fn are_usual((euid, effective): Credentials) -> bool {
    (euid == Uid(0)) != effective.is_empty()
}

fn keep(context: &Context<'_>, process: &mut ProcessFacts, (euid, effective): Credentials) {
    process.euid = context.uids.known(euid);
    process.effective_capabilities = Some(effective);
}

/// Reads command line and cgroup, as far as they are wanted.
///
/// # Errors
///
/// Only if the process is gone.
pub(crate) fn command_and_cgroup(
    context: &Context<'_>,
    dir: &TaskDir,
    process: &mut ProcessFacts,
) -> Result<(), Errno> {
    // Its main thread may have ended while others go on.
    let is_dead = matches!(process.state, Some('Z' | 'X'));
    let living = is_dead.then(|| dir.living_thread()).flatten();
    let dir = living.as_ref().unwrap_or(dir);
    if context.wanted.has(Part::Cmdline) {
        process.cmdline = if process.kernel_thread {
            Some(Cmdline::default())
        } else {
            told(context, process.pid, cmdline_in(dir.folder(), c"cmdline"))?
        };
    }
    if context.wanted.has(Part::Cgroup) {
        process.cgroup = told(context, process.pid, cgroup_in(dir.folder(), c"cgroup"))?.flatten();
    }
    Ok(())
}

/// Whether a process leads some of the namespaces asked for: its parent is not in all the same
/// ones.
pub(crate) fn leads(
    context: &Context<'_>,
    process: &ProcessFacts,
    parent: Option<&ProcessFacts>,
) -> bool {
    let shown = |process: &ProcessFacts| {
        let mut shown = process.namespaces;
        for namespace_type in NamespaceType::ALL {
            if !context.wanted.shows(namespace_type) {
                shown.clear(namespace_type);
            }
        }
        shown
    };
    parent.map(shown) != Some(shown(process)) || !process.threads.is_empty()
}

/// Whether all of that has been read.
pub(crate) fn has_command_and_cgroup(context: &Context<'_>, process: &ProcessFacts) -> bool {
    (process.cmdline.is_some() || !context.wanted.has(Part::Cmdline))
        && (process.cgroup.is_some() || !context.wanted.has(Part::Cgroup))
}

/// The command line in a file.
pub(crate) fn cmdline_in(folder: Folder<'_>, file: impl Arg + Copy) -> Result<Cmdline, Errno> {
    // Mostly one read of a small buffer will do.
    let mut buffer = [0; 2048];
    let text = read_into(folder, file, &mut buffer)?;
    if text.len() < 2048 {
        return Ok(cmdline(text, false));
    }
    read_all(folder, file, CMDLINE_LIMIT).map(|(text, cut)| cmdline(&text, cut))
}

/// The cgroup in a file.
pub(crate) fn cgroup_in(folder: Folder<'_>, file: impl Arg + Copy) -> Result<Option<Text>, Errno> {
    let mut buffer = [0; 8192];
    read_whole(folder, file, &mut buffer).map(|text| cgroup::parse(&text).map(Text::from))
}

/// Notes that details of a process could not be had, which was looked up by its number, unless the
/// process is gone.
pub(crate) fn undescribed(context: &Context<'_>, pid: Pid, errno: Errno) {
    let why = match reason(errno) {
        Reason::Gone if !context.proc.is_ours() || pidfd::of_process(pid).is_err() => return,
        // BPF shows a process that the procfs hides.
        Reason::Gone => Reason::Restricted,
        why => why,
    };
    context.gaps.add(Missing::ProcessDetails, why, format!("pid {pid}"));
}

/// What was read, unless that is a gap.
///
/// # Errors
///
/// Only if the process is gone.
fn told<T>(context: &Context<'_>, pid: Pid, read: Result<T, Errno>) -> Result<Option<T>, Errno> {
    read.map(Some).or_else(|errno| unread(context, pid, errno).map(|()| None))
}

fn unread(context: &Context<'_>, pid: Pid, errno: Errno) -> Result<(), Errno> {
    if matches!(errno, Errno::NOENT | Errno::SRCH) {
        return Err(errno);
    }
    context.gaps.add(Missing::ProcessDetails, reason(errno), format!("pid {pid}"));
    Ok(())
}

/// Arguments end with NUL each. A process that has overwritten them may have left none.
pub(crate) fn cmdline(text: &[u8], cut: bool) -> Cmdline {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    let arguments = if text.is_empty() {
        Vec::new()
    } else {
        text.split(|&byte| byte == 0).map(Text::from).collect()
    };
    Cmdline { arguments, cut }
}

/// Reads the details of those who lead some namespace: whose parent is not in all the same ones.
/// They are sorted by PID.
pub(crate) fn leaders(context: &Context<'_>, processes: &mut [ProcessFacts]) {
    if !context.wanted.has(Part::Cmdline) && !context.wanted.has(Part::Cgroup) {
        return;
    }
    let by_pid: HashMap<Pid, &ProcessFacts> =
        processes.iter().map(|process| (process.pid, process)).collect();
    let leaders: Vec<&ProcessFacts> = processes
        .iter()
        .filter(|process| {
            let parent = process.ppid.and_then(|ppid| by_pid.get(&ppid));
            leads(context, process, parent.copied())
        })
        .filter(|process| !has_command_and_cgroup(context, process))
        .collect();
    let describe = |leader: &&ProcessFacts, described: &mut Vec<ProcessFacts>| {
        described.extend(again(context, leader).map(|(_, leader)| leader));
    };
    let workers = context.options.worker_count();
    let described = share_out(&leaders, workers, describe).concat();
    for leader in described {
        let place = processes.binary_search_by_key(&leader.pid, |process| process.pid);
        if let Some(process) = place.ok().and_then(|place| processes.get_mut(place)) {
            *process = leader;
        }
    }
}

/// Reads the details of a process that was met earlier. `None` if it is gone: then its number may
/// be another process's.
pub(crate) fn again(
    context: &Context<'_>,
    process: &ProcessFacts,
) -> Option<(TaskDir, ProcessFacts)> {
    let mut buffer = [0; 1024];
    let dir = context.proc.process(process.pid);
    let (dir, now) = match dir.and_then(|dir| Ok((dir.read(c"stat", &mut buffer)?, dir))) {
        Ok((stat, dir)) => (dir, stat::parse(stat)?),
        Err(errno) => {
            undescribed(context, process.pid, errno);
            return None;
        }
    };
    let mut described = process.clone();
    let is_same = Some(now.start_time) == process.start_time;
    is_same.then(|| {
        let _ = command_and_cgroup(context, &dir, &mut described);
        (dir, described)
    })
}

/// UID map and GID map of each user namespace.
type IdMaps = HashMap<NamespaceId, (Vec<IdMapping>, Vec<IdMapping>)>;

/// The UID and GID maps of user namespaces, each read from a member.
pub(crate) fn id_maps(context: &Context<'_>, processes: &[ProcessFacts]) -> IdMaps {
    let mut maps = IdMaps::new();
    if !context.wanted.has(Part::Credentials) || !context.wanted.shows(NamespaceType::User) {
        return maps;
    }
    for process in processes {
        let Some(id) = process.namespaces.get(NamespaceType::User) else {
            continue;
        };
        if maps.contains_key(&id) {
            continue;
        }
        let Ok(dir) = context.proc.process(process.pid) else {
            continue;
        };
        // The kernel writes down a page at a time.
        let read = |file: &CStr| match read_all(dir.folder(), file, 64 * 1024) {
            Ok((text, false)) => Some(id_map::parse(&text)),
            _ => None,
        };
        let (uids, gids) = (read(c"uid_map"), read(c"gid_map"));
        let is_same = dir.namespace(NamespaceType::User) == Ok(id);
        if let (Some(uids), Some(gids), true) = (uids, gids, is_same) {
            maps.insert(id, (uids, gids));
        }
    }
    maps
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Options;
    use crate::procfs::Procfs;

    #[test]
    fn credentials_asked_for_are_those_in_status() {
        let proc = Procfs::open(Path::new("/proc")).unwrap();
        let own = Pid(std::process::id());
        let in_status = |dir: &TaskDir| {
            let mut buffer = [0; 4096];
            let text = dir.read_whole(c"status", &mut buffer).ok()?;
            let status = status::parse(&text);
            status.euid.zip(status.effective)
        };
        let options = Options::everything();
        let context = Context::new(&options, Procfs::open(Path::new("/proc")).unwrap());
        let mut compared = Vec::new();
        for pid in proc.pids().unwrap() {
            let Ok(dir) = proc.process(pid) else { continue };
            let (before, asked) = (in_status(&dir), ask_for_credentials(&context, &dir, pid));
            // Others may end, or change, at any time, or be out of bounds.
            if before == in_status(&dir) && (asked.is_some() || pid == own) {
                assert_eq!(asked, before, "pid {pid}");
                compared.push(pid);
            }
        }
        assert!(compared.contains(&own));
    }

    #[test]
    fn command_lines_are_split_at_nul() {
        let check = |text: &[u8], expected: &[&str]| {
            let arguments: Vec<Text> = expected.iter().map(|text| Text::from(*text)).collect();
            assert_eq!(cmdline(text, false), Cmdline { arguments, cut: false });
        };
        check(b"", &[]);
        check(b"\0", &[]);
        check(b"sh\0-c\0\0", &["sh", "-c", ""]);
        check(b"nginx: worker", &["nginx: worker"]);
    }
}
