//! From options to a snapshot: the stages of a discovery, one after the other.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use lxkns_model::{Details, Facts, Holder, Host, Initials, NamespaceFacts, ProcessFacts, Snapshot};
use lxkns_ops::visit::reap_abandoned;
use lxkns_species::NamespaceId;

#[cfg(feature = "bpf")]
use crate::bpf::Iterators;
use crate::context::Context;
use crate::describe;
use crate::error::Error;
use crate::file_tables;
use crate::host;
use crate::options::Options;
use crate::passwd;
use crate::procfs::Procfs;
use crate::sightings::Sightings;
use crate::sources::{kernel, mounts, processes, sockets};
use crate::workloads;

/// Looks for the namespaces of this machine.
///
/// What could not be read is a gap in the snapshot; so is what a lack of privileges hides. The
/// calling thread and its namespaces stay as they are.
///
/// # Errors
///
/// [`Error::NoProc`] if there is no procfs to read.
pub fn discover(options: &Options) -> Result<Snapshot, Error> {
    Scanner::new(options.clone()).scan()
}

/// Takes one snapshot after another, each as [`discover`] does, and the later ones for less: it
/// keeps the BPF iterators, which take about 2 ms to load. They are open files until it is dropped.
///
/// ```
/// use lxkns_discover::{Options, Scanner};
///
/// let mut scanner = Scanner::new(Options::everything());
/// let (before, after) = (scanner.scan()?, scanner.scan()?);
/// println!("{} namespaces, then {}", before.namespaces().len(), after.namespaces().len());
/// # Ok::<(), lxkns_discover::Error>(())
/// ```
#[derive(Debug)]
pub struct Scanner {
    options: Options,
    #[cfg(feature = "bpf")]
    iterators: Iterators,
}

impl Scanner {
    /// A scanner with these options.
    pub fn new(options: Options) -> Scanner {
        Scanner {
            options,
            #[cfg(feature = "bpf")]
            iterators: Iterators::default(),
        }
    }

    /// Looks for the namespaces of this machine.
    ///
    /// # Errors
    ///
    /// [`Error::NoProc`] if there is no procfs to read.
    pub fn scan(&mut self) -> Result<Snapshot, Error> {
        let taken_at = SystemTime::now();
        // Helpers that an earlier scan had to leave behind may have ended since.
        reap_abandoned();
        let options = &self.options;
        let context = Context::new(options, open_procfs(options.proc_path())?);
        #[cfg(feature = "bpf")]
        context.swap_iterators(&mut self.iterators);
        let mut seen = Sightings::default();

        // A later source builds on the sightings of the earlier ones.
        let listed = kernel::before(&context);
        let by_bpf = processes::scan(&context, &mut seen);
        log("processes", &seen);
        sockets::scan(&context, &mut seen);
        log("sockets", &seen);
        processes::settle_held(&context, &mut seen);
        mounts::scan(&context, &listed, &mut seen);
        log("mounts", &seen);
        kernel::after(&context, &listed, &mut seen);
        log("kernel", &seen);
        ask_again(&context, &seen.processes);
        processes::settle_compared(&context, &mut seen);
        sockets::end_helpers(&context);

        #[cfg(feature = "bpf")]
        context.swap_iterators(&mut self.iterators);
        let host = host::host(&context, taken_at, by_bpf);
        let facts = into_facts(context, host, seen);
        reap_abandoned();
        Ok(Snapshot::assemble(facts))
    }
}

fn open_procfs(path: &Path) -> Result<Procfs, Error> {
    let no_proc = |source| Error::NoProc { path: path.into(), source };
    let proc = Procfs::open(path).map_err(no_proc)?;
    match proc.is_nonsense() {
        Some(why) => Err(no_proc(io::Error::other(why))),
        None => Ok(proc),
    }
}

/// Logs how much has been seen once a source is done.
fn log(source: &str, seen: &Sightings) {
    let (processes, holders) = (seen.processes.len(), seen.holders.len());
    tracing::debug!(source, processes, holders, "seen so far");
}

/// The facts that the sightings add up to.
fn into_facts(context: Context<'_>, host: Host, seen: Sightings) -> Facts {
    let mut alive = seen.explained(&context.resolver);
    // Where something is mounted has been there, even if what explains it came later or went.
    alive.extend(places(&seen.holders));
    let alive = context.resolver.with_relations(alive);
    let Sightings { mut processes, holders, mounts, counts, .. } = seen;
    processes.sort_by_key(|process| process.pid);
    if context.options.scope().details == Details::Leaders {
        describe::leaders(&context, &mut processes);
    }
    let workloads = workloads::find(&context, &processes);
    let id_maps = describe::id_maps(&context, &processes);
    let initials = Initials::of(context.own_pid_namespace, &processes);
    let may_go = |id: NamespaceId| initials.contains(id, None) != Some(true);
    file_tables::compare(&context, &mut processes, &holders, may_go);

    let Context { resolver, gaps, options, .. } = context;
    let mut namespaces = resolver.into_facts(&alive, &gaps);
    for (id, holder) in holders {
        let namespace = namespaces.entry(id).or_insert_with(|| NamespaceFacts::new(id));
        namespace.holders.push(holder);
    }
    let mut namespaces: Vec<NamespaceFacts> = namespaces.into_values().collect();
    let mut names = None;
    for namespace in &mut namespaces {
        if let Some(creator) = namespace.creator {
            let names = names.get_or_insert_with(passwd::names);
            namespace.creator_name = names.get(&creator).cloned();
        }
        if let Some((uids, gids)) = id_maps.get(&namespace.id) {
            namespace.uid_map = Some(uids.clone());
            namespace.gid_map = Some(gids.clone());
        }
        namespace.initial = initials.contains(namespace.id, namespace.unique_id);
    }
    let (scope, gaps) = (*options.scope(), gaps.into_vec());
    let mut facts = Facts { host, scope, namespaces, processes, mounts, workloads, counts, gaps };
    facts.restrict();
    facts
}

/// The mount namespaces in which something of interest is mounted.
fn places(holders: &[(NamespaceId, Holder)]) -> impl Iterator<Item = NamespaceId> {
    holders.iter().filter_map(|(_, holder)| holder.mount_namespace())
}

/// A namespace that could not be opened where it was first seen, because that process was just
/// ending, may have others.
fn ask_again(context: &Context<'_>, processes: &[ProcessFacts]) {
    const TRIES: usize = 3;
    for id in context.resolver.unresolved() {
        let joined =
            |process: &&ProcessFacts| process.namespaces.get(id.namespace_type()) == Some(id);
        for process in processes.iter().filter(joined).take(TRIES) {
            context.resolver.meet(id, context.resolver.now(), || {
                context.proc.process(process.pid)?.open_namespace(id.namespace_type())
            });
        }
    }
}
