//! Plain system calls, for what rustix does not offer.

use std::ffi::c_long;

/// An error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

pub(crate) type Result<T = ()> = std::result::Result<T, Errno>;

/// Makes a system call; yields what it returned, or the error number.
///
/// Whoever uses this passes numbers, or the addresses of objects that are borrowed for longer than
/// the call and of the type that this call reads or writes.
macro_rules! call {
    ($number:expr $(, $argument:expr)* $(,)?) => {{
        // SAFETY: see the macro's documentation: addresses are of living objects of the right type.
        let returned = unsafe { libc::syscall($number $(, $argument as std::ffi::c_long)*) };
        $crate::syscall::checked(returned)
    }};
}
pub(crate) use call;

/// What syscall(2) returned, or the error number that it left. Does not allocate.
pub(crate) fn checked(returned: c_long) -> Result<c_long> {
    match returned {
        -1 => Err(last_error()),
        returned => Ok(returned),
    }
}

pub(crate) fn last_error() -> Errno {
    Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}
