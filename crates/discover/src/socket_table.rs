//! Which network namespace goes with which socket, as far as that is known.

use std::collections::HashMap;
use std::time::Duration;

use lxkns_ops::socket::Asker;
use lxkns_species::NamespaceId;

use crate::timeouts::TOTAL_PATIENCE;

/// Which network namespace goes with which socket.
#[derive(Debug)]
pub(crate) struct SocketTable {
    pub(crate) by_inode: HashMap<u64, Listed>,
    pub(crate) by_cookie: HashMap<u64, NamespaceId>,
    /// Children that ask, one for each worker at most.
    pub(crate) askers: Vec<Asker>,
    /// The time left for waiting for file servers: they have files that have come in the place of
    /// sockets meanwhile.
    pub(crate) patience: Duration,
}

impl Default for SocketTable {
    fn default() -> SocketTable {
        SocketTable {
            by_inode: HashMap::new(),
            by_cookie: HashMap::new(),
            askers: Vec::new(),
            patience: TOTAL_PATIENCE,
        }
    }
}

/// The facts about a socket in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: NamespaceId,
    pub(crate) is_unix: bool,
    /// Whether nothing is queued in it.
    pub(crate) is_idle: bool,
}
