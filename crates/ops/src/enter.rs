//! Running something inside other namespaces.
//!
//! No function here changes the namespaces of a thread that goes on with something else. A closure
//! runs on a throw-away thread ([`run`], [`spawn`]), a program in a child process ([`command`]);
//! and a process that has nothing else to do may enter for the rest of its life ([`for_good`]). A
//! socket can be had without running anything there ([`socket_in`]).
//!
//! Not every type of namespace can be entered by a thread:
//!
//! | type | thread | child process |
//! |---|---|---|
//! | cgroup, ipc, mnt, net, uts | yes | yes |
//! | pid | no: takes effect for children only | yes |
//! | time, user | no: only in a process that has no other thread | yes |
//!
//! Namespaces are entered in the order given. It matters where user namespaces are among them: to
//! enter a namespace needs `CAP_SYS_ADMIN` in the user namespace that owns it, and who has entered
//! a user namespace has all capabilities in that one, and none outside. So an unprivileged owner
//! puts the user namespace first. Mount namespaces need `CAP_SYS_CHROOT` as well, see setns(2).
//!
//! Minimum kernel: 3.8; cgroup namespaces 4.6, time namespaces 5.6.
//!
//! What runs in another mount namespace finds files there that somebody else has put there. Name
//! services, locales, time zones, shared libraries loaded late, and the names in a panic's
//! backtrace come from files. So does a program: [`confined`] runs one that somebody else has put
//! there.

mod child;
mod confined;
mod for_good;
mod relay;
mod rights;
mod sealed;
mod socket_in;
mod terminal;
mod thread;

pub use child::command;
pub use confined::{Confinement, confined};
pub use for_good::{Credentials, for_good, for_good_as};
pub use rights::{Identity, Limits, directory_of, rights_of};
pub use sealed::from_sealed_copy;
pub use socket_in::{AddressFamily, Protocol, SocketType, socket_in};
pub use thread::{Visit, run, spawn};

use std::os::fd::AsFd;

use lxkns_species::NamespaceType;
use rustix::thread::move_into_link_name_space;

use crate::sys::enter as sys;
use crate::{Error, NamespaceFd};

fn any(namespaces: &[&NamespaceFd], wanted: NamespaceType) -> bool {
    let mut types = namespaces.iter().map(|one| one.id().namespace_type());
    types.any(|found| found == wanted)
}

/// Has the calling thread enter namespaces, in this order.
fn enter(namespaces: &[&NamespaceFd]) -> Result<(), Error> {
    if any(namespaces, NamespaceType::Mnt) {
        sys::own_directories()
            .map_err(|source| Error::Call { what: "get a root directory of one's own", source })?;
    }
    namespaces.iter().try_for_each(|namespace| enter_one(namespace))
}

fn enter_one(namespace: &NamespaceFd) -> Result<(), Error> {
    move_into_link_name_space(namespace.as_fd(), None)
        .map_err(|source| Error::Enter { id: namespace.id(), source })
}
