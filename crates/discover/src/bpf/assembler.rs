//! An assembler for BPF: just the instructions that our iterators are made of.
//!
//! A program is a list of calls such as `load(R1, R7, pid)`; jumps go forward to labels, whose
//! distance is filled in at the end. The instruction set is described in the kernel's
//! `Documentation/bpf/standardization/instruction-set.rst`. Nothing is checked that the kernel's
//! verifier checks anyway.

use lxkns_ops::bpf::Instruction;

/// A register of the BPF machine.
///
/// Calls take their arguments in R1 to R5, give their result in R0 and spoil all of these; R6 to R9
/// survive. R10 is the end of a stack frame of 512 bytes, which lies below it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Register {
    R0,
    R1,
    R2,
    R3,
    #[cfg_attr(not(test), expect(dead_code, reason = "completes the registers"))]
    R4,
    R6 = 6,
    R7,
    R8,
    R9,
    R10,
}

use Register::{R0, R10};

/// How much a load or store moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// 2 bytes.
    Half = 0x08,
    /// 4 bytes.
    Word = 0x00,
    /// 8 bytes.
    Double = 0x18,
}

impl Width {
    pub(super) const fn bytes(self) -> u32 {
        match self {
            Width::Half => 2,
            Width::Word => 4,
            Width::Double => 8,
        }
    }
}

/// When to jump; numbers are compared without sign.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition {
    Equal = 0x10,
    NotEqual = 0x50,
    /// At most.
    AtMost = 0xb0,
}

/// The helper functions of the kernel that we call (include/uapi/linux/bpf.h).
#[derive(Clone, Copy, Debug)]
pub(super) enum Helper {
    /// The calling task, as a plain number.
    GetCurrentTask = 35,
    /// Copies R2 bytes from R3, any kernel address, to R1.
    ProbeReadKernel = 113,
    /// Appends R3 bytes at R2 to the output file R1.
    SequenceWrite = 127,
}

/// A place in the program to jump forward to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

// Operation codes: class, source of the second operand, operation.
const LOAD: u8 = 0x61;
const STORE: u8 = 0x63;
const STORE_IMMEDIATE: u8 = 0x62;
const MOVE: u8 = 0xbf;
const MOVE_IMMEDIATE: u8 = 0xb7;
const ADD: u8 = 0x0f;
const ADD_IMMEDIATE: u8 = 0x07;
const MULTIPLY_IMMEDIATE: u8 = 0x27;
const AND_IMMEDIATE: u8 = 0x57;
const JUMP: u8 = 0x05;
const JUMP_REGISTER: u8 = 0x0d;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
/// In the source register of a call: not a helper, but a kernel function by BTF number.
const KERNEL_FUNCTION: u8 = 2;

/// A program under construction.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    instructions: Vec<Instruction>,
    labels: usize,
    /// The instructions that jump to a label that has not been placed yet.
    open: Vec<(Label, usize)>,
}

impl Assembler {
    fn emit(&mut self, code: u8, to: Register, from: Register, offset: i16, immediate: i32) {
        let (to, from) = (to as u8, from as u8);
        let instruction = Instruction::new(code, to, from, offset, immediate);
        self.instructions.push(instruction);
    }

    /// Loads from memory: `to = *(from + offset)`.
    pub(super) fn load(&mut self, width: Width, to: Register, from: Register, offset: i16) {
        self.emit(LOAD | width as u8, to, from, offset, 0);
    }

    /// Stores to memory: `*(to + offset) = from`.
    pub(super) fn store(&mut self, width: Width, to: Register, offset: i16, from: Register) {
        self.emit(STORE | width as u8, to, from, offset, 0);
    }

    /// Stores a number to memory: `*(to + offset) = value`.
    pub(super) fn store_value(&mut self, width: Width, to: Register, offset: i16, value: i32) {
        self.emit(STORE_IMMEDIATE | width as u8, to, R0, offset, value);
    }

    /// Stores zeros to the stack, from an offset on; the size is a multiple of 8.
    pub(super) fn clear(&mut self, offset: i16, size: i16) {
        for at in (offset..offset + size).step_by(8) {
            self.store_value(Width::Double, R10, at, 0);
        }
    }

    /// `to = from`
    pub(super) fn copy(&mut self, to: Register, from: Register) {
        self.emit(MOVE, to, from, 0, 0);
    }

    /// `to = value`
    pub(super) fn set(&mut self, to: Register, value: i32) {
        self.emit(MOVE_IMMEDIATE, to, R0, 0, value);
    }

    /// `to = from + offset`
    pub(super) fn address(&mut self, to: Register, from: Register, offset: i16) {
        self.copy(to, from);
        self.emit(ADD_IMMEDIATE, to, R0, 0, i32::from(offset));
    }

    /// `to += from`
    pub(super) fn add(&mut self, to: Register, from: Register) {
        self.emit(ADD, to, from, 0, 0);
    }

    /// `to += value`
    pub(super) fn add_value(&mut self, to: Register, value: i32) {
        self.emit(ADD_IMMEDIATE, to, R0, 0, value);
    }

    /// `to *= value`
    pub(super) fn multiply(&mut self, to: Register, value: i32) {
        self.emit(MULTIPLY_IMMEDIATE, to, R0, 0, value);
    }

    /// `to &= mask`
    pub(super) fn mask(&mut self, to: Register, mask: i32) {
        self.emit(AND_IMMEDIATE, to, R0, 0, mask);
    }

    /// Calls a helper.
    pub(super) fn call(&mut self, helper: Helper) {
        self.emit(CALL, R0, R0, 0, helper as i32);
    }

    /// Calls a function of the kernel that is open to BPF programs, by its BTF number.
    pub(super) fn call_kernel(&mut self, function: i32) {
        let call = Instruction::new(CALL, 0, KERNEL_FUNCTION, 0, function);
        self.instructions.push(call);
    }

    /// Ends the program with a value.
    pub(super) fn exit(&mut self, value: i32) {
        self.set(R0, value);
        self.emit(EXIT, R0, R0, 0, 0);
    }

    /// A new label, to be placed further on.
    pub(super) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels)
    }

    /// Jumps to a label.
    pub(super) fn jump(&mut self, label: Label) {
        self.open.push((label, self.instructions.len()));
        self.emit(JUMP, R0, R0, 0, 0);
    }

    /// Jumps to a label if a register compares so with a number.
    pub(super) fn jump_if(&mut self, left: Register, is: Condition, right: i32, label: Label) {
        self.open.push((label, self.instructions.len()));
        self.emit(JUMP | is as u8, left, R0, 0, right);
    }

    /// Jumps to a label if a register compares so with another.
    pub(super) fn jump_if_register(
        &mut self,
        left: Register,
        is: Condition,
        right: Register,
        label: Label,
    ) {
        self.open.push((label, self.instructions.len()));
        self.emit(JUMP_REGISTER | is as u8, left, right, 0, 0);
    }

    /// Places a label here.
    pub(super) fn place(&mut self, label: Label) {
        let here = self.instructions.len();
        for (_, jump) in self.open.extract_if(.., |(target, _)| *target == label) {
            // A distance that does not fit would be one out of the program, which is refused.
            let distance = i16::try_from(here - jump - 1).unwrap_or(i16::MAX);
            if let Some(instruction) = self.instructions.get_mut(jump) {
                *instruction = instruction.with_offset(distance);
            }
        }
    }

    /// The program.
    pub(super) fn finish(self) -> Vec<Instruction> {
        debug_assert!(self.open.is_empty(), "a label was never placed");
        self.instructions
    }
}

#[cfg(test)]
mod tests {
    use super::Register::*;
    use super::*;

    #[test]
    fn jumps_lead_to_their_labels() {
        let mut asm = Assembler::default();
        let (near, far) = (asm.label(), asm.label());
        asm.jump_if(R1, Condition::Equal, 7, far);
        asm.jump_if_register(R2, Condition::NotEqual, R3, near);
        asm.set(R0, 1);
        asm.place(near);
        asm.jump(far);
        asm.place(far);
        asm.exit(0);
        let expected = [
            Instruction::new(0x15, 1, 0, 3, 7),
            Instruction::new(0x5d, 2, 3, 1, 0),
            Instruction::new(0xb7, 0, 0, 0, 1),
            Instruction::new(0x05, 0, 0, 0, 0),
            Instruction::new(0xb7, 0, 0, 0, 0),
            Instruction::new(0x95, 0, 0, 0, 0),
        ];
        assert_eq!(asm.finish(), expected);
    }

    #[test]
    fn instructions_are_encoded_as_documented() {
        let mut asm = Assembler::default();
        asm.load(Width::Word, R1, R7, 40);
        asm.load(Width::Double, R4, R6, 8);
        asm.load(Width::Half, R2, R6, 2);
        asm.store(Width::Double, R10, -8, R9);
        asm.store_value(Width::Word, R10, -16, 5);
        asm.call(Helper::SequenceWrite);
        asm.call_kernel(99);
        asm.mask(R2, 63);
        asm.multiply(R2, 16);
        asm.add(R3, R2);
        asm.address(R1, R10, -8);
        let expected = [
            Instruction::new(0x61, 1, 7, 40, 0),
            Instruction::new(0x79, 4, 6, 8, 0),
            Instruction::new(0x69, 2, 6, 2, 0),
            Instruction::new(0x7b, 10, 9, -8, 0),
            Instruction::new(0x62, 10, 0, -16, 5),
            Instruction::new(0x85, 0, 0, 0, 127),
            Instruction::new(0x85, 0, 2, 0, 99),
            Instruction::new(0x57, 2, 0, 0, 63),
            Instruction::new(0x27, 2, 0, 0, 16),
            Instruction::new(0x0f, 3, 2, 0, 0),
            Instruction::new(0xbf, 1, 10, 0, 0),
            Instruction::new(0x07, 1, 0, 0, -8),
        ];
        assert_eq!(asm.finish(), expected);
    }
}
