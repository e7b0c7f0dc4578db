//! `/proc/PID/stat`, see proc_pid_stat(5).

use lxkns_model::{Joined, ProcessFacts, Text, ThreadFacts};
use lxkns_species::Pid;

use super::number;

/// `PF_KTHREAD` of the kernel's linux/sched.h, among the flags of `stat`.
pub(crate) const PF_KTHREAD: u32 = 0x0020_0000;

/// `PF_EXITING`, in the same place.
pub(crate) const PF_EXITING: u32 = 0x4;

/// A process or thread as `/proc/PID/stat` describes it, or the record of a BPF iterator.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat<'t> {
    pub(crate) comm: &'t [u8],
    pub(crate) state: char,
    pub(crate) ppid: Pid,
    pub(crate) kernel_thread: bool,
    /// Whether the task lets go of all that it has, or has done so.
    pub(crate) ending: bool,
    pub(crate) threads: u64,
    /// In clock ticks since boot.
    pub(crate) start_time: u64,
    /// Whether this is a further thread of a process: `/proc` opens the number of any thread, but
    /// lists those of processes only.
    pub(crate) is_thread: bool,
}

impl Stat<'_> {
    /// Whether it has ended. If it was the main thread, others may go on.
    pub(crate) fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    /// Fills the facts of a process from its main thread.
    pub(crate) fn fill(&self, process: &mut ProcessFacts) {
        process.comm = Some(Text::from(self.comm));
        process.ppid = Some(self.ppid);
        process.state = Some(self.state);
        process.start_time = Some(self.start_time);
        process.kernel_thread = self.kernel_thread;
    }

    /// The facts of a further thread, unless it is in the namespaces of its process.
    pub(crate) fn deviating_thread(
        &self,
        tid: Pid,
        namespaces: Joined,
        of_process: Joined,
    ) -> Option<ThreadFacts> {
        (namespaces != of_process).then(|| ThreadFacts {
            tid,
            comm: Some(Text::from(self.comm)),
            start_time: Some(self.start_time),
            namespaces,
        })
    }
}

/// Parses the text; `None` if malformed or truncated.
pub(crate) fn parse(text: &[u8]) -> Option<Stat<'_>> {
    // The name stands in parentheses, unescaped, and may hold parentheses, blanks and newlines.
    let open = text.iter().position(|&byte| byte == b'(')?;
    let close = text.iter().rposition(|&byte| byte == b')')?;
    let comm = text.get(open + 1..close)?;
    let mut fields = text.get(close + 1..)?.split(|&byte| byte == b' ').skip(1);
    let state = char::from(*fields.next()?.first()?);
    let ppid = number(fields.next()?)?;
    // pgrp, session, tty_nr, tpgid
    let flags: u32 = number(fields.nth(4)?)?;
    // minflt to cutime (8), cstime, priority, nice: before num_threads come ten.
    let threads = number(fields.nth(10)?)?;
    // itrealvalue
    let start_time = number(fields.nth(1)?)?;
    // vsize to cnswap (15): exit_signal is -1 of such threads only.
    let exit_signal = fields.nth(15);
    Some(Stat {
        comm,
        state,
        ppid: Pid(ppid),
        kernel_thread: flags & PF_KTHREAD != 0,
        ending: flags & PF_EXITING != 0 || matches!(state, 'Z' | 'X'),
        threads,
        start_time,
        is_thread: exit_signal.is_some_and(|signal| signal.starts_with(b"-")),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REST: &str = "S 1 812 812 0 -1 4194560 3 0 0 0 1 2 0 0 20 0 17 0 98765 5255168 1 2";

    #[test]
    fn names_may_hold_anything() {
        for comm in ["bash", "a) S 7 (b", "", "tab\tnew\nline", "(sd-pam)", "x) R 2"] {
            let text = format!("812 ({comm}) {REST}");
            let expected = Stat {
                comm: comm.as_bytes(),
                state: 'S',
                ppid: Pid(1),
                kernel_thread: false,
                ending: false,
                threads: 17,
                start_time: 98765,
                is_thread: false,
            };
            assert_eq!(parse(text.as_bytes()), Some(expected));
        }
    }

    #[test]
    fn a_task_that_is_ending_is_told_from_others() {
        // Still running, but its files are gone; and a zombie.
        for rest in [REST.replace("4194560", "4194564"), REST.replace("S 1", "Z 1")] {
            let text = format!("812 (bash) {rest}");
            assert!(parse(text.as_bytes()).unwrap().ending);
        }
    }

    #[test]
    fn own_stat_is_read() {
        let text = std::fs::read("/proc/self/stat").unwrap();
        let stat = parse(&text).unwrap();
        assert_eq!(stat.ppid.0, std::os::unix::process::parent_id());
        assert!(stat.threads >= 1 && stat.start_time > 0 && !stat.is_thread);
    }

    #[test]
    fn the_number_of_a_thread_is_told_from_a_process() {
        let read_own = || {
            let tid = rustix::thread::gettid().as_raw_nonzero();
            std::fs::read(format!("/proc/{tid}/stat")).unwrap()
        };
        let text = std::thread::spawn(read_own).join().unwrap();
        assert!(parse(&text).unwrap().is_thread);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn cut_off_anywhere_is_no_stat(length in 0usize..60) {
            let text = format!("812 (bash) {REST}");
            prop_assert_eq!(parse(&text.as_bytes()[..length]), None);
        }
    }
}
