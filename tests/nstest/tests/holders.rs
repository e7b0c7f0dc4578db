//! What keeps a namespace alive besides processes.

use lxkns_nstest::{Dir, IdMap, Script, linked, need, own_namespace, tool};
use lxkns_species::NamespaceType::{Net, Pid, User, Uts};

#[test]
fn a_socket_is_left_behind() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |script| script.note("net", Net).tcp_socket(3))
        .spawn()
        .unwrap();
    assert_eq!(child.namespace(Net), own_namespace(Net));
    assert_ne!(child.noted("net"), own_namespace(Net));
    let link = std::fs::read_link(format!("/proc/{}/fd/3", child.pid())).unwrap();
    assert!(link.to_str().unwrap().starts_with("socket:["), "{link:?}");
}

#[test]
fn a_tun_is_left_behind() {
    need!(root, tun);
    let child = Script::new()
        .in_new(Net, |script| script.note("net", Net).tun("nstest0", 3).open_namespace(Net, 4))
        .spawn()
        .unwrap();
    let link = std::fs::read_link(format!("/proc/{}/fd/3", child.pid())).unwrap();
    assert_eq!(link.to_str().unwrap(), "/dev/net/tun");
    assert_eq!(linked(format!("/proc/{}/fd/4", child.pid())), child.noted("net"));
    let visitor = Script::new().enter(format!("/proc/{}/fd/4", child.pid()), Net).spawn().unwrap();
    let devices = std::fs::read_to_string(format!("/proc/{}/net/dev", visitor.pid())).unwrap();
    assert!(devices.contains("nstest0"), "{devices}");
}

#[test]
fn an_fd_is_in_flight() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .in_new(Net, |script| script.note("net", Net).open_namespace(Net, 3))
        .send_fd(3, (3, 4))
        .spawn()
        .unwrap();
    let links = [3, 4].map(|fd| {
        std::fs::read_link(format!("/proc/{}/fd/{fd}", child.pid())).unwrap().into_os_string()
    });
    assert!(links.iter().all(|link| link.to_str().unwrap().starts_with("socket:[")), "{links:?}");
    assert_ne!(child.noted("net"), own_namespace(Net));
}

#[test]
fn users_are_mapped_as_asked() {
    need!(userns);
    let own = rustix::process::geteuid().as_raw();
    let check = |map: IdMap, uid_map: &[[u32; 3]]| {
        let child = Script::new().user_namespace_with(map).spawn().unwrap();
        let text = std::fs::read_to_string(format!("/proc/{}/uid_map", child.pid())).unwrap();
        let numbers: Vec<u32> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert_eq!(numbers, uid_map.concat(), "{map:?}");
        assert_ne!(child.namespace(User), own_namespace(User));
    };
    check(IdMap::Nothing, &[]);
    check(IdMap::Root, &[[0, own, 1]]);
    check(IdMap::Own, &[[own, own, 1]]);
    need!(root);
    check(IdMap::Everything, &[[0, 0, u32::MAX]]);
}

#[test]
fn a_user_is_left_for_good() {
    need!(root);
    let child = Script::new().become_user(65534, 65534).note("uts", Uts).spawn().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap();
    for line in ["Uid:\t65534\t65534\t65534\t65534", "Groups:\t ", "CapPrm:\t0000000000000000"] {
        assert!(status.contains(line), "{status}");
    }
    // What the user could not do if the process were not dumpable.
    assert_eq!(child.noted("uts"), own_namespace(Uts));
}

#[test]
fn a_program_runs_where_the_child_is() {
    need!(userns, sh);
    let dir = Dir::new().unwrap();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "readlink /proc/self/ns/uts; echo $X $$ >&2; cat; exit 3"]).env("X", "y z");
    let child =
        Script::new().user_namespace().unshare([Uts, Pid]).run("shell", &command).spawn().unwrap();
    let output = child.output("shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), child.namespace(Uts).to_string());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "y z 1\n");
    assert_eq!(output.status.code(), Some(3));
    drop(dir);
}

#[test]
fn a_program_that_cannot_run_is_a_failure() {
    let error =
        Script::new().run("x", &std::process::Command::new("/does/not/exist")).spawn().unwrap_err();
    assert!(error.to_string().contains("/does/not/exist"), "{error}");
}

#[test]
#[should_panic(expected = "no tool examples/does-not-exist in ")]
fn a_missing_tool_is_told() {
    _ = tool("examples/does-not-exist");
}

#[test]
fn a_process_visits_another_ones_namespaces() {
    need!(userns);
    let host = Script::new()
        .user_namespace()
        .unshare([Net, Uts])
        .open_namespace(Net, 3)
        .open_namespace(Uts, 4)
        .fork("home", Script::new())
        .fork(
            "away",
            Script::new().unshare([Net, Uts]).setns(3, Net).enter("/proc/thread-self/fd/4", Uts),
        )
        .spawn()
        .unwrap();
    for label in ["home", "away"] {
        assert_eq!(host.namespace_of(label, Net), host.namespace(Net));
        assert_eq!(host.namespace_of(label, Uts), host.namespace(Uts));
    }
}
