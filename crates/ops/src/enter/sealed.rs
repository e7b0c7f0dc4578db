//! The own program, executed anew from a copy that no process can write to.

use std::env;
use std::ffi::CString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;

use rustix::fs::{
    MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstatfs, memfd_create,
    openat,
};
use rustix::io::{Errno, Result};
use rustix::thread::set_name;

use crate::Error;
use crate::mounts::PROC_MAGIC;
use crate::sys::process::execute;

/// Has this process execute its own program anew, with the same arguments and environment, from a
/// sealed copy in memory. Returns at once in a process that runs from such a copy.
///
/// A program that is executed elsewhere can be a script with the interpreter `/proc/self/exe`: the
/// kernel then runs the caller's program in there, and a process with the caller's UID can open
/// `/proc/PID/exe` of it and write to the file (CVE-2019-5736). To a sealed copy nothing can be
/// written, see F_ADD_SEALS in fcntl(2). Call it before [`confined`](super::confined), first of
/// all, since the program starts from its beginning.
///
/// # Errors
///
/// [`Error::Call`] where `/proc` is no procfs, or where files in memory cannot be executed
/// (`vm.memfd_noexec` is 2).
///
/// Minimum kernel: 3.19.
///
/// ```no_run
/// lxkns_ops::enter::from_sealed_copy()?;
/// // From here on, /proc/self/exe leads to the copy.
/// # Ok::<(), lxkns_ops::Error>(())
/// ```
#[doc(alias = "memfd_create")]
pub fn from_sealed_copy() -> std::result::Result<(), Error> {
    run_copy().map_err(|source| Error::Call {
        what: "execute a copy of the own program that no process can write to",
        source,
    })
}

/// Returns in the copy.
fn run_copy() -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let own = openat(own_directory()?, "exe", flags, Mode::empty())?;
    // Files on most file systems have no seals, and say EINVAL.
    if fcntl_get_seals(&own).is_ok_and(|seals| seals.contains(all_seals())) {
        // It has the name of a file descriptor otherwise.
        return set_name(c"lxkns");
    }
    let copy = File::from(in_memory()?);
    std::io::copy(&mut File::from(own), &mut &copy)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    fcntl_add_seals(&copy, all_seals())?;
    if !fcntl_get_seals(&copy)?.contains(all_seals()) {
        // The copy would make another one, and so on.
        return Err(Errno::NOTSUP);
    }
    let text = |bytes: Vec<u8>| CString::new(bytes).map_err(|_| Errno::INVAL);
    let arguments: Vec<CString> =
        env::args_os().map(|it| text(it.into_vec())).collect::<Result<_>>()?;
    let variables = env::vars_os().map(|(name, value)| {
        let parts = [name.into_vec(), value.into_vec()];
        text(parts.join(&b'='))
    });
    let variables: Vec<CString> = variables.collect::<Result<_>>()?;
    Err(execute(&copy, &arguments, &variables))
}

/// `/proc/self`, if `/proc` is what it should be: a program in its place is not ours to run.
fn own_directory() -> Result<std::os::fd::OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let own = openat(rustix::fs::CWD, "/proc/self", flags, Mode::empty())?;
    if fstatfs(&own)?.f_type as u64 != PROC_MAGIC {
        return Err(Errno::NODEV);
    }
    Ok(own)
}

fn all_seals() -> SealFlags {
    SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL
}

/// A file in memory that can be sealed and executed.
fn in_memory() -> Result<std::os::fd::OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(c"lxkns", flags | MemfdFlags::EXEC) {
        // Before 6.3 it needs no permission to be executed, and the flag is unknown.
        Err(Errno::INVAL) => memfd_create(c"lxkns", flags),
        created => created,
    }
}
