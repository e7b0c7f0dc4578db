// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The record of a task, its place on the stack, and the registers that keep their meaning.

use super::super::assembler::Helper::ProbeReadKernel;
use super::super::assembler::Register::{self, R1, R2, R3, R7, R8, R9, R10};
use super::super::btf::BtfError;
use super::super::iterator::Program;

pub(super) type Result<T> = std::result::Result<T, BtfError>;

/// In how many nested PID namespaces a record tells the PID.
pub(in crate::bpf) const LEVELS: usize = 8;

/// What the program writes for each task; inodes are 0 where there is no namespace.
///
/// The first record has `pid` 0 and is about the reader: `level` is that of its PID namespace,
/// `start` and `effective` are seconds and nanoseconds of its time namespace's boot-time offset.
#[repr(C)]
pub(in crate::bpf) struct Record {
    /// PID of the thread, its process, and the parent process, in the initial PID namespace.
    pub(in crate::bpf) pid: u32,
    pub(in crate::bpf) tgid: u32,
    pub(in crate::bpf) parent: u32,
    pub(in crate::bpf) flags: u32,
    /// Nanoseconds since boot.
    pub(in crate::bpf) start: u64,
    /// Equal for tasks that are in the same cgroups.
    pub(in crate::bpf) cgroups: u64,
    /// The 64-bit ids of the namespaces, by type; 0 for PID and user namespaces.
    pub(in crate::bpf) unique_ids: [u64; 8],
    pub(in crate::bpf) comm: [u8; 16],
    /// The lower half first, whatever the machine.
    pub(in crate::bpf) effective: [u32; 2],
    pub(in crate::bpf) namespaces: [u32; 8],
    /// The inodes of the user namespaces that own these; 0 for PID and user namespaces.
    pub(in crate::bpf) owners: [u32; 8],
    /// How many mounts the mount namespace has: with its very root, which the kernel counts here
    /// only, and neither lists nor counts for others. 0 if unknown.
    pub(in crate::bpf) mounts: u32,
    pub(in crate::bpf) pid_for_children: u32,
    pub(in crate::bpf) time_for_children: u32,
    pub(in crate::bpf) threads: u32,
    pub(in crate::bpf) euid: u32,
    pub(in crate::bpf) exit_state: u32,
    /// `TASK_…` bits: what it waits for, 0 if it runs.
    pub(in crate::bpf) state: u32,
    /// How deep its PID namespace is nested, and the PIDs of the thread from level 0 down.
    pub(in crate::bpf) level: u32,
    pub(in crate::bpf) numbers: [u32; LEVELS],
    /// 1 for a thread whose file descriptor table is not its leader's.
    pub(in crate::bpf) own_files: u32,
    /// 1 if the task kept its namespaces while they were read.
    pub(in crate::bpf) settled: u32,
}

pub(super) const SIZE: i16 = size_of::<Record>() as i16;
/// A slot on the stack for one copied pointer, and room for `LEVELS` of `struct upid`.
pub(super) const SCRATCH: i16 = -8;
pub(super) const UPIDS: i16 = SCRATCH - UPIDS_SIZE;
pub(super) const UPIDS_SIZE: i16 = UPID_SIZE * LEVELS as i16;
pub(super) const UPID_SIZE: i16 = 16;
/// Where on the stack the record is.
pub(super) const RECORD: i16 = UPIDS - SIZE;

/// The place of a field of the record on the stack.
macro_rules! slot {
    ($field:ident) => {
        RECORD + offset_of!(Record, $field) as i16
    };
    ($field:ident, $index:expr) => {
        slot!($field) + 4 * $index as i16
    };
}
pub(super) use slot;

// What the registers hold from beginning to end.
pub(super) const TASK: Register = R7;
pub(super) const OUTPUT: Register = R8;
pub(super) const NSPROXY: Register = R9;

/// Copies from any kernel address to the stack; leaves zeros there if there is nothing.
pub(super) fn copy(program: &mut Program<'_>, from: Register, offset: i16, slot: i16, size: i32) {
    program.asm.address(R3, from, offset);
    program.asm.address(R1, R10, slot);
    program.asm.set(R2, size);
    program.asm.call(ProbeReadKernel);
}
