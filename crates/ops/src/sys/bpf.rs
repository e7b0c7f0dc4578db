//! bpf(2) as far as iterator programs need it, and mapping the kernel's type information.
//!
//! Neither rustix nor libc has the attributes of bpf(2). The kernel accepts any prefix of its
//! `union bpf_attr` and takes the rest as zero, so each command has a struct of its own here that
//! ends with the last field in use.

#![expect(unsafe_code, reason = "bpf(2) and mmap(2) take and give addresses")]

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::NonNull;

use rustix::io::{Errno, Result};
use rustix::mm::{MapFlags, ProtFlags};

use super::process::opened;

/// One instruction of a BPF program, as the kernel takes it (`struct bpf_insn`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    /// The instruction with this operation code, of these registers (0 to 10), offset and
    /// immediate value.
    ///
    /// ```
    /// use lxkns_ops::bpf::Instruction;
    ///
    /// // r0 = 0; exit
    /// const NOTHING: [Instruction; 2] = [
    ///     Instruction::new(0xb7, 0, 0, 0, 0),
    ///     Instruction::new(0x95, 0, 0, 0, 0),
    /// ];
    /// ```
    pub const fn new(
        code: u8,
        destination: u8,
        source: u8,
        offset: i16,
        immediate: i32,
    ) -> Instruction {
        // Two bit fields in C, whose order is that of the machine's bytes.
        let registers = if cfg!(target_endian = "little") {
            source << 4 | destination & 0xf
        } else {
            destination << 4 | source & 0xf
        };
        Instruction { code, registers, offset, immediate }
    }

    /// The same instruction with another offset: for jumps whose target is known later.
    ///
    /// ```
    /// use lxkns_ops::bpf::Instruction;
    ///
    /// // if r1 == 0, skip two instructions
    /// let jump = Instruction::new(0x15, 1, 0, 0, 0);
    /// assert_eq!(jump.with_offset(2), Instruction::new(0x15, 1, 0, 2, 0));
    /// ```
    #[must_use]
    pub const fn with_offset(self, offset: i16) -> Instruction {
        Instruction { offset, ..self }
    }
}

// include/uapi/linux/bpf.h
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_ITER_CREATE: libc::c_int = 33;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_TRACE_ITER: u32 = 28;

/// The attributes of `BPF_PROG_LOAD`. An address is 64 bits wide whatever the machine.
#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
}

/// The attributes of `BPF_LINK_CREATE`.
#[repr(C)]
struct LinkCreate {
    prog_fd: RawFd,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
}

/// The attributes of `BPF_ITER_CREATE`.
#[repr(C)]
struct IterCreate {
    link_fd: RawFd,
    flags: u32,
}

/// The attributes of one bpf(2) command.
///
/// # Safety
///
/// A plain C struct laid out as the kernel expects it for `COMMAND`, without padding, whose
/// addresses are valid for the length of the call. The command returns a new file descriptor.
unsafe trait Attributes {
    const COMMAND: libc::c_int;
}

// SAFETY: laid out as in the header above; `load_iterator` fills in addresses of live borrows.
unsafe impl Attributes for ProgLoad {
    const COMMAND: libc::c_int = BPF_PROG_LOAD;
}

// SAFETY: laid out as in the header above, no addresses.
unsafe impl Attributes for LinkCreate {
    const COMMAND: libc::c_int = BPF_LINK_CREATE;
}

// SAFETY: laid out as in the header above, no addresses.
unsafe impl Attributes for IterCreate {
    const COMMAND: libc::c_int = BPF_ITER_CREATE;
}

/// Carries out a command; the descriptors that bpf(2) makes are all close-on-exec.
fn bpf<A: Attributes>(attributes: &mut A) -> Result<OwnedFd> {
    // SAFETY: the trait vouches for layout and addresses; the size is that of the struct.
    let fd = unsafe {
        libc::syscall(libc::SYS_bpf, A::COMMAND, std::ptr::from_mut(attributes), size_of::<A>())
    };
    let fd = RawFd::try_from(fd).map_err(|_| Errno::OVERFLOW)?;
    if fd < 0 {
        let error = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO));
    }
    /// `ANON_INODE_FS_MAGIC` of linux/magic.h: programs, links and iterators are there.
    const ANON_INODE_MAGIC: u64 = 0x0904_1934;
    // SAFETY: the kernel has just made this descriptor for us, nothing else owns it.
    unsafe { opened(fd, ANON_INODE_MAGIC) }
}

/// Loads an iterator program, with the verifier's log going to `log` unless that is empty.
pub(crate) fn load_iterator(
    instructions: &[Instruction],
    attach_btf_id: u32,
    license: &CStr,
    log: &mut [u8],
) -> Result<OwnedFd> {
    let mut attributes = ProgLoad {
        prog_type: BPF_PROG_TYPE_TRACING,
        insn_cnt: u32::try_from(instructions.len()).map_err(|_| Errno::TOOBIG)?,
        insns: instructions.as_ptr().expose_provenance() as u64,
        license: license.as_ptr().expose_provenance() as u64,
        expected_attach_type: BPF_TRACE_ITER,
        attach_btf_id,
        ..ProgLoad::default()
    };
    if !log.is_empty() {
        attributes.log_level = 1;
        attributes.log_size = u32::try_from(log.len()).map_err(|_| Errno::TOOBIG)?;
        attributes.log_buf = log.as_mut_ptr().expose_provenance() as u64;
    }
    // A signal makes the verifier give up.
    let mut attempts = 0;
    loop {
        match bpf(&mut attributes) {
            Err(Errno::AGAIN) if attempts < 5 => attempts += 1,
            outcome => return outcome,
        }
    }
}

/// Attaches an iterator program to its target.
pub(crate) fn link_iterator(program: BorrowedFd<'_>) -> Result<OwnedFd> {
    bpf(&mut LinkCreate {
        prog_fd: program.as_raw_fd(),
        target_fd: 0,
        attach_type: BPF_TRACE_ITER,
        flags: 0,
    })
}

/// Opens an attached iterator for one pass.
pub(crate) fn open_iterator(link: BorrowedFd<'_>) -> Result<OwnedFd> {
    bpf(&mut IterCreate { link_fd: link.as_raw_fd(), flags: 0 })
}

/// A read-only mapping of a file that never changes.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    /// Maps a file of `/sys/kernel/btf`.
    ///
    /// Refuses files of any file system but sysfs: others could change or shrink under the
    /// mapping. What sysfs lets itself be mapped there is constant data of the running kernel.
    pub(crate) fn of_btf(file: impl AsFd, length: usize) -> Result<Mapping> {
        const SYSFS_MAGIC: u64 = 0x6265_6572;
        if rustix::fs::fstatfs(&file)?.f_type as u64 != SYSFS_MAGIC {
            return Err(Errno::NODEV);
        }
        // SAFETY: a new mapping at an address of the kernel's choice, so nothing is replaced.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ,
                MapFlags::PRIVATE,
                file,
                0,
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or(Errno::FAULT)?;
        Ok(Mapping { start, length })
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped readable with this length until drop, and constant, see `of_btf`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what `of_btf` mapped; all borrows of it have ended.
        let unmapped = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.length) };
        debug_assert!(unmapped.is_ok());
    }
}

// SAFETY: constant memory, owned by the mapping alone.
unsafe impl Send for Mapping {}
// SAFETY: as above; there is no way to write to it.
unsafe impl Sync for Mapping {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_laid_out_as_the_kernel_wants_them() {
        assert_eq!(size_of::<Instruction>(), 8);
        let registers = Instruction::new(0, 10, 3, 0, 0).registers;
        if cfg!(target_endian = "little") {
            assert_eq!(registers, 0x3a);
        } else {
            assert_eq!(registers, 0xa3);
        }
        assert_eq!(Instruction::new(5, 0, 0, 0, 0).with_offset(-2).offset, -2);
    }
}
