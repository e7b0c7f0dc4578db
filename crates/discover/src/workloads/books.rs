//! The books of the engines: the name of a container, by its ID.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lxkns_model::{Engine, Evidence, Missing, Reason, Text, Voucher, WorkloadFacts, WorkloadKind};
use lxkns_names::cgroup::{Role, mark};
use lxkns_names::state::{self, Entry};
use lxkns_names::supervisor::conmon;
use lxkns_ops::foreign::read_owned;
use lxkns_species::{NamespaceType, Pid, Uid};
use rustix::io::Errno;

use super::members::Members;
use crate::context::Context;
use crate::describe;
use crate::gaps::reason;
use crate::passwd;
use crate::timeouts::{PATIENCE, TOTAL_PATIENCE};

/// Limit for the size of a state file.
const FILE_LIMIT: usize = 4 * 1024 * 1024;

/// The books, as far as they have been read.
pub(super) struct Books<'s> {
    context: &'s Context<'s>,
    members: Members<'s>,
    /// The containers in a folder of containers/storage, by ID.
    storages: HashMap<PathBuf, Result<HashMap<Text, Entry>, Reason>>,
    homes: Option<HashMap<Uid, PathBuf>>,
    /// The time left for all files together.
    patience: Duration,
}

impl<'s> Books<'s> {
    pub(super) fn new(context: &'s Context<'s>, members: Members<'s>) -> Books<'s> {
        let (storages, homes) = (HashMap::new(), None);
        Books { context, members, storages, homes, patience: TOTAL_PATIENCE }
    }

    /// Adds the name of a container, where its cgroup has only its ID.
    pub(super) fn complete(&mut self, workload: &mut WorkloadFacts) {
        let is_container = workload.kind == WorkloadKind::Container && workload.name.is_none();
        let Some(id) = workload.id.clone().filter(|_| is_container) else { return };
        let found = match (workload.engine, workload.vouched_by) {
            // An ID without an authority may be any other container's.
            (_, Voucher::Nobody) => return,
            (Engine::Docker, Voucher::Machine) => self.of_docker(&id),
            (Engine::Podman, voucher) => self.of_podman(&id, voucher),
            _ => Err(Reason::Unsupported),
        };
        let why = match found {
            Ok((entry, path)) => {
                workload.name = Some(entry.name);
                workload.image = entry.image;
                let path = Text::from(path.as_os_str().as_encoded_bytes());
                workload.evidence.push(Evidence::File(path));
                return;
            }
            Err(why) => why,
        };
        if let Some((pid, name)) = self.by_conmon(workload, &id) {
            workload.name = Some(name);
            workload.supervisor = Some(pid);
            workload.evidence.push(Evidence::Supervisor(pid));
        }
        // Also with a name of the conmon's: it may be an old one.
        let short: String = id.to_string_lossy().chars().take(12).collect();
        self.context.gaps.add(Missing::Names, why, format!("{} {short}", workload.engine));
    }

    fn of_docker(&mut self, id: &Text) -> Result<(Entry, PathBuf), Reason> {
        let id_text = id.to_str().ok_or(Reason::Malformed)?;
        let path = Path::new("/var/lib/docker/containers").join(id_text).join("config.v2.json");
        let entry = state::docker(&self.read(&path, Uid(0))?).ok_or(Reason::Malformed)?;
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
        let folder = folder.join("storage/overlay-containers");
        if !self.storages.contains_key(&folder) {
            let read = self.storage(&folder, owner);
            self.storages.insert(folder.clone(), read);
        }
        match self.storages.get(&folder) {
            Some(Ok(entries)) => {
                let entry = entries.get(id).ok_or(Reason::NobodyToAsk)?.clone();
                Ok((entry, folder))
            }
            Some(Err(why)) => Err(why.clone()),
            None => Err(Reason::Failed),
        }
    }

    /// The containers in a folder: those that last, and those that go when they end.
    fn storage(&mut self, folder: &Path, owner: Uid) -> Result<HashMap<Text, Entry>, Reason> {
        let lasting = self.read(&folder.join("containers.json"), owner)?;
        let passing = match self.read(&folder.join("volatile-containers.json"), owner) {
            Ok(file) => file,
            Err(Reason::NobodyToAsk) => b"[]".to_vec(),
            Err(why) => return Err(why),
        };
        let parse = |file: &[u8]| state::containers_storage(file).ok_or(Reason::Malformed);
        let entries = parse(&lasting)?.into_iter().chain(parse(&passing)?);
        Ok(entries.map(|entry| (entry.id.clone(), entry)).collect())
    }

    /// Reads a state file that only root and this user can have written.
    fn read(&mut self, path: &Path, owner: Uid) -> Result<Vec<u8>, Reason> {
        if self.patience.is_zero() {
            return Err(Reason::TimedOut);
        }
        let start = Instant::now();
        let read = read_owned(path, owner, FILE_LIMIT, PATIENCE.min(self.patience));
        if read == Err(Errno::TIMEDOUT) {
            self.patience = self.patience.saturating_sub(start.elapsed());
        }
        match read {
            Ok(Some(file)) if file.len() < FILE_LIMIT => Ok(file),
            Ok(Some(_)) => Err(Reason::Limit),
            Ok(None) => Err(Reason::Failed),
            Err(Errno::NOENT) => Err(Reason::NobodyToAsk),
            Err(errno) => Err(reason(errno)),
        }
    }

    /// The conmon of a container and the name that it gives: it is the parent of the container's
    /// first process, outside of all containers, and of the user who vouches for the container.
    fn by_conmon(&self, workload: &WorkloadFacts, id: &Text) -> Option<(Pid, Text)> {
        let parent = self.members.first_of(workload)?.ppid?;
        let (dir, parent) = describe::again(self.context, self.members.process(parent)?)?;
        // A user can run a program of root's under any name, but cannot choose the file.
        let is_conmon = |exe: &[u8]| {
            let exe = exe.strip_suffix(b" (deleted)").unwrap_or(exe);
            exe.rsplit(|byte| *byte == b'/').next() == Some(b"conmon")
        };
        if dir.program().is_ok_and(|exe| !is_conmon(&exe)) {
            return None;
        }
        let euid = self.context.uids.known(dir.effective_uid().ok()?);
        let cgroup = parent.cgroup.as_ref()?;
        if mark(cgroup.as_bytes())
            .is_some_and(|mark| mark.role == Role::Payload && mark.kind != WorkloadKind::Unit)
        {
            return None;
        }
        let own = self.members.process(self.context.own_pid?)?.namespaces;
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
}
