//! The list of what could not be seen, filled from all sides.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use lxkns_model::{Gap, Missing, Reason, Text};
use rustix::io::Errno;

/// Gaps found so far. Any source, on any thread, may add to them.
#[derive(Debug, Default)]
pub(crate) struct Gaps(Mutex<BTreeMap<(Missing, Reason), Seen>>);

#[derive(Debug, Default)]
struct Seen {
    count: u64,
    /// The first few in sorted order, so that the same state gives the same examples.
    examples: Vec<Text>,
}

impl Gaps {
    /// Adds one thing that could not be seen; `example` names it, if it has a name.
    pub(crate) fn add(&self, what: Missing, why: Reason, example: impl Into<Text>) {
        let mut gaps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = gaps.entry((what, why)).or_default();
        seen.count += 1;
        let example = example.into();
        if example.is_empty() {
            return;
        }
        let place = seen.examples.binary_search(&example).unwrap_or_else(|place| place);
        if place < Gap::MAX_EXAMPLES {
            seen.examples.insert(place, example);
            seen.examples.dedup();
            seen.examples.truncate(Gap::MAX_EXAMPLES);
        }
    }

    /// Adds several things that could not be seen in one place, which `example` names.
    pub(crate) fn add_many(
        &self,
        what: Missing,
        why: Reason,
        count: u64,
        example: impl Into<Text>,
    ) {
        self.add(what.clone(), why.clone(), example);
        let mut gaps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = gaps.get_mut(&(what, why)) {
            seen.count += count.saturating_sub(1);
        }
    }

    /// Adds something of which it is not known how often it was missed.
    pub(crate) fn add_uncounted(&self, what: Missing, why: Reason, example: impl Into<Text>) {
        self.add(what.clone(), why.clone(), example);
        let mut gaps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = gaps.get_mut(&(what, why)) {
            seen.count -= 1;
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Gap> {
        let gaps = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        gaps.into_iter()
            .map(|((what, why), seen)| Gap {
                what,
                why,
                count: seen.count,
                examples: seen.examples,
            })
            .collect()
    }
}

/// As [`reason`], for a call about something that is certainly there: it is not gone, whatever the
/// call said.
pub(crate) fn reason_though_there(errno: Errno) -> Reason {
    match reason(errno) {
        Reason::Gone => Reason::Failed,
        why => why,
    }
}

/// Why a call failed, in the terms of a gap.
pub(crate) fn reason(errno: Errno) -> Reason {
    match errno {
        Errno::ACCESS | Errno::PERM => Reason::Denied,
        Errno::NOENT | Errno::SRCH | Errno::STALE => Reason::Gone,
        Errno::NOSYS | Errno::NOTTY | Errno::OPNOTSUPP => Reason::Unsupported,
        Errno::REMOTE => Reason::ForeignProc,
        Errno::XDEV => Reason::Covered,
        Errno::TIMEDOUT => Reason::TimedOut,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => Reason::Limit,
        _ => Reason::Failed,
    }
}
