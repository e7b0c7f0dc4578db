//! Nothing that the user of a privileged tool hands over (environment, files, arguments) makes it
//! do more than it does for everybody, or tell more.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use lxkns_it::assert_failure;
use lxkns_nstest::{Dir, Script, need};
use lxkns_species::NamespaceType::Uts;

use crate::{as_nobody, privileged_copies};

#[test]
fn the_environment_changes_nothing_but_looks() {
    need!(root, setuid);
    let dir = Dir::new().unwrap();
    let child = Script::new().unshare([Uts]).spawn().unwrap();
    let uts = child.namespace(Uts).to_string();
    // Whatever is looked for in PATH leaves a trace.
    let (programs, trace) = (dir.join("programs"), dir.join("trace"));
    std::fs::create_dir(&programs).unwrap();
    std::fs::set_permissions(&programs, PermissionsExt::from_mode(0o755)).unwrap();
    File::create(&trace).unwrap().set_permissions(PermissionsExt::from_mode(0o666)).unwrap();
    for name in ["sh", "nsenter", "unshare", "less", "lxkns", "getent"] {
        let path = programs.join(name);
        let script = format!("#!/bin/sh\necho {name} >> {}\n", trace.display());
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let variables = [
        ("LXKNS_TRACE", "1"),
        ("LXKNS_SCALE", "small"),
        ("LXKNS_BIN_DIR", "/nowhere"),
        ("LXKNS_COMPLETE", "bash"),
        ("RUST_BACKTRACE", "full"),
        ("RUST_LIB_BACKTRACE", "1"),
        ("RUST_LOG", "trace"),
        ("RUST_MIN_STACK", "1"),
        ("LD_PRELOAD", "/nowhere/evil.so"),
        ("LD_LIBRARY_PATH", "/nowhere"),
        ("LD_DEBUG", "all"),
        ("GLIBC_TUNABLES", "glibc.malloc.check=3"),
        ("LANG", "../../../../nowhere"),
        ("LC_ALL", "%n%n%n"),
        ("TERM", "../../nowhere"),
        ("COLUMNS", "-1"),
        ("LINES", "99999999999999999999"),
        ("NO_COLOR", "1"),
        ("XDG_CONFIG_HOME", "relative"),
        ("HOME", "\u{1b}]0;title\u{7}"),
    ];
    for copy in privileged_copies(&dir) {
        let run = |evil: bool| {
            let mut command = as_nobody(&copy);
            if evil {
                command.env("PATH", &programs).envs(variables);
            }
            let output = command.args(["lsuns", "-q"]).output().unwrap();
            assert!(output.status.success());
            // Others come and go on this machine, but not this one.
            let text = String::from_utf8(output.stdout).unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            (text.contains('\u{1b}'), stderr)
        };
        assert_eq!(run(true), run(false));
        let output = as_nobody(&copy).env("PATH", &programs).envs(variables).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains(&uts), "{stdout}");
        let colors = as_nobody(&copy).env("CLICOLOR_FORCE", "1").output().unwrap();
        assert!(colors.stdout.contains(&0x1b));
    }
    assert_eq!(std::fs::read_to_string(&trace).unwrap(), "");
}

#[test]
fn nobody_gets_into_namespaces_through_a_privileged_copy() {
    need!(root, setuid);
    let dir = Dir::new().unwrap();
    let child = Script::new().unshare([Uts]).spawn().unwrap();
    let target = format!("uts@{}", child.pid());
    for copy in privileged_copies(&dir) {
        for option in [None, Some("--show")] {
            let mut command = as_nobody(&copy);
            command.arg("exec").args(option);
            let output = command.args([&target, "--", "/bin/true"]).output().unwrap();
            assert_failure(&output, 125, &["more privileges than the user"]);
        }
        let output = as_nobody(&copy).args(["umount", "mnt@1", "/proc"]).output().unwrap();
        assert_failure(&output, 1, &["more privileges than the user"]);
        let output = as_nobody(&copy).arg("links").arg(dir.join("")).output().unwrap();
        assert_failure(&output, 1, &["more privileges than the user"]);
        assert!(!dir.join("lsuns").exists());
    }
}

#[test]
fn a_request_from_the_user_is_not_obeyed() {
    need!(root, setuid);
    let dir = Dir::new().unwrap();
    for copy in privileged_copies(&dir) {
        // What a copy that runs an action would be called, and read from.
        let (mut mine, theirs) = UnixStream::pair().unwrap();
        mine.write_all(b"\nanything\n{}").unwrap();
        mine.shutdown(std::net::Shutdown::Write).unwrap();
        let output = as_nobody(&copy)
            .arg0("lxkns: action elsewhere")
            .arg("lsuns")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .output()
            .unwrap();
        // The tools have no actions, so to them it is a name like any other.
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("user:["));
    }
}

#[test]
fn missing_and_surplus_files_do_no_harm() {
    need!(root, setuid, sh);
    let dir = Dir::new().unwrap();
    for copy in privileged_copies(&dir) {
        let copy = copy.to_str().unwrap();
        let run = |redirections: &str| {
            let script = format!("exec {copy} lsuns -q {redirections}");
            as_nobody("/bin/sh").args(["-c", &script]).output().unwrap()
        };
        // Without standard files, whatever is opened next must not be written to instead.
        for closed in ["0<&-", "2>&-", "0<&- 2>&-"] {
            let output = run(closed);
            assert!(output.status.success(), "{closed}");
            assert!(String::from_utf8_lossy(&output.stdout).contains("user:["));
        }
        assert_eq!(run("1>&-").stderr, b"");
        let many: Vec<String> = (3..10).map(|fd| format!("{fd}</dev/null")).collect();
        assert!(run(&many.join(" ")).status.success());
    }
}

#[test]
fn nobody_looks_into_a_privileged_copy() {
    need!(root, setuid);
    let dir = Dir::new().unwrap();
    for copy in privileged_copies(&dir) {
        let (mine, theirs) = UnixStream::pair().unwrap();
        let mut child = as_nobody(&copy)
            .args(["--input", "-"])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Without the right to look into it, its files belong to root: no core dump, no ptrace.
        let proc = format!("/proc/{}", child.id());
        assert_eq!(std::fs::metadata(format!("{proc}/mem")).unwrap().uid(), 0);
        drop(mine);
        assert!(!child.wait().unwrap().success());
    }
}
