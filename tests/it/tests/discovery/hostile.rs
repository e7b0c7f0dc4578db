//! Those who do not want to be scanned: file servers that do not answer.

use std::io::{Read, Write};
use std::path::Path;
use std::thread::JoinHandle;

use lxkns_it::{everywhere, gap, held};
use lxkns_model::{FileKind, Holder, Missing, MountKind, Reason, Snapshot, Text};
use lxkns_nstest::{Child, Dir, Script, need};
use lxkns_ops::socket::Asker;
use lxkns_species::NamespaceType::{Mnt, Net, Uts};
use rustix::io::Errno;

/// The fd of the file server.
const SERVER: i32 = 9;

/// In a mount namespace of its own, with a FUSE file system at `place` whose server, itself, never
/// answers. The mode is that of the file or directory at `place`.
pub(crate) fn dead_file_system(script: Script, place: impl AsRef<Path>, mode: &str) -> Script {
    let options = format!("fd={SERVER},rootmode={mode},user_id=0,group_id=0");
    script.open_device("/dev/fuse", SERVER).mount("fuse", place, &options)
}

pub(crate) const DIRECTORY: &str = "40000";
pub(crate) const FILE: &str = "100000";

/// The scan goes on: it finds what a process has open behind the dead file system.
fn with_evidence(script: Script) -> Script {
    script.in_new(Uts, |uts| uts.note("evidence", Uts).open_namespace(Uts, 3))
}

#[track_caller]
fn assert_evidence(snapshot: &Snapshot, child: &Child) {
    let fd = Holder::File { kind: FileKind::Namespace, pid: child.pid(), tid: None, fd: 3 };
    held(snapshot, child.noted("evidence"), &[fd]);
}

/// A namespace whose only holder is a bind mount that the dead file system hides: either that could
/// not be opened, and a gap says where, or a kernel that reopens namespaces by id has helped.
#[track_caller]
fn assert_hidden(snapshot: &Snapshot, child: &Child, place: &Path, why: Reason) {
    let mount = Holder::Mount {
        kind: MountKind::Bind,
        mount_namespace: Some(child.namespace(Mnt)),
        path: Text::from(place.as_os_str().as_encoded_bytes()),
    };
    let net = held(snapshot, child.noted("net"), &[mount]);
    if net.owner().is_none() {
        let gap = gap(snapshot, Missing::BindMounts, why).unwrap();
        let place = place.to_str().unwrap();
        let named = |example: &Text| example.to_string_lossy().starts_with(place);
        let has_more = gap.count > gap.examples.len() as u64;
        assert!(gap.examples.iter().any(named) || has_more, "{gap:?}");
    }
}

#[test]
fn a_bind_mount_behind_a_dead_file_system_is_a_gap() {
    need!(root, fuse);
    let dir = Dir::new().unwrap();
    let place = dir.join("net");
    let script = Script::new()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &place));
    let child = with_evidence(dead_file_system(script, &dir, DIRECTORY)).spawn().unwrap();
    everywhere(|snapshot| {
        assert_hidden(snapshot, &child, &place, Reason::TimedOut);
        assert_evidence(snapshot, &child);
    });
}

#[test]
fn a_dead_file_system_on_a_bind_mount_is_not_taken_for_it() {
    need!(root, fuse);
    let dir = Dir::new().unwrap();
    let place = dir.join("net");
    let script = Script::new()
        .unshare([Mnt])
        .mount("tmpfs", &dir, "")
        .in_new(Net, |net| net.note("net", Net).bind_namespace(Net, &place));
    let child = with_evidence(dead_file_system(script, &place, FILE)).spawn().unwrap();
    everywhere(|snapshot| {
        assert_hidden(snapshot, &child, &place, Reason::Covered);
        assert_evidence(snapshot, &child);
    });
}

#[test]
fn an_fd_on_a_dead_file_system_is_no_obstacle() {
    need!(root, fuse);
    let dir = Dir::new().unwrap();
    let script = dead_file_system(Script::new().unshare([Mnt]), &dir, DIRECTORY);
    let child = with_evidence(script.open_path(&dir, 4)).spawn().unwrap();
    everywhere(|snapshot| assert_evidence(snapshot, &child));
}

const INIT: u32 = 26;
const OPEN: u32 = 14;
const ACCESS: u32 = 34;

/// A file server that lives just long enough for somebody to go there: it says hello, has no
/// opinion on anything but opening, which it allows, and says no more after the last of these.
fn answer_until(child: &Child, last: u32) -> JoinHandle<()> {
    const NOT_IMPLEMENTED: i32 = -38;
    let process = lxkns_ops::pidfd::of_process(child.pid()).unwrap();
    let server = lxkns_ops::pidfd::get_fd(process, SERVER.cast_unsigned()).unwrap();
    let mut server = std::fs::File::from(server);
    std::thread::spawn(move || {
        loop {
            let mut request = vec![0; 1 << 17];
            let length = server.read(&mut request).unwrap();
            assert!(length >= 48);
            // struct fuse_in_header: length, opcode, unique … and the first two words of the body.
            let request: &[u8; 48] = request.first_chunk().unwrap();
            let opcode = u32::from_ne_bytes(request[4..8].try_into().unwrap());
            let (errno, answer) = match opcode {
                // struct fuse_init_out: version, and otherwise the least of everything.
                INIT => (0, [&request[40..48], &[0; 56]].concat()),
                // struct fuse_open_out
                OPEN => (0, vec![0; 16]),
                _ => (NOT_IMPLEMENTED, Vec::new()),
            };
            let length = 16 + answer.len() as u32;
            let unique = &request[8..16];
            let reply = [&length.to_ne_bytes(), &errno.to_ne_bytes(), unique, &answer[..]];
            server.write_all(&reply.concat()).unwrap();
            if opcode == last {
                return;
            }
        }
    })
}

#[test]
fn a_process_in_a_dead_file_system_is_no_obstacle() {
    need!(root, fuse);
    let ways: [fn(Script, &Dir) -> Script; 2] =
        [|script, dir| script.chdir(dir), |script, dir| script.chroot(dir)];
    for go in ways {
        let dir = Dir::new().unwrap();
        let script = dead_file_system(Script::new().unshare([Mnt]), &dir, DIRECTORY);
        let mut child = go(with_evidence(script).pause(), &dir).spawn().unwrap();
        let server = answer_until(&child, ACCESS);
        child.proceed().unwrap();
        server.join().unwrap();
        everywhere(|snapshot| assert_evidence(snapshot, &child));
    }
}

/// In the place of a socket there may be such a file by the time that it is asked. Merely letting
/// go of a copy takes for ever then.
#[test]
fn a_file_on_a_dead_file_system_in_the_place_of_a_socket() {
    need!(root, fuse);
    let dir = Dir::new().unwrap();
    let file = dir.join("file");
    // The server is another process: else that file could not be closed even by its end.
    let client = Script::new().tcp_socket(3).close(SERVER).pause().open(&file, 4);
    let script = Script::new().unshare([Mnt]).touch(&file);
    let mut child = dead_file_system(script, &file, FILE).fork("client", client).spawn().unwrap();
    let server = answer_until(&child, OPEN);
    child.proceed_at("client").unwrap();
    server.join().unwrap();

    let client = lxkns_ops::pidfd::of_process(child.pid_of("client")).unwrap();
    let limit = std::time::Duration::from_millis(200);
    let mut asker = Asker::start().unwrap();
    let told = asker.ask(&client, &[3, 4], limit);
    assert!(told[0].is_ok(), "{told:?}");
    assert_eq!(told[1].as_ref().unwrap_err().errno(), Some(Errno::BADF));
    // Its child is stuck; nobody waits for it, and nobody else is asked by it.
    assert!(!asker.is_well());
    drop(asker);
    let told = Asker::start().unwrap().ask(&client, &[3], limit);
    assert!(told[0].is_ok(), "{told:?}");
    everywhere(|snapshot| {
        let holders = snapshot.namespaces().flat_map(|it| it.holders());
        let mut of_client = holders.filter(|it| it.pid() == Some(child.pid_of("client")));
        assert!(matches!(
            of_client.next(),
            Some(Holder::File { kind: FileKind::Socket, fd: 3, .. })
        ));
    });
}
