//! What a task can find out about itself, through its procfs and without allocating.

use std::ffi::CStr;

use lxkns_species::{NamespaceId, Pid};

use crate::actor::files;
use crate::syscall::{Errno, Result};

/// The calling thread's namespace behind a file such as `ns/net`.
pub(super) fn own_namespace(file: &str) -> Option<NamespaceId> {
    let path = Path::new().text(b"/proc/thread-self/").text(file.as_bytes());
    let mut buffer = [0; 64];
    let length = files::read_link(path.as_c_str()?, &mut buffer).ok()?;
    buffer.get(..length).and_then(NamespaceId::from_link)
}

/// PID and TID, as the procfs tells: its link reads `PID/task/TID`.
pub(super) fn own_ids(buffer: &mut [u8]) -> Result<(Pid, Pid)> {
    let length = files::read_link(c"/proc/thread-self", buffer)?;
    let text = buffer.get(..length).unwrap_or_default();
    let mut parts = text.split(|byte| *byte == b'/');
    let (pid, tid) = (parts.next(), parts.nth(1));
    match (pid.and_then(number_in), tid.and_then(number_in)) {
        (Some(pid), Some(tid)) => Ok((Pid(pid as u32), Pid(tid as u32))),
        _ => Err(Errno(libc::EINVAL)),
    }
}

/// In clock ticks since boot: field 22 of proc_pid_stat(5).
pub(super) fn own_start_time(buffer: &mut [u8]) -> Result<u64> {
    let file = files::open_at(libc::AT_FDCWD, c"/proc/thread-self/stat", libc::O_RDONLY)?;
    let read = files::read(file, buffer);
    _ = files::close(file);
    let text = buffer.get(..read?).unwrap_or_default();
    let after_name = text.rsplit(|byte| *byte == b')').next();
    let mut fields = after_name.unwrap_or_default().split(|byte| *byte == b' ').skip(20);
    let start_time = fields.next().and_then(number_in);
    start_time.ok_or(Errno(libc::EINVAL))
}

fn number_in(text: &[u8]) -> Option<u64> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// A path that is put together without allocating.
pub(super) struct Path {
    bytes: [u8; 64],
    length: usize,
}

impl Path {
    pub(super) fn new() -> Path {
        Path { bytes: [0; 64], length: 0 }
    }

    pub(super) fn text(mut self, text: &[u8]) -> Path {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (place, byte) in room.iter_mut().zip(text) {
            *place = *byte;
        }
        self.length += text.len();
        self
    }

    pub(super) fn number(self, number: u32) -> Path {
        let mut digits = [0; 10];
        let mut start = digits.len();
        let mut rest = number;
        loop {
            start -= 1;
            if let Some(digit) = digits.get_mut(start) {
                *digit = b'0' + (rest % 10) as u8;
            }
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.text(digits.get(start..).unwrap_or_default())
    }

    /// `None` if it was too long.
    pub(super) fn as_c_str(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_put_together() {
        let path = Path::new().text(b"/proc/").number(4_294_967_295).text(b"/ns");
        assert_eq!(path.as_c_str(), Some(c"/proc/4294967295/ns"));
        assert_eq!(Path::new().number(0).as_c_str(), Some(c"0"));
        assert_eq!(Path::new().text(&[b'x'; 70]).as_c_str(), None);
    }

    #[test]
    fn one_knows_oneself() {
        let mut buffer = [0; 1024];
        let (pid, _) = own_ids(&mut buffer).unwrap();
        assert_eq!(pid.0, std::process::id());
        assert!(own_start_time(&mut buffer).unwrap() > 0);
        assert!(own_namespace("ns/net").is_some());
    }
}
