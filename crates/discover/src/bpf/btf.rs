//! A reader of BTF, the kernel's type information: where in a structure a member is.
//!
//! The layout of the kernel's structures differs between versions and configurations. The running
//! kernel describes its own in BTF (`Documentation/bpf/btf.rst`): a table of types, numbered from 1
//! in the order in which they stand there, and a table of the names they use. Types differ in
//! length, so that finding the n-th means walking: one pass finds the structures and functions
//! asked for by name, and on its way notes the place of every few types, from where later look-ups
//! by number go on. Names are compared where they stand; nothing is copied.
//!
//! Every access is checked. Bytes that make no sense are an error, never a wrong answer as far as
//! one can tell, and never a panic. Left out: other byte orders than the machine's, and the split
//! BTF of kernel modules.

use thiserror::Error;

/// Every how manieth type is noted.
const STRIDE: usize = 32;
/// How deep types may be nested; the kernel's own limit is 32.
const DEPTH: u32 = 32;
/// How many members are looked at for one: the largest structures have some hundreds. Without a
/// limit, nonsense that refers to itself would keep us busy for ever.
const MEMBERS: u32 = 10_000;

/// What is wrong with BTF, or missing in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum BtfError {
    /// It does not start with a header in this machine's byte order.
    #[error("no BTF header")]
    NoHeader,
    /// An offset, a length or a type number points out of it.
    #[error("truncated or inconsistent BTF")]
    Inconsistent,
    /// A kind of type that was not known when this was written.
    #[error("unknown kind of BTF type {0}")]
    UnknownKind(u32),
    /// No function of this name.
    #[error("no function {0}")]
    NoFunction(&'static str),
    /// No structure of this name.
    #[error("no struct {0}")]
    NoStruct(&'static str),
    /// No member of this name, or not at an offset that a BPF instruction can express.
    #[error("no member {1} in struct {0}")]
    NoMember(&'static str, &'static str),
    /// A member is there, but not of the size expected.
    #[error("member {member} of struct {structure} has {size} bytes")]
    Size { structure: &'static str, member: &'static str, size: u32 },
}

use BtfError::Inconsistent;

type Result<T> = std::result::Result<T, BtfError>;

// include/uapi/linux/btf.h
const MAGIC: u16 = 0xeb9f;
const INT: u32 = 1;
const POINTER: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const FORWARD: u32 = 7;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNCTION: u32 = 12;
const FUNCTION_PROTOTYPE: u32 = 13;
const VARIABLE: u32 = 14;
const DATA_SECTION: u32 = 15;
const FLOAT: u32 = 16;
const DECLARATION_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

/// One entry of the table of types.
#[derive(Clone, Copy, Debug)]
struct Type {
    name: u32,
    kind: u32,
    /// How many members, parameters, values… follow.
    count: u32,
    /// Of a structure: the upper byte of a member's offset is the width of a bit field.
    bit_fields: bool,
    /// The size in bytes, or the number of another type, as the kind has it.
    size_or_type: u32,
    /// Where in the table the rest of this entry starts, and the next entry.
    rest: usize,
    next: usize,
}

/// A structure or function that was found by its name.
#[derive(Debug)]
struct Found {
    name: &'static str,
    kind: u32,
    number: u32,
    offset: usize,
}

/// BTF in which the structures and functions of interest have been found.
#[derive(Debug)]
pub(crate) struct Btf<'a> {
    types: &'a [u8],
    names: &'a [u8],
    /// The offset of type 1, 1 + STRIDE, 1 + 2 STRIDE…, as far as the pass went.
    landmarks: Vec<usize>,
    found: Vec<Found>,
}

/// A member of a structure, with the offset and size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) offset: i16,
    pub(super) size: u32,
}

impl<'a> Btf<'a> {
    /// Finds these structures and functions: all in one pass, which ends at the last of them.
    ///
    /// What is missing is told by the functions that look it up. If there are several of one name,
    /// the first counts.
    pub(super) fn scan(
        bytes: &'a [u8],
        structures: &[&'static str],
        functions: &[&'static str],
    ) -> Result<Btf<'a>> {
        let (types, names) = sections(bytes)?;
        let mut wanted: Vec<Wanted> = structures
            .iter()
            .map(|name| Wanted::new(STRUCT, name))
            .chain(functions.iter().map(|name| Wanted::new(FUNCTION, name)))
            .collect();
        let mut btf =
            Btf { types, names, landmarks: Vec::new(), found: Vec::with_capacity(wanted.len()) };
        let (mut offset, mut index) = (0, 0);
        while offset < types.len() && !wanted.is_empty() {
            if index % STRIDE == 0 {
                btf.landmarks.push(offset);
            }
            let entry = btf.entry(offset)?;
            if let STRUCT | FUNCTION = entry.kind {
                let name = btf.text(entry.name)?;
                if let Some(at) = wanted.iter().position(|it| it.matches(entry.kind, name)) {
                    let Wanted { name, kind, .. } = wanted.swap_remove(at);
                    btf.found.push(Found {
                        name,
                        kind,
                        number: u32::try_from(index + 1).map_err(|_| Inconsistent)?,
                        offset,
                    });
                }
            }
            (offset, index) = (entry.next, index + 1);
        }
        Ok(btf)
    }

    /// The number of a function.
    pub(super) fn function(&self, name: &'static str) -> Result<u32> {
        let found = self.found(FUNCTION, name);
        Ok(found.ok_or(BtfError::NoFunction(name))?.number)
    }

    /// The number of a structure.
    pub(super) fn structure(&self, name: &'static str) -> Result<u32> {
        let found = self.found(STRUCT, name);
        Ok(found.ok_or(BtfError::NoStruct(name))?.number)
    }

    /// The size of a structure in bytes.
    pub(super) fn size(&self, name: &'static str) -> Result<u32> {
        let found = self.found(STRUCT, name).ok_or(BtfError::NoStruct(name))?;
        Ok(self.entry(found.offset)?.size_or_type)
    }

    /// A member of a structure, also one inside of anonymous structures and unions.
    ///
    /// A path such as `offsets.boottime` leads into members that are structures themselves. A
    /// member that is an array stands for its first element when a path goes on.
    pub(super) fn member(&self, structure: &'static str, path: &'static str) -> Result<Member> {
        let missing = || BtfError::NoMember(structure, path);
        let found = self.found(STRUCT, structure);
        let mut entry = self.entry(found.ok_or(BtfError::NoStruct(structure))?.offset)?;
        let (mut bits, mut number, mut budget) = (0u32, None, MEMBERS);
        for name in path.split('.') {
            if let Some(number) = number {
                entry = self.element(number)?;
            }
            let (offset, number_of_type) = self
                .find_member(entry, name.as_bytes(), DEPTH, &mut budget)?
                .ok_or_else(missing)?;
            bits = bits.checked_add(offset).ok_or(Inconsistent)?;
            number = Some(number_of_type);
        }
        if bits % 8 != 0 {
            return Err(missing());
        }
        Ok(Member {
            offset: i16::try_from(bits / 8).map_err(|_| missing())?,
            size: self.size_of(number.ok_or_else(missing)?, DEPTH)?,
        })
    }

    fn found(&self, kind: u32, name: &str) -> Option<&Found> {
        self.found.iter().find(|found| found.kind == kind && found.name == name)
    }

    /// The offset in bits, and the type, of a member. Bit fields are not found.
    fn find_member(
        &self,
        entry: Type,
        name: &[u8],
        depth: u32,
        budget: &mut u32,
    ) -> Result<Option<(u32, u32)>> {
        let depth = depth.checked_sub(1).ok_or(Inconsistent)?;
        if !matches!(entry.kind, STRUCT | UNION) {
            return Ok(None);
        }
        for index in 0..entry.count as usize {
            *budget = budget.checked_sub(1).ok_or(Inconsistent)?;
            let at = entry.rest + 12 * index;
            let (member, number) = (self.text(word(self.types, at)?)?, word(self.types, at + 4)?);
            let mut offset = word(self.types, at + 8)?;
            if entry.bit_fields {
                if offset >> 24 != 0 {
                    continue;
                }
                offset &= 0x00ff_ffff;
            }
            if is(member, name) {
                return Ok(Some((offset, number)));
            }
            if is(member, b"")
                && let Some((inner, number)) =
                    self.find_member(self.resolve(number)?, name, depth, budget)?
            {
                let offset = offset.checked_add(inner).ok_or(Inconsistent)?;
                return Ok(Some((offset, number)));
            }
        }
        Ok(None)
    }

    /// The type behind typedefs and qualifiers.
    fn resolve(&self, mut number: u32) -> Result<Type> {
        for _ in 0..DEPTH {
            let entry = self.numbered(number)?;
            match entry.kind {
                TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => number = entry.size_or_type,
                _ => return Ok(entry),
            }
        }
        Err(Inconsistent)
    }

    /// The type itself, or of an array the type of its elements.
    fn element(&self, number: u32) -> Result<Type> {
        let entry = self.resolve(number)?;
        match entry.kind {
            ARRAY => self.resolve(word(self.types, entry.rest)?),
            _ => Ok(entry),
        }
    }

    /// The size of a type in bytes.
    fn size_of(&self, number: u32, depth: u32) -> Result<u32> {
        let depth = depth.checked_sub(1).ok_or(Inconsistent)?;
        let entry = self.resolve(number)?;
        match entry.kind {
            INT | STRUCT | UNION | ENUM | FLOAT | ENUM64 => Ok(entry.size_or_type),
            POINTER => Ok(size_of::<usize>() as u32),
            ARRAY => {
                let element = self.size_of(word(self.types, entry.rest)?, depth)?;
                let elements = word(self.types, entry.rest + 8)?;
                element.checked_mul(elements).ok_or(Inconsistent)
            }
            _ => Err(Inconsistent),
        }
    }

    /// The type of this number, walking there from the nearest landmark before it.
    fn numbered(&self, number: u32) -> Result<Type> {
        let index = number.checked_sub(1).ok_or(Inconsistent)? as usize;
        let last = self.landmarks.len().checked_sub(1).ok_or(Inconsistent)?;
        let landmark = (index / STRIDE).min(last);
        let offset = *self.landmarks.get(landmark).ok_or(Inconsistent)?;
        let mut entry = self.entry(offset)?;
        for _ in landmark * STRIDE..index {
            entry = self.entry(entry.next)?;
        }
        Ok(entry)
    }

    /// The entry at this offset of the table of types.
    fn entry(&self, offset: usize) -> Result<Type> {
        let info = word(self.types, offset + 4)?;
        // The upper bits of count and kind were unused and 0 at first.
        let (count, kind) = (info & 0x00ff_ffff, info >> 24 & 0x7f);
        let each = match kind {
            POINTER | FORWARD | TYPEDEF | VOLATILE | CONST | RESTRICT => 0,
            FUNCTION | FLOAT | TYPE_TAG => 0,
            STRUCT | UNION | DATA_SECTION | ENUM64 => 12,
            ENUM | FUNCTION_PROTOTYPE => 8,
            INT | VARIABLE | DECLARATION_TAG | ARRAY => 0,
            unknown => return Err(BtfError::UnknownKind(unknown)),
        };
        let fixed = match kind {
            INT | VARIABLE | DECLARATION_TAG => 4,
            ARRAY => 12,
            _ => 0,
        };
        let rest = offset + 12;
        Ok(Type {
            name: word(self.types, offset)?,
            kind,
            count,
            bit_fields: info >> 31 != 0,
            size_or_type: word(self.types, offset + 8)?,
            rest,
            next: rest + fixed + each * count as usize,
        })
    }

    /// The names from this one on, each ending with a zero byte.
    fn text(&self, offset: u32) -> Result<&'a [u8]> {
        self.names.get(offset as usize..).ok_or(Inconsistent)
    }
}

/// The tables of types and of names.
fn sections(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let magic = bytes.first_chunk().ok_or(BtfError::NoHeader)?;
    if u16::from_ne_bytes(*magic) != MAGIC {
        return Err(BtfError::NoHeader);
    }
    let body = bytes.get(word(bytes, 4)? as usize..).ok_or(Inconsistent)?;
    let section = |at| {
        let rest = body.get(word(bytes, at)? as usize..).ok_or(Inconsistent)?;
        rest.get(..word(bytes, at + 4)? as usize).ok_or(Inconsistent)
    };
    Ok((section(8)?, section(16)?))
}

/// The 32-bit number at an offset.
fn word(bytes: &[u8], offset: usize) -> Result<u32> {
    let chunk = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    chunk.copied().map(u32::from_ne_bytes).ok_or(Inconsistent)
}

/// Whether the first of these names is this one.
fn is(names: &[u8], name: &[u8]) -> bool {
    names.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&0))
}

/// A name to be found, and its first bytes with the end of a short one: nearly every other name of
/// the kernel's thousands differs there, which one comparison of numbers tells.
struct Wanted {
    name: &'static str,
    kind: u32,
    start: [u8; 4],
}

impl Wanted {
    fn new(kind: u32, name: &'static str) -> Wanted {
        let mut start = [0; 4];
        for (to, from) in start.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        Wanted { name, kind, start }
    }

    fn matches(&self, kind: u32, names: &[u8]) -> bool {
        names.first_chunk() == Some(&self.start)
            && kind == self.kind
            && is(names, self.name.as_bytes())
    }
}

#[cfg(test)]
mod tests;
