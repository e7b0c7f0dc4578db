//! Reading at one moment what takes several calls.
//!
//! A process may change while it is read: setns(2) and unshare(2) move it to several namespaces at
//! once. Half of the old set and half of the new one is a set that never was.
//!
//! A set that another process was seen in before counts; most processes share theirs. A new one
//! counts if the process has not run meanwhile, as [`Rest`] shows for most: only the process itself
//! can change its namespaces and credentials. Of those that run, a set counts if it reads the same
//! several times in a row.

use std::os::fd::OwnedFd;
use std::time::Duration;

use lxkns_model::Joined;
use lxkns_ops::pidfd;
use lxkns_species::{NamespaceTypes, Pid};
use rustix::io::Errno;

use crate::context::Context;
use crate::procfs::read_from_start;
use crate::procfs::stat::{self, Stat};
use crate::procfs::task::{Links, TaskDir};

/// How many readings in a row must confirm a new set. One is not enough: a process that goes back
/// and forth may do so in step with the readings.
const CONFIRMATIONS: usize = 3;

/// How often a task that changes all the time is read.
const READINGS: usize = 16;

/// A process that maybe does not run while it is read.
pub(crate) struct Rest {
    pid: Pid,
    /// Its file `stat`.
    file: OwnedFd,
    /// From before that was read. `None` where it cannot be had.
    cpu_time: Option<Duration>,
}

impl Rest {
    /// Begins, before anything is read of it.
    pub(crate) fn begin(context: &Context<'_>, pid: Pid, dir: &TaskDir) -> Result<Rest, Errno> {
        let cpu_time = context.proc.is_ours().then(|| pidfd::cpu_time(pid).ok()).flatten();
        Ok(Rest { pid, file: dir.open_to_read(c"stat")?, cpu_time })
    }

    /// Reads what is in `stat`.
    pub(crate) fn stat<'b>(&self, buffer: &'b mut [u8]) -> Result<Stat<'b>, Errno> {
        stat::parse(read_from_start(&self.file, buffer)?).ok_or(Errno::INVAL)
    }

    /// Whether it has not run since this was read.
    ///
    /// It was on no CPU then, nor is it now. If it had been meanwhile, it would have used time.
    pub(crate) fn lasts(&self, first: &Stat<'_>) -> bool {
        let is_off = |stat: &Stat<'_>| stat.state != 'R';
        self.cpu_time.is_some()
            && is_off(first)
            && self.stat(&mut [0; 1024]).is_ok_and(|now| is_off(&now))
            && pidfd::cpu_time(self.pid).ok() == self.cpu_time
    }
}

/// How sure it is that a set of namespaces was one at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sure {
    /// Another process was in the same set.
    Yes,
    /// If the process has not run since before.
    IfAtRest,
    No,
}

/// Reads the namespace links of a process once, and makes the namespaces known.
pub(crate) fn namespaces_once(
    context: &Context<'_>,
    dir: &TaskDir,
    types: NamespaceTypes,
) -> (Links, Sure) {
    let resolver = &context.resolver;
    let time = resolver.now();
    let links = dir.namespaces(types);
    if links.joined.is_empty() || resolver.knows_set(&links.joined, time) {
        return (links, Sure::Yes);
    }
    let mut sure = Sure::IfAtRest;
    for id in links.joined.iter() {
        resolver.meet(id, time, || dir.open_namespace(id.namespace_type()));
        if !resolver.is_settled(id) {
            sure = Sure::No;
        }
    }
    (links, sure)
}

/// Reads the namespace links of a task, and makes the namespaces known.
///
/// The second result has the types that never read the same twice in a row: of these, no link is
/// in the first one.
pub(crate) fn namespaces(
    context: &Context<'_>,
    dir: &TaskDir,
    types: NamespaceTypes,
) -> (Links, NamespaceTypes) {
    let resolver = &context.resolver;
    let time = resolver.now();
    let mut links = dir.namespaces(types);
    if links.joined.is_empty() || resolver.knows_set(&links.joined, time) {
        return (links, NamespaceTypes::NONE);
    }
    let mut changing = NamespaceTypes::NONE;
    let mut confirmed = 0;
    for _ in 0..READINGS {
        let mut unsettled = NamespaceTypes::NONE;
        for id in links.joined.iter().filter(|id| confirmed == 0 || !resolver.is_settled(*id)) {
            resolver.meet(id, time, || dir.open_namespace(id.namespace_type()));
            if !resolver.is_settled(id) {
                unsettled.insert(id.namespace_type());
            }
        }
        // From here on, the numbers of those that are settled mean what was met.
        let again = dir.namespaces(types);
        let mut differ = differing(&links.joined, &again.joined);
        unsettled.iter().for_each(|namespace_type| differ.insert(namespace_type));
        links = again;
        confirmed = if differ.is_empty() { confirmed + 1 } else { 0 };
        if confirmed == CONFIRMATIONS {
            resolver.learn_set(&links.joined);
            return (links, NamespaceTypes::NONE);
        }
        differ.iter().for_each(|namespace_type| changing.insert(namespace_type));
    }
    changing.iter().for_each(|namespace_type| links.joined.clear(namespace_type));
    (links, changing)
}

/// The types of which two sets have not the same namespace.
fn differing(one: &Joined, other: &Joined) -> NamespaceTypes {
    let types = one.types().iter().chain(other.types().iter());
    types.filter(|namespace_type| one.get(*namespace_type) != other.get(*namespace_type)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Options;
    use crate::procfs::Procfs;

    #[test]
    fn a_process_on_a_cpu_is_not_at_rest() {
        let options = Options::everything();
        let context = Context::new(&options, Procfs::open(Path::new("/proc")).unwrap());
        let (own, dir) = (Pid(std::process::id()), context.proc.own_process().unwrap());
        let rest = Rest::begin(&context, own, &dir).unwrap();
        let mut buffer = [0; 1024];
        let stat = rest.stat(&mut buffer).unwrap();
        assert_eq!(stat.start_time, rest.stat(&mut [0; 1024]).unwrap().start_time);
        assert!(!rest.lasts(&stat));
    }
}
