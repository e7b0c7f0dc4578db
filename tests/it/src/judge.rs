//! Judging what a scan says of neighbours by what they have written down.
//!
//! A scan takes time, so it shows no single moment. What it says must have been true at some time
//! while it ran: the time of the fact, from before it can have become true until after it has
//! ceased to be, and the time of the scan must have a moment in common.
//!
//! Only what is said of the neighbours' own processes, threads and mount points is judged: that
//! they are in these namespaces, and in all of them at one moment; that these namespaces have this
//! owner and this unique ID; and that two of them share one.

use std::collections::{BTreeSet, HashMap};

use lxkns_model::{
    FileKind, Holder, Joined, MountKind, Namespace, Process, Snapshot, Text, ThreadFacts,
};
use lxkns_nstest::{Entry, Fact, Neighbours};
use lxkns_species::NamespaceType::{Mnt, Pid as PidType, User};
use lxkns_species::{NamespaceId, Pid};

/// From when to when something was so; without an end, it still is.
#[derive(Clone, Copy, Debug)]
struct Time {
    from: u64,
    to: Option<u64>,
}

impl Time {
    fn meets(self, scan: (u64, u64)) -> bool {
        self.from <= scan.1 && self.to.is_none_or(|to| to >= scan.0)
    }
}

/// What a neighbour has found out about a namespace that it joined; 0 is unknown.
#[derive(Clone, Copy, Debug)]
struct Identity {
    unique_id: u64,
    owner: u64,
}

#[derive(Debug)]
struct Known {
    fact: Fact,
    id: NamespaceId,
    time: Time,
    identity: Option<Identity>,
}

#[derive(Debug)]
struct Life {
    of: u32,
    pid: Pid,
    tid: Pid,
    start_time: u64,
    time: Time,
    facts: Vec<Known>,
    credentials: Vec<Credentials>,
    /// The user namespace that it has created, and with which UID.
    created: Option<(u64, u32)>,
}

/// Effective UID and capabilities, if known, and when it had them.
#[derive(Clone, Copy, Debug)]
struct Credentials {
    is: Option<(u32, u64)>,
    time: Time,
}

impl Life {
    fn was(&self, fact: Fact, namespace: NamespaceId, scan: (u64, u64)) -> bool {
        self.when(fact, namespace, scan).next().is_some()
    }

    fn when(
        &self,
        fact: Fact,
        namespace: NamespaceId,
        scan: (u64, u64),
    ) -> impl Iterator<Item = &Known> {
        let is = move |known: &&Known| {
            known.fact == fact && known.id == namespace && known.time.meets(scan)
        };
        self.facts.iter().filter(is)
    }

    /// Whether it was in all of these namespaces at one moment of the scan.
    ///
    /// What it has moved into at once has begun at the same time. So each beginning, with what was
    /// there before and has not been left for it, is a set that was.
    fn was_in_set(&self, set: &Joined, scan: (u64, u64)) -> bool {
        let joined = || self.facts.iter().filter(|known| known.fact == Fact::Joined);
        let beginnings: BTreeSet<u64> = joined().map(|known| known.time.from).collect();
        beginnings.into_iter().filter(|moment| *moment <= scan.1).any(|moment| {
            set.iter().all(|id| {
                let same = |known: &&Known| {
                    known.id.namespace_type() == id.namespace_type() && known.time.from <= moment
                };
                let last = joined().filter(same).max_by_key(|known| known.time.from);
                last.is_some_and(|last| last.id == id && last.time.meets(scan))
            })
        })
    }
}

#[derive(Debug)]
struct Copy {
    from: u64,
    to: u64,
    time: Time,
}

/// What is known of the neighbours.
#[derive(Debug, Default)]
pub struct Judge {
    lives: HashMap<u32, Life>,
    copies: Vec<Copy>,
}

/// How much was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Processes and threads joined to namespaces.
    pub joined: usize,
    /// Other holders that are processes or threads.
    pub held: usize,
    /// Bind mounts.
    pub mounted: usize,
    /// Owners and unique IDs of namespaces, each for one of those who have joined it.
    pub identified: usize,
    /// Namespaces that several have joined.
    pub shared: usize,
    /// Processes, each in all of its namespaces at once.
    pub sets: usize,
    /// Effective UIDs, each with the effective capabilities.
    pub credentials: usize,
    /// Creators of user namespaces.
    pub created: usize,
}

impl Judged {
    /// Adds another one.
    pub fn add(&mut self, other: Judged) {
        self.joined += other.joined;
        self.held += other.held;
        self.mounted += other.mounted;
        self.identified += other.identified;
        self.shared += other.shared;
        self.sets += other.sets;
        self.credentials += other.credentials;
        self.created += other.created;
    }

    /// All that was judged.
    pub fn pairs(&self) -> usize {
        self.joined + self.held + self.mounted
    }
}

impl Judge {
    /// Adds what the neighbours have written.
    pub fn learn(&mut self, entries: &[Entry]) {
        // Parents write down what has become of their children, and maybe before these have.
        let is_birth = |entry: &&Entry| matches!(entry, Entry::Born { .. });
        let (births, others): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(is_birth);
        births.into_iter().chain(others).for_each(|entry| self.note(entry));
    }

    fn note(&mut self, entry: &Entry) {
        match *entry {
            Entry::Born { who, of, pid, tid, start_time, at } => {
                let time = Time { from: at, to: None };
                let life = Life {
                    of,
                    pid,
                    tid,
                    start_time,
                    time,
                    facts: Vec::new(),
                    credentials: Vec::new(),
                    created: None,
                };
                self.lives.insert(who, life);
            }
            Entry::Began { who, fact, namespace, at } => {
                if let Some(life) = self.lives.get_mut(&who) {
                    let time = Time { from: at, to: None };
                    life.facts.push(Known { fact, id: namespace, time, identity: None });
                }
            }
            Entry::Ceased { who, fact, namespace, at } => {
                let facts = self.lives.get_mut(&who).map(|life| &mut life.facts);
                let is = |known: &&mut Known| {
                    known.fact == fact && known.id == namespace && known.time.to.is_none()
                };
                if let Some(known) = facts.into_iter().flatten().find(is) {
                    known.time.to = Some(at);
                }
            }
            Entry::Asked { who, namespace, unique_id, owner } => {
                let facts = self.lives.get_mut(&who).map(|life| &mut life.facts);
                let is = |known: &&mut Known| known.fact == Fact::Joined && known.id == namespace;
                if let Some(known) = facts.into_iter().flatten().rfind(is) {
                    known.identity = Some(Identity { unique_id, owner });
                }
            }
            Entry::Credentials { who, now, before, after } => {
                if let Some(life) = self.lives.get_mut(&who) {
                    if let Some(earlier) = life.credentials.last_mut() {
                        earlier.time.to = Some(after);
                    }
                    let time = Time { from: before, to: None };
                    life.credentials.push(Credentials { is: now, time });
                }
            }
            Entry::Created { who, user_namespace, euid } => {
                if let Some(life) = self.lives.get_mut(&who) {
                    life.created = Some((user_namespace, euid));
                }
            }
            Entry::Copied { from, to, began, ended } => {
                let time = Time { from: began, to: Some(ended) };
                self.copies.push(Copy { from, to, time });
            }
            Entry::Died { who, at } => self.ends(who, at, |fact, namespace| {
                fact != Fact::Joined || !matches!(namespace.namespace_type(), User | PidType)
            }),
            Entry::Gone { who, at } => {
                self.ends(who, at, |_, _| true);
                for life in self.lives.values_mut() {
                    if life.of == who {
                        life.time.to.get_or_insert(at);
                    }
                }
                if let Some(life) = self.lives.get_mut(&who) {
                    life.time.to.get_or_insert(at);
                }
            }
        }
    }

    /// Ends facts of a process and its threads, or of a thread.
    fn ends(&mut self, who: u32, at: u64, which: impl Fn(Fact, NamespaceId) -> bool) {
        let concerned = |(known, life): &(&u32, &mut Life)| **known == who || life.of == who;
        for (_, life) in self.lives.iter_mut().filter(concerned) {
            for known in &mut life.facts {
                if which(known.fact, known.id) {
                    known.time.to.get_or_insert(at);
                }
            }
        }
    }

    /// Forgets what had ceased to be true before this time.
    pub fn forget_before(&mut self, at: u64) {
        let is_past = |time: Time| time.to.is_some_and(|to| to < at);
        self.lives.retain(|_, life| !is_past(life.time));
        for life in self.lives.values_mut() {
            life.facts.retain(|known| !is_past(known.time));
            life.credentials.retain(|known| !is_past(known.time));
        }
        self.copies.retain(|copy| !is_past(copy.time));
    }

    /// Judges a scan that ran from the first to the second time; or names what was never true.
    ///
    /// # Errors
    ///
    /// What was not true, one line each.
    pub fn judge(
        &self,
        neighbours: &Neighbours,
        snapshot: &Snapshot,
        scan: (u64, u64),
    ) -> Result<Judged, Vec<String>> {
        let mut by_tid: HashMap<Pid, Vec<&Life>> = HashMap::new();
        for life in self.lives.values().filter(|life| life.time.meets(scan)) {
            by_tid.entry(life.tid).or_default().push(life);
        }
        let mut hearing =
            Hearing { judge: self, by_tid, scan, judged: Judged::default(), lies: Vec::new() };
        for process in snapshot.processes() {
            hearing.process(process);
        }
        for namespace in snapshot.namespaces() {
            hearing.shares(namespace);
            for holder in namespace.holders() {
                hearing.holder(neighbours, namespace.id(), holder);
            }
        }
        match hearing.lies.is_empty() {
            true => Ok(hearing.judged),
            false => Err(hearing.lies),
        }
    }

    /// Whether something was mounted there at some time.
    fn was_mounted(&self, here: u64, path: u32, id: NamespaceId, scan: (u64, u64)) -> bool {
        let fact = Fact::Mounted(here, path);
        self.lives.values().any(|life| life.was(fact, id, scan))
            || self.copies.iter().any(|copy| {
                let (from, to) = (copy.time.from, copy.time.to.unwrap_or(u64::MAX));
                // Copied from what was there then, which is before the copy was cleared.
                copy.to == here
                    && copy.from != here
                    && copy.time.meets(scan)
                    && self.was_mounted(copy.from, path, id, (from, to))
            })
    }
}

/// One scan is judged.
struct Hearing<'j> {
    judge: &'j Judge,
    /// All who lived during the scan.
    by_tid: HashMap<Pid, Vec<&'j Life>>,
    scan: (u64, u64),
    judged: Judged,
    lies: Vec<String>,
}

impl<'j> Hearing<'j> {
    /// Those who had this number, and started then if that is known.
    fn lives(&self, pid: Pid, tid: Pid, start_time: Option<u64>) -> Vec<&'j Life> {
        let lives = self.by_tid.get(&tid).into_iter().flatten().copied();
        let is = |life: &&Life| {
            life.pid == pid && start_time.is_none_or(|start_time| start_time == life.start_time)
        };
        lives.filter(is).collect()
    }

    fn process(&mut self, process: Process<'_>) {
        let pid = process.pid();
        let lives = self.lives(pid, pid, process.start_time());
        for id in process.joined().iter() {
            self.joined(&lives, id, || format!("{process:?}"));
            if let Some(namespace) = process.namespace(id.namespace_type()) {
                self.identified(&lives, namespace, process);
            }
        }
        if !lives.is_empty() {
            self.judged.sets += 1;
            if !lives.iter().any(|life| life.was_in_set(process.joined(), self.scan)) {
                let truth = self.truth(&lives, |fact| fact == Fact::Joined, None);
                self.lies.push(format!("{process:?} in {:?} at once: {truth}", process.joined()));
            }
        }
        self.credentials(&lives, process);
        self.created(&lives, process);
        for thread in process.threads() {
            self.thread(pid, thread);
        }
    }

    /// UID and capabilities must have been so at one moment.
    fn credentials(&mut self, lives: &[&Life], process: Process<'_>) {
        let scan = self.scan;
        let had: Vec<Credentials> = (lives.iter().flat_map(|life| &life.credentials))
            .filter(|known| known.time.meets(scan))
            .copied()
            .collect();
        let said = process.euid().zip(process.effective_capabilities());
        let (Some((euid, effective)), false) = (said, had.is_empty()) else {
            return;
        };
        if had.iter().any(|known| known.is.is_none()) {
            return;
        }
        self.judged.credentials += 1;
        let said = (euid.0, effective.bits());
        if !had.iter().any(|known| known.is == Some(said)) {
            self.lies.push(format!("{process:?} with {said:x?} at once: {scan:?}, but {had:x?}"));
        }
    }

    /// The creator of a user namespace is the UID that its first member had.
    fn created(&mut self, lives: &[&Life], process: Process<'_>) {
        let user = process.namespace(User);
        let said = user.and_then(|user| Some((user.id().inode(), user.creator()?.0)));
        let [life] = lives else {
            return;
        };
        // It is in there for good.
        if let (Some(said), Some(created)) = (said, life.created)
            && said.0 == created.0
        {
            self.judged.created += 1;
            if said != created {
                self.lies.push(format!("{process:?}: {user:?} created by {said:?}: {created:?}"));
            }
        }
    }

    /// What it may have been, as far as the neighbours know: `None` if they do not.
    fn identities(&self, lives: &[&Life], id: NamespaceId) -> Option<Vec<Identity>> {
        let known = lives.iter().flat_map(|life| life.when(Fact::Joined, id, self.scan));
        let all: Option<Vec<Identity>> = known.map(|known| known.identity).collect();
        all.filter(|all| !all.is_empty())
    }

    fn identified(&mut self, lives: &[&Life], namespace: Namespace<'_>, process: Process<'_>) {
        let Some(identities) = self.identities(lives, namespace.id()) else {
            return;
        };
        self.judged.identified += 1;
        let agree = |said: Option<u64>, known: u64| known == 0 || said.is_none_or(|it| it == known);
        let owner = match namespace.namespace_type() {
            User => namespace.parent().known(),
            _ => namespace.owner(),
        };
        let owner = owner.map(|owner| owner.id().inode());
        let is_right = |identity: &Identity| {
            agree(owner, identity.owner) && agree(namespace.unique_id(), identity.unique_id)
        };
        if !identities.iter().any(is_right) {
            let unique_id = namespace.unique_id();
            self.lies.push(format!(
                "{process:?} in {namespace:?} with owner {owner:?} and id {unique_id:?}: {identities:?}"
            ));
        }
    }

    /// All who are said to be in a namespace must have been in the same one.
    fn shares(&mut self, namespace: Namespace<'_>) {
        let mut common: Option<BTreeSet<u64>> = None;
        let mut members = Vec::new();
        for process in namespace.processes() {
            let lives = self.lives(process.pid(), process.pid(), process.start_time());
            let Some(identities) = self.identities(&lives, namespace.id()) else {
                continue;
            };
            let ids: BTreeSet<u64> = identities.iter().map(|it| it.unique_id).collect();
            if ids.contains(&0) {
                continue;
            }
            members.push((process, ids.clone()));
            common = Some(match common {
                Some(common) => common.intersection(&ids).copied().collect(),
                None => ids,
            });
        }
        if members.len() < 2 {
            return;
        }
        self.judged.shared += 1;
        if common.is_some_and(|common| common.is_empty()) {
            self.lies.push(format!("{namespace:?} shared by {members:?}"));
        }
    }

    fn thread(&mut self, pid: Pid, thread: &ThreadFacts) {
        let lives = self.lives(pid, thread.tid, thread.start_time);
        for id in thread.namespaces.iter() {
            self.joined(&lives, id, || format!("thread {} of {pid}", thread.tid));
        }
    }

    fn joined(&mut self, lives: &[&Life], id: NamespaceId, who: impl Fn() -> String) {
        if lives.is_empty() {
            return;
        }
        self.judged.joined += 1;
        if !lives.iter().any(|life| life.was(Fact::Joined, id, self.scan)) {
            let truth = self.truth(lives, |fact| fact == Fact::Joined, Some(id));
            self.lies.push(format!("{} in {id}: {truth}", who()));
        }
    }

    fn holder(&mut self, neighbours: &Neighbours, id: NamespaceId, holder: &Holder) {
        let (pid, tid, fact) = match holder {
            Holder::Thread { pid, tid } => (*pid, Some(*tid), Fact::Joined),
            Holder::PendingChildren { pid, tid } => (*pid, *tid, Fact::Pending),
            Holder::File { kind: FileKind::Namespace, pid, tid, fd } => (*pid, *tid, Fact::Fd(*fd)),
            Holder::File { kind: FileKind::Socket, pid, tid, fd } => {
                (*pid, *tid, Fact::Socket(*fd))
            }
            Holder::Mount { kind: MountKind::Bind, mount_namespace: Some(here), path } => {
                return self.mounted(neighbours, id, *here, path);
            }
            _ => return,
        };
        let lives = self.lives(pid, tid.unwrap_or(pid), None);
        if lives.is_empty() {
            return;
        }
        self.judged.held += 1;
        if !lives.iter().any(|life| life.was(fact, id, self.scan)) {
            let truth = self.truth(&lives, |known| known == fact, Some(id));
            let processes = self.lives(pid, pid, None);
            let whole = self.truth(&processes, |known| known == fact, Some(id));
            self.lies.push(format!("{holder:?} of {id}: {truth}; the process {whole}"));
        }
    }

    fn mounted(&mut self, neighbours: &Neighbours, id: NamespaceId, here: NamespaceId, at: &Text) {
        let Some(path) = neighbours.number_of(at.as_bytes()) else {
            return;
        };
        self.judged.mounted += 1;
        if here.namespace_type() != Mnt
            || !self.judge.was_mounted(here.inode(), path, id, self.scan)
        {
            self.lies.push(format!("{id} mounted in {here} at {path}"));
        }
    }

    /// What comes closest to it.
    fn truth(&self, lives: &[&Life], is: impl Fn(Fact) -> bool, id: Option<NamespaceId>) -> String {
        let alike = |known: &&Known| match id {
            Some(id) => {
                known.id == id || is(known.fact) && known.id.namespace_type() == id.namespace_type()
            }
            None => is(known.fact),
        };
        let facts: Vec<_> = lives
            .iter()
            .map(|life| (life, life.facts.iter().filter(alike).collect::<Vec<_>>()))
            .map(|(life, facts)| {
                format!("{} of {} {:?} {facts:?}", life.start_time, life.of, life.time)
            })
            .collect();
        format!("scanned {:?}, but {facts:?}", self.scan)
    }
}
