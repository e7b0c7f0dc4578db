//! The credentials of the threads of a process.
//!
//! Each thread has its own, see credentials(7): the C library changes them for all threads at once,
//! the kernel does not. A snapshot has those of the main thread.

use std::path::Path;

use lxkns_model::{Process, Text};
use lxkns_species::{Capabilities, Pid, Uid};
use rustix::io::Errno;

use crate::Error;
use crate::procfs::task::TaskDir;
use crate::procfs::{Procfs, numbers_in, stat, status};
use crate::uids::UidView;

/// What a thread may do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadCredentials {
    /// The thread.
    pub tid: Pid,
    /// Its name.
    pub comm: Option<Text>,
    /// Its effective UID; `None` if it has none in the caller's user namespace.
    pub euid: Option<Uid>,
    /// Its effective capabilities, in the user namespace of the process.
    pub effective_capabilities: Option<Capabilities>,
}

/// Reads the credentials of all threads but the main one, in the procfs at this path.
///
/// Threads that end meanwhile are left out.
///
/// # Errors
///
/// [`Error::NoProc`] if there is no procfs, or the process cannot be read: as with ESRCH, if it has
/// ended, also if another one has its PID by now.
///
/// ```
/// use lxkns_discover::{Options, discover, thread_credentials};
///
/// let snapshot = discover(&Options::everything())?;
/// let own = snapshot.host().scanner_pid.and_then(|pid| snapshot.process(pid)).unwrap();
/// for thread in thread_credentials("/proc", own)? {
///     println!("thread {}: {:?}", thread.tid, thread.effective_capabilities);
/// }
/// # Ok::<(), lxkns_discover::Error>(())
/// ```
pub fn thread_credentials(
    proc: impl AsRef<Path>,
    process: Process<'_>,
) -> Result<Vec<ThreadCredentials>, Error> {
    let proc = proc.as_ref();
    let failed = |source| Error::NoProc { path: proc.into(), source };
    let procfs = Procfs::open(proc).map_err(failed)?;
    read(&procfs, process).map_err(|errno| failed(errno.into()))
}

fn read(procfs: &Procfs, process: Process<'_>) -> Result<Vec<ThreadCredentials>, Errno> {
    let uids = UidView::of_scanner(procfs);
    let dir = procfs.process(process.pid())?;
    // What is read through this directory is of the process that it was opened for.
    let mut buffer = [0; 1024];
    let now = stat::parse(dir.read(c"stat", &mut buffer)?).ok_or(Errno::INVAL)?;
    if process.start_time() != Some(now.start_time) {
        return Err(Errno::SRCH);
    }
    let tasks = dir.directory(c"task")?;
    let mut tids = Vec::new();
    numbers_in(&tasks, |tid, _| tids.push(Pid(tid)))?;
    let mut threads = Vec::new();
    for tid in tids.into_iter().filter(|tid| *tid != process.pid()) {
        match dir.thread(tid).and_then(|thread| of_thread(&thread, tid, &uids)) {
            Ok(thread) => threads.push(thread),
            Err(Errno::NOENT | Errno::SRCH) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(threads)
}

fn of_thread(dir: &TaskDir, tid: Pid, uids: &UidView) -> Result<ThreadCredentials, Errno> {
    let mut buffer = [0; 4096];
    let text = dir.read_whole(c"status", &mut buffer)?;
    let status = status::parse(&text);
    let mut buffer = [0; 1024];
    let comm = stat::parse(dir.read(c"stat", &mut buffer)?).map(|stat| Text::from(stat.comm));
    Ok(ThreadCredentials {
        tid,
        comm,
        euid: status.euid.and_then(|euid| uids.known(euid)),
        effective_capabilities: status.effective,
    })
}
