//! listns(2).
#![expect(unsafe_code, reason = "a system call that rustix lacks")]

use rustix::io::{Errno, Result};

use super::process::checked;

/// The number of listns(2), the same on all architectures.
const LISTNS: libc::c_long = 470;

/// `struct ns_id_req`, include/uapi/linux/nsfs.h.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    size: u32,
    spare: u32,
    /// Only ids above this one.
    after: u64,
    types: u32,
    spare2: u32,
    /// Only namespaces owned by this one, unless it is 0.
    user_namespace: u64,
}

impl Request {
    /// For the types of these `CLONE_NEW…` flags, 0 meaning all.
    pub(crate) const fn new(types: u32) -> Request {
        Request {
            size: size_of::<Request>() as u32,
            spare: 0,
            after: 0,
            types,
            spare2: 0,
            user_namespace: 0,
        }
    }
}

/// Fills `ids` with the ids of namespaces, from the first one on, and returns their number.
pub(crate) fn listns(request: &Request, ids: &mut [u64]) -> Result<usize> {
    // SAFETY: the request has the size that it says; the kernel writes at most `ids.len()` ids.
    let count = unsafe {
        libc::syscall(LISTNS, std::ptr::from_ref(request), ids.as_mut_ptr(), ids.len(), 0u32)
    };
    usize::try_from(checked(count)?).map_err(|_| Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_the_size_of_the_kernel() {
        assert_eq!(size_of::<Request>(), 32);
    }
}
