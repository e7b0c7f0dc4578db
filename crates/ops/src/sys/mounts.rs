//! listmount(2) and statmount(2).
#![expect(unsafe_code, reason = "system calls that rustix lacks")]

use linux_raw_sys::general::{__NR_listmount, __NR_statmount, statmount as Head};
use rustix::io::{Errno, Result};

use super::process::checked;

/// `struct mnt_id_req`, include/uapi/linux/mount.h.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    size: u32,
    /// 0: none. That is why descriptor 0 cannot be used.
    pub(crate) namespace_fd: u32,
    pub(crate) mount: u64,
    /// What is asked for, or after which mount to go on.
    pub(crate) param: u64,
    /// 0: the caller's.
    pub(crate) namespace_id: u64,
}

impl Request {
    pub(crate) const fn new(namespace_id: u64, namespace_fd: u32) -> Request {
        Request {
            size: size_of::<Request>() as u32,
            namespace_fd,
            mount: 0,
            param: 0,
            namespace_id,
        }
    }
}

/// Fills `ids` with the mounts below `request.mount`, from the one after `request.param`, and
/// returns their number.
pub(crate) fn listmount(request: &Request, ids: &mut [u64]) -> Result<usize> {
    // SAFETY: the request has the size that it says; the kernel writes at most `ids.len()` ids.
    let count = unsafe {
        libc::syscall(
            libc::c_long::from(__NR_listmount),
            std::ptr::from_ref(request),
            ids.as_mut_ptr(),
            ids.len(),
            0u32,
        )
    };
    usize::try_from(checked(count)?).map_err(|_| Errno::INVAL)
}

/// What statmount(2) answers: a head, and the texts that it points into.
pub(crate) struct Answer<'b> {
    pub(crate) head: Head,
    texts: &'b [u8],
}

impl<'b> Answer<'b> {
    /// The NUL-terminated text at an offset.
    pub(crate) fn text(&self, offset: u32) -> Option<&'b [u8]> {
        let rest = self.texts.get(offset as usize..)?;
        rest.split(|byte| *byte == 0).next()
    }
}

/// The size of the head in words.
const HEAD: usize = size_of::<Head>() / size_of::<u64>();

/// Room for the head, and no text.
pub(crate) const HEAD_ONLY: [u64; HEAD] = [0; HEAD];

/// Asks about a mount. EOVERFLOW: the texts do not fit into the buffer.
pub(crate) fn statmount<'b>(request: &Request, buffer: &'b mut [u64]) -> Result<Answer<'b>> {
    buffer.fill(0);
    // SAFETY: the request has the size that it says; the kernel writes at most as many bytes as the
    // buffer has.
    let result = unsafe {
        libc::syscall(
            libc::c_long::from(__NR_statmount),
            std::ptr::from_ref(request),
            buffer.as_mut_ptr(),
            size_of_val(buffer),
            0u32,
        )
    };
    checked(result)?;
    let (head, texts) = buffer.split_at_checked(HEAD).ok_or(Errno::OVERFLOW)?;
    // SAFETY: `head` has the size of a Head, is aligned to 8 bytes as it is, and initialised; a
    // Head is made of integers only.
    let head = unsafe { head.as_ptr().cast::<Head>().read() };
    // SAFETY: initialised integers seen as the bytes that they are made of.
    let texts =
        unsafe { std::slice::from_raw_parts(texts.as_ptr().cast::<u8>(), size_of_val(texts)) };
    Ok(Answer { head, texts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_kernel() {
        assert_eq!(size_of::<Request>(), 32);
        assert_eq!(size_of::<Head>(), 512);
        assert_eq!(align_of::<Head>(), 8);
    }
}
