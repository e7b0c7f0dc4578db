//! BPF iterators: small programs that the kernel runs once per object of a kind (a task, an open
//! file) and whose output is read from a file descriptor.
//!
//! Only the calls are here, see bpf(2) and the kernel's `Documentation/bpf/bpf_iterators.rst`. What
//! a program does, and where in the kernel's structures it finds things, is up to the caller: the
//! kernel's verifier makes sure that it can do no harm, so nothing here is unsafe to call. Maps,
//! and all other kinds of programs, are left out.
//!
//! An iterator takes three steps: [`load_iterator`] has the program verified and compiled (the
//! expensive step), [`link_iterator`] attaches it, [`open_iterator`] starts one pass, which is then
//! read(2) until the end. The link serves any number of passes.
//!
//! Minimum kernel version: 5.8, built with BTF. All steps need `CAP_BPF` and `CAP_PERFMON`, or
//! `CAP_SYS_ADMIN`, in the initial user namespace; a kernel in lockdown confidentiality mode
//! refuses programs that read kernel memory.
//!
//! ```
//! use std::fs::File;
//! use std::io::Read;
//!
//! use lxkns_ops::Error;
//! use lxkns_ops::bpf::{Instruction, link_iterator, load_iterator, open_iterator};
//!
//! /// What the program writes about all objects.
//! fn all(program: &[Instruction], target: u32) -> Result<Vec<u8>, Error> {
//!     let link = link_iterator(load_iterator(program, target, c"Dual MIT/GPL")?)?;
//!     let mut output = Vec::new();
//!     File::from(open_iterator(link)?).read_to_end(&mut output).unwrap();
//!     Ok(output)
//! }
//!
//! // Type 0 is `void`, which is no iterator.
//! assert!(all(&[], 0).is_err());
//! ```

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::fstatfs;
use rustix::io::Errno;

pub use crate::sys::bpf::Instruction;
use crate::{Error, foreign, sys};

/// Has an iterator program verified and compiled.
///
/// `target` is the BTF id of the function whose prototype describes the iterator, such as
/// `bpf_iter_task`. The kernel offers most of its helpers only to programs whose `licence` it knows
/// to be compatible with the GPL.
///
/// # Errors
///
/// `EPERM` without the privileges, or in lockdown; `EACCES` and `EINVAL` when the verifier rejects
/// the program, see [`verifier_log`].
///
/// ```
/// use lxkns_ops::bpf::{Instruction, load_iterator};
///
/// let exit = Instruction::new(0x95, 0, 0, 0, 0);
/// let error = load_iterator(&[exit], 0, c"Dual MIT/GPL").unwrap_err();
/// assert!(error.errno().is_some());
/// ```
#[doc(alias = "BPF_PROG_LOAD")]
pub fn load_iterator(
    instructions: &[Instruction],
    target: u32,
    licence: &CStr,
) -> Result<OwnedFd, Error> {
    sys::bpf::load_iterator(instructions, target, licence, &mut [])
        .map_err(failed("load a BPF iterator"))
}

/// What the kernel's verifier says of an iterator program: why [`load_iterator`] fails.
///
/// Cut short after 64 KiB; empty if the kernel did not get as far as the verifier.
///
/// ```
/// use lxkns_ops::bpf::{Instruction, load_iterator, verifier_log};
///
/// let (program, target, licence) = ([Instruction::new(0x95, 0, 0, 0, 0)], 0, c"Dual MIT/GPL");
/// if let Err(error) = load_iterator(&program, target, licence) {
///     println!("{error}: {}", verifier_log(&program, target, licence));
/// }
/// ```
pub fn verifier_log(instructions: &[Instruction], target: u32, licence: &CStr) -> String {
    let mut log = vec![0; 64 * 1024];
    // Too small a buffer is an error (ENOSPC) as well: all that matters is what was written.
    drop(sys::bpf::load_iterator(instructions, target, licence, &mut log));
    let text = log.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Attaches a loaded iterator program.
///
/// # Errors
///
/// `EPERM`, `EINVAL`, `ENOMEM`, as bpf(2) says.
///
/// ```
/// let no_program = std::fs::File::open("/dev/null").unwrap();
/// assert!(lxkns_ops::bpf::link_iterator(no_program).is_err());
/// ```
#[doc(alias = "BPF_LINK_CREATE")]
pub fn link_iterator(program: impl AsFd) -> Result<OwnedFd, Error> {
    sys::bpf::link_iterator(program.as_fd()).map_err(failed("attach a BPF iterator"))
}

/// Starts a pass over all objects; the program runs while the descriptor is being read.
///
/// One read(2) gives up to 32 KiB. Given a buffer of at least that size, it never ends within
/// the output for one object.
///
/// # Errors
///
/// `EPERM`, `ENOMEM`, as bpf(2) says.
///
/// ```
/// let no_link = std::fs::File::open("/dev/null").unwrap();
/// assert!(lxkns_ops::bpf::open_iterator(no_link).is_err());
/// ```
#[doc(alias = "BPF_ITER_CREATE")]
pub fn open_iterator(link: impl AsFd) -> Result<OwnedFd, Error> {
    sys::bpf::open_iterator(link.as_fd()).map_err(failed("open a BPF iterator"))
}

/// The type information (BTF) of the running kernel: `/sys/kernel/btf/vmlinux`.
#[derive(Debug)]
pub struct KernelTypes(Source);

#[derive(Debug)]
enum Source {
    Mapped(sys::bpf::Mapping),
    Copied(Vec<u8>),
}

impl KernelTypes {
    /// Opens it: mapped where the kernel can, from Linux 6.16 on; else some 5 MB are read, which
    /// takes 4 ms.
    ///
    /// # Errors
    ///
    /// Those of open(2) and read(2), `ENOENT` above all: the kernel has no BTF, or no sysfs is
    /// here. `EXDEV` if something else is mounted there, `ETIMEDOUT` if it does not answer.
    ///
    /// ```
    /// match lxkns_ops::bpf::KernelTypes::open() {
    ///     Ok(types) => println!("{} bytes", types.bytes().len()),
    ///     Err(error) => println!("{error}"), // a kernel without BTF
    /// }
    /// ```
    pub fn open() -> Result<KernelTypes, Error> {
        KernelTypes::try_open().map_err(|error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            failed("read the kernel's type information")(errno)
        })
    }

    fn try_open() -> std::io::Result<KernelTypes> {
        /// The address space that must be left over, for a scan of thousands of processes.
        const SPARE: usize = 32 * 1024 * 1024;
        let mut file = open_types()?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        // Where memory is so short, others need the rest of it more.
        let mut room: Vec<u8> = Vec::new();
        let no_memory = |_| std::io::Error::from(Errno::NOMEM);
        room.try_reserve_exact(length.saturating_add(SPARE)).map_err(no_memory)?;
        drop(std::hint::black_box(room));
        if let Ok(mapping) = sys::bpf::Mapping::of_btf(&file, length) {
            return Ok(KernelTypes(Source::Mapped(mapping)));
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length + 1).map_err(no_memory)?;
        file.read_to_end(&mut bytes)?;
        Ok(KernelTypes(Source::Copied(bytes)))
    }

    /// The bytes, in the kernel's BTF format and the machine's byte order.
    ///
    /// ```
    /// if let Ok(types) = lxkns_ops::bpf::KernelTypes::open() {
    ///     // They begin with a magic number.
    ///     assert!(types.bytes().starts_with(&0xeb9f_u16.to_ne_bytes()));
    /// }
    /// ```
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Source::Mapped(mapping) => mapping.bytes(),
            Source::Copied(bytes) => bytes,
        }
    }
}

/// Opens the file, if it is the kernel's.
fn open_types() -> Result<File, Errno> {
    /// `SYSFS_MAGIC` of linux/magic.h.
    const SYSFS_MAGIC: u64 = 0x6265_6572;
    let place = foreign::find_at(c"/sys/kernel/btf/vmlinux", foreign::TIMEOUT)?;
    let is_of_sysfs = |file: BorrowedFd<'_>| Ok(fstatfs(file)?.f_type as u64 == SYSFS_MAGIC);
    if !foreign::answer_about(place.as_fd(), foreign::TIMEOUT, is_of_sysfs)? {
        return Err(Errno::XDEV);
    }
    foreign::reopen(&place).map(File::from)
}

fn failed(what: &'static str) -> impl Fn(Errno) -> Error {
    move |source| Error::Call { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(load_iterator(&[], 0, c"GPL").is_err());
        assert!(link_iterator(std::io::stdin()).is_err());
        assert!(open_iterator(std::io::stdin()).is_err());
    }

    #[test]
    fn type_information_starts_with_its_magic_number() {
        match KernelTypes::open() {
            Ok(types) => assert_eq!(types.bytes()[..2], 0xeb9f_u16.to_ne_bytes()),
            Err(error) => println!("skipped: no BTF here: {error}"),
        }
    }
}
