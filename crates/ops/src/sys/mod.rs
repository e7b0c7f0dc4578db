//! The kernel interfaces that rustix lacks: all unsafe code of lxkns.
//!
//! One file per interface. Each wraps single calls, with the kernel's own names and `Errno`s, and
//! leaves meaning to the modules in front.

pub(crate) mod bpf;
pub(crate) mod enter;
pub(crate) mod files;
pub(crate) mod foreign;
pub(crate) mod fork;
pub(crate) mod handle;
pub(crate) mod helper;
pub(crate) mod in_flight;
pub(crate) mod keyring;
pub(crate) mod listns;
pub(crate) mod mounts;
pub(crate) mod nsfs;
pub(crate) mod process;
pub(crate) mod signals;
pub(crate) mod socket;
pub(crate) mod socket_in;
pub(crate) mod stand_in;
pub(crate) mod system;
pub(crate) mod unmount;
pub(crate) mod visit;

use rustix::io::{Errno, Result};

/// Room for an answer whose length others decide: it may be more than there is.
pub(crate) fn room_for(length: usize) -> Result<Vec<u64>> {
    let mut room = Vec::new();
    room.try_reserve_exact(length).map_err(|_| Errno::NOMEM)?;
    room.resize(length, 0);
    Ok(room)
}
