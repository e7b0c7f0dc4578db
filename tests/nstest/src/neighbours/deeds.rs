//! What neighbours do: one thing after the other, as chance has it.
//!
//! Whatever fails (for lack of rights, or because somebody else was faster) simply has not
//! happened; what has, is looked up afterwards.

use lxkns_species::NamespaceType::{self, Cgroup, Ipc, Mnt, Net, User, Uts};
use rustix::process::DumpableBehavior;

use super::diary::PATHS;
use super::entry::{Entry, Fact};
use super::own::Path;
use super::task::{Role, Slot, Task};
use crate::IdMap;
use crate::actor::{files, id_map, kernel};

/// How deep children of children go.
const DEPTH: u32 = 2;

/// Does one thing.
pub(super) fn one(task: &mut Task<'_>) {
    if task.chance.once_in(3) {
        task.look_after_threads();
        task.look_after_children();
    }
    match task.chance.below(33) {
        26 | 27 => hurry(task),
        28 | 29 => move_on(task),
        30..=32 if !task.is_thread => change_credentials(task),
        0 | 1 => unshare_something(task),
        2 | 3 => enter(task),
        4 | 5 => open_own(task),
        6 => open_others(task),
        7 => duplicate(task),
        8..=10 => close(task),
        11 => socket(task),
        12 => pass_on(task),
        13 | 14 => rename(task),
        15 | 16 => mount_or_unmount(task),
        17 if !task.is_thread => user_namespace(task),
        18 if !task.is_thread => namespace_for_children(task),
        19 | 20 if !task.is_thread => {
            task.start_thread(false);
        }
        21..=25 if !task.is_thread => multiply(task),
        _ => {}
    }
}

/// Starts or ends children.
fn multiply(task: &mut Task<'_>) {
    let budget = 4 + task.chance.below(24) as u32;
    match task.chance.below(6) {
        0 => drop(task.fork(Role::Sleeper, None)),
        1 if task.depth < DEPTH => drop(task.fork(Role::Active(budget), None)),
        2 => task.kill_a_sleeper(),
        3 => drop(task.fork(Role::Headless, None)),
        4 => drop(task.fork(Role::Mayfly, None)),
        5 => reincarnate(task),
        _ => {}
    }
}

/// One child after the other, all with the same PID, each in other namespaces.
fn reincarnate(task: &mut Task<'_>) {
    let Some(first) = task.fork(Role::Mayfly, None) else {
        return;
    };
    for _ in 0..3 {
        let is_first =
            |child: &Option<super::task::Child>| child.is_some_and(|child| child.pid == first.pid);
        let Some(place) = task.children.iter().position(is_first) else {
            return;
        };
        if let Some(child) = task.children.get(place).copied().flatten() {
            task.reap(child, place);
        }
        unshare_something(task);
        // Without the right to choose a PID, there is nobody.
        if task.fork(Role::Mayfly, Some(first.pid)).is_none() {
            return;
        }
    }
}

/// Moves into a new namespace.
pub(super) fn unshare_something(task: &mut Task<'_>) {
    let types = [Uts, Uts, Ipc, Cgroup, Net, Mnt];
    let Some(namespace_type) = task.chance.one_of(&types) else {
        return;
    };
    if namespace_type == Mnt {
        return new_mount_namespace(task);
    }
    move_into_new(task, &[namespace_type]);
}

fn move_into_new(task: &mut Task<'_>, types: &[NamespaceType]) {
    let before = task.world.shared.begin();
    let flags = types.iter().fold(0, |flags, ns_type| flags | ns_type.clone_flag());
    if kernel::unshare(flags).is_ok() {
        task.look_around(before);
        types.iter().for_each(|ns_type| task.ask(*ns_type, before));
    }
    task.world.shared.end();
}

/// From one namespace into the next, so that their numbers are soon used again.
fn hurry(task: &mut Task<'_>) {
    for _ in 0..12 {
        move_into_new(task, &[Uts]);
    }
}

/// Into several new namespaces at once.
fn move_on(task: &mut Task<'_>) {
    for _ in 0..3 {
        move_into_new(task, &[Cgroup, Ipc, Uts]);
    }
}

/// A copy of the own mount namespace, without what neighbours have mounted in that.
fn new_mount_namespace(task: &mut Task<'_>) {
    // In a child user namespace, the copies could not be unmounted one by one.
    if task.confined {
        return;
    }
    task.unmount_all();
    let began = task.world.shared.begin();
    let from = task.joined.get(Mnt);
    if kernel::unshare(Mnt.clone_flag()).is_ok() {
        let private = libc::MS_REC | libc::MS_PRIVATE;
        _ = files::mount(None, c"/", None, private, None);
        for path in task.world.paths {
            while files::unmount(path).is_ok() {}
        }
        task.look_around(began);
        if let (Some(from), Some(to)) = (from, task.joined.get(Mnt)) {
            let ended = task.world.shared.tick();
            let (from, to) = (from.inode(), to.inode());
            task.write(Entry::Copied { from, to, began, ended });
        }
    }
    task.world.shared.end();
}

/// Moves into the namespace of another neighbour.
fn enter(task: &mut Task<'_>) {
    let types = [Uts, Ipc, Cgroup, Net, Mnt];
    let Some(namespace_type) = task.chance.one_of(&types).filter(|_| task.own_files) else {
        return;
    };
    if namespace_type == Mnt {
        task.unmount_all();
    }
    let Some(path) = others(task, namespace_type) else {
        return;
    };
    let before = task.world.shared.begin();
    if let Some(slot) = path.as_c_str().and_then(|path| task.open(path, before)) {
        _ = kernel::setns(slot.fd, namespace_type.clone_flag());
        task.look_around(before);
        task.close(slot);
        task.ask(namespace_type, before);
    }
    task.world.shared.end();
}

/// The path of a namespace of some neighbour.
fn others(task: &mut Task<'_>, namespace_type: NamespaceType) -> Option<Path> {
    let count = task.world.shared.mains().count();
    let chosen = task.chance.below(count);
    let pid = task.world.shared.mains().nth(chosen)?;
    let path = Path::new().text(b"/proc/").number(pid.0).text(b"/");
    Some(path.text(namespace_type.proc_file().as_bytes()))
}

fn own(namespace_type: NamespaceType) -> Path {
    let path = Path::new().text(b"/proc/thread-self/");
    path.text(namespace_type.proc_file().as_bytes())
}

fn open_own(task: &mut Task<'_>) {
    if let Some(namespace_type) = task.chance.one_of(&NamespaceType::ALL) {
        open(task, &own(namespace_type));
    }
}

fn open_others(task: &mut Task<'_>) {
    let namespace_type = task.chance.one_of(&NamespaceType::ALL);
    if let Some(path) = namespace_type.and_then(|namespace_type| others(task, namespace_type)) {
        open(task, &path);
    }
}

fn open(task: &mut Task<'_>, path: &Path) {
    if !task.own_files || !task.room() {
        return;
    }
    let before = task.world.shared.begin();
    if let Some(slot) = path.as_c_str().and_then(|path| task.open(path, before)) {
        task.keep(slot);
    }
    task.world.shared.end();
}

/// Some open file.
fn some_slot(task: &mut Task<'_>) -> Option<(usize, Slot)> {
    let place = task.chance.below(task.slots.len());
    let slot = task.slots.get(place).copied().flatten()?;
    Some((place, slot))
}

/// A second file descriptor, or another meaning for an old one.
fn duplicate(task: &mut Task<'_>) {
    let (Some((place, one)), Some((other_place, other))) = (some_slot(task), some_slot(task))
    else {
        return;
    };
    let before = task.world.shared.begin();
    if place == other_place {
        if task.room()
            && let Ok(fd) = files::duplicate(one.fd)
        {
            let copy = renumbered(one, fd);
            task.began(copy.fact, copy.namespace, before);
            task.keep(copy);
        }
    } else if files::duplicate_to(one.fd, other.fd).is_ok() {
        let copy = renumbered(one, other.fd);
        task.began(copy.fact, copy.namespace, before);
        task.ceased(other.fact, other.namespace);
        if let Some(place) = task.slots.get_mut(other_place) {
            *place = Some(copy);
        }
    }
    task.world.shared.end();
}

fn renumbered(slot: Slot, fd: i32) -> Slot {
    let number = fd.cast_unsigned();
    let fact = match slot.fact {
        Fact::Socket(_) => Fact::Socket(number),
        _ => Fact::Fd(number),
    };
    Slot { fd, fact, ..slot }
}

fn close(task: &mut Task<'_>) {
    let Some((place, slot)) = some_slot(task) else {
        return;
    };
    task.world.shared.begin();
    task.close(slot);
    task.world.shared.end();
    if let Some(place) = task.slots.get_mut(place) {
        *place = None;
    }
}

/// A socket of the network namespace that one is in.
fn socket(task: &mut Task<'_>) {
    let Some(namespace) = task.joined.get(Net).filter(|_| task.own_files) else {
        return;
    };
    if !task.room() {
        return;
    }
    let before = task.world.shared.begin();
    if let Ok(fd) = files::tcp_socket() {
        let fact = Fact::Socket(fd.cast_unsigned());
        task.began(fact, namespace, before);
        task.keep(Slot { fd, fact, namespace });
    }
    task.world.shared.end();
}

/// Sends an open file to oneself, and maybe closes it while it is under way.
fn pass_on(task: &mut Task<'_>) {
    let net = task.joined.get(Net).filter(|_| task.own_files);
    let (Some(net), Some((_, slot))) = (net, some_slot(task)) else {
        return;
    };
    let before = task.world.shared.begin();
    if let Ok((one, other)) = files::socket_pair() {
        let ends = [one, other].map(|fd| Slot {
            fd,
            fact: Fact::Socket(fd.cast_unsigned()),
            namespace: net,
        });
        for end in ends {
            task.began(end.fact, end.namespace, before);
        }
        if files::send_fd(one, slot.fd).is_ok()
            && task.room()
            && let Ok(fd) = files::receive_fd(other)
        {
            let copy = renumbered(slot, fd);
            task.began(copy.fact, copy.namespace, before);
            task.keep(copy);
        }
        for end in ends {
            if task.room() && task.chance.once_in(3) {
                task.keep(end);
            } else {
                task.close(end);
            }
        }
    }
    task.world.shared.end();
}

/// A name that would spoil a terminal, or a reader of `stat`.
fn rename(task: &mut Task<'_>) {
    const BYTES: &[u8] = b"\x1b\n\t ()[]\\\"'\x07\x7f\x80\xffaZ9";
    let mut name = [0; 16];
    let length = 1 + task.chance.below(14);
    for place in name.iter_mut().take(length) {
        *place = task.chance.one_of(BYTES).unwrap_or(b'x');
    }
    if let Ok(name) = std::ffi::CStr::from_bytes_until_nul(&name) {
        _ = kernel::set_name(name);
    }
}

fn mount_or_unmount(task: &mut Task<'_>) {
    // Not where others, who keep no diary, might get a copy of it.
    let here = task.joined.get(Mnt);
    let is_shared = here == task.world.outside;
    let types = [Uts, Ipc, Net, Cgroup, User, NamespaceType::Pid];
    let (Some(here), Some(namespace_type)) = (here, task.chance.one_of(&types)) else {
        return;
    };
    if is_shared || task.confined {
        return;
    }
    let Some(place) = task.mounts.iter().position(Option::is_none) else {
        return task.unmount_all();
    };
    if task.chance.once_in(3) {
        return task.unmount_all();
    }
    let number = task.chance.below(PATHS);
    let namespace = task.joined.get(namespace_type);
    let (Some(path), Some(namespace)) = (task.world.paths.get(number), namespace) else {
        return;
    };
    let source = own(namespace_type);
    let Some(source) = source.as_c_str().filter(|_| task.world.shared.take_path(number)) else {
        return;
    };
    let before = task.world.shared.begin();
    let bind = libc::MS_BIND;
    if files::mount(Some(source), path, None, bind, None).is_ok() {
        let fact = Fact::Mounted(here.inode(), number as u32);
        task.began(fact, namespace, before);
        if let Some(place) = task.mounts.get_mut(place) {
            *place = Some((number, namespace));
        }
    } else {
        task.world.shared.free_path(number);
    }
    task.world.shared.end();
}

impl Task<'_> {
    /// Unmounts what it has mounted: before it goes elsewhere, or ends.
    pub(super) fn unmount_all(&mut self) {
        let Some(here) = self.joined.get(Mnt) else {
            return;
        };
        for place in 0..self.mounts.len() {
            let Some((number, namespace)) = self.mounts.get_mut(place).and_then(Option::take)
            else {
                continue;
            };
            self.world.shared.begin();
            if let Some(path) = self.world.paths.get(number) {
                _ = files::unmount(path);
            }
            self.ceased(Fact::Mounted(here.inode(), number as u32), namespace);
            self.world.shared.free_path(number);
            self.world.shared.end();
        }
    }
}

/// Some UID that is not root's.
const SOME_UID: u32 = 4711;

/// Changes its effective UID, and with it its effective capabilities: root has some, others none.
fn be(uid: u32) -> bool {
    let (root, uid) = (rustix::thread::Uid::ROOT, rustix::thread::Uid::from_raw(uid));
    rustix::thread::set_thread_res_uid(root, uid, root).is_ok()
        // Its files in procfs are its own again.
        && rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).is_ok()
}

/// Is root and another user in turns.
fn change_credentials(task: &mut Task<'_>) {
    if !task.world.privileged || task.confined {
        return;
    }
    task.world.shared.begin();
    for _ in 0..6 {
        for uid in [SOME_UID, 0] {
            let before = task.world.shared.tick();
            be(uid);
            task.credentials(before);
        }
    }
    task.world.shared.end();
}

/// Moves into a new user namespace, for good.
fn user_namespace(task: &mut Task<'_>) {
    if task.depth == 0 || task.threads.iter().any(Option::is_some) || task.chance.once_in(2) {
        return;
    }
    task.unmount_all();
    let before = task.world.shared.begin();
    let creator = match task.world.privileged && !task.confined {
        true => task.chance.one_of(&[0, SOME_UID]).filter(|uid| be(*uid)),
        false => None,
    };
    let was = task.joined.get(User);
    _ = id_map::new_user_namespace(IdMap::Root);
    task.confined = true;
    task.look_around(before);
    task.credentials(before);
    let now = task.joined.get(User).filter(|now| Some(*now) != was);
    if let (Some(now), Some(euid)) = (now, creator) {
        let (who, user_namespace) = (task.who, now.inode());
        task.write(Entry::Created { who, user_namespace, euid });
    }
    task.world.shared.end();
}

/// Has the children to come begin in a new PID or time namespace.
fn namespace_for_children(task: &mut Task<'_>) {
    if task.depth == 0 || !task.children.iter().any(Option::is_none) {
        return;
    }
    let before = task.world.shared.begin();
    if task.chance.once_in(2) {
        _ = kernel::unshare(NamespaceType::Time.clone_flag());
    } else if task.pending.get(NamespaceType::Pid).is_none()
        && kernel::unshare(NamespaceType::Pid.clone_flag()).is_ok()
    {
        // Before its first process is there, nothing tells which one it is.
        task.fork_within(Role::Init, None, before);
    }
    task.look_around(before);
    task.world.shared.end();
}
