// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The program that describes tasks, for the kernel's iterator `task`.
//!
//! This file is, beside the licences of the project as a whole, also licensed under the GNU General
//! Public License, version 2. That makes true what the program says of itself on loading: "Dual
//! MIT/GPL".
//!
//! The kernel calls the program once per task of the reader's PID namespace, by ascending PID. In
//! C, it would be this, `?` being what is left out on request or where the kernel lacks the member:
//!
//! ```c
//! if (!task) return 0;                             // after the last task
//! if (meta->seq_num == 0) seq_write(seq, &reader); // whose view is it? current's
//! nsproxy = task->nsproxy;
//! leader = task->group_leader;
//! if (? leader != task && leader->nsproxy == nsproxy && leader->files == task->files) return 0;
//! record = { 0 };
//! record.pid = task->pid; …
//! record.cgroups = task->cgroups; …
//! record.namespaces[…] = nsproxy->…_ns->ns.inum; …
//! record.owners[…] = nsproxy->…_ns->user_ns->ns.inum; …
//! record.settled = task->nsproxy == nsproxy;
//! seq_write(seq, &record);
//! ```

mod namespaces;
mod record;

use std::mem::offset_of;

use lxkns_species::NamespaceType;

use self::namespaces::{inode, namespaces, pids};
pub(super) use self::record::{LEVELS, Record};
use self::record::{NSPROXY, OUTPUT, RECORD, Result, SCRATCH, SIZE, TASK, copy, slot};
use super::assembler::Condition::{Equal, NotEqual};
use super::assembler::Helper::{GetCurrentTask, SequenceWrite};
use super::assembler::Label;
use super::assembler::Register::{R0, R1, R2, R3, R6, R10};
use super::assembler::Width::{Double, Word};
use super::iterator::Program;

/// The function that stands for the iterator.
pub(super) const TARGET: &str = "bpf_iter_task";

/// The structures that the program looks into.
pub(super) const STRUCTURES: &[&str] = &[
    "bpf_iter__task",
    "bpf_iter_meta",
    "task_struct",
    "signal_struct",
    "cred",
    "pid",
    "upid",
    "nsproxy",
    "ns_common",
    "cgroup_namespace",
    "ipc_namespace",
    "mnt_namespace",
    "net",
    "pid_namespace",
    "time_namespace",
    "user_namespace",
    "uts_namespace",
];

/// Assembles the program; with `leaders_only`, threads are left out unless they have namespaces or
/// file descriptors of their own.
pub(super) fn assemble(program: &mut Program<'_>, leaders_only: bool) -> Result<()> {
    let end = program.asm.label();
    prologue(program, end)?;
    program.fetch(Double, NSPROXY, TASK, "task_struct", "nsproxy")?;
    if leaders_only {
        skip_ordinary_thread(program, end)?;
    }
    program.asm.clear(RECORD, SIZE);
    identity(program)?;
    own_files(program)?;
    credentials(program)?;
    namespaces(program)?;
    pids(program)?;
    settled(program)?;
    write(program);
    program.asm.place(end);
    program.asm.exit(0);
    Ok(())
}

/// Fetches what is passed to the program, and begins with the record about the reader.
fn prologue(program: &mut Program<'_>, end: Label) -> Result<()> {
    let tasks = program.asm.label();
    program.fetch(Double, TASK, R1, "bpf_iter__task", "task")?;
    program.asm.jump_if(TASK, Equal, 0, end);
    program.fetch(Double, R6, R1, "bpf_iter__task", "meta")?;
    program.fetch(Double, OUTPUT, R6, "bpf_iter_meta", "seq")?;
    program.fetch(Double, R6, R6, "bpf_iter_meta", "seq_num")?;
    program.distrust(TASK, "task_struct")?;
    program.asm.jump_if(R6, NotEqual, 0, tasks);
    reader(program)?;
    program.asm.place(tasks);
    Ok(())
}

/// Describes the reader, which is the current task.
fn reader(program: &mut Program<'_>) -> Result<()> {
    let pid = program.offset(Double, "task_struct", "thread_pid")?;
    let level = program.offset(Word, "pid", "level")?;
    program.asm.clear(RECORD, SIZE);
    program.asm.call(GetCurrentTask);
    program.asm.copy(R6, R0);
    copy(program, R6, pid, SCRATCH, 8);
    program.asm.load(Double, R1, R10, SCRATCH);
    copy(program, R1, level, slot!(level), 4);
    if let Ok(offset) = program.sized(16, "time_namespace", "offsets.boottime") {
        let nsproxy = program.offset(Double, "task_struct", "nsproxy")?;
        let time_ns = program.offset(Double, "nsproxy", "time_ns")?;
        copy(program, R6, nsproxy, SCRATCH, 8);
        program.asm.load(Double, R1, R10, SCRATCH);
        copy(program, R1, time_ns, SCRATCH, 8);
        program.asm.load(Double, R1, R10, SCRATCH);
        let (seconds, nanoseconds) = (slot!(start), slot!(effective));
        copy(program, R1, offset, seconds, 8);
        program.asm.load(Double, R1, R10, SCRATCH);
        copy(program, R1, offset + 8, nanoseconds, 8);
    }
    write(program);
    Ok(())
}

/// Ends here for a thread that has both namespaces and file descriptors in common with its leader.
fn skip_ordinary_thread(program: &mut Program<'_>, end: Label) -> Result<()> {
    let report = program.asm.label();
    program.fetch(Double, R6, TASK, "task_struct", "group_leader")?;
    program.asm.jump_if_register(R6, Equal, TASK, report);
    program.fetch(Double, R1, R6, "task_struct", "nsproxy")?;
    program.asm.jump_if_register(R1, NotEqual, NSPROXY, report);
    program.fetch(Double, R1, R6, "task_struct", "files")?;
    program.fetch(Double, R2, TASK, "task_struct", "files")?;
    program.asm.jump_if_register(R1, Equal, R2, end);
    program.asm.place(report);
    Ok(())
}

/// Who is it, whose child, since when.
fn identity(program: &mut Program<'_>) -> Result<()> {
    let words = [
        ("pid", slot!(pid)),
        ("tgid", slot!(tgid)),
        ("flags", slot!(flags)),
        ("exit_state", slot!(exit_state)),
    ];
    for (member, slot) in words {
        program.fetch(Word, R1, TASK, "task_struct", member)?;
        program.asm.store(Word, R10, slot, R1);
    }
    state(program)?;
    program.fetch(Double, R1, TASK, "task_struct", "start_boottime")?;
    program.asm.store(Double, R10, slot!(start), R1);
    program.fetch(Double, R1, TASK, "task_struct", "real_parent")?;
    program.fetch(Word, R1, R1, "task_struct", "tgid")?;
    program.asm.store(Word, R10, slot!(parent), R1);
    program.fetch(Double, R1, TASK, "task_struct", "signal")?;
    program.fetch(Word, R1, R1, "signal_struct", "nr_threads")?;
    program.asm.store(Word, R10, slot!(threads), R1);
    let comm = program.sized(16, "task_struct", "comm")?;
    copy(program, TASK, comm, slot!(comm), 16);
    // A kernel configured without them has no such member.
    if let Ok(cgroups) = program.offset(Double, "task_struct", "cgroups") {
        program.asm.load(Double, R1, TASK, cgroups);
        program.asm.store(Double, R10, slot!(cgroups), R1);
    }
    Ok(())
}

/// What it waits for: a 32-bit member since Linux 5.14, before that a long of another name.
fn state(program: &mut Program<'_>) -> Result<()> {
    if program.fetch(Word, R1, TASK, "task_struct", "__state").is_err() {
        program.fetch(Double, R1, TASK, "task_struct", "state")?;
    }
    program.asm.store(Word, R10, slot!(state), R1);
    Ok(())
}

/// Whether a thread has a file descriptor table that is not its leader's.
fn own_files(program: &mut Program<'_>) -> Result<()> {
    let done = program.asm.label();
    program.fetch(Double, R1, TASK, "task_struct", "files")?;
    program.asm.jump_if(R1, Equal, 0, done);
    program.fetch(Double, R2, TASK, "task_struct", "group_leader")?;
    program.fetch(Double, R2, R2, "task_struct", "files")?;
    program.asm.jump_if_register(R1, Equal, R2, done);
    program.asm.store_value(Word, R10, slot!(own_files), 1);
    program.asm.place(done);
    Ok(())
}

/// The user namespace, and what the task may do: the credentials that `/proc` shows, too.
fn credentials(program: &mut Program<'_>) -> Result<()> {
    program.fetch(Double, R6, TASK, "task_struct", "real_cred")?;
    program.fetch(Word, R1, R6, "cred", "euid")?;
    program.asm.store(Word, R10, slot!(euid), R1);
    let effective = program.sized(8, "cred", "cap_effective")?;
    // One number since Linux 6.3; before, two, the lower half first.
    let swapped =
        cfg!(target_endian = "big") && program.btf.member("cred", "cap_effective.val").is_ok();
    for (half, at) in [(0, 4 * i16::from(swapped)), (1, 4 * i16::from(!swapped))] {
        program.asm.load(Word, R1, R6, effective + at);
        program.asm.store(Word, R10, slot!(effective, half), R1);
    }
    program.fetch(Double, R1, R6, "cred", "user_ns")?;
    let inode = inode(program, "user_namespace")?;
    program.asm.load(Word, R1, R1, inode);
    program.asm.store(Word, R10, slot!(namespaces, NamespaceType::User.index()), R1);
    Ok(())
}

/// Marks the record as consistent: while `nsproxy` was the task's, all that it points to was alive.
fn settled(program: &mut Program<'_>) -> Result<()> {
    let changed = program.asm.label();
    program.fetch(Double, R1, TASK, "task_struct", "nsproxy")?;
    program.asm.jump_if_register(R1, NotEqual, NSPROXY, changed);
    program.asm.store_value(Word, R10, slot!(settled), 1);
    program.asm.place(changed);
    Ok(())
}

/// Appends the record to the output.
fn write(program: &mut Program<'_>) {
    program.asm.copy(R1, OUTPUT);
    program.asm.address(R2, R10, RECORD);
    program.asm.set(R3, SIZE.into());
    program.asm.call(SequenceWrite);
}
