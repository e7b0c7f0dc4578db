//! All tasks, and what they hold open, in one read each: BPF iterators.
//!
//! # What this is for
//!
//! Reading the namespaces of a process from `/proc` takes a dozen system calls, 20 µs and more.
//! The kernel's BPF iterators (since Linux 5.8, see [`lxkns_ops::bpf`]) run a small program of ours
//! for each task, or each open file, and collect what it writes: half a microsecond per
//! task, without opening anything, without the privileges of ptrace(2). Setting both up takes about
//! 2 ms, as long as reading 100 processes from `/proc`: half of it to find our way through the
//! kernel's type information, half for its verifier. Before Linux 6.16, which lets that information
//! be mapped into memory, it is 6 ms. An iterator can be kept, and read any number of times.
//!
//! # The program
//!
//! Loading BPF usually takes a compiler and a library that adapts the compiled program to the
//! running kernel. Our programs are so small that they are written instruction by instruction, in
//! `task_program` and `file_program` with the `assembler`, at the moment they are loaded. Where in
//! the kernel's structures a member lies is looked up in BTF (`btf`), with its size, so that they
//! fit the kernel at hand, whatever its version, configuration or layout randomisation; members
//! that a configuration lacks are left out of the program.
//!
//! Each run of a program fills one record on its stack and appends it to the output. It reads
//! through pointers that the verifier knows the type of (then a load from a stale address gives 0
//! instead of a fault), or copies from addresses with a helper that fails softly. No lock is taken:
//! a task that changes namespaces meanwhile could show some of the old and some of the new ones, or
//! a stale object. The program therefore looks twice, and marks what did not stay the same: see
//! [`Task::settled`]. Of 100,000 records of a process that did nothing but switch between two
//! namespaces, 600 were so marked, and none of the others was wrong.
//!
//! Since Linux 6.2, and until it learned binary search (7.3 has it, 6.19 has not), the verifier
//! walks through the names of all of the kernel's types, several times over, for each pointer that
//! a program follows from a *trusted* one: 4 to 8 ms. Passing the task through `bpf_rdonly_cast`
//! first takes that trust away, and the walks with it. Where that function is missing or refused,
//! the program is loaded without.
//!
//! # When it cannot be had
//!
//! Old kernels, kernels without BTF, missing privileges, lockdown, a verifier that refuses: all
//! that is an [`Unavailable`] for the caller to fall back to `/proc` with, quietly. So is a PID
//! namespace of ours nested eight deep or more.
//!
//! # What differs from `/proc`
//!
//! - The comm of kernel threads: `/proc` appends what a kworker is working for.
//! - Processes hidden by `hidepid` or a security module are seen. Conversely, a hardened kernel may
//!   hide processes from BPF: what `/proc` lists and the iterator did not
//!   show is there all the same, and to be read from `/proc`.
//! - The PID namespace for children is reported as soon as it was made by unshare(2); `/proc` has
//!   its link only once the first process lives there.
//! - Types of namespaces that the kernel was built without can show their initial namespace.
//! - Command lines, cgroups, supplementary details: `/proc` only.

mod assembler;
mod btf;
mod file_program;
mod files;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod iterator;
mod task_program;
mod tasks;

use lxkns_ops::bpf::KernelTypes;
use rustix::io::Errno;
use thiserror::Error;

pub(crate) use btf::Btf;
use btf::BtfError;
pub(crate) use files::{FileIterator, OpenFile, OpenFileKind};
pub(crate) use tasks::{Task, TaskIterator, Threads};

/// Why there is no BPF iterator.
#[derive(Debug, Error)]
pub(crate) enum Unavailable {
    /// The type information lacks what the program needs, or makes no sense.
    #[error("the kernel's type information does not serve")]
    Layout(#[from] BtfError),
    /// The kernel has no type information, does not take the program, or does not run it.
    #[error(transparent)]
    Refused(#[from] lxkns_ops::Error),
    /// The kernel ran the program, but its output could not be read.
    #[error("cannot read a BPF iterator")]
    Read(#[source] Errno),
    /// The output is not what the program writes.
    #[error("incomplete output of a BPF iterator")]
    Incomplete,
    /// We live in a PID namespace this deep down.
    #[error("PID namespace nested {0} deep")]
    Nested(usize),
}

/// The iterators, which serve one scan after another.
#[derive(Debug, Default)]
pub(crate) struct Iterators {
    pub(crate) tasks: Option<TaskIterator>,
    pub(crate) files: Option<FileIterator>,
}

/// Finds all that the programs need in the kernel's type information.
pub(crate) fn scan(types: &KernelTypes) -> Result<Btf<'_>, Unavailable> {
    Ok(scan_bytes(types.bytes())?)
}

fn scan_bytes(bytes: &[u8]) -> Result<Btf<'_>, BtfError> {
    let structures = [task_program::STRUCTURES, file_program::STRUCTURES].concat();
    let functions = [task_program::TARGET, file_program::TARGET, iterator::CAST];
    Btf::scan(bytes, &structures, &functions)
}

#[cfg(test)]
mod against_proc;
