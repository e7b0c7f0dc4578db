//! What a child of a test is to do: a list of steps, written down before it starts.
//!
//! A script is plain data. It is turned into system call arguments in the test process, where
//! memory may be allocated, and carried out after the fork, where it may not. So there are no
//! closures here that the child would run, and no step computes anything.

mod files;

use std::ffi::{CString, OsStr};
use std::path::Path;
use std::process::Command;

use lxkns_species::{NamespaceType, NamespaceTypes};
use rustix::process::Resource;

use crate::command::{Executable, c_text};
use crate::step::{Call, Flags, IdMap, Kind, Step};

/// The fd number that [`Script::enter`] uses in passing.
const PASSING: i32 = 199;

/// The steps of one process or thread, in order.
///
/// Everything in one script happens one after the other: a process that starts another one goes on
/// when that one has reached its first [`pause`](Script::pause) or its end. At its end a process
/// or thread rests, and keeps what it has, until the test lets go of the [`Child`](crate::Child).
///
/// Fd numbers are the script's own choice, from 3 to 198. Paths are taken as the child sees them at
/// that step. A path with a NUL byte panics.
///
/// ```
/// use lxkns_nstest::{Script, need};
/// use lxkns_species::NamespaceType::{Net, User, Uts};
///
/// # fn main() { example() }
/// # fn example() {
/// need!(userns);
/// let child = Script::new().user_namespace().unshare([Net, Uts]).spawn().unwrap();
/// assert_ne!(child.namespace(Net), lxkns_nstest::own_namespace(Net));
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct Script {
    pub(crate) steps: Vec<Step>,
    pub(crate) parts: Vec<Part>,
}

/// A process or thread that a script starts.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) label: String,
    pub(crate) kind: Kind,
    pub(crate) script: Script,
}

impl Script {
    /// A script without any step: a process that is just there.
    pub fn new() -> Script {
        Script::default()
    }

    pub(crate) fn step(mut self, step: Step) -> Script {
        self.steps.push(step);
        self
    }

    /// Moves into new namespaces of these types, see unshare(2).
    ///
    /// For PID and time it is only the children that will be in the new one. A new mount namespace
    /// is made private as a whole, so that nothing mounted in it leaks out (which takes a root
    /// directory that is a mount point). A user namespace gets
    /// no ID mappings; see [`Script::user_namespace`] for one with them.
    #[doc(alias = "CLONE_NEWNS")]
    pub fn unshare(self, types: impl IntoIterator<Item = NamespaceType>) -> Script {
        let types = NamespaceTypes::of(types);
        let script = self.step(Step::Unshare(Flags::of(types)));
        if types.contains(NamespaceType::Mnt) {
            script.change_propagation("/", libc::MS_PRIVATE)
        } else {
            script
        }
    }

    /// Moves into a new mount namespace that goes on to receive what happens to the mounts of the
    /// one before, without sending anything back.
    #[doc(alias = "MS_SLAVE")]
    pub fn unshare_mounts_as_slave(self) -> Script {
        let types = NamespaceTypes::of([NamespaceType::Mnt]);
        self.step(Step::Unshare(Flags::of(types))).change_propagation("/", libc::MS_SLAVE)
    }

    /// Moves into a new user namespace, as its root: UID and GID 0 are the child's own outside.
    ///
    /// Works without privileges. Supplementary groups cannot be set in it any more.
    pub fn user_namespace(self) -> Script {
        self.user_namespace_with(IdMap::Root)
    }

    /// Moves into a new user namespace with these ID mappings.
    pub fn user_namespace_with(self, map: IdMap) -> Script {
        self.step(Step::UserNamespace(map))
    }

    /// Moves on into the namespace that this fd refers to, see setns(2).
    pub fn setns(self, fd: i32, ns_type: NamespaceType) -> Script {
        self.step(Step::Setns { fd, flags: Flags(ns_type.clone_flag()) })
    }

    /// Moves into the namespace at this path, such as `/proc/812/ns/net`.
    pub fn enter(self, path: impl AsRef<Path>, ns_type: NamespaceType) -> Script {
        self.open(path, PASSING).setns(PASSING, ns_type).close(PASSING)
    }

    /// Has some steps carried out in a new namespace of this type, by a process that then ends.
    ///
    /// What those steps leave behind is all that keeps the new namespace alive: an fd or a socket,
    /// since that process shares the fd table, or a bind mount. Children of a new user namespace's
    /// process see themselves as root. The steps may not pause. Not after `unshare([Pid])`, where
    /// that process would be the first one of the new PID namespace, and take it with it.
    pub fn in_new(self, ns_type: NamespaceType, steps: impl FnOnce(Script) -> Script) -> Script {
        let there = match ns_type {
            NamespaceType::User => Script::new().user_namespace(),
            other => Script::new().unshare([other]),
        };
        self.part(&format!("in new {ns_type}"), Kind::Errand, steps(there), 1)
    }

    /// Gives up the own fd table's sharing with other threads; what was open stays open in both.
    #[doc(alias = "CLONE_FILES")]
    pub fn unshare_fd_table(self) -> Script {
        self.step(Step::Unshare(Flags::FILES))
    }

    /// Becomes this user for good: no supplementary groups, no capabilities if `uid` is not 0.
    ///
    /// The process stays dumpable, as if it had started as this user: otherwise even that user
    /// could not look at it.
    pub fn become_user(self, uid: u32, gid: u32) -> Script {
        self.step(Step::BecomeUser { uid, gid })
    }

    /// Limits a resource from here on, or takes as much of it as is allowed, see setrlimit(2).
    ///
    /// Below some 250 fds nothing more can be started but programs.
    #[doc(alias = "RLIMIT_NOFILE")]
    pub fn limit(self, resource: Resource, most: u64) -> Script {
        self.step(Step::Limit { resource, most })
    }

    /// Has openat2(2) fail with ENOSYS from here on, as sandboxes do whose filters cannot tell what
    /// it would create; and gives up ever getting new privileges.
    #[doc(alias = "seccomp")]
    pub fn refuse_openat2(self) -> Script {
        self.answer(Call::Openat2, libc::ENOSYS)
    }

    /// Has a system call fail with this error from here on. With 0 it seems to succeed, but nothing
    /// is done. Gives up ever getting new privileges.
    #[doc(alias = "seccomp")]
    pub fn answer(self, call: Call, errno: i32) -> Script {
        self.step(Step::Answer(call.number(), errno))
    }

    /// Sets the name (comm) of the process or thread, at most 15 bytes.
    pub fn name(self, name: impl AsRef<OsStr>) -> Script {
        self.step(Step::Name(c_text(name.as_ref())))
    }

    /// Notes the own namespace of this type, for [`Child::noted`](crate::Child::noted). Needs a
    /// /proc.
    pub fn note(self, label: &str, ns_type: NamespaceType) -> Script {
        self.note_link(label, own_link(ns_type))
    }

    /// Notes the namespace that a link refers to, such as `/proc/thread-self/ns/time_for_children`.
    pub fn note_link(self, label: &str, link: impl AsRef<Path>) -> Script {
        self.step(Step::Note { label: label.into(), link: c_path(link) })
    }

    /// Starts a child process that carries out its own script.
    pub fn fork(self, label: &str, script: Script) -> Script {
        self.part(label, Kind::Process, script, 1)
    }

    /// Starts a child process that shares the fd table: what either opens or closes, both do.
    #[doc(alias = "CLONE_FILES")]
    pub fn fork_sharing_fds(self, label: &str, script: Script) -> Script {
        self.part(label, Kind::Sharer, script, 1)
    }

    /// Starts this many child processes, each with the same script, which may not pause.
    pub fn forks(self, label: &str, copies: usize, script: Script) -> Script {
        self.part(label, Kind::Process, script, copies)
    }

    /// Starts a thread that carries out its own script.
    pub fn thread(self, label: &str, script: Script) -> Script {
        self.part(label, Kind::Thread, script, 1)
    }

    fn part(mut self, label: &str, kind: Kind, script: Script, copies: usize) -> Script {
        let part = self.parts.len();
        self.parts.push(Part { label: label.into(), kind, script });
        self.step(Step::Start { actor: part, copies })
    }

    /// Waits for a child process that has ended, whichever it is, so that it is no zombie any more.
    pub fn reap(self) -> Script {
        self.step(Step::Reap)
    }

    /// Runs a program to its end, for [`Child::output`](crate::Child::output).
    ///
    /// It gets the arguments and environment of `command`, nothing on stdin, and the child's
    /// namespaces, user, root and working directory. It runs on all CPUs again.
    pub fn run(self, label: &str, command: &Command) -> Script {
        self.step(Step::Run {
            label: label.into(),
            executable: Executable::of(command),
            output: None,
        })
    }

    /// Waits until the test says [`Child::proceed`](crate::Child::proceed).
    pub fn pause(self) -> Script {
        self.step(Step::Pause)
    }

    /// From here on, until the end: starts one child after the other, each of which moves into new
    /// namespaces of these types and ends at once. The test does not wait for them.
    pub fn churn(self, types: impl IntoIterator<Item = NamespaceType>) -> Script {
        self.step(Step::Churn(Flags::of(NamespaceTypes::of(types))))
    }

    /// Ends the process, which stays a zombie until its parent reaps it.
    pub fn exit(self) -> Script {
        self.step(Step::Exit)
    }

    /// Ends the calling thread only. In a process's own script that is its main thread: what
    /// remains of the process are the threads that it started.
    pub fn exit_thread(self) -> Script {
        self.step(Step::ExitThread)
    }
}

/// The link to the calling thread's namespace of this type.
fn own_link(ns_type: NamespaceType) -> String {
    format!("/proc/thread-self/{}", ns_type.proc_file())
}

fn c_path(path: impl AsRef<Path>) -> CString {
    c_text(path.as_ref().as_os_str())
}
