//! The least that reading all processes from /proc takes: their `stat` and eight namespace links.
//!
//! Thirteen system calls a process, the same that a discovery needs, and nothing else: the numbers
//! are read, and thrown away; no memory is allocated; what is new is not asked about. It is a
//! program of its own, so that its start is measured as is that of all others.

use std::ffi::CStr;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::Result;
use rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat_raw};
use rustix::io::{Errno, read};
use rustix::path::DecInt;

const LINKS: [&CStr; 8] =
    [c"ns/cgroup", c"ns/ipc", c"ns/mnt", c"ns/net", c"ns/pid", c"ns/time", c"ns/user", c"ns/uts"];

/// To open and close a process's directory, to open, read and close `stat`, and the links.
const CALLS: usize = 2 + 3 + LINKS.len();

/// So many processes a thread takes at a time.
const CHUNK: usize = 32;

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Reads all processes and says what that took.
pub(super) fn run(threads: NonZeroUsize) -> Result<()> {
    let start = Instant::now();
    let proc = openat(CWD, c"/proc", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let pids = pids(&proc)?;
    let next = AtomicUsize::new(0);
    let work = || {
        let mut sum = 0;
        while let Some(chunk) = pids.get(next.fetch_add(CHUNK, Ordering::Relaxed)..)
            && !chunk.is_empty()
        {
            for pid in chunk.iter().take(CHUNK) {
                sum += look_at(proc.as_fd(), *pid).unwrap_or_default();
            }
        }
        black_box(sum);
    };
    thread::scope(|scope| {
        for _ in 1..threads.get() {
            scope.spawn(work);
        }
        work();
    });
    let each = start.elapsed().as_secs_f64() * 1e6 / pids.len().max(1) as f64;
    println!(
        "{} processes, {CALLS} system calls and {each:.1} µs each, {threads} threads",
        pids.len()
    );
    Ok(())
}

fn pids(proc: &OwnedFd) -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in Dir::read_from(proc)? {
        pids.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(pids)
}

/// Reads what is to be known of a process, to a number.
fn look_at(proc: BorrowedFd<'_>, pid: u32) -> Result<u64, Errno> {
    let directory = openat(proc, DecInt::new(pid), DIRECTORY, Mode::empty())?;
    let mut text = [0; 1024];
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let stat = openat(&directory, c"stat", flags, Mode::empty())?;
    let length = read(&stat, &mut text)?;
    drop(stat);
    let stat = text.get(..length).unwrap_or_default();
    // The name ends with the last parenthesis; behind it are numbers.
    let numbers = stat.rsplit(|byte| *byte == b')').next().unwrap_or_default();
    let numbers = numbers.split(|byte| *byte == b' ').skip(2).take(20);
    let mut sum = numbers.map(number).fold(0, u64::wrapping_add);
    for link in LINKS {
        let mut text = [0u8; 64];
        let length = readlinkat_raw(&directory, link, &mut text)?;
        let text = text.get(..length).unwrap_or_default();
        let inode = text.split(|byte| *byte == b'[').nth(1).unwrap_or_default();
        sum = sum.wrapping_add(number(inode));
    }
    Ok(sum)
}

/// The number that a text begins with.
fn number(text: &[u8]) -> u64 {
    text.iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read() {
        let proc = openat(CWD, c"/proc", OFlags::RDONLY, Mode::empty()).unwrap();
        let own = std::process::id();
        assert!(pids(&proc).unwrap().contains(&own));
        assert!(look_at(proc.as_fd(), own).unwrap() > 8 * 4_026_531_832);
        assert_eq!(number(b"4026531840]"), 4_026_531_840);
    }
}
