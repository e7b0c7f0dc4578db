//! What stands in the diary, and how it is written as numbers, which processes can share.

use lxkns_species::{NamespaceId, NamespaceType, Pid};

/// An entry as numbers.
pub(super) const WORDS: usize = 7;

/// A tie of a process or thread to a namespace, or of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// It is joined to it.
    Joined,
    /// Its next children will be.
    Pending,
    /// This file descriptor refers to it.
    Fd(u32),
    /// This file descriptor is a socket of it.
    Socket(u32),
    /// It has mounted it, in the mount namespace with this inode, at the mount point with this
    /// number.
    Mounted(u64, u32),
}

/// What happened. `who` numbers processes and threads; no number is given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A process or thread is there.
    Born {
        /// Itself.
        who: u32,
        /// The process that this thread belongs to; itself, if it is a process.
        of: u32,
        /// The PID of the process, as its procfs tells.
        pid: Pid,
        /// Its own TID.
        tid: Pid,
        /// In clock ticks since boot.
        start_time: u64,
        /// A moment before.
        at: u64,
    },
    /// Something has become true.
    Began {
        /// Of whom.
        who: u32,
        /// What.
        fact: Fact,
        /// About which namespace.
        namespace: NamespaceId,
        /// A moment before.
        at: u64,
    },
    /// Something has ceased to be true.
    Ceased {
        /// Of whom.
        who: u32,
        /// What.
        fact: Fact,
        /// About which namespace.
        namespace: NamespaceId,
        /// A moment after.
        at: u64,
    },
    /// Of a namespace that it joined last, a process or thread has found out more.
    Asked {
        /// Who.
        who: u32,
        /// The namespace.
        namespace: NamespaceId,
        /// Its unique ID; 0 if the kernel has none.
        unique_id: u64,
        /// The inode of the user namespace that owns it; 0 if the kernel does not tell.
        owner: u64,
    },
    /// A process has other credentials.
    Credentials {
        /// Who.
        who: u32,
        /// Effective UID and capabilities; `None` if the scanner may see others.
        now: Option<(u32, u64)>,
        /// A moment before it got these.
        before: u64,
        /// A moment after it had the earlier ones.
        after: u64,
    },
    /// A process has created the user namespace that it is in.
    Created {
        /// Who.
        who: u32,
        /// The inode of the user namespace.
        user_namespace: u64,
        /// With this effective UID.
        euid: u32,
    },
    /// A mount namespace was copied, and then cleared of what neighbours had mounted.
    Copied {
        /// The inode of the original.
        from: u64,
        /// The inode of the copy.
        to: u64,
        /// A moment before the first.
        began: u64,
        /// A moment after the second.
        ended: u64,
    },
    /// A process has become a zombie: nothing is left but its PID and its user.
    Died {
        /// Who.
        who: u32,
        /// A moment after.
        at: u64,
    },
    /// A process, or thread, is no longer there.
    Gone {
        /// Who.
        who: u32,
        /// A moment after.
        at: u64,
    },
}

impl Entry {
    pub(super) fn to_words(self) -> [u64; WORDS] {
        let tie = |tag: u64, who: u32, fact: Fact, namespace: NamespaceId, at: u64| {
            let (kind, a, b) = match fact {
                Fact::Joined => (0, 0, 0),
                Fact::Pending => (1, 0, 0),
                Fact::Fd(fd) => (2, u64::from(fd), 0),
                Fact::Socket(fd) => (3, u64::from(fd), 0),
                Fact::Mounted(inode, path) => (4, inode, u64::from(path)),
            };
            let index = namespace.namespace_type().index() as u64;
            let who_and_kind = u64::from(who) << 16 | kind << 8 | index;
            [tag, who_and_kind, namespace.inode(), at, a, b, 0]
        };
        match self {
            Entry::Born { who, of, pid, tid, start_time, at } => {
                let [who, of, pid, tid] = [who, of, pid.0, tid.0].map(u64::from);
                [1, who, of, pid, tid, start_time, at]
            }
            Entry::Began { who, fact, namespace, at } => tie(2, who, fact, namespace, at),
            Entry::Ceased { who, fact, namespace, at } => tie(3, who, fact, namespace, at),
            Entry::Copied { from, to, began, ended } => [4, from, to, began, ended, 0, 0],
            Entry::Died { who, at } => [5, who.into(), at, 0, 0, 0, 0],
            Entry::Gone { who, at } => [6, who.into(), at, 0, 0, 0, 0],
            Entry::Asked { who, namespace, unique_id, owner } => {
                let index = namespace.namespace_type().index() as u64;
                [7, who.into(), index, namespace.inode(), unique_id, owner, 0]
            }
            Entry::Credentials { who, now, before, after } => {
                let (euid, effective) = now.unwrap_or((u32::MAX, 0));
                [8, who.into(), euid.into(), effective, before, after, 0]
            }
            Entry::Created { who, user_namespace, euid } => {
                [9, who.into(), user_namespace, euid.into(), 0, 0, 0]
            }
        }
    }

    pub(super) fn of_words(words: [u64; WORDS]) -> Option<Entry> {
        let small = |word: u64| u32::try_from(word).ok();
        let [tag, first, second, third, fourth, fifth, sixth] = words;
        Some(match tag {
            1 => Entry::Born {
                who: small(first)?,
                of: small(second)?,
                pid: Pid(small(third)?),
                tid: Pid(small(fourth)?),
                start_time: fifth,
                at: sixth,
            },
            2 | 3 => {
                let fact = match first >> 8 & 0xff {
                    0 => Fact::Joined,
                    1 => Fact::Pending,
                    2 => Fact::Fd(small(fourth)?),
                    3 => Fact::Socket(small(fourth)?),
                    4 => Fact::Mounted(fourth, small(fifth)?),
                    _ => return None,
                };
                let namespace_type = *NamespaceType::ALL.get((first & 0xff) as usize)?;
                let namespace = NamespaceId::new(namespace_type, second)?;
                let (who, at) = (small(first >> 16)?, third);
                if tag == 2 {
                    Entry::Began { who, fact, namespace, at }
                } else {
                    Entry::Ceased { who, fact, namespace, at }
                }
            }
            4 => Entry::Copied { from: first, to: second, began: third, ended: fourth },
            5 => Entry::Died { who: small(first)?, at: second },
            6 => Entry::Gone { who: small(first)?, at: second },
            7 => Entry::Asked {
                who: small(first)?,
                namespace: NamespaceId::new(
                    *NamespaceType::ALL.get(usize::try_from(second).ok()?)?,
                    third,
                )?,
                unique_id: fourth,
                owner: fifth,
            },
            8 => Entry::Credentials {
                who: small(first)?,
                now: Some((small(second)?, third)).filter(|(euid, _)| *euid != u32::MAX),
                before: fourth,
                after: fifth,
            },
            9 => Entry::Created { who: small(first)?, user_namespace: second, euid: small(third)? },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_written() {
        let namespace = "net:[4026531840]".parse().unwrap();
        let mut entries = vec![
            Entry::Born { who: 1, of: 2, pid: Pid(3), tid: Pid(4), start_time: 5, at: 6 },
            Entry::Copied { from: 1, to: 2, began: 3, ended: 4 },
            Entry::Died { who: 7, at: 8 },
            Entry::Gone { who: u32::MAX, at: 8 },
            Entry::Asked { who: 7, namespace, unique_id: u64::MAX, owner: 5 },
            Entry::Credentials { who: 7, now: Some((1, u64::MAX)), before: 2, after: 3 },
            Entry::Credentials { who: 7, now: None, before: 2, after: 3 },
            Entry::Created { who: 7, user_namespace: 8, euid: 9 },
        ];
        for fact in [Fact::Joined, Fact::Pending, Fact::Fd(3), Fact::Socket(4), Fact::Mounted(5, 6)]
        {
            let (who, at) = (0x1234_5678, 9);
            entries.push(Entry::Began { who, fact, namespace, at });
            entries.push(Entry::Ceased { who, fact, namespace, at });
        }
        for entry in entries {
            assert_eq!(Entry::of_words(entry.to_words()), Some(entry));
        }
        assert_eq!(Entry::of_words([0; WORDS]), None);
    }
}
