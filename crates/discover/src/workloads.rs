//! Workloads: the containers, units and machines that processes belong to, and their names.
//!
//! A cgroup path tells engine, kind and ID. Its components are worth as much as the owners of the
//! directories above them: root of the machine vouches for a name below root's directories, a user
//! for one below a directory of that user's. State files and command lines of supervisors add the
//! name, if the same authority stands behind them. No engine is asked.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use lxkns_model::{
    Engine, Evidence, Missing, Part, ProcessFacts, Reason, Text, Voucher, WorkloadFacts,
    WorkloadKind,
};
use lxkns_names::cgroup::{Mark, Role, mark};
use lxkns_names::state::{self, Entry};
use lxkns_names::supervisor::conmon;
use lxkns_ops::foreign::read_owned;
use lxkns_species::{NamespaceType, Pid, Uid};
use rustix::fs::{CWD, Mode, OFlags, fstat, fstatfs, openat};
use rustix::io::Errno;

use crate::context::Context;
use crate::describe;
use crate::gaps::reason;
use crate::passwd;
use crate::procfs::mountinfo::Table;
use crate::procfs::status;
use crate::timeouts::PATIENCE;

/// Limit for the size of a state file.
const FILE_LIMIT: usize = 4 * 1024 * 1024;

/// Finds the workloads of these processes, which are sorted by PID.
pub(crate) fn find(context: &Context<'_>, processes: &[ProcessFacts]) -> Vec<WorkloadFacts> {
    if !context.wanted.has(Part::Names) {
        return Vec::new();
    }
    let mut workloads = by_cgroup(processes);
    if workloads.is_empty() {
        return Vec::new();
    }
    let cgroups = Cgroups::open(context);
    let mut books = Books { context, processes, storages: HashMap::new(), homes: None };
    for (prefix, workload) in &mut workloads {
        if books.is_made_here(workload) {
            workload.vouched_by = cgroups.voucher(prefix);
        }
        books.complete(workload);
    }
    workloads.into_values().collect()
}

/// The workloads that cgroup paths name, by the path up to the component that names them.
fn by_cgroup(processes: &[ProcessFacts]) -> BTreeMap<&[u8], WorkloadFacts> {
    let mut workloads = BTreeMap::new();
    for process in processes.iter().filter(|process| !process.kernel_thread) {
        let Some(path) = process.cgroup.as_ref().map(Text::as_bytes) else { continue };
        let Some(mark) = mark(path).filter(|mark| mark.role == Role::Payload) else { continue };
        let prefix = path.get(..mark.end).unwrap_or(path);
        let workload = workloads.entry(prefix).or_insert_with(|| facts_of(mark, prefix));
        workload.processes.push(process.pid);
    }
    workloads
}

fn facts_of(mark: Mark, prefix: &[u8]) -> WorkloadFacts {
    let mut workload = WorkloadFacts::new(mark.engine, mark.kind);
    workload.id = mark.id;
    workload.name = mark.name;
    workload.pod = mark.pod;
    workload.unit = mark.unit;
    workload.evidence.push(Evidence::Cgroup(prefix.into()));
    workload
}

/// The root directories of all cgroup hierarchies that the scanner sees.
struct Cgroups(Vec<OwnedFd>);

impl Cgroups {
    fn open(context: &Context<'_>) -> Cgroups {
        let own = context.proc.own_process().ok().filter(|_| context.proc.is_ours());
        let Some(table) = own.and_then(|own| Table::of_task(&own).ok()) else {
            return Cgroups(Vec::new());
        };
        let is_cgroup = |fs_type: &[u8]| matches!(fs_type, b"cgroup" | b"cgroup2");
        let roots = table.mounts().filter(|mount| is_cgroup(mount.fs_type) && *mount.root == *b"/");
        let open = |path: &[u8]| {
            let directory = openat(CWD, path, DIRECTORY, Mode::empty()).ok()?;
            // Another file system may be mounted over it.
            let is_cgroup = matches!(fstatfs(&directory).ok()?.f_type as u64, CGROUP | CGROUP2);
            is_cgroup.then_some(directory)
        };
        Cgroups(roots.filter_map(|mount| open(&mount.mount_point)).collect())
    }

    /// The authority behind the last component of a path: the owner of the directories above it,
    /// in whatever hierarchy it is.
    fn voucher(&self, path: &[u8]) -> Voucher {
        let mut vouchers = self.0.iter().filter_map(|root| voucher_in(root, path));
        let first = vouchers.next();
        match first {
            Some(voucher) if vouchers.all(|other| other == voucher) => voucher,
            _ => Voucher::Nobody,
        }
    }
}

const DIRECTORY: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// `CGROUP_SUPER_MAGIC` and `CGROUP2_SUPER_MAGIC` of linux/magic.h.
const CGROUP: u64 = 0x0027_e0eb;
const CGROUP2: u64 = 0x6367_7270;

/// The authority behind the last component of a path in one hierarchy; `None` if it is not there.
fn voucher_in(root: &OwnedFd, path: &[u8]) -> Option<Voucher> {
    let mut voucher = Voucher::Machine;
    let mut opened: Option<OwnedFd> = None;
    for component in path.split(|byte| *byte == b'/').filter(|it| !it.is_empty()) {
        let above = opened.as_ref().unwrap_or(root);
        match (voucher, owner(above)) {
            (Voucher::Machine, Some(owner)) => voucher = owner,
            (_, Some(_)) => {}
            (_, None) => voucher = Voucher::Nobody,
        }
        match openat(above, component, DIRECTORY, Mode::empty()) {
            Ok(directory) => opened = Some(directory),
            Err(Errno::NOENT) => return None,
            Err(_) => return Some(Voucher::Nobody),
        }
    }
    Some(voucher)
}

/// The only user who may create files in a directory; `None` if others may as well.
fn owner(directory: &OwnedFd) -> Option<Voucher> {
    let stat = fstat(directory).ok()?;
    let is_for_others = stat.st_mode & 0o002 != 0;
    let is_for_group = stat.st_mode & 0o020 != 0 && stat.st_gid != 0;
    match stat.st_uid {
        _ if is_for_others || is_for_group => None,
        0 => Some(Voucher::Machine),
        uid => Some(Voucher::User(Uid(uid))),
    }
}

/// The books of the engines, as far as they have been read.
struct Books<'s> {
    context: &'s Context<'s>,
    processes: &'s [ProcessFacts],
    /// The containers in a folder of containers/storage.
    storages: HashMap<PathBuf, Result<Vec<Entry>, Reason>>,
    homes: Option<HashMap<Uid, PathBuf>>,
}

impl Books<'_> {
    /// Adds the name of a container, where its cgroup has only its ID.
    fn complete(&mut self, workload: &mut WorkloadFacts) {
        let is_container = workload.kind == WorkloadKind::Container && workload.name.is_none();
        let Some(id) = workload.id.clone().filter(|_| is_container) else { return };
        let found = match (workload.engine, workload.vouched_by) {
            (_, Voucher::Nobody) => return,
            (Engine::Docker, Voucher::Machine) => self.of_docker(&id),
            (Engine::Podman, voucher) => self.of_podman(&id, voucher),
            _ => return,
        };
        let why = match found {
            Ok((entry, path)) => {
                workload.name = Some(entry.name);
                workload.image = entry.image;
                workload.evidence.push(Evidence::File(path_text(&path)));
                return;
            }
            Err(why) => why,
        };
        match self.by_conmon(workload, &id) {
            Some((pid, name)) => {
                workload.name = Some(name);
                workload.supervisor = Some(pid);
                workload.evidence.push(Evidence::Supervisor(pid));
            }
            None => {
                let id = id.to_string_lossy();
                let short: String = id.chars().take(12).collect();
                let example = format!("{} container {short}", workload.engine);
                self.context.gaps.add(Missing::Names, why, example);
            }
        }
    }

    /// Whether the program that made a workload runs in the scanner's PID namespace: the parent of
    /// the workload's first process does. If not, the program runs in a container, whose root may
    /// look like root of the machine, and may make cgroups of any name.
    fn is_made_here(&self, workload: &WorkloadFacts) -> bool {
        let Some(first) = self.first_of(workload) else { return false };
        let is_parent_here = match first.ppid {
            // Even farther outside.
            Some(Pid(0)) => true,
            Some(parent) => self.is_beside_scanner(parent),
            None => false,
        };
        // The processes of a unit are in no PID namespace of their own.
        is_parent_here && (workload.kind != WorkloadKind::Unit || self.is_beside_scanner(first.pid))
    }

    /// Whether a process has a single PID, that of the scanner's PID namespace.
    fn is_beside_scanner(&self, pid: Pid) -> bool {
        if let Some(pids) = self.process(pid).and_then(|process| process.pids.as_ref()) {
            return pids.len() == 1;
        }
        let mut buffer = [0; 4096];
        let dir = self.context.proc.process(pid);
        let read = dir.and_then(|dir| dir.read_whole(c"status", &mut buffer).map(Cow::into_owned));
        read.is_ok_and(|status| status::parse(&status).pids.count() == 1)
    }

    /// The process of a workload that started first.
    fn first_of(&self, workload: &WorkloadFacts) -> Option<&ProcessFacts> {
        let members = workload.processes.iter().filter_map(|pid| self.process(*pid));
        members.min_by_key(|it| (it.start_time.unwrap_or(u64::MAX), it.pid))
    }

    fn of_docker(&self, id: &Text) -> Result<(Entry, PathBuf), Reason> {
        let id_text = id.to_str().ok_or(Reason::Malformed)?;
        let path = Path::new("/var/lib/docker/containers").join(id_text).join("config.v2.json");
        let entry = state::docker(&read(&path, Uid(0))?).ok_or(Reason::Malformed)?;
        if entry.id == *id { Ok((entry, path)) } else { Err(Reason::Malformed) }
    }

    fn of_podman(&mut self, id: &Text, voucher: Voucher) -> Result<(Entry, PathBuf), Reason> {
        let (folder, owner) = match voucher {
            Voucher::User(uid) => {
                let homes = self.homes.get_or_insert_with(passwd::homes);
                let home = homes.get(&uid).ok_or(Reason::NobodyToAsk)?;
                (home.join(".local/share/containers"), uid)
            }
            _ => (PathBuf::from("/var/lib/containers"), Uid(0)),
        };
        let path = folder.join("storage/overlay-containers/containers.json");
        let entries = self.storages.entry(path.clone()).or_insert_with(|| {
            let file = read(&path, owner)?;
            state::containers_storage(&file).ok_or(Reason::Malformed)
        });
        let entries = entries.as_ref().map_err(Clone::clone)?;
        let entry = entries.iter().find(|entry| entry.id == *id).ok_or(Reason::NobodyToAsk)?;
        Ok((entry.clone(), path))
    }

    /// The conmon of a container and the name that it gives: it is the parent of the container's
    /// first process, outside of all containers, and of the user who vouches for the container.
    fn by_conmon(&self, workload: &WorkloadFacts, id: &Text) -> Option<(Pid, Text)> {
        let first = self.first_of(workload)?;
        let (dir, parent) = describe::again(self.context, self.process(first.ppid?)?)?;
        // A user can run a program of root's under any name, but cannot choose the file.
        let is_conmon = |exe: &[u8]| exe.rsplit(|byte| *byte == b'/').next() == Some(b"conmon");
        if dir.program().is_ok_and(|exe| !is_conmon(&exe)) {
            return None;
        }
        let euid = self.context.uids.known(dir.effective_uid().ok()?);
        let is_inside = |mark: Mark| mark.role == Role::Payload && mark.kind != WorkloadKind::Unit;
        let cgroup = parent.cgroup.as_ref()?;
        if mark(cgroup.as_bytes()).is_some_and(is_inside) {
            return None;
        }
        let own = self.process(self.context.own_pid?)?.namespaces;
        // Without privileges, its namespaces are not known; its UID is.
        let is_beside_us = [NamespaceType::User, NamespaceType::Pid].into_iter().all(|ns_type| {
            let its = parent.namespaces.get(ns_type);
            its.is_none() || its == own.get(ns_type)
        });
        let vouches = match workload.vouched_by {
            Voucher::Machine => euid == Some(Uid(0)) && is_beside_us,
            Voucher::User(uid) => euid == Some(uid),
            Voucher::Nobody => false,
        };
        let cmdline = describe::cmdline_in(dir.folder(), c"cmdline").ok()?;
        let told = conmon(&cmdline.arguments)?;
        (vouches && told.id == *id).then_some((parent.pid, told.name))
    }

    fn process(&self, pid: Pid) -> Option<&ProcessFacts> {
        let at = self.processes.binary_search_by_key(&pid, |process| process.pid).ok()?;
        self.processes.get(at)
    }
}

/// Reads a state file that only root and this user can have written.
fn read(path: &Path, owner: Uid) -> Result<Vec<u8>, Reason> {
    match read_owned(path, owner, FILE_LIMIT, PATIENCE) {
        Ok(Some(file)) if file.len() < FILE_LIMIT => Ok(file),
        Ok(Some(_)) => Err(Reason::Limit),
        Ok(None) => Err(Reason::Failed),
        Err(Errno::NOENT) => Err(Reason::NobodyToAsk),
        Err(errno) => Err(reason(errno)),
    }
}

fn path_text(path: &Path) -> Text {
    Text::from(path.as_os_str().as_encoded_bytes())
}
