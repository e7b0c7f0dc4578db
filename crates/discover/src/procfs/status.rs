//! `/proc/PID/status`, see proc_pid_status(5).

use lxkns_species::{Capabilities, Pid, Uid};

use super::number;

/// What lxkns needs of `/proc/PID/status`.
#[derive(Debug, Default)]
pub(crate) struct Status<'t> {
    /// The effective UID, as seen from the reader's user namespace.
    pub(crate) euid: Option<Uid>,
    /// The effective capabilities.
    pub(crate) effective: Option<Capabilities>,
    /// The PIDs, from the PID namespace of the procfs down to the process's own.
    pub(crate) pids: Pids<'t>,
}

/// The numbers of the `NSpid` line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pids<'t>(&'t [u8]);

impl Iterator for Pids<'_> {
    type Item = Pid;

    fn next(&mut self) -> Option<Pid> {
        let start = self.0.iter().position(u8::is_ascii_digit)?;
        let rest = self.0.get(start..)?;
        let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, rest) = rest.split_at(end);
        self.0 = rest;
        number(digits).map(Pid)
    }
}

/// Parses the text; what is missing or malformed is absent.
pub(crate) fn parse(text: &[u8]) -> Status<'_> {
    let mut status = Status::default();
    for line in text.split(|&byte| byte == b'\n') {
        // The kernel escapes newlines in the name (first line), so no name can fake a line.
        if let Some(uids) = line.strip_prefix(b"Uid:") {
            let effective =
                uids.split(u8::is_ascii_whitespace).filter(|uid| !uid.is_empty()).nth(1);
            status.euid = effective.and_then(number).map(Uid);
        } else if let Some(mask) = line.strip_prefix(b"CapEff:") {
            let mask = str::from_utf8(mask.trim_ascii()).ok();
            let mask = mask.and_then(|mask| u64::from_str_radix(mask, 16).ok());
            status.effective = mask.map(Capabilities::from_bits);
        } else if let Some(pids) = line.strip_prefix(b"NSpid:") {
            status.pids = Pids(pids);
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_found() {
        let text = b"Name:\tUid:\\n 7\nUid:\t1000\t1001\t1002\t1003\nNSpid:\t301\t7\t1\n\
            CapInh:\t0000000000000000\nCapEff:\t000001fffeffffff\n";
        let status = parse(text);
        assert_eq!(status.euid, Some(Uid(1001)));
        assert_eq!(status.effective, Some(Capabilities::from_bits(0x1ff_feff_ffff)));
        assert_eq!(status.pids.collect::<Vec<_>>(), [301, 7, 1].map(Pid));
    }

    #[test]
    fn what_is_missing_is_absent() {
        let status = parse(b"Uid:\t0\nCapEff:\tzip\nNSpid:\n");
        assert!(status.euid.is_none() && status.effective.is_none());
        assert_eq!(status.pids.count(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            parse(&bytes).pids.count();
        }
    }
}
