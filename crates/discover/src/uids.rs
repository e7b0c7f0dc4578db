//! How UIDs look from the scanner's user namespace.

use lxkns_species::Uid;

use crate::procfs::{Procfs, number};

/// How UIDs look from the scanner's user namespace.
///
/// The kernel shows a UID that has no mapping there as the overflow UID. Where every UID is mapped,
/// that UID is a user like any other; elsewhere it stands for any user without a mapping.
#[derive(Clone, Debug)]
pub(crate) struct UidView {
    overflow: Option<Uid>,
}

impl UidView {
    pub(crate) fn of_scanner(proc: &Procfs) -> UidView {
        let mut buffer = [0; 4096];
        let map = proc.read_into(c"self/uid_map", &mut buffer).unwrap_or_default();
        let numbers = map.split(u8::is_ascii_whitespace).filter(|number| !number.is_empty());
        if numbers.eq([&b"0"[..], b"0", b"4294967295"]) {
            return UidView { overflow: None };
        }
        let text = proc.read_into(c"sys/kernel/overflowuid", &mut buffer);
        let overflow = text.ok().and_then(|text| number(text.trim_ascii()));
        // 65534 is the default.
        UidView { overflow: Some(Uid(overflow.unwrap_or(65534))) }
    }

    /// The UID, if it means a certain user.
    pub(crate) fn known(&self, uid: Uid) -> Option<Uid> {
        if self.overflow == Some(uid) { None } else { Some(uid) }
    }
}
