//! What a namespace is called besides its id: who leads it, or why it is alive without anybody.

use lxkns_model::{
    FileKind, Holder, MountKind, Namespace, Process, Snapshot, Text, ThreadFacts, Voucher,
    Workload, WorkloadKind,
};
use lxkns_species::{NamespaceId, NamespaceType, Pid};

use super::escape::quoted;
use super::line::Line;
use super::role::Role;

/// Which of a process's names to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ProcessName {
    /// its name, as in /proc/PID/comm
    #[default]
    Name,
    /// the last part of its program's path, as it was called
    Basename,
    /// its program's path, as it was called
    Exe,
}

/// How to show cgroup paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CgroupPath {
    /// as they are
    #[default]
    #[value(alias = "complete")]
    Full,
    /// container ids of 64 hexadecimal digits cut to the first 12
    Short,
}

/// How to name things.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Labels {
    pub(crate) process: ProcessName,
    pub(crate) cgroup: CgroupPath,
    pub(crate) icons: bool,
    pub(crate) all_leaders: bool,
}

impl Labels {
    /// `net:[4026531840]`, perhaps with an icon before it.
    pub(crate) fn id(self, id: NamespaceId) -> Line {
        let icon = match id.namespace_type() {
            _ if !self.icons => "",
            NamespaceType::Cgroup => "🔧 ",
            NamespaceType::Ipc => "📨 ",
            NamespaceType::Mnt => "📁 ",
            NamespaceType::Net => "🌐 ",
            NamespaceType::Pid => "🏃 ",
            NamespaceType::Time => "⏰ ",
            NamespaceType::User => "👤 ",
            NamespaceType::Uts => "💻 ",
        };
        let mut line = Line::default();
        line.plain(icon).push(Role::Namespace(id.namespace_type()), id);
        line
    }

    /// A namespace with its label.
    pub(crate) fn namespace(self, snapshot: &Snapshot, namespace: Namespace<'_>) -> Line {
        let mut line = self.id(namespace.id());
        line.plain(" ").append(self.label(snapshot, namespace));
        line
    }

    /// A user namespace with its label and creator.
    pub(crate) fn user_namespace(self, snapshot: &Snapshot, namespace: Namespace<'_>) -> Line {
        let mut line = self.namespace(snapshot, namespace);
        line.plain(" created by ").append(user(namespace));
        line
    }

    /// The label: leaders, else the first reason that applies.
    fn label(self, snapshot: &Snapshot, namespace: Namespace<'_>) -> Line {
        let mut line = Line::default();
        let leaders = self.leaders(namespace);
        if leaders.is_empty() {
            return self.reason(snapshot, namespace);
        }
        for (at, leader) in leaders.into_iter().enumerate() {
            line.plain(if at == 0 { "process " } else { ", process " });
            line.append(self.process(leader)).append(doubt(namespace));
            line.append(self.belonging(leader));
        }
        line
    }

    /// The leaders to show: the most senior one, or all of them by PID.
    pub(crate) fn leaders(self, namespace: Namespace<'_>) -> Vec<Process<'_>> {
        let shown = if self.all_leaders { usize::MAX } else { 1 };
        let mut leaders: Vec<_> = namespace.leaders().take(shown).collect();
        leaders.sort_by_key(|leader| leader.pid());
        leaders
    }

    /// `"systemd" (1)`.
    pub(crate) fn process(self, process: Process<'_>) -> Line {
        let mut line = self.process_name(process);
        line.push(Role::Process, format_args!(" ({})", process.pid()));
        line
    }

    /// `"systemd"`.
    pub(crate) fn process_name(self, process: Process<'_>) -> Line {
        let program = process
            .cmdline()
            .and_then(|cmdline| cmdline.arguments.first())
            .map(Text::as_bytes)
            .filter(|program| !program.is_empty());
        let name = match (self.process, program) {
            (ProcessName::Basename, Some(program)) => Some(basename(program)),
            (ProcessName::Exe, Some(program)) => Some(program),
            _ => process.comm().map(Text::as_bytes),
        };
        let mut line = Line::default();
        match name {
            Some(name) => line.push(Role::Process, quoted(name)),
            None => line.push(Role::Unknown, "?"),
        };
        line
    }

    /// ` in container "web" of podman`, or ` controlled by "/system.slice/…"` where no workload is
    /// known; empty if neither is.
    pub(crate) fn belonging(self, process: Process<'_>) -> Line {
        let mut line = Line::default();
        if let Some(workload) = process.workload().filter(|it| it.is_vouched()) {
            line.plain(" in ").append(self.workload(workload));
        } else if let Some(cgroup) = self.cgroup(process) {
            line.plain(" controlled by ").append(cgroup);
        }
        line
    }

    /// `container "web" of podman`, `unit "nginx.service"`; with a `?` if nobody but the workload
    /// itself may have chosen the name.
    pub(crate) fn workload(self, workload: Workload<'_>) -> Line {
        let facts = workload.facts();
        let mut line = Line::default();
        line.plain(facts.kind);
        if workload.name().is_some() {
            line.plain(" ").append(self.workload_name(workload));
        }
        if facts.kind != WorkloadKind::Unit {
            line.plain(" of ").plain(facts.engine);
        }
        if let Voucher::User(uid) = facts.vouched_by {
            line.plain(" of UID ").plain(uid);
        }
        line
    }

    /// `"web"`; the first digits of its ID where it has no name.
    pub(crate) fn workload_name(self, workload: Workload<'_>) -> Line {
        let facts = workload.facts();
        let mut line = Line::default();
        match (&facts.name, &facts.id) {
            (Some(name), _) => line.push(Role::Cgroup, quoted(name.as_bytes())),
            (None, Some(id)) => line.push(Role::Cgroup, quoted(short_id(id.as_bytes()))),
            (None, None) => line.push(Role::Unknown, "?"),
        };
        if workload.may_be_renamed() || !workload.is_vouched() {
            line.push(Role::Unknown, "?");
        }
        line
    }

    /// The cgroup of a process, if it is known.
    pub(crate) fn cgroup(self, process: Process<'_>) -> Option<Line> {
        let path = process.cgroup().filter(|path| !path.is_empty())?;
        let mut text = quoted(path.as_bytes());
        if self.cgroup == CgroupPath::Short {
            text = shortened(&text);
        }
        let mut line = Line::default();
        line.push(Role::Cgroup, text);
        Some(line)
    }

    /// Why a namespace is alive that no process is joined to.
    pub(crate) fn reason(self, snapshot: &Snapshot, namespace: Namespace<'_>) -> Line {
        let own = snapshot.host().scanner_namespaces.get(NamespaceType::Mnt);
        let started = |pid| snapshot.process(pid).and_then(Process::start_time);
        let holders = namespace.holders().iter();
        match holders.min_by_key(|holder| precedence(holder, own, started)) {
            Some(holder) => self.holder(snapshot, namespace, holder),
            None => {
                let mut line = Line::default();
                line.push(Role::Unknown, "(hidden)");
                line
            }
        }
    }

    /// One reason why a namespace is alive.
    pub(crate) fn holder(self, snapshot: &Snapshot, held: Namespace<'_>, holder: &Holder) -> Line {
        let mut line = Line::default();
        let own = snapshot.host().scanner_namespaces.get(NamespaceType::Mnt);
        let of = |line: &mut Line, before: &str, pid: Pid, tid: Option<Pid>| {
            line.plain(before);
            match tid {
                Some(tid) => line.append(self.thread(snapshot, pid, tid)),
                None => line.plain("process ").append(self.process_by_pid(snapshot, pid)),
            };
        };
        match *holder {
            Holder::Thread { pid, tid } => of(&mut line, "", pid, Some(tid)),
            Holder::PendingChildren { pid, tid } => {
                let how = match held.has_dead_init() {
                    true => "dead, its PID 1 has ended, but still for children of ",
                    false => "pending for children of ",
                };
                of(&mut line, how, pid, tid);
            }
            Holder::File { kind: FileKind::Namespace, pid, tid, fd } => {
                of(&mut line, &format!("held by fd {fd} of "), pid, tid)
            }
            Holder::File { kind: FileKind::Socket, pid, tid, .. } => {
                of(&mut line, "held by a socket of ", pid, tid)
            }
            Holder::File { kind: FileKind::Tun, pid, tid, .. } => {
                of(&mut line, "held by a tun device of ", pid, tid)
            }
            Holder::File { kind: FileKind::InFlight { .. }, pid, tid, fd, .. } => {
                of(&mut line, &format!("in flight to fd {fd} of "), pid, tid);
            }
            Holder::Mount { kind: MountKind::Bind, mount_namespace, ref path } => {
                self.mounted(&mut line, "bind-mounted at ", path, mount_namespace, own)
            }
            Holder::Mount { kind: MountKind::Proc, mount_namespace, ref path } => {
                self.mounted(&mut line, "shown by the procfs at ", path, mount_namespace, own)
            }
            _ => {
                line.push(Role::Unknown, "(holder unseen)");
            }
        }
        line
    }

    pub(crate) fn mounted(
        self,
        line: &mut Line,
        how: &str,
        path: &Text,
        mount_namespace: Option<NamespaceId>,
        own: Option<NamespaceId>,
    ) {
        line.plain(how).plain(quoted(path.as_bytes()));
        if let Some(other) = mount_namespace.filter(|id| Some(*id) != own) {
            line.plain(" in ").append(self.id(other));
        }
    }

    /// The same, of a process that may not be in the snapshot.
    pub(crate) fn process_by_pid(self, snapshot: &Snapshot, pid: Pid) -> Line {
        match snapshot.process(pid) {
            Some(process) => self.process(process),
            None => named(None, pid),
        }
    }

    /// `thread "worker" (814) of process "server" (812)`.
    pub(crate) fn thread(self, snapshot: &Snapshot, pid: Pid, tid: Pid) -> Line {
        let threads = snapshot.process(pid).map(Process::threads).unwrap_or_default();
        // By TID.
        let first = threads.partition_point(|thread| thread.tid < tid);
        let thread: Option<&ThreadFacts> = threads.get(first).filter(|thread| thread.tid == tid);
        let mut line = Line::default();
        line.plain("thread ")
            .append(named(thread.and_then(|thread| thread.comm.as_ref()), tid))
            .plain(" of process ")
            .append(self.process_by_pid(snapshot, pid));
        line
    }
}

/// `?` if somebody above the leaders of a namespace may be the true leader, but could not be read.
pub(crate) fn doubt(namespace: Namespace<'_>) -> Line {
    let mut line = Line::default();
    if namespace.leaders_uncertain() {
        line.push(Role::Unknown, "?");
    }
    line
}

/// What stands where the user namespace that owns something is not known.
pub(crate) fn unknown_user_namespace() -> Line {
    let mut line = Line::default();
    line.push(Role::Unknown, "user:[?]");
    line
}

/// `UID 1000 ("jo")`: who created a user namespace.
pub(crate) fn user(user_namespace: Namespace<'_>) -> Line {
    let mut line = Line::default();
    match (user_namespace.creator(), user_namespace.creator_name()) {
        (Some(uid), Some(name)) if !name.is_empty() => {
            let name = quoted(name.as_bytes());
            line.push(Role::Owner, format_args!("UID {uid} ({name})"))
        }
        (Some(uid), _) => line.push(Role::Owner, format_args!("UID {uid}")),
        (None, _) => return unknown_user(),
    };
    line
}

/// Somebody, but nobody knows who.
pub(crate) fn unknown_user() -> Line {
    let mut line = Line::default();
    line.push(Role::Unknown, "unknown UID");
    line
}

fn named(name: Option<&Text>, pid: Pid) -> Line {
    let mut line = Line::default();
    match name {
        Some(name) => line.push(Role::Process, quoted(name.as_bytes())),
        None => line.push(Role::Unknown, "?"),
    };
    line.push(Role::Process, format_args!(" ({pid})"));
    line
}

/// The holder to name first has the least of these. Bind mounts in the scanner's own mount
/// namespace come before others; of processes, the one that started first, as among leaders: a
/// scanner that looks at the namespace just now is younger than its lasting holders.
fn precedence(
    holder: &Holder,
    own: Option<NamespaceId>,
    started: impl Fn(Pid) -> Option<u64>,
) -> (u8, bool, u64, u8) {
    let elsewhere = |id: &Option<NamespaceId>| id.is_some() && *id != own;
    let by_process = |pid: &Pid, kind| (2, false, started(*pid).unwrap_or(u64::MAX), kind);
    match holder {
        Holder::Thread { .. } => (0, false, 0, 0),
        Holder::Mount { kind: MountKind::Bind, mount_namespace, .. } => {
            (1, elsewhere(mount_namespace), 0, 0)
        }
        Holder::PendingChildren { pid, .. } => by_process(pid, 0),
        Holder::File { kind, pid, .. } => match kind {
            FileKind::Namespace => by_process(pid, 1),
            FileKind::Socket => by_process(pid, 2),
            FileKind::Tun => by_process(pid, 3),
            _ => by_process(pid, 4),
        },
        Holder::Mount { kind: MountKind::Proc, mount_namespace, .. } => {
            (3, elsewhere(mount_namespace), 0, 0)
        }
        _ => (4, false, 0, 0),
    }
}

/// The last part of a program's path. What programs write over their first argument (`sshd: jo
/// [priv]/x`) is no path and stays whole.
fn basename(program: &[u8]) -> &[u8] {
    let first_word = program.split(|byte| *byte == b' ').next().unwrap_or(program);
    let start = first_word.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    match program.get(start..) {
        Some(rest) if !rest.is_empty() => rest,
        _ => program,
    }
}

/// The part of a container's ID that engines show.
fn short_id(id: &[u8]) -> &[u8] {
    id.get(..12).unwrap_or(id)
}

/// The text with runs of exactly 64 hexadecimal digits cut to the first 12.
fn shortened(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let hex = |c: char| c.is_ascii_hexdigit();
        let (run, after) = rest.split_at(rest.find(|c| !hex(c)).unwrap_or(rest.len()));
        match run.get(..12) {
            Some(start) if run.len() == 64 => {
                out.push_str(start);
                out.push('…');
            }
            _ => out.push_str(run),
        }
        let (other, next) = after.split_at(after.find(hex).unwrap_or(after.len()));
        out.push_str(other);
        rest = next;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lasting_holders_are_named_before_passing_ones() {
        let file = |kind, pid| Holder::File { kind, pid: Pid(pid), tid: None, fd: 5 };
        let socket = file(FileKind::Socket, 700);
        let pending = Holder::PendingChildren { pid: Pid(700), tid: None };
        let scanner = file(FileKind::Namespace, 12);
        let started = |pid| Some(if pid == Pid(700) { 31 } else { 32 });
        for lasting in [socket, pending] {
            let rank = |holder| precedence(holder, None, started);
            assert!(rank(&lasting) < rank(&scanner), "{lasting}");
        }
    }

    #[test]
    fn container_ids_are_shortened() {
        let id = "0123456789abcdef".repeat(4);
        let check = |text: &str, expected: &str| assert_eq!(shortened(text), expected);
        check(&format!("/docker/{id}/x"), "/docker/0123456789ab…/x");
        check(&format!("/docker-{id}.scope"), "/docker-0123456789ab….scope");
        check(&format!("/{id}0"), &format!("/{id}0"));
        check("/système/abc", "/système/abc");
        check("", "");
    }

    #[test]
    fn programs_have_base_names() {
        let check = |program: &[u8], expected: &[u8]| assert_eq!(basename(program), expected);
        check(b"/usr/bin/foo", b"foo");
        check(b"/opt/a/run me", b"run me");
        check(b"sshd: jo@pts/0", b"sshd: jo@pts/0");
        check(b"bin/", b"bin/");
        check(b"-bash", b"-bash");
    }
}
