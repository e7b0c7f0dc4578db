// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The program that picks open files, for the kernel's iterator `task_file`.
//!
//! This file is, beside the licences of the project as a whole, also licensed under the GNU General
//! Public License, version 2. That makes true what the program says of itself on loading: "Dual
//! MIT/GPL".
//!
//! The kernel calls the program once per open file of each table of file descriptors. In C:
//!
//! ```c
//! if (!file) return 0;                             // after the last file
//! inode = file->f_inode;
//! record = { 0 };
//! if (S_ISCHR(inode->i_mode)) {
//!         if (inode->i_rdev != MKDEV(10, 200)) return 0;
//!         record.kind = TUN;
//! } else if (inode->i_sb->s_magic == NSFS_MAGIC) {
//!         record.kind = NAMESPACE;
//!         record.inode = ((struct ns_common *)inode->i_private)->inum;
//!         record.clone_flag = ….ns_type or ….ops->type;
//! } else if (inode->i_sb->s_magic == SOCKFS_MAGIC) {
//!         record.kind = SOCKET;
//!         sk = ((struct socket *)file->private_data)->sk;
//!         record.inode = sk->….net->ns.inum;
//!         if (sk->….family == AF_UNIX)
//!                 record.in_flight = sk->….state == TCP_LISTEN
//!                         ? UNKNOWN : ((struct unix_sock *)sk)->scm_stat.nr_fds;
//! } else return 0;
//! record.pid = task->pid; …
//! seq_write(seq, &record);
//! ```

use std::mem::offset_of;

use super::assembler::Condition::{Equal, NotEqual};
use super::assembler::Helper::{ProbeReadKernel, SequenceWrite};
use super::assembler::Label;
use super::assembler::Register::{self, R1, R2, R3, R6, R7, R8, R9, R10};
use super::assembler::Width::{Double, Half, Word};
use super::btf::BtfError;
use super::iterator::Program;

type Result<T> = std::result::Result<T, BtfError>;

/// The function that stands for the iterator.
pub(super) const TARGET: &str = "bpf_iter_task_file";

/// The structures that the program looks into.
pub(super) const STRUCTURES: &[&str] = &[
    "bpf_iter__task_file",
    "bpf_iter_meta",
    "task_struct",
    "pid",
    "upid",
    "file",
    "inode",
    "super_block",
    "socket",
    "sock",
    "unix_sock",
    "net",
    "ns_common",
    "proc_ns_operations",
];

pub(super) const SOCKET: u32 = 1;
pub(super) const NAMESPACE: u32 = 2;
pub(super) const TUN: u32 = 3;

/// What the program writes for each file.
#[repr(C)]
pub(super) struct Record {
    /// PIDs of the thread and its process in the reader's PID namespace.
    pub(super) pid: u32,
    pub(super) tgid: u32,
    pub(super) fd: u32,
    pub(super) kind: u32,
    /// Of the namespace, or the socket's network namespace; 0 if it could not be read.
    pub(super) inode: u32,
    /// The `CLONE_NEW…` flag of a namespace.
    pub(super) clone_flag: u32,
    /// How many files are queued in a Unix socket, or [`UNKNOWN`].
    pub(super) in_flight: u32,
    /// The kernel clears and copies words of eight bytes.
    pub(super) padding: u32,
}

/// The files queued in a Unix socket are to be counted in another way.
pub(super) const UNKNOWN: u32 = u32::MAX;

const SIZE: i16 = size_of::<Record>() as i16;
/// A slot on the stack for one copied pointer.
const SCRATCH: i16 = -8;
/// Where on the stack the record is.
const RECORD: i16 = SCRATCH - SIZE;

/// The place of a field of the record on the stack.
macro_rules! slot {
    ($field:ident) => {
        RECORD + offset_of!(Record, $field) as i16
    };
}

// include/uapi/linux/magic.h, stat.h; the kernel's own form of a device number has 20 bits of
// minor.
const NSFS_MAGIC: i32 = 0x6e73_6673;
const SOCKFS_MAGIC: i32 = 0x534f_434b;
const S_IFMT: i32 = 0o170_000;
const S_IFCHR: i32 = 0o020_000;
const TUN_DEVICE: i32 = 10 << 20 | 200;
const AF_UNIX: i32 = 1;
const TCP_LISTEN: i32 = 10;

// What the registers hold from beginning to end.
const CONTEXT: Register = R6;
const TASK: Register = R7;
const FILE: Register = R8;
const INODE: Register = R9;
const SOCK: Register = R9;

/// Assembles the program, for a reader whose PID namespace is nested this deep.
pub(super) fn assemble(program: &mut Program<'_>, level: u16) -> Result<()> {
    let (socket, namespace) = (program.asm.label(), program.asm.label());
    let (write, end) = (program.asm.label(), program.asm.label());

    program.asm.copy(CONTEXT, R1);
    program.fetch(Double, TASK, CONTEXT, "bpf_iter__task_file", "task")?;
    program.asm.jump_if(TASK, Equal, 0, end);
    program.fetch(Double, FILE, CONTEXT, "bpf_iter__task_file", "file")?;
    program.asm.jump_if(FILE, Equal, 0, end);
    program.distrust(FILE, "file")?;
    program.asm.clear(RECORD, SIZE);

    program.fetch(Double, INODE, FILE, "file", "f_inode")?;
    program.fetch(Double, R1, INODE, "inode", "i_sb")?;
    program.fetch(Double, R1, R1, "super_block", "s_magic")?;
    program.asm.jump_if(R1, Equal, SOCKFS_MAGIC, socket);
    program.asm.jump_if(R1, Equal, NSFS_MAGIC, namespace);
    program.fetch(Half, R1, INODE, "inode", "i_mode")?;
    program.asm.mask(R1, S_IFMT);
    program.asm.jump_if(R1, NotEqual, S_IFCHR, end);
    program.fetch(Word, R1, INODE, "inode", "i_rdev")?;
    program.asm.jump_if(R1, NotEqual, TUN_DEVICE, end);
    program.asm.store_value(Word, R10, slot!(kind), TUN as i32);
    program.asm.jump(write);

    program.asm.place(namespace);
    describe_namespace(program)?;
    program.asm.jump(write);

    program.asm.place(socket);
    describe_socket(program, write)?;

    program.asm.place(write);
    append(program, level)?;
    program.asm.place(end);
    program.asm.exit(0);
    Ok(())
}

/// Notes which namespace a file on nsfs is.
fn describe_namespace(program: &mut Program<'_>) -> Result<()> {
    program.asm.store_value(Word, R10, slot!(kind), NAMESPACE as i32);
    program.fetch(Double, INODE, INODE, "inode", "i_private")?;
    let inode = program.offset(Word, "ns_common", "inum")?;
    copy(program, INODE, inode, slot!(inode), 4);
    // Its type has been in the namespace itself since Linux 6.18, with its operations before.
    if let Ok(clone_flag) = program.offset(Word, "ns_common", "ns_type") {
        copy(program, INODE, clone_flag, slot!(clone_flag), 4);
    } else {
        let operations = program.offset(Double, "ns_common", "ops")?;
        let clone_flag = program.offset(Word, "proc_ns_operations", "type")?;
        follow(program, INODE, operations);
        copy(program, R1, clone_flag, slot!(clone_flag), 4);
    }
    Ok(())
}

/// Notes the network namespace of a socket, and the files queued in it; goes to `write`.
fn describe_socket(program: &mut Program<'_>, write: Label) -> Result<()> {
    program.asm.store_value(Word, R10, slot!(kind), SOCKET as i32);
    program.fetch(Double, R1, FILE, "file", "private_data")?;
    let sock = program.offset(Double, "socket", "sk")?;
    let net = program.offset(Double, "sock", "__sk_common.skc_net.net")?;
    let inode = program.offset(Word, "net", "ns.inum")?;
    follow(program, R1, sock);
    // The inode is not needed any more.
    program.asm.copy(SOCK, R1);
    follow(program, SOCK, net);
    copy(program, R1, inode, slot!(inode), 4);
    in_flight(program, write)
}

/// Adds the number of the file and the PIDs, and appends the record to the output.
fn append(program: &mut Program<'_>, level: u16) -> Result<()> {
    program.fetch(Word, R1, CONTEXT, "bpf_iter__task_file", "fd")?;
    program.asm.store(Word, R10, slot!(fd), R1);
    program.fetch(Double, FILE, CONTEXT, "bpf_iter__task_file", "meta")?;
    program.fetch(Double, FILE, FILE, "bpf_iter_meta", "seq")?;
    program.distrust(TASK, "task_struct")?;
    if level == 0 {
        program.fetch(Word, R1, TASK, "task_struct", "pid")?;
        program.asm.store(Word, R10, slot!(pid), R1);
        program.fetch(Word, R1, TASK, "task_struct", "tgid")?;
        program.asm.store(Word, R10, slot!(tgid), R1);
    } else {
        number(program, level, slot!(pid))?;
        program.fetch(Double, TASK, TASK, "task_struct", "group_leader")?;
        number(program, level, slot!(tgid))?;
    }
    program.asm.copy(R1, FILE);
    program.asm.address(R2, R10, RECORD);
    program.asm.set(R3, SIZE.into());
    program.asm.call(SequenceWrite);
    Ok(())
}

/// Counts the files that are queued in a Unix socket; goes to `write` with any other.
fn in_flight(program: &mut Program<'_>, write: Label) -> Result<()> {
    let family = program.sized(2, "sock", "__sk_common.skc_family")?;
    let state = program.sized(1, "sock", "__sk_common.skc_state")?;
    program.asm.store_value(Double, R10, SCRATCH, 0);
    copy(program, SOCK, family, SCRATCH, 2);
    program.asm.load(Half, R1, R10, SCRATCH);
    program.asm.jump_if(R1, NotEqual, AF_UNIX, write);
    program.asm.store_value(Word, R10, slot!(in_flight), UNKNOWN.cast_signed());
    // Where Unix sockets are a module, the types of the kernel itself lack them.
    let Ok(count) = program.offset(Word, "unix_sock", "scm_stat.nr_fds.counter") else {
        program.asm.jump(write);
        return Ok(());
    };
    // A single byte, read as the lower half of two.
    let low = if cfg!(target_endian = "big") { 1 } else { 0 };
    program.asm.store_value(Double, R10, SCRATCH, 0);
    copy(program, SOCK, state, SCRATCH + low, 1);
    program.asm.load(Half, R1, R10, SCRATCH);
    // The files wait in connections to it.
    program.asm.jump_if(R1, Equal, TCP_LISTEN, write);
    copy(program, SOCK, count, slot!(in_flight), 4);
    Ok(())
}

/// Copies a task's PID at this level; all the tasks shown have one.
fn number(program: &mut Program<'_>, level: u16, slot: i16) -> Result<()> {
    let first = program.offset(Word, "pid", "numbers.nr")?;
    let offset = i64::from(program.btf.size("upid")?) * i64::from(level) + i64::from(first);
    let offset = i16::try_from(offset).map_err(|_| BtfError::NoMember("pid", "numbers"))?;
    program.fetch(Double, R1, TASK, "task_struct", "thread_pid")?;
    copy(program, R1, offset, slot, 4);
    Ok(())
}

/// Loads a pointer from any kernel address: `R1 = *(from + offset)`; 0 if there is nothing.
fn follow(program: &mut Program<'_>, from: Register, offset: i16) {
    copy(program, from, offset, SCRATCH, 8);
    program.asm.load(Double, R1, R10, SCRATCH);
}

/// Copies from any kernel address to the stack; leaves zeros there if there is nothing.
fn copy(program: &mut Program<'_>, from: Register, offset: i16, slot: i16, size: i32) {
    program.asm.address(R3, from, offset);
    program.asm.address(R1, R10, slot);
    program.asm.set(R2, size);
    program.asm.call(ProbeReadKernel);
}
