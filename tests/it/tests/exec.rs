//! `lxkns exec`: commands in namespaces of all types, whoever holds them, and how they end.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};

use lxkns_discover::{Options, discover, open};
use lxkns_nstest::{Child, Dir, IdMap, Script, need, own_namespace, tool};
use lxkns_ops::NamespaceFd;
use lxkns_species::NamespaceType::{Cgroup, Ipc, Mnt, Net, Pid, Time, User, Uts};
use lxkns_species::{NamespaceId, NamespaceType};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid};

fn exec(arguments: &[&str], command: &[&str]) -> Output {
    tool("lxkns").arg("exec").args(arguments).arg("--").args(command).output().unwrap()
}

/// Checks in which namespace of this type a command finds itself.
#[track_caller]
fn check_inside(arguments: &[&str], expected: NamespaceId) {
    let link = format!("/proc/self/{}", expected.namespace_type().proc_file());
    let output = exec(arguments, &["readlink", &link]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let link = String::from_utf8(output.stdout).unwrap();
    assert_eq!(link.trim_end(), expected.to_string());
}

/// A process in new namespaces of all types.
fn elsewhere() -> Child {
    let inside = Script::new()
        .user_namespace_with(IdMap::Everything)
        .unshare([Cgroup, Ipc, Mnt, Net, Uts, Pid, Time])
        .fork("inside", Script::new().mount("proc", "/proc", ""));
    Script::new().fork("outside", inside).spawn().unwrap()
}

#[test]
fn all_types_can_be_entered() {
    need!(root, timens, sh);
    let child = elsewhere();
    let pid = child.pid_of("inside");
    for ns_type in NamespaceType::ALL {
        let id = child.namespace_of("inside", ns_type);
        assert_ne!(id, own_namespace(ns_type));
        // The /proc of the PID namespace shows the command only if that was entered as well.
        let with_proc = match ns_type {
            Mnt => vec![format!("pid@{pid}")],
            Pid => vec![format!("mnt@{pid}")],
            _ => vec![],
        };
        for named in [format!("{ns_type}@{pid}"), id.to_string()] {
            let mut arguments: Vec<&str> = with_proc.iter().map(String::as_str).collect();
            arguments.push(&named);
            check_inside(&arguments, id);
        }
        check_inside(&["--of", &pid.to_string()], id);
    }
}

#[test]
fn what_only_an_fd_a_socket_or_a_nested_mount_holds() {
    need!(root, sh);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .in_new(Net, |net| net.note("fd", Net).open_namespace(Net, 3))
        .in_new(Net, |net| net.note("socket", Net).tcp_socket(4))
        .in_new(Mnt, |outer| {
            outer
                .note("outer", Mnt)
                .mount("tmpfs", &dir, "")
                .in_new(Net, |net| net.note("mounted", Net).bind_namespace(Net, dir.join("a net")))
                .open_namespace(Mnt, 5)
        })
        .in_new(User, |user| user.note("hidden", User).unshare([Uts]).open_namespace(Uts, 6))
        .spawn()
        .unwrap();
    for label in ["fd", "socket", "mounted", "outer", "hidden"] {
        let id = child.noted(label);
        check_inside(&[&id.to_string()], id);
    }
}

#[test]
fn everything_found_can_be_opened() {
    need!(root);
    let dir = Dir::new().unwrap();
    let child = Script::new()
        .in_new(Mnt, |outer| {
            outer
                .mount("tmpfs", &dir, "")
                .in_new(Net, |net| net.note("mounted", Net).bind_namespace(Net, dir.join("net")))
                .open_namespace(Mnt, 5)
        })
        .in_new(Net, |net| net.note("socket", Net).tcp_socket(4))
        .in_new(User, |user| user.note("owner", User).unshare([Uts]).open_namespace(Uts, 6))
        .spawn()
        .unwrap();
    // Without the kernel's handles, each has to be reached through what holds it.
    let options = Options::everything().tier(lxkns_discover::Tier::Mounts);
    let snapshot = discover(&options).unwrap();
    for label in ["mounted", "socket", "owner"] {
        let id = child.noted(label);
        assert_eq!(open(&snapshot, id).unwrap().id(), id, "{label}");
    }
    let gone = NamespaceId::new(Net, 1).unwrap();
    let error = open(&snapshot, gone).unwrap_err();
    assert!(error.to_string().contains("net:[1]"), "{error}");
}

#[test]
fn it_ends_as_the_command_does() {
    need!(root, timens, sh);
    let child = elsewhere();
    let pid = child.pid_of("inside").to_string();
    for arguments in
        [vec![format!("net@{pid}")], vec![format!("pid@{pid}")], vec!["--of".to_owned(), pid]]
    {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = |command: &[&str]| exec(&arguments, command).status;
        assert_eq!(run(&["sh", "-c", "exit 42"]).code(), Some(42));
        assert_eq!(run(&["/no/such/program"]).code(), Some(127));
        assert_eq!(run(&["/"]).code(), Some(126));
        // A shell calls this 128+15.
        let killed = run(&["sh", "-c", "kill -TERM $$"]);
        let signal = std::os::unix::process::ExitStatusExt::signal(&killed);
        // The first process of a PID namespace cannot be ended by its own signals; this is another.
        assert_eq!(signal, Some(15), "{killed}");
    }
}

#[test]
fn its_own_failures_have_a_code_of_their_own() {
    need!(sh);
    let check = |arguments: &[&str], says: &str| {
        let output = exec(arguments, &["true"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(125), "{stderr}");
        assert!(stderr.starts_with("error: "), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    };
    check(&["net:[1]"], "net:[1]");
    check(&["foo:[1]"], "unknown namespace type");
    check(&["/etc/passwd"], "/etc/passwd");
    check(&["--of", "4194305"], "4194305");
    check(&[], "required");
    let others = Script::new().thread("other", Script::new()).exit_thread();
    let child = Script::new().fork("headless", others).spawn().unwrap();
    let pid = child.pid_of("headless").to_string();
    check(&["--of", &pid], "its main thread has ended, others have not");
}

/// Through the `/proc` of a container nothing tells what one is in oneself.
#[test]
fn a_strangers_proc_is_no_reason_to_enter_nothing() {
    need!(root, sh);
    let lxkns = |arguments: &[&str]| {
        let mut command = tool("lxkns");
        command.args(["exec"]).args(arguments).args(["--", "true"]);
        command
    };
    let inside = Script::new().unshare([Uts]).mount("proc", "/proc", "");
    let child = Script::new()
        .unshare([Mnt])
        .fork("outside", Script::new().unshare([Pid]).fork("inside", inside))
        .run("of", &lxkns(&["--of", "1"]))
        .run("named", &lxkns(&["uts@1"]))
        .spawn()
        .unwrap();
    let stderr = String::from_utf8_lossy(&child.output("of").stderr);
    assert!(stderr.contains("/proc of one's own PID namespace"), "{stderr}");
    assert_eq!(child.output("of").status.code(), Some(125));
    assert!(child.output("named").status.success());
}

#[test]
fn a_pid_namespace_that_has_ended_is_named() {
    need!(root, sh);
    let child = first_of_a_pid_namespace();
    let first = child.pid_of("inside");
    let namespace = NamespaceFd::of_process(first, Pid).unwrap();
    let first = rustix::process::Pid::from_raw(first.0.cast_signed()).unwrap();
    let ended = pidfd_open(first, PidfdFlags::empty()).unwrap();
    kill_process(first, Signal::KILL).unwrap();
    poll(&mut [PollFd::new(&ended, PollFlags::IN)], None).unwrap();
    let id = namespace.id().to_string();
    let output = exec(&[&id], &["true"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&id), "{stderr}");
    assert!(stderr.contains("its first process has to be alive"), "{stderr}");
}

#[test]
fn the_same_with_nsenter() {
    need!(root, timens);
    let child = elsewhere();
    let pid = child.pid_of("inside");
    let output = tool("lxkns")
        .args(["exec", "--show", "--preserve-credentials"])
        .args([format!("net@{pid}"), format!("mnt@{pid}")])
        .args(["--", "echo", "it's"])
        .output()
        .unwrap();
    // The user namespace that owns the mount namespace, wherever it has been found.
    let line = String::from_utf8(output.stdout).unwrap();
    let others = line.strip_prefix("nsenter --user=/proc/").and_then(|it| it.split_once(' '));
    let expected = format!(
        "--net=/proc/{pid}/ns/net --mount=/proc/{pid}/ns/mnt --preserve-credentials -- \
         echo 'it'\\''s'\n"
    );
    assert_eq!(others.unwrap().1, expected, "{line}");
}

#[test]
fn nsenter_does_the_same_in_a_user_namespace() {
    need!(userns, sh, nsenter);
    let child = Script::new().user_namespace().unshare([Net]).spawn().unwrap();
    let pid = child.pid().to_string();
    let inside = ["sh", "-c", "id -u; readlink /proc/self/ns/net"];
    let expected = exec(&["--of", &pid], &inside);
    assert!(expected.status.success(), "{expected:?}");
    let line = exec(&["--show", "--of", &pid], &inside);
    let line = String::from_utf8(line.stdout).unwrap();
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert_eq!(output, expected, "{line}");
}

#[test]
fn credentials_in_a_user_namespace() {
    need!(userns, sh);
    let child = Script::new().user_namespace().spawn().unwrap();
    let user = format!("user@{}", child.pid());
    let id = |arguments: &[&str]| {
        let output = exec(arguments, &["id", "-u"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(id(&[&user]), "0\n");
    // Whoever runs this is root in there anyway, if nobody else is mapped.
    assert_eq!(id(&["--preserve-credentials", &user]), "0\n");
}

/// As sandboxes have it that give up their privileges once all is mounted: the process has gone on
/// into a child of the user namespace that owns the rest.
#[test]
fn owners_are_entered_on_the_way() {
    need!(userns, sh);
    let child =
        Script::new().user_namespace().unshare([Mnt, Net]).user_namespace().spawn().unwrap();
    let pid = child.pid();
    for ns_type in [Mnt, Net, User] {
        check_inside(&["--of", &pid.to_string()], child.namespace(ns_type));
    }
    let output = exec(&["--show", "--of", &pid.to_string()], &["true"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let culprit = NamespaceFd::of_process(pid, User).unwrap().parent().unwrap();
    let culprit = culprit.id().to_string();
    assert!(stderr.contains(&culprit), "{stderr}");
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn signals_reach_the_command() {
    need!(root, timens, sh);
    let child = elsewhere();
    let pid = child.pid_of("inside");
    for named in [format!("net@{pid}"), format!("pid@{pid}")] {
        let mut exec = tool("lxkns");
        exec.args(["exec", &named, "--", "sh", "-c"])
            .arg("trap 'echo caught; exit 7' USR1; echo ready; while :; do read line; done")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut exec = exec.spawn().unwrap();
        let mut lines = BufReader::new(exec.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        let pid = rustix::process::Pid::from_child(&exec);
        kill_process(pid, Signal::USR1).unwrap();
        // The shell heeds it when it has read a line, if not before.
        let _ = exec.stdin.as_mut().unwrap().write_all(b"\n");
        assert_eq!(lines.next().unwrap().unwrap(), "caught");
        assert_eq!(exec.wait().unwrap().code(), Some(7));
    }
}

/// A process "inside" of a new PID namespace, its first one.
fn first_of_a_pid_namespace() -> Child {
    Script::new().unshare([Pid]).fork("inside", Script::new()).spawn().unwrap()
}

/// Who starts a program may have it ignore the end of its children.
#[test]
fn the_exit_status_of_who_ignores_children() {
    need!(root, sh);
    let child = first_of_a_pid_namespace();
    let line =
        format!("trap '' CHLD; exec \"$0\" exec pid@{} -- sh -c 'exit 9'", child.pid_of("inside"));
    for _ in 0..20 {
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).arg(tool("lxkns").get_program());
        assert_eq!(shell.output().unwrap().status.code(), Some(9));
    }
}

/// A shell that has a stopped job only knows of the process that it has started itself.
#[test]
fn it_stops_and_goes_on_as_the_command_does() {
    need!(root, sh);
    let child = first_of_a_pid_namespace();
    let mut exec = tool("lxkns");
    exec.args(["exec", &format!("pid@{}", child.pid_of("inside")), "--"]).args([
        "sh",
        "-c",
        "kill -STOP $$; exit 4",
    ]);
    let mut exec = exec.spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&exec);
    let waited = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
    assert!(waited.unwrap().1.stopped());
    kill_process(pid, Signal::CONT).unwrap();
    assert_eq!(exec.wait().unwrap().code(), Some(4));
}
