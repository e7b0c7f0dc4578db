//! Namespace ids and their text form.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::NamespaceType;

/// The id of a namespace: its type and its inode number on nsfs, as in `net:[4026531840]`.
///
/// One running kernel has one nsfs, so within one boot type and inode tell two *living* namespaces
/// apart. Inode numbers are reused as soon as a namespace is gone: an id is no proof of identity
/// across time. An inode is never 0.
///
/// Ids sort by type, in the order of [`NamespaceType::ALL`], then by inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceId {
    namespace_type: NamespaceType,
    inode: NonZeroU64,
}

impl NamespaceId {
    /// The id of the namespace of this type with this inode; `None` for inode 0, which nsfs never
    /// gives out.
    pub const fn new(namespace_type: NamespaceType, inode: u64) -> Option<NamespaceId> {
        match NonZeroU64::new(inode) {
            Some(inode) => Some(NamespaceId { namespace_type, inode }),
            None => None,
        }
    }

    /// The type.
    pub const fn namespace_type(self) -> NamespaceType {
        self.namespace_type
    }

    /// The inode number.
    pub const fn inode(self) -> u64 {
        self.inode.get()
    }

    /// The id in the text of a `/proc/PID/ns` link: exactly `type:[inode]`.
    ///
    /// The kernel writes just this form (nsfs, `ns_dname`), so blanks, signs and leading zeros are
    /// refused.
    pub fn from_link(text: &[u8]) -> Option<NamespaceId> {
        let colon = text.iter().position(|&byte| byte == b':')?;
        let (name, rest) = text.split_at(colon);
        let digits = rest.strip_prefix(b":[")?.strip_suffix(b"]")?;
        let namespace_type =
            NamespaceType::ALL.into_iter().find(|ns_type| ns_type.name().as_bytes() == name)?;
        NamespaceId::new(namespace_type, decimal(digits)?)
    }
}

/// A decimal number as the kernel writes it: digits only, no leading zero.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.starts_with(b"0") {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

impl fmt::Display for NamespaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, inode) = (self.namespace_type.name(), self.inode);
        match f.width() {
            Some(_) => f.pad(&format!("{name}:[{inode}]")),
            None => write!(f, "{name}:[{inode}]"),
        }
    }
}

impl FromStr for NamespaceId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if let Some(id) = NamespaceId::from_link(text.as_bytes()) {
            return Ok(id);
        }
        // The type first, so that `foo:[1]` is told what is wrong with it.
        let (name, _) = text.split_once(':').ok_or_else(|| ParseError::Malformed(text.into()))?;
        name.parse::<NamespaceType>()?;
        Err(ParseError::Malformed(text.into()))
    }
}

/// Why a text is no namespace type or id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// There is no namespace type of this name.
    UnknownType(String),
    /// The text is not of the form `type:[inode]`.
    Malformed(String),
    /// There is no capability of this name.
    UnknownCapability(String),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::UnknownType(text) => write!(f, "unknown namespace type {text:?}"),
            ParseError::Malformed(text) => {
                write!(f, "malformed namespace {text:?}, expected something like net:[4026531840]")
            }
            ParseError::UnknownCapability(text) => write!(f, "unknown capability {text:?}"),
        }
    }
}

impl std::error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_are_read_exactly() {
        let id = NamespaceId::from_link(b"time:[4026531834]").unwrap();
        assert_eq!((id.namespace_type(), id.inode()), (NamespaceType::Time, 4026531834));
        let bad: [&[u8]; 14] = [
            b"",
            b":",
            b"net",
            b"net:",
            b"net:[]",
            b"net:[0]",
            b"net:[01]",
            b"net:[x]",
            b"net:[1",
            b"net:1",
            b"net:[1]x",
            b"net:[-1]",
            b"foo:[1]",
            b"net:[18446744073709551616]",
        ];
        for text in bad {
            assert_eq!(NamespaceId::from_link(text), None, "{}", text.escape_ascii());
        }
        assert!(NamespaceId::from_link(b"net:[18446744073709551615]").is_some());
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let check = |text: &str, message: &str| {
            assert_eq!(text.parse::<NamespaceId>().unwrap_err().to_string(), message);
        };
        check("foo:[1]", "unknown namespace type \"foo\"");
        let malformed = "malformed namespace \"net:\", expected something like net:[4026531840]";
        check("net:", malformed);
        check("net:[x]", &malformed.replace("net:\"", "net:[x]\""));
        check("17", &malformed.replace("net:\"", "17\""));
    }

    #[test]
    fn ids_are_padded() {
        let id = NamespaceId::new(NamespaceType::Net, 7).unwrap();
        assert_eq!(format!("{id}|{id:9}|{id:>9}"), "net:[7]|net:[7]  |  net:[7]");
    }

    #[test]
    fn ids_sort_by_type_then_inode() {
        let mut ids = ["uts:[1]", "net:[20]", "net:[3]", "cgroup:[9]"]
            .map(|text| text.parse::<NamespaceId>().unwrap());
        ids.sort();
        assert_eq!(ids.map(|id| id.to_string()), ["cgroup:[9]", "net:[3]", "net:[20]", "uts:[1]"]);
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(index in 0usize..8, inode in 1u64..) {
            let id = NamespaceId::new(NamespaceType::ALL[index], inode).unwrap();
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            if let Some(id) = NamespaceId::from_link(&bytes) {
                prop_assert_eq!(id.to_string().into_bytes(), bytes);
            }
        }
    }
}
