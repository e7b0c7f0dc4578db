//! What can go wrong when namespaces are asked or entered.

use std::ffi::OsString;

use lxkns_species::{NamespaceId, NamespaceType, Reference};
use rustix::io::Errno;

use crate::Fact;

/// What was attempted, on what, and what the kernel said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The namespace could not be opened.
    #[error("cannot open {reference}")]
    Open {
        /// Where it should be.
        reference: Reference,
        /// What the kernel said.
        source: Errno,
    },
    /// The file server at the path does not answer.
    #[error("cannot open {reference}: its file server does not answer")]
    NoAnswer {
        /// Where the namespace should be.
        reference: Reference,
    },
    /// Something is there, but it is no namespace.
    #[error("{reference} is no namespace")]
    NotNamespace {
        /// Where it was looked for.
        reference: Reference,
    },
    /// It is a namespace of another type.
    #[error("{reference} is {found}, not a {expected} namespace")]
    WrongType {
        /// Where it was looked for.
        reference: Reference,
        /// What is there.
        found: NamespaceId,
        /// What was expected.
        expected: NamespaceType,
    },
    /// It is another namespace than the one that was meant: that one has gone, and its place, or
    /// its number, has been taken.
    #[error("found {found} in place of {expected}")]
    OtherNamespace {
        /// What was expected.
        expected: NamespaceId,
        /// What is there.
        found: NamespaceId,
    },
    /// The namespace did not tell something about itself.
    #[error("cannot get the {what} of {id}")]
    Ask {
        /// What was asked for: owner, parent, creator, 64-bit id.
        what: &'static str,
        /// Who was asked.
        id: NamespaceId,
        /// What the kernel said.
        source: Errno,
    },
    /// There is nothing of the kind: no parent of an initial or a flat namespace, no creator of
    /// anything but user namespaces.
    #[error("{id} has no {what}")]
    Without {
        /// What was asked for: owner, parent, creator.
        what: &'static str,
        /// Who was asked.
        id: NamespaceId,
    },
    /// There is an owner or parent, but outside of what the caller may see: not in, or below, the
    /// caller's own user or PID namespace.
    #[error("the {what} of {id} is beyond the caller's view")]
    Beyond {
        /// What was asked for: owner, parent.
        what: &'static str,
        /// Who was asked.
        id: NamespaceId,
    },
    /// A [`Portable`](crate::Portable) reference has no process, path or 64-bit id to go by.
    #[error("nothing says where the {namespace_type} namespace is")]
    Nowhere {
        /// What should be somewhere.
        namespace_type: NamespaceType,
    },
    /// A fact of a [`Portable`](crate::Portable) reference is not so.
    #[error("{fact} is {found}, not {expected}")]
    Differs {
        /// Which one.
        fact: Fact,
        /// What the reference says.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A fact of a [`Portable`](crate::Portable) reference cannot be verified.
    #[error("cannot verify the {fact}")]
    Unverifiable {
        /// Which one.
        fact: Fact,
        /// What the kernel said.
        source: Errno,
    },
    /// The namespace could not be entered.
    #[error("cannot enter {id}")]
    Enter {
        /// Which one.
        id: NamespaceId,
        /// What the kernel said.
        source: Errno,
    },
    /// Threads cannot enter namespaces of this type, see [`enter`](crate::enter).
    #[error("no thread can enter {id} on its own")]
    NotByThread {
        /// Which one.
        id: NamespaceId,
    },
    /// The program could not be started inside.
    #[error("cannot execute {program:?}")]
    Program {
        /// Its name or path.
        program: OsString,
        /// What the kernel said.
        source: Errno,
    },
    /// A call that concerns no single namespace failed.
    #[error("cannot {what}")]
    Call {
        /// What was attempted.
        what: &'static str,
        /// What the kernel said.
        source: Errno,
    },
}

impl Error {
    /// What the kernel said, if it said anything.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    ///
    /// let error = NamespaceFd::at_path("/there/is/none").unwrap_err();
    /// assert!(error.errno().is_some());
    /// ```
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Error::Open { source, .. }
            | Error::Ask { source, .. }
            | Error::Enter { source, .. }
            | Error::Program { source, .. }
            | Error::Unverifiable { source, .. }
            | Error::Call { source, .. } => Some(*source),
            Error::Beyond { .. } => Some(Errno::PERM),
            Error::NoAnswer { .. } => Some(Errno::TIMEDOUT),
            Error::NotNamespace { .. }
            | Error::WrongType { .. }
            | Error::OtherNamespace { .. }
            | Error::Without { .. }
            | Error::Differs { .. }
            | Error::Nowhere { .. }
            | Error::NotByThread { .. } => None,
        }
    }

    /// Whether the process, thread or file in question is not there (any more).
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    ///
    /// let error = NamespaceFd::at_path("/there/is/none").unwrap_err();
    /// assert!(error.is_gone());
    /// ```
    pub fn is_gone(&self) -> bool {
        matches!(self.errno(), Some(Errno::NOENT | Errno::SRCH | Errno::STALE))
    }

    /// Whether there is nothing of the kind that was asked for.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    ///
    /// let error = NamespaceFd::at_path("/there/is/none").unwrap_err();
    /// assert!(!error.is_none());
    /// ```
    pub fn is_none(&self) -> bool {
        matches!(self, Error::Without { .. })
    }

    /// Whether the caller lacks the permission, or a view wide enough.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    ///
    /// let error = NamespaceFd::at_path("/there/is/none").unwrap_err();
    /// assert!(!error.is_denied());
    /// ```
    pub fn is_denied(&self) -> bool {
        matches!(self.errno(), Some(Errno::PERM | Errno::ACCESS))
    }

    /// Whether this kernel cannot do it.
    ///
    /// ```
    /// use lxkns_ops::NamespaceFd;
    ///
    /// let error = NamespaceFd::at_path("/there/is/none").unwrap_err();
    /// assert!(!error.is_unsupported());
    /// ```
    pub fn is_unsupported(&self) -> bool {
        matches!(self.errno(), Some(Errno::NOTTY | Errno::NOSYS | Errno::OPNOTSUPP))
    }
}
