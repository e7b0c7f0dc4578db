//! Sockets that the kernel lists: no copy of them is needed to find out where they are.
//!
//! A list is that of one network namespace, so a thread enters it for the time of reading.
//! `/proc/PID/net` of a member would show the same lists, but a member may change its network
//! namespace meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use lxkns_model::ProcessFacts;
use lxkns_ops::{Error, NamespaceFd, enter, sock_diag};
use lxkns_species::{NamespaceId, NamespaceType, Pid};

use crate::context::Context;
use crate::procfs::{number, read_open};
use crate::sightings::OpenSocket;
use crate::socket_table::Listed;

/// Limit of network namespaces in which sockets of other namespaces' processes are looked for.
const ELSEWHERE: usize = 64;

/// Number of unlisted sockets of a network namespace's processes above which the connections there
/// are listed: that makes the kernel go through the connections of all network namespaces.
const MANY: usize = 200;

/// A list of sockets in a network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    /// All Unix sockets.
    Unix,
    /// The listening TCP sockets.
    Tcp,
    /// The other TCP sockets, see [`MANY`].
    Connections,
    /// The bound UDP sockets.
    Udp,
    /// Those with IPv6.
    Udp6,
}

impl List {
    /// The list of the calling thread's network namespace, of which `id` is the name.
    fn read(self, context: &Context<'_>, id: NamespaceId) -> Vec<(u64, Listed)> {
        let inodes = match self {
            List::Unix => {
                let listed = |is_idle| Listed { id, is_unix: true, is_idle };
                let all = sock_diag::unix_sockets().unwrap_or_default().into_iter();
                return all.map(|socket| (socket.inode, listed(socket.is_idle))).collect();
            }
            List::Tcp => sock_diag::tcp_listeners().unwrap_or_default(),
            List::Connections => sock_diag::tcp_connections().unwrap_or_default(),
            List::Udp => table(context, "thread-self/net/udp"),
            List::Udp6 => table(context, "thread-self/net/udp6"),
        };
        let listed = Listed { id, is_unix: false, is_idle: false };
        inodes.into_iter().map(|inode| (inode, listed)).collect()
    }

    /// The module of the kernel that answers, if it need not be there.
    fn module(self) -> Option<&'static [u8]> {
        match self {
            List::Unix => Some(b"unix_diag"),
            List::Tcp | List::Connections => Some(b"tcp_diag"),
            List::Udp | List::Udp6 => None,
        }
    }
}

/// The inodes in a table of bound sockets. It has no foreign text, unlike that of Unix sockets,
/// where the name of a socket can look like further lines.
fn table(context: &Context<'_>, path: &str) -> Vec<u64> {
    const LIMIT: usize = 64 * 1024 * 1024;
    let text = context.proc.open_file(path).and_then(|file| read_open(&file, LIMIT));
    let (text, _) = text.unwrap_or_default();
    text.split(|byte| *byte == b'\n').skip(1).filter_map(inode).collect()
}

/// `sl local remote st queues timer retransmits uid timeout inode …`
fn inode(line: &[u8]) -> Option<u64> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    number(words.nth(9)?)
}

/// The lists that can be read without making the kernel load a module.
fn readable(context: &Context<'_>) -> Vec<List> {
    let read = |path| context.proc.open_file(path).and_then(|file| read_open(&file, 1024 * 1024));
    let modules = match read("modules") {
        Ok((modules, _)) => Some(modules),
        // A kernel without modules. A procfs may also hide everything but processes.
        Err(rustix::io::Errno::NOENT) if context.proc.open_file("filesystems").is_ok() => None,
        Err(_) => Some(Vec::new()),
    };
    let is_there = |name: &[u8]| {
        modules.as_ref().is_none_or(|modules| {
            let mut lines = modules.split(|byte| *byte == b'\n');
            lines.any(|line| line.split(|byte| *byte == b' ').next() == Some(name))
        })
    };
    let all = [List::Unix, List::Tcp, List::Udp, List::Udp6, List::Connections];
    all.into_iter().filter(|list| list.module().is_none_or(is_there)).collect()
}

/// The network namespaces of sockets that are on some list, by inode.
pub(super) fn namespaces_of(
    context: &Context<'_>,
    processes: &[ProcessFacts],
    sockets: &[OpenSocket],
) -> HashMap<u64, Listed> {
    if sockets.is_empty() {
        return HashMap::new();
    }
    let mut lists = readable(context);
    let connections: Vec<List> = lists.extract_if(.., |it| *it == List::Connections).collect();
    let mut members: BTreeMap<NamespaceId, Pid> = BTreeMap::new();
    let mut net_of: HashMap<Pid, NamespaceId> = HashMap::new();
    for process in processes {
        if let Some(id) = process.namespaces.get(NamespaceType::Net) {
            members.entry(id).or_insert(process.pid);
            net_of.insert(process.pid, id);
        }
    }
    // Most sockets are where their processes are.
    let near: BTreeSet<NamespaceId> =
        sockets.iter().filter_map(|socket| net_of.get(&socket.pid).copied()).collect();
    let far = members.keys().filter(|id| !near.contains(id)).take(ELSEWHERE);
    let mut left: HashSet<u64> = sockets.iter().map(|socket| socket.inode).collect();
    let mut found = HashMap::new();
    let mut read = |id: &NamespaceId, lists: &[List], left: &mut HashSet<u64>| {
        let member = members.get(id).copied();
        // Without the privilege to enter, the sockets are asked by copies.
        let listed = member.and_then(|member| read_in(context, member, *id, lists).ok());
        let listed = listed.into_iter().flatten();
        found.extend(listed.filter(|(inode, _)| left.remove(inode)));
    };
    for id in near.iter().chain(far) {
        if left.is_empty() {
            break;
        }
        read(id, &lists, &mut left);
    }
    let mut unlisted: BTreeMap<NamespaceId, HashSet<u64>> = BTreeMap::new();
    for socket in sockets.iter().filter(|socket| left.contains(&socket.inode)) {
        if let Some(id) = net_of.get(&socket.pid) {
            unlisted.entry(*id).or_default().insert(socket.inode);
        }
    }
    unlisted.retain(|_, inodes| inodes.len() > MANY && !connections.is_empty());
    for id in unlisted.keys() {
        read(id, &connections, &mut left);
    }
    found
}

/// The sockets on the lists of a network namespace.
fn read_in(
    context: &Context<'_>,
    member: Pid,
    id: NamespaceId,
    lists: &[List],
) -> Result<Vec<(u64, Listed)>, Error> {
    let read = || lists.iter().flat_map(|list| list.read(context, id)).collect();
    let own = context.proc.own_process().and_then(|own| own.namespace(NamespaceType::Net));
    if own == Ok(id) {
        return Ok(read());
    }
    let failed = |source| Error::Call { what: "open the network namespace of a process", source };
    let file = context.proc.process(member).and_then(|dir| dir.open_namespace(NamespaceType::Net));
    let namespace = NamespaceFd::expecting(file.map_err(failed)?, id)?;
    enter::run(&[&namespace], read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inodes_are_in_the_tenth_column() {
        let line =
            b"  371: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   \
            101        0 20717 2 ffff8881 0";
        assert_eq!(inode(line), Some(20717));
        assert_eq!(inode(b""), None);
        assert_eq!(inode(b"1 2 3 4 5 6 7 8 9 x"), None);
    }
}
