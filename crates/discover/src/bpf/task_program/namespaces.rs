// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The part of the program that looks at the namespaces of a task.
//!
//! Of namespaces that only are owned, and have no parent, it also tells what else would be asked of
//! them one by one: their owner and 64-bit id. PID and user namespaces are few, and lead on to
//! others that perhaps no task is joined to; these are better asked.

use std::mem::offset_of;

use lxkns_species::NamespaceType;

use super::super::assembler::Condition::{AtMost, Equal, NotEqual};
use super::super::assembler::Helper::ProbeReadKernel;
use super::super::assembler::Register::{R1, R2, R3, R6, R10};
use super::super::assembler::Width::{Double, Word};
use super::super::btf::BtfError;
use super::super::iterator::Program;
use super::record::{
    LEVELS, NSPROXY, RECORD, Record, Result, SCRATCH, TASK, UPID_SIZE, UPIDS, UPIDS_SIZE, copy,
    slot,
};

/// All the other namespaces, except for the PID namespace; a dead task has none of them.
pub(super) fn namespaces(program: &mut Program<'_>) -> Result<()> {
    const JOINED: [(NamespaceType, &str, &str); 6] = [
        (NamespaceType::Cgroup, "cgroup_ns", "cgroup_namespace"),
        (NamespaceType::Ipc, "ipc_ns", "ipc_namespace"),
        (NamespaceType::Mnt, "mnt_ns", "mnt_namespace"),
        (NamespaceType::Net, "net_ns", "net"),
        (NamespaceType::Time, "time_ns", "time_namespace"),
        (NamespaceType::Uts, "uts_ns", "uts_namespace"),
    ];
    let for_children = [
        ("pid_ns_for_children", "pid_namespace", slot!(pid_for_children)),
        ("time_ns_for_children", "time_namespace", slot!(time_for_children)),
    ];
    let dead = program.asm.label();
    program.asm.jump_if(NSPROXY, Equal, 0, dead);
    for (namespace_type, member, structure) in JOINED {
        let slot = slot!(namespaces, namespace_type.index());
        if one(program, member, structure, slot)? {
            details(program, structure, namespace_type.index() as i16)?;
        }
    }
    if let Ok(mounts) = program.offset(Word, "mnt_namespace", "nr_mounts") {
        program.fetch(Double, R1, NSPROXY, "nsproxy", "mnt_ns")?;
        program.asm.load(Word, R1, R1, mounts);
        program.asm.store(Word, R10, slot!(mounts), R1);
    }
    for (member, structure, slot) in for_children {
        one(program, member, structure, slot)?;
    }
    program.asm.place(dead);
    Ok(())
}

/// The inode of a namespace; that stays in R1. A kernel configured without this type may lack the
/// structure.
fn one(
    program: &mut Program<'_>,
    member: &'static str,
    structure: &'static str,
    slot: i16,
) -> Result<bool> {
    let inode = match inode(program, structure) {
        Err(BtfError::NoStruct(_)) => return Ok(false),
        found => found?,
    };
    program.fetch(Double, R1, NSPROXY, "nsproxy", member)?;
    program.asm.load(Word, R2, R1, inode);
    program.asm.store(Word, R10, slot, R2);
    Ok(true)
}

/// Owner and 64-bit id of the namespace in R1, as far as the kernel has them.
fn details(program: &mut Program<'_>, structure: &'static str, index: i16) -> Result<()> {
    let id = match program.offset(Double, structure, "ns.ns_id") {
        // Until Linux 6.17 only mount namespaces had such ids.
        Err(_) if structure == "mnt_namespace" => program.offset(Double, structure, "seq"),
        id => id,
    };
    if let Ok(id) = id {
        program.asm.load(Double, R2, R1, id);
        program.asm.store(Double, R10, slot!(unique_ids) + 8 * index, R2);
    }
    if let Ok(owner) = program.offset(Double, structure, "user_ns") {
        let inode = inode(program, "user_namespace")?;
        program.asm.load(Double, R2, R1, owner);
        program.asm.load(Word, R2, R2, inode);
        program.asm.store(Word, R10, slot!(owners, index), R2);
    }
    Ok(())
}

/// The PID namespace that the task lives in, and its PIDs there and above.
///
/// `struct pid` ends with an array of numbers and namespaces, one for each level from the initial
/// PID namespace down to the task's own. The verifier lets us at the first only; the others are
/// copied.
pub(super) fn pids(program: &mut Program<'_>) -> Result<()> {
    if program.btf.size("upid")? != UPID_SIZE as u32 {
        return Err(BtfError::NoMember("upid", "ns"));
    }
    let (nested, bounded) = (program.asm.label(), program.asm.label());
    let done = program.asm.label();
    let slot = slot!(namespaces, NamespaceType::Pid.index());
    let numbers = program.btf.member("pid", "numbers")?.offset;
    let first_namespace = program.offset(Double, "pid", "numbers.ns")?;
    let inode = inode(program, "pid_namespace")?;

    program.fetch(Double, R6, TASK, "task_struct", "thread_pid")?;
    program.asm.jump_if(R6, Equal, 0, done);
    program.fetch(Word, R2, R6, "pid", "level")?;
    program.asm.store(Word, R10, slot!(level), R2);
    program.asm.jump_if(R2, NotEqual, 0, nested);
    program.fetch(Word, R1, R6, "pid", "numbers.nr")?;
    program.asm.store(Word, R10, slot!(numbers), R1);
    program.asm.load(Double, R1, R6, first_namespace);
    program.asm.load(Word, R1, R1, inode);
    program.asm.store(Word, R10, slot, R1);
    program.asm.jump(done);

    program.asm.place(nested);
    program.asm.clear(UPIDS, UPIDS_SIZE);
    program.asm.jump_if(R2, AtMost, LEVELS as i32 - 1, bounded);
    program.asm.set(R2, LEVELS as i32 - 1);
    program.asm.place(bounded);
    program.asm.add_value(R2, 1);
    program.asm.multiply(R2, UPID_SIZE.into());
    program.asm.address(R1, R10, UPIDS);
    program.asm.address(R3, R6, numbers);
    program.asm.call(ProbeReadKernel);
    let number = program.offset(Word, "upid", "nr")?;
    for level in 0..LEVELS as i16 {
        program.asm.load(Word, R1, R10, UPIDS + UPID_SIZE * level + number);
        program.asm.store(Word, R10, slot!(numbers, level), R1);
    }
    // The namespace of the last level, however deep: 32 is the kernel's limit.
    program.asm.load(Word, R2, R10, slot!(level));
    program.asm.mask(R2, 63);
    program.asm.multiply(R2, UPID_SIZE.into());
    program.asm.copy(R3, R6);
    program.asm.add(R3, R2);
    copy(program, R3, first_namespace, SCRATCH, 8);
    program.asm.load(Double, R3, R10, SCRATCH);
    copy(program, R3, inode, slot, 4);
    program.asm.place(done);
    Ok(())
}

/// Where a namespace has its inode number.
pub(super) fn inode(program: &Program<'_>, structure: &'static str) -> Result<i16> {
    program.offset(Word, structure, "ns.inum")
}
