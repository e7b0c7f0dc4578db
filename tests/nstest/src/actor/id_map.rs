//! New user namespaces and their ID mappings, see user_namespaces(7).
//!
//! A process may map its own UID and GID by itself. To map more it takes a capability in the
//! *parent* namespace, which who has moved on does not have any more: so a helper process stays
//! behind and writes those mappings.

use std::ffi::CStr;
use std::os::fd::RawFd;

use super::files;
use super::kernel::{self, Errno, Result};
use crate::step::IdMap;

/// "0 ", or a UID twice, and the count.
const LINE: usize = 32;

pub(crate) fn new_user_namespace(map: IdMap) -> Result {
    let (uid, gid) = (kernel::effective_uid(), kernel::effective_gid());
    let unshare = || kernel::unshare(libc::CLONE_NEWUSER.cast_unsigned());
    match map {
        IdMap::Nothing => unshare(),
        IdMap::Root => unshare().and_then(|()| map_oneself((0, uid), (0, gid))),
        IdMap::Own => unshare().and_then(|()| map_oneself((uid, uid), (gid, gid))),
        IdMap::Everything => unshare_and_be_mapped(),
    }
}

/// Maps one UID and GID, each as (inside, outside).
fn map_oneself(uids: (u32, u32), gids: (u32, u32)) -> Result {
    let own = files::open_at(libc::AT_FDCWD, c"/proc/self", libc::O_PATH)?;
    write(own, c"setgroups", b"deny")?;
    write(own, c"uid_map", Line::of(uids).text())?;
    write(own, c"gid_map", Line::of(gids).text())?;
    files::close(own)
}

fn unshare_and_be_mapped() -> Result {
    let process = files::open_at(libc::AT_FDCWD, c"/proc/self", libc::O_PATH)?;
    let (ready, say_ready) = files::pipe()?;
    let helper = kernel::fork()?;
    if helper == 0 {
        // Else the end of file could not be seen if the other one died.
        _ = files::close(say_ready);
        let everything = b"0 0 4294967295";
        let written = match files::read_byte(ready) {
            Ok(true) => write(process, c"uid_map", everything)
                .and_then(|()| write(process, c"gid_map", everything)),
            _ => Err(Errno(libc::EPIPE)),
        };
        kernel::exit_process(written.map_or_else(|Errno(errno)| errno, |()| 0));
    }
    kernel::unshare(libc::CLONE_NEWUSER.cast_unsigned())?;
    files::write(say_ready, &[1])?;
    let status = kernel::reap(helper)?;
    for fd in [process, ready, say_ready] {
        files::close(fd)?;
    }
    match libc::WEXITSTATUS(status) {
        0 if libc::WIFEXITED(status) => Ok(()),
        errno => Err(Errno(errno)),
    }
}

fn write(directory: RawFd, name: &CStr, content: &[u8]) -> Result {
    let file = files::open_at(directory, name, libc::O_WRONLY)?;
    let written = files::write(file, content);
    files::close(file).and(written)
}

/// A line of a map that maps one ID, written from its end.
struct Line {
    bytes: [u8; LINE],
    start: usize,
}

impl Line {
    fn of((inside, outside): (u32, u32)) -> Line {
        let mut line = Line { bytes: [0; LINE], start: LINE };
        line.prepend(b'1');
        line.prepend(b' ');
        line.prepend_number(outside);
        line.prepend(b' ');
        line.prepend_number(inside);
        line
    }

    fn prepend(&mut self, byte: u8) {
        self.start = self.start.saturating_sub(1);
        if let Some(place) = self.bytes.get_mut(self.start) {
            *place = byte;
        }
    }

    fn prepend_number(&mut self, mut number: u32) {
        loop {
            self.prepend(b'0' + (number % 10) as u8);
            number /= 10;
            if number == 0 {
                return;
            }
        }
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_map_one_id() {
        assert_eq!(Line::of((0, 1000)).text(), b"0 1000 1");
        assert_eq!(Line::of((u32::MAX, u32::MAX)).text(), b"4294967295 4294967295 1");
    }
}
