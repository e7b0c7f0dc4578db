//! One process, and its threads that differ from it.

use std::borrow::Cow;

use lxkns_species::{Pid, Uid};
use serde::{Deserialize, Serialize};

use super::capabilities::CapabilitiesDoc;
use super::joined::JoinedDoc;
use super::seen::Seen;
use super::text::{self, Hex};
use crate::wire::Error;
use crate::{Cmdline, Process, ProcessFacts, ThreadFacts};

/// A process as an object of the native format; what the tools print with `--json`.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Process"))]
#[serde(rename_all = "kebab-case")]
pub struct ProcessDoc<'s> {
    /// The PID in the scanner's PID namespace.
    #[cfg_attr(feature = "schema", schemars(with = "u32"))]
    pid: Pid,
    /// The parent's PID; 0: outside of the scanner's PID namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    ppid: Option<Pid>,
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comm: Option<Cow<'s, str>>,
    /// The bytes of `comm`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comm_bytes: Option<Hex<'s>>,
    /// The command line; empty for kernel threads and zombies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cmdline: Option<Vec<Cow<'s, str>>>,
    /// The bytes of all arguments, if any is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cmdline_bytes: Option<Vec<Hex<'s>>>,
    /// Whether there is more of the command line than stands here; only written if so.
    #[serde(default, skip_serializing_if = "is_false")]
    cmdline_cut: bool,
    /// When it started, in clock ticks since boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_time: Option<u64>,
    /// The state letter, such as `S` or `Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<char>,
    /// Whether it is a kernel thread; only written if so.
    #[serde(default, skip_serializing_if = "is_false")]
    kernel_thread: bool,
    /// Whether it is ending already; only written if so.
    #[serde(default, skip_serializing_if = "is_false")]
    exiting: bool,
    /// The first of the processes that share its file table, if it was compared with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    file_table: Option<Pid>,
    /// The effective UID, as seen by the scanner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    euid: Option<Uid>,
    /// The effective capabilities by name, valid in its own user namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<super::schema::CapabilityName>>"))]
    effective_capabilities: Option<CapabilitiesDoc>,
    /// Its PIDs, from the scanner's PID namespace down to its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<u32>>"))]
    pids: Option<Cow<'s, [Pid]>>,
    /// The cgroup path, as seen by the scanner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cgroup: Option<Cow<'s, str>>,
    /// The bytes of `cgroup`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cgroup_bytes: Option<Hex<'s>>,
    /// The namespaces that it is joined to, by type, as far as known.
    #[serde(default)]
    namespaces: JoinedDoc,
    /// Those of its threads that are joined to other namespaces than it is; only written if there
    /// are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    threads: Vec<ThreadDoc<'s>>,
}

/// A thread that is joined to other namespaces than its process.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Thread"))]
#[serde(rename_all = "kebab-case")]
struct ThreadDoc<'s> {
    /// The thread id.
    #[cfg_attr(feature = "schema", schemars(with = "u32"))]
    tid: Pid,
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comm: Option<Cow<'s, str>>,
    /// The bytes of `comm`, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comm_bytes: Option<Hex<'s>>,
    /// When it started, in clock ticks since boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_time: Option<u64>,
    /// The namespaces that it is joined to, by type.
    #[serde(default)]
    namespaces: JoinedDoc,
}

impl<'s> From<Process<'s>> for ProcessDoc<'s> {
    fn from(process: Process<'s>) -> Self {
        let (comm, comm_bytes) = text::split_option(process.comm());
        let (cgroup, cgroup_bytes) = text::split_option(process.cgroup());
        let cmdline = process.cmdline();
        let (arguments, cmdline_bytes) = match cmdline {
            Some(cmdline) => {
                let (arguments, bytes) = text::split_list(&cmdline.arguments);
                (Some(arguments), bytes)
            }
            None => (None, None),
        };
        ProcessDoc {
            pid: process.pid(),
            ppid: process.ppid(),
            comm,
            comm_bytes,
            cmdline: arguments,
            cmdline_bytes,
            cmdline_cut: cmdline.is_some_and(|cmdline| cmdline.cut),
            start_time: process.start_time(),
            state: process.state(),
            kernel_thread: process.is_kernel_thread(),
            exiting: process.is_exiting(),
            file_table: process.file_table(),
            euid: process.euid(),
            effective_capabilities: process.effective_capabilities().map(CapabilitiesDoc),
            pids: process.pids().map(Cow::Borrowed),
            cgroup,
            cgroup_bytes,
            namespaces: JoinedDoc(*process.joined()),
            threads: process.threads().iter().map(ThreadDoc::from).collect(),
        }
    }
}

impl<'s> From<&'s ThreadFacts> for ThreadDoc<'s> {
    fn from(thread: &'s ThreadFacts) -> Self {
        let (comm, comm_bytes) = text::split_option(thread.comm.as_ref());
        ThreadDoc {
            tid: thread.tid,
            comm,
            comm_bytes,
            start_time: thread.start_time,
            namespaces: JoinedDoc(thread.namespaces),
        }
    }
}

impl ProcessDoc<'_> {
    /// What this object says; `place` tells where a field of it stands.
    pub(super) fn into_model(
        self,
        seen: &mut Seen,
        place: impl Fn(&str) -> String,
    ) -> Result<ProcessFacts, Error> {
        let pid = self.pid;
        if !seen.processes.insert(pid) {
            let reason = format!("process {pid} is listed twice");
            return Err(Error::content(place("pid"), reason));
        }
        let cut = self.cmdline_cut;
        let cmdline = match (self.cmdline, self.cmdline_bytes) {
            (None, None) => None,
            (lossy, exact) => {
                Some(Cmdline { arguments: text::join_list(lossy.unwrap_or_default(), exact), cut })
            }
        };
        Ok(ProcessFacts {
            pid,
            ppid: self.ppid,
            comm: text::join(self.comm, self.comm_bytes),
            cmdline,
            start_time: self.start_time,
            state: self.state,
            kernel_thread: self.kernel_thread,
            exiting: self.exiting,
            file_table: self.file_table,
            euid: self.euid,
            effective_capabilities: self.effective_capabilities.map(|set| set.0),
            pids: self.pids.map(Cow::into_owned),
            cgroup: text::join(self.cgroup, self.cgroup_bytes),
            namespaces: self.namespaces.0,
            threads: self.threads.into_iter().map(ThreadDoc::into_model).collect(),
        })
    }
}

impl ThreadDoc<'_> {
    fn into_model(self) -> ThreadFacts {
        ThreadFacts {
            tid: self.tid,
            comm: text::join(self.comm, self.comm_bytes),
            start_time: self.start_time,
            namespaces: self.namespaces.0,
        }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}
