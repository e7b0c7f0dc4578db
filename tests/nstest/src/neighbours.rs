//! Neighbours that do as they please, and keep a diary of it.
//!
//! Processes that fork, exit, become zombies, come back under the same PID, start threads, unshare,
//! enter, mount, unmount, open, close, pass on and rename, as chance has it. What scanners say of
//! them can be judged afterwards: every fact (this process is joined to that namespace, this file
//! descriptor refers to it, it is mounted here) stands in the [`Diary`](Entry) with two times, one
//! before it can have become true, and one after it has ceased to be.
//!
//! Times are the ticks of a counter that all share: whoever reads the clock moves it on. So they
//! are in the order of what happened, whatever the CPU, and whatever time namespace somebody is in.
//!
//! Whoever does something first raises a flag, and lowers it when all is written down. To read the
//! diary, the test closes a gate, at which they wait before they do more, and waits until no flag
//! is up: then the diary is complete. So nobody may be killed who has raised the flag; only those
//! are who never do anything.

mod chance;
mod deeds;
mod diary;
mod entry;
mod family;
mod own;
mod task;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;

use lxkns_species::NamespaceType;
use rustix::pipe::PipeFlags;
use rustix::process::WaitOptions;

use self::chance::Chance;
use self::diary::{PATHS, Shared};
pub use self::entry::{Entry, Fact};
use self::task::{Stack, THREADS, Task, World};
use crate::actor::kernel;
use crate::syscall::Errno;
use crate::{Dir, own_namespace};

/// The fd number of the pipe that keeps them alive, above what they open themselves.
const LIFE: i32 = 200;

/// Some neighbours at work.
///
/// Dropping it ends them all; they also end when the test process does.
#[derive(Debug)]
pub struct Neighbours {
    shared: Shared,
    life: Option<OwnedFd>,
    mains: Vec<rustix::process::Pid>,
    paths: Vec<PathBuf>,
    closed: bool,
}

impl Neighbours {
    /// Starts so many families, which mount below a directory. What they do follows from the seed,
    /// as far as it does not depend on who is faster.
    ///
    /// # Errors
    ///
    /// If they cannot be started.
    pub fn start(seed: u64, count: usize, dir: &Dir) -> io::Result<Neighbours> {
        let shared = Shared::new()?;
        let paths: Vec<PathBuf> = (0..PATHS).map(|n| dir.join(format!("m{n}"))).collect();
        for path in &paths {
            std::fs::write(path, "")?;
        }
        let texts = paths
            .iter()
            .map(|path| CString::new(path.as_os_str().as_bytes()))
            .collect::<Result<Vec<CString>, _>>()?;
        let stacks: Vec<Stack> = (0..THREADS).map(|_| Stack::new()).collect();
        let (life, keep) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let life = rustix::io::fcntl_dupfd_cloexec(life, LIFE)?;
        shared.lives_with(life.as_raw_fd());
        let mut neighbours =
            Neighbours { shared, life: Some(keep), mains: Vec::new(), paths, closed: false };
        let privileged = rustix::process::geteuid().is_root();
        for number in 0..count {
            let world = World {
                shared: &neighbours.shared,
                life: life.as_raw_fd(),
                paths: &texts,
                stacks: &stacks,
                headless: AtomicU32::new(0),
                outside: Some(own_namespace(NamespaceType::Mnt)),
                privileged,
            };
            let chance = Chance::of(seed, number as u64);
            let before = neighbours.shared.begin();
            let forked = kernel::fork();
            if forked == Ok(0) {
                Task::first(&world, chance, number).live_as_main(before);
            }
            let pid = forked.map_err(|Errno(errno)| io::Error::from_raw_os_error(errno))?;
            neighbours.mains.extend(rustix::process::Pid::from_raw(pid));
            let born = neighbours.shared.wait_for_main(number);
            neighbours.shared.end();
            if !born {
                return Err(io::Error::other("a neighbour could not begin"));
            }
        }
        Ok(neighbours)
    }

    /// The time.
    pub fn now(&self) -> u64 {
        self.shared.tick()
    }

    /// Has them wait, and yields what they have written since the last time.
    ///
    /// # Panics
    ///
    /// If they do not come to rest within two minutes, or if one of them failed.
    #[track_caller]
    pub fn pause(&mut self) -> Vec<Entry> {
        self.shared.close();
        self.closed = true;
        assert!(self.shared.is_quiet(), "the neighbours do not come to rest");
        for (pid, number) in self.mains.iter().zip(0..) {
            let status = rustix::process::waitpid(Some(*pid), WaitOptions::NOHANG);
            assert!(matches!(status, Ok(None)), "neighbour {number} has ended: {status:?}");
        }
        self.shared.take()
    }

    /// Lets them go on.
    pub fn go_on(&mut self) {
        self.shared.open();
        self.closed = false;
    }

    /// Where the mount point with this number is, in whatever mount namespace.
    pub fn path(&self, number: u32) -> Option<&std::path::Path> {
        self.paths.get(number as usize).map(PathBuf::as_path)
    }

    /// The number of the mount point at this path.
    pub fn number_of(&self, path: &[u8]) -> Option<u32> {
        let is = |known: &PathBuf| known.as_os_str().as_bytes() == path;
        self.paths.iter().position(is).map(|number| number as u32)
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        self.shared.stop();
        self.shared.open();
        drop(self.life.take());
        // They end what they have started; where they do not come to that, it ends by itself.
        let is_quiet = self.shared.is_quiet();
        for pid in &self.mains {
            if !is_quiet {
                _ = rustix::process::kill_process(*pid, rustix::process::Signal::KILL);
            }
            _ = rustix::process::waitpid(Some(*pid), WaitOptions::empty());
        }
    }
}
