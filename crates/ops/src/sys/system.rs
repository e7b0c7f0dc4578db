//! The names of the machine and its kernel: uname(2), and a number from the auxiliary vector.
#![expect(
    unsafe_code,
    reason = "rustix takes both for calls that cannot fail; a sandbox may refuse them"
)]

use std::ffi::CStr;

use rustix::io::Result;

use super::process::checked;

/// The answer of uname(2), or zeros.
pub(crate) struct Names(libc::utsname);

/// uname(2).
pub(crate) fn uname() -> Result<Names> {
    // SAFETY: a plain struct of characters, for which zeros will do.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: fills a local of its type.
    let result = unsafe { libc::uname(&raw mut names) };
    checked(result.into())?;
    Ok(Names(names))
}

impl Names {
    /// The node name; `None` if there is no answer.
    pub(crate) fn node(&self) -> Option<&CStr> {
        text(&self.0.nodename)
    }

    /// The release of the kernel; `None` if there is no answer.
    pub(crate) fn release(&self) -> Option<&CStr> {
        text(&self.0.release)
    }
}

fn text(field: &[libc::c_char]) -> Option<&CStr> {
    // SAFETY: characters seen as the bytes that they are.
    let bytes = unsafe { std::slice::from_raw_parts(field.as_ptr().cast::<u8>(), field.len()) };
    CStr::from_bytes_until_nul(bytes).ok().filter(|text| !text.is_empty())
}

/// The clock ticks in a second, as in proc_pid_stat(5): `AT_CLKTCK` of getauxval(3).
pub(crate) fn clock_ticks_per_second() -> u64 {
    /// On all architectures that Linux has had since 2.6.
    const USUAL: u64 = 100;
    // SAFETY: reads a number out of the memory that the kernel has given to this process.
    match unsafe { libc::getauxval(libc::AT_CLKTCK) } {
        0 => USUAL,
        ticks => ticks,
    }
}
