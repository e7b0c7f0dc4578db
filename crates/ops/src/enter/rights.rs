//! What a program may do elsewhere, and who it is.

use std::os::fd::OwnedFd;
use std::path::Path;

use lxkns_species::{Capabilities, Pid};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, Result};
use rustix::thread::{
    CapabilitySet, Gid, Uid, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};

use crate::Error;

/// A user, with groups, by numbers of the caller's user namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The UID.
    pub uid: u32,
    /// The GID.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

impl Identity {
    /// The user that owns nothing, 65534, without supplementary groups.
    ///
    /// ```
    /// use lxkns_ops::enter::Identity;
    ///
    /// assert_eq!(Identity::nobody().uid, 65534);
    /// ```
    pub fn nobody() -> Identity {
        const NOBODY: u32 = 65534;
        Identity { uid: NOBODY, gid: NOBODY, groups: Vec::new() }
    }

    /// Becomes this user, and keeps the capabilities for what is left to do.
    pub(super) fn assume(&self) -> Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
        set_keep_capabilities(true)?;
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        let mut sets = capabilities(None)?;
        sets.effective = sets.permitted;
        set_capabilities(None, sets)
    }
}

/// What a program gets at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The permitted capabilities of the process that executes it.
    pub permitted: Capabilities,
    /// The capability bounding set.
    pub bounding: Capabilities,
    /// Whether nothing that it executes gains any rights, see `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
}

impl Limits {
    /// No capabilities, and no way to get any.
    pub const NOTHING: Limits =
        Limits { permitted: Capabilities::NONE, bounding: Capabilities::NONE, no_new_privs: true };

    pub(super) fn apply(self) -> Result<()> {
        for number in 0..u64::BITS {
            let capability = CapabilitySet::from_bits_retain(1 << number);
            match capability_is_in_bounding_set(capability) {
                Ok(true) if self.bounding.bits() & capability.bits() == 0 => {
                    remove_capability_from_bounding_set(capability)?;
                }
                Ok(_) => {}
                // The last one that the kernel knows was the one before.
                Err(Errno::INVAL) => break,
                Err(errno) => return Err(errno),
            }
        }
        match clear_ambient_capability_set() {
            // Before Linux 4.3 there is none.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(errno),
        }
        let mut sets = capabilities(None)?;
        sets.permitted &= CapabilitySet::from_bits_retain(self.permitted.bits());
        sets.effective = sets.permitted;
        sets.inheritable = CapabilitySet::empty();
        set_capabilities(None, sets)?;
        if self.no_new_privs { set_no_new_privs(true) } else { Ok(()) }
    }
}

/// Who a process is, and what it may do: by `/proc/PID/status`, see proc_pid_status(5).
///
/// # Errors
///
/// [`Error::Call`]; [`Error::is_gone`] if there is no such process.
///
/// ```
/// use lxkns_ops::enter;
/// use lxkns_species::Pid;
///
/// let (identity, limits) = enter::rights_of(Pid(std::process::id()))?;
/// println!("UID {}, at most {:?}", identity.uid, limits.bounding);
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
pub fn rights_of(pid: Pid) -> std::result::Result<(Identity, Limits), Error> {
    let failed = |source| Error::Call { what: "read the rights of a process", source };
    let path = Path::new("/proc").join(pid.to_string()).join("status");
    let text = std::fs::read(path)
        .map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    parse(&text).ok_or_else(|| failed(Errno::INVAL))
}

/// The working directory of a process, for [`Confinement::directory`](super::Confinement).
///
/// # Errors
///
/// [`Error::Call`]; [`Error::is_gone`] if there is no such process.
///
/// ```
/// use lxkns_ops::enter;
/// use lxkns_species::Pid;
///
/// assert!(enter::directory_of(Pid(std::process::id())).is_ok());
/// ```
pub fn directory_of(pid: Pid) -> std::result::Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(format!("/proc/{pid}/cwd"), flags, Mode::empty())
        .map_err(|source| Error::Call { what: "open the working directory of a process", source })
}

/// `None` if anything is missing that every kernel tells.
fn parse(status: &[u8]) -> Option<(Identity, Limits)> {
    // The kernel escapes newlines in the name (first line), so no name can fake a line.
    let text =
        str::from_utf8(status.get(status.iter().position(|byte| *byte == b'\n')?..)?).ok()?;
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let effective = |name| line(name)?.split_whitespace().nth(1)?.parse().ok();
    let mask = |name| {
        let mask = u64::from_str_radix(line(name)?.trim(), 16).ok()?;
        Some(Capabilities::from_bits(mask))
    };
    let groups = line("Groups:")?.split_whitespace();
    let identity = Identity {
        uid: effective("Uid:")?,
        gid: effective("Gid:")?,
        groups: groups.map(|group| group.parse().ok()).collect::<Option<_>>()?,
    };
    let limits = Limits {
        permitted: mask("CapPrm:")?,
        bounding: mask("CapBnd:")?,
        // Unknown before Linux 4.10: then rather less than more.
        no_new_privs: line("NoNewPrivs:").is_none_or(|set| set.trim() != "0"),
    };
    Some((identity, limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\t\\nUid: 0 0\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \n\
        CapPrm:\t0000000000000003\nCapBnd:\t00000000000000ff\nNoNewPrivs:\t0\n";

    #[test]
    fn the_effective_ones_count() {
        let (identity, limits) = parse(STATUS.as_bytes()).unwrap_or_else(|| panic!("not read"));
        assert_eq!(identity, Identity { uid: 2, gid: 6, groups: vec![9, 10] });
        assert_eq!(limits.permitted, Capabilities::from_bits(3));
        assert_eq!(limits.bounding, Capabilities::from_bits(0xff));
        assert!(!limits.no_new_privs);
    }

    #[test]
    fn what_is_missing_gives_no_rights() {
        for name in ["Uid:\t1", "Gid:", "Groups:", "CapPrm:", "CapBnd:"] {
            assert_eq!(parse(STATUS.replace(name, "X:").as_bytes()), None, "{name}");
        }
        let old = STATUS.replace("NoNewPrivs:", "X:");
        assert!(parse(old.as_bytes()).is_some_and(|(_, limits)| limits.no_new_privs));
        assert_eq!(parse(b""), None);
    }
}
