//! Capabilities and sets of them, see capabilities(7).

use std::fmt;
use std::str::FromStr;

use crate::ParseError;

/// The names by number, without `cap_` (include/uapi/linux/capability.h).
static NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// One capability, by its number.
///
/// Its text is its lower-case name, `cap_sys_admin`; a number that had no name when this was
/// written is `cap_41` and so on, so that a newer kernel's capability is neither lost nor misnamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability(u8);

impl Capability {
    /// `CAP_DAC_READ_SEARCH`: pass over file permissions when reading.
    pub const DAC_READ_SEARCH: Capability = Capability(2);
    /// `CAP_SETGID`: take other group IDs.
    pub const SETGID: Capability = Capability(6);
    /// `CAP_NET_ADMIN`.
    pub const NET_ADMIN: Capability = Capability(12);
    /// `CAP_SYS_CHROOT`.
    pub const SYS_CHROOT: Capability = Capability(18);
    /// `CAP_SYS_PTRACE`: look into other users' processes.
    pub const SYS_PTRACE: Capability = Capability(19);
    /// `CAP_SYS_ADMIN`.
    pub const SYS_ADMIN: Capability = Capability(21);
    /// `CAP_PERFMON`, since Linux 5.8.
    pub const PERFMON: Capability = Capability(38);
    /// `CAP_BPF`, since Linux 5.8.
    pub const BPF: Capability = Capability(39);

    /// The capability of this number, 0 to 63.
    pub const fn new(number: u8) -> Option<Capability> {
        if number < 64 { Some(Capability(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }

    const fn bit(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(usize::from(self.0)) {
            Some(name) => f.pad(&format!("cap_{name}")),
            None => f.pad(&format!("cap_{}", self.0)),
        }
    }
}

impl FromStr for Capability {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let unknown = || ParseError::UnknownCapability(text.into());
        let name = text.strip_prefix("cap_").ok_or_else(unknown)?;
        let number = match NAMES.iter().position(|known| *known == name) {
            Some(number) => u8::try_from(number).ok(),
            None => name.parse().ok().filter(|number| usize::from(*number) >= NAMES.len()),
        };
        number.and_then(Capability::new).ok_or_else(unknown)
    }
}

crate::bit_set! {
    /// A set of capabilities, as in the `Cap…` lines of /proc/PID/status.
    Capabilities(u64) of Capability, in the order of (0..64).map(Capability)
}

/// As in `/proc/PID/status`: `{:016x}` is how the kernel writes `CapEff`.
impl fmt::LowerHex for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.bits(), f)
    }
}

impl Capabilities {
    /// The set with this bit mask, bit n being capability n.
    pub const fn from_bits(bits: u64) -> Capabilities {
        Capabilities(bits)
    }

    /// All capabilities up to and including number `last` (`/proc/sys/kernel/cap_last_cap`).
    pub const fn up_to(last: Capability) -> Capabilities {
        Capabilities(u64::MAX >> (63 - last.0))
    }

    /// The bit mask.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        let check = |capability: Capability, name: &str| {
            assert_eq!(capability.to_string(), name);
            assert_eq!(name.parse(), Ok(capability));
        };
        check(Capability::SYS_ADMIN, "cap_sys_admin");
        check(Capability::DAC_READ_SEARCH, "cap_dac_read_search");
        check(Capability::NET_ADMIN, "cap_net_admin");
        check(Capability::SYS_CHROOT, "cap_sys_chroot");
        check(Capability::SYS_PTRACE, "cap_sys_ptrace");
        check(Capability::PERFMON, "cap_perfmon");
        check(Capability::BPF, "cap_bpf");
        check(Capability(63), "cap_63");
        for bad in ["", "sys_admin", "cap_", "cap_7", "cap_64", "cap_zip"] {
            assert!(bad.parse::<Capability>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sets_are_masks() {
        let all = Capabilities::up_to(Capability(40));
        assert_eq!(format!("{all:016x}"), "000001ffffffffff");
        assert_eq!(format!("{:>9}|", Capability(41)), "   cap_41|");
        assert_eq!(all.bits(), 0x1ff_ffff_ffff);
        assert_eq!(Capabilities::up_to(Capability(63)).bits(), u64::MAX);
        assert_eq!(all.iter().count(), 41);
        assert!(!all.contains(Capability(41)));
        assert_eq!(all.iter().collect::<Capabilities>(), all);
    }
}
