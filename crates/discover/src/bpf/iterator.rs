//! What the iterators have in common: getting a program into the kernel, and reading its records.

use std::os::fd::OwnedFd;
use std::time::Instant;

use lxkns_ops::bpf::{self, Instruction};
use rustix::io::Errno;
use tracing::{debug, trace};

use super::Unavailable;
use super::assembler::{Assembler, Register, Width};
use super::btf::{Btf, BtfError};

/// The kernel function that turns a trusted pointer into one for reading only.
pub(super) const CAST: &str = "bpf_rdonly_cast";

/// The licence of the programs, which the kernel wants to know: see the files that hold them.
const LICENCE: &std::ffi::CStr = c"Dual MIT/GPL";

/// The kernel gives no more than this at once.
const BUFFER: usize = 32 * 1024;

/// A program under construction, with the layout of the structures that it reads.
pub(super) struct Program<'b> {
    pub(super) asm: Assembler,
    pub(super) btf: &'b Btf<'b>,
    /// The BTF number of [`CAST`], if that is to be used.
    cast: Option<i32>,
}

impl Program<'_> {
    /// The offset of a member that has to have this width.
    pub(super) fn offset(
        &self,
        width: Width,
        structure: &'static str,
        member: &'static str,
    ) -> Result<i16, BtfError> {
        self.sized(width.bytes(), structure, member)
    }

    /// The offset of a member that has to have this size.
    pub(super) fn sized(
        &self,
        expected: u32,
        structure: &'static str,
        member: &'static str,
    ) -> Result<i16, BtfError> {
        let found = self.btf.member(structure, member)?;
        if found.size != expected {
            return Err(BtfError::Size { structure, member, size: found.size });
        }
        Ok(found.offset)
    }

    /// Loads a member: `to = ((structure *)from)->member`.
    pub(super) fn fetch(
        &mut self,
        width: Width,
        to: Register,
        from: Register,
        structure: &'static str,
        member: &'static str,
    ) -> Result<(), BtfError> {
        let offset = self.offset(width, structure, member)?;
        self.asm.load(width, to, from, offset);
        Ok(())
    }

    /// Takes the verifier's trust from a pointer to a structure: cheaper to verify.
    pub(super) fn distrust(
        &mut self,
        pointer: Register,
        structure: &'static str,
    ) -> Result<(), BtfError> {
        let Some(cast) = self.cast else { return Ok(()) };
        let number = btf_number(self.btf.structure(structure)?)?;
        self.asm.copy(Register::R1, pointer);
        self.asm.set(Register::R2, number);
        self.asm.call_kernel(cast);
        self.asm.copy(pointer, Register::R0);
        Ok(())
    }
}

fn btf_number(number: u32) -> Result<i32, BtfError> {
    i32::try_from(number).map_err(|_| BtfError::Inconsistent)
}

/// An iterator that the kernel has accepted; serves any number of passes.
#[derive(Debug)]
pub(super) struct KernelIterator {
    link: OwnedFd,
}

impl KernelIterator {
    /// Assembles a program and has it loaded for the iterator of this name.
    pub(super) fn load(
        btf: &Btf<'_>,
        target: &'static str,
        assemble: impl Fn(&mut Program<'_>) -> Result<(), BtfError>,
    ) -> Result<KernelIterator, Unavailable> {
        let started = Instant::now();
        let function = btf.function(target)?;
        let cast = btf.function(CAST).and_then(btf_number).ok();
        let mut instructions = instructions_for(btf, cast, &assemble)?;
        let mut loaded = load(&instructions, function);
        if cast.is_some()
            && let Err(refusal) = &loaded
        {
            debug!(target, %refusal, "loading again, without {CAST}");
            instructions = instructions_for(btf, None, &assemble)?;
            loaded = load(&instructions, function);
        }
        let link = bpf::link_iterator(loaded?)?;
        debug!(
            target,
            instructions = instructions.len(),
            elapsed = ?started.elapsed(),
            "BPF iterator loaded"
        );
        Ok(KernelIterator { link })
    }

    /// Makes one pass, handing over each record of `size` bytes.
    pub(super) fn read(&self, size: usize, mut each: impl FnMut(&[u8])) -> Result<(), Unavailable> {
        let output = bpf::open_iterator(&self.link)?;
        let mut buffer = vec![0; BUFFER];
        let mut filled = 0;
        loop {
            let free = buffer.get_mut(filled..).unwrap_or_default();
            match rustix::io::read(&output, free) {
                Ok(0) => break,
                Ok(length) => filled += length,
                // EAGAIN: nothing to show among a million objects; the pass goes on from there.
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(errno) => return Err(Unavailable::Read(errno)),
            }
            let records = buffer.get(..filled).unwrap_or_default().chunks_exact(size);
            let rest = records.remainder().len();
            records.for_each(&mut each);
            // The kernel does not split records; if it did, the next read would complete this one.
            buffer.copy_within(filled - rest..filled, 0);
            filled = rest;
        }
        if filled == 0 { Ok(()) } else { Err(Unavailable::Incomplete) }
    }
}

/// Assembles a program, which makes use of [`CAST`] if it gets its number.
pub(super) fn instructions_for(
    btf: &Btf<'_>,
    cast: Option<i32>,
    assemble: impl Fn(&mut Program<'_>) -> Result<(), BtfError>,
) -> Result<Vec<Instruction>, BtfError> {
    let asm = Assembler::default();
    let mut program = Program { asm, btf, cast };
    assemble(&mut program)?;
    Ok(program.asm.finish())
}

/// Loads a program, and says what the verifier thinks of it if that fails and someone listens.
fn load(instructions: &[Instruction], function: u32) -> Result<OwnedFd, lxkns_ops::Error> {
    bpf::load_iterator(instructions, function, LICENCE).inspect_err(|_| {
        if tracing::enabled!(tracing::Level::TRACE) {
            trace!("{}", bpf::verifier_log(instructions, function, LICENCE));
        }
    })
}

/// The 32-bit number at an offset of a record; 0 beyond its end.
pub(super) fn word(record: &[u8], offset: usize) -> u32 {
    let chunk = record.get(offset..).and_then(|rest| rest.first_chunk());
    chunk.copied().map_or(0, u32::from_ne_bytes)
}

/// The 64-bit number at an offset of a record; 0 beyond its end.
pub(super) fn double(record: &[u8], offset: usize) -> u64 {
    let chunk = record.get(offset..).and_then(|rest| rest.first_chunk());
    chunk.copied().map_or(0, u64::from_ne_bytes)
}
