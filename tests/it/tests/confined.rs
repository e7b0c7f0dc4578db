//! `lxkns exec` with programs that somebody else may have chosen: those in others' mount
//! namespaces.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child as Process, Command, Stdio};

use lxkns_nstest::{Call, Child, IdMap, Script, need, session_keyring, tool, type_into_terminal};
use lxkns_species::NamespaceType::{Mnt, Net, User};
use rustix::fs::{SealFlags, fcntl_get_seals};
use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, kill_process, waitpid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// What a program finds out about itself, one line each.
const REPORT: &str = "cat /proc/$$/status; for fd in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && \
    echo File: $fd; done; echo Folder: $(pwd); \
    echo Secret: $SECRET; echo Map: $(cat /proc/$$/uid_map); \
    echo Stat: $(cat /proc/$$/stat)";

/// `lxkns exec`, with a secret in the environment, an open file, and another working directory.
fn exec(arguments: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "exec 7</etc/passwd; exec \"$0\" exec \"$@\""])
        .arg(tool("lxkns").get_program())
        .args(arguments)
        .env("SECRET", "hidden")
        .current_dir("/usr")
        .stdin(Stdio::null());
    shell
}

struct Report(String);

impl Report {
    #[track_caller]
    fn of(arguments: &[&str]) -> Report {
        let output = exec(&[arguments, &["--", "sh", "-c", REPORT]].concat()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        Report(String::from_utf8(output.stdout).unwrap())
    }

    #[track_caller]
    fn check(&self, name: &str, expected: &str) {
        let line = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let words: Vec<&str> = line.unwrap().split_whitespace().collect();
        assert_eq!(words.join(" "), expected, "{name} in {}", self.0);
    }

    /// What no program of a stranger's gets.
    #[track_caller]
    fn check_confined(&self) {
        self.check("Secret", "");
        let pid = self.0.lines().find_map(|line| line.strip_prefix("Pid:")).unwrap().trim();
        assert!(!self.0.contains("\nFile: "), "{}", self.0);
        // Of its own session, whose leader waits for it.
        let stat = self.0.lines().find_map(|line| line.strip_prefix("Stat:")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let [_, parent, group, session, tty, ..] = fields[..] else { panic!("{fields:?}") };
        assert_eq!((group, session, tty), (pid, parent, "0"), "{stat}");
    }
}

const NONE: &str = "0000000000000000";

fn all_there_are() -> String {
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
    format!("{:016x}", u64::MAX >> (63 - last.trim().parse::<u32>().unwrap()))
}

#[test]
fn in_the_own_user_namespace_it_may_nothing() {
    need!(root, sh);
    let child = Script::new().unshare([Mnt]).spawn().unwrap();
    let (pid, mount) = (child.pid(), child.namespace(Mnt));
    for named in [format!("mnt@{pid}"), mount.to_string(), format!("/proc/{pid}/ns/mnt")] {
        let report = Report::of(&[&named]);
        report.check_confined();
        report.check("Uid", "65534 65534 65534 65534");
        report.check("Gid", "65534 65534 65534 65534");
        report.check("Groups", "");
        for set in ["CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb"] {
            report.check(set, NONE);
        }
        report.check("NoNewPrivs", "1");
        report.check("Folder", "/");
    }
    // The same user, and still no rights.
    let report = Report::of(&["--preserve-credentials", &format!("mnt@{pid}")]);
    report.check_confined();
    report.check("Uid", "0 0 0 0");
    report.check("CapPrm", NONE);
    report.check("CapBnd", NONE);
    report.check("NoNewPrivs", "1");
}

#[test]
fn in_a_user_namespace_below_it_is_root_of_that() {
    need!(root, sh);
    let child =
        Script::new().user_namespace_with(IdMap::Everything).unshare([Mnt]).spawn().unwrap();
    let pid = child.pid();
    let inside = "readlink /proc/self/ns/user; readlink /proc/self/ns/mnt";
    for named in [format!("mnt@{pid}"), child.namespace(Mnt).to_string()] {
        let report = Report::of(&[&named]);
        report.check_confined();
        report.check("Uid", "0 0 0 0");
        report.check("Groups", "");
        report.check("CapBnd", &all_there_are());
        let output = exec(&[&named, "--", "sh", "-c", inside]).output().unwrap();
        let expected = format!("{}\n{}\n", child.namespace(User), child.namespace(Mnt));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }
}

/// Who makes a user namespace without a root must not get root of the machine as the UID in it.
#[test]
fn a_user_namespace_without_root_does_not_lend_the_callers_uid() {
    need!(root, sh);
    for map in [IdMap::Own, IdMap::Nothing] {
        let child = Script::new()
            .become_user(1000, 1000)
            .user_namespace_with(map)
            .unshare([Mnt])
            .spawn()
            .unwrap();
        let pid = child.pid().to_string();
        for arguments in [vec!["mnt@"], vec!["user@"], vec!["user@", "mnt@"]] {
            let named: Vec<String> = arguments.iter().map(|it| format!("{it}{pid}")).collect();
            let named: Vec<&str> = named.iter().map(String::as_str).collect();
            let waiting = ["--", "sh", "-c", "echo $$; read line"];
            let mut inside = exec(&[&named[..], &waiting].concat())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(inside.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
            let status = std::fs::read_to_string(format!("/proc/{}/status", line.trim())).unwrap();
            let report = Report(status);
            report.check("Uid", "65534 65534 65534 65534");
            report.check("Gid", "65534 65534 65534 65534");
            report.check("CapEff", &all_there_are());
            drop(inside.stdin.take());
            inside.wait().unwrap();
        }
    }
}

#[test]
fn with_of_it_may_what_the_process_may() {
    need!(root, sh, setpriv, unshare);
    let mut process = Command::new("unshare")
        .args(["--mount", "setpriv", "--bounding-set=-all,+chown,+kill", "--groups=7,8"])
        .args(["--no-new-privs", "--reuid=12", "--regid=13"])
        .args(["sh", "-c", "cd /tmp; echo; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
    let pid = process.id().to_string();
    let report = Report::of(&["--of", &pid]);
    report.check_confined();
    report.check("Uid", "12 12 12 12");
    report.check("Gid", "13 13 13 13");
    report.check("Groups", "7 8");
    report.check("CapBnd", "0000000000000021");
    report.check("CapPrm", NONE);
    report.check("NoNewPrivs", "1");
    report.check("Folder", "/tmp");
    // It says nothing about another mount namespace.
    let other = Script::new().unshare([Mnt]).spawn().unwrap();
    let own = std::process::id().to_string();
    let report = Report::of(&["--of", &own, &format!("mnt@{}", other.pid())]);
    report.check("Uid", "65534 65534 65534 65534");
    report.check("CapBnd", NONE);
    drop(process.stdin.take());
    process.wait().unwrap();
}

#[test]
fn rights_and_environment_are_kept_on_demand() {
    need!(root, sh);
    let child = Script::new().unshare([Mnt]).spawn().unwrap();
    let named = format!("mnt@{}", child.pid());
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap().trim();
    let report = Report::of(&["--keep-privileges", &named]);
    report.check_confined();
    report.check("Uid", "0 0 0 0");
    report.check("CapPrm", own);
    let report = Report::of(&["--keep-env", &named]);
    report.check("Secret", "hidden");
    report.check("CapPrm", NONE);
    let both = Report::of(&["--keep-privileges", "--preserve-credentials", &named]);
    both.check("CapPrm", own);
}

/// A script with the interpreter /proc/self/exe runs the program `lxkns` where the script is.
#[test]
fn no_process_inside_can_write_to_the_file_of_lxkns() {
    need!(root, sh);
    let (_stranger, named) = stranger();
    let mut exec = exec(&[&named, "--", "sh", "-c", "echo ready; read line"]);
    let mut session = OnTerminal::start(&mut exec);
    session.expect("ready");
    let program = format!("/proc/{}/exe", session.pid().as_raw_pid());
    let seals = fcntl_get_seals(File::open(program).unwrap()).unwrap();
    assert!(seals.contains(SealFlags::WRITE | SealFlags::SEAL), "{seals:?}");
    session.master.write_all(b"\n").unwrap();
    assert!(session.process.wait().unwrap().success());
}

/// A program of the caller's own, in namespaces of other types, is run as ever.
#[test]
fn a_program_of_ones_own_is_not_confined() {
    need!(root, sh);
    let child = Script::new().unshare([Net]).spawn().unwrap();
    let report = Report::of(&[&format!("net@{}", child.pid())]);
    report.check("Secret", "hidden");
    report.check("Folder", "/usr");
    report.check("Uid", "0 0 0 0");
    assert!(report.0.contains("\nFile: 7\n"), "{}", report.0);
    let session = |stat: &str| -> String {
        let fields = stat.rsplit_once(')').unwrap().1;
        fields.split_whitespace().nth(3).unwrap().to_owned()
    };
    // Not by getsid(2): the session's leader may be out of sight, and then the session is 0.
    let own = std::fs::read_to_string("/proc/self/stat").unwrap();
    let stat = report.0.lines().find_map(|line| line.strip_prefix("Stat:")).unwrap();
    assert_eq!(session(stat), session(&own));
}

/// Nothing is left open either where close_range(2) is refused, and the limit is lower than it was
/// when a file was opened.
#[test]
fn files_are_closed_without_close_range() {
    need!(root, sh);
    let child = Script::new().unshare([Mnt]).spawn().unwrap();
    let mut command = tool("lxkns");
    command.args([
        "exec",
        &format!("mnt@{}", child.pid()),
        "--",
        "sh",
        "-c",
        "[ -e /proc/$$/fd/1 ] && ! [ -e /proc/$$/fd/150 ]",
    ]);
    let script = Script::new()
        .open("/etc/passwd", 150)
        .limit(rustix::process::Resource::Nofile, 100)
        .answer(Call::CloseRange, Errno::NOSYS.raw_os_error())
        .run("exec", &command);
    let stranger = script.spawn().unwrap();
    let output = stranger.output("exec");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn nsenter_is_not_shown_without_a_word() {
    need!(root, sh);
    let child = Script::new().unshare([Mnt]).spawn().unwrap();
    let named = format!("mnt@{}", child.pid());
    let output = exec(&["--show", &named, "--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("with all your rights"));
    let output = exec(&["--show", "--keep-privileges", &named, "--", "true"]).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("note: nsenter"), "{output:?}");
    let below =
        Script::new().user_namespace_with(IdMap::Everything).unshare([Mnt]).spawn().unwrap();
    let pid = below.pid();
    let output = exec(&["--show", &format!("mnt@{pid}"), "--", "true"]).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(line.contains(" --user=/proc/"), "{line}");
}

/// A terminal, and a command on it that leads a process group of its own.
struct OnTerminal {
    master: File,
    terminal: OwnedFd,
    process: Process,
}

const WIDTH: u16 = 123;

impl OnTerminal {
    fn start(command: &mut Command) -> OnTerminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        unlockpt(&master).unwrap();
        let terminal = ioctl_tiocgptpeer(&master, flags).unwrap();
        let size = Winsize { ws_col: WIDTH, ws_row: 45, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let side = || terminal.try_clone().unwrap();
        command.stdin(side()).stdout(side()).stderr(side()).process_group(0);
        let process = command.spawn().unwrap();
        OnTerminal { master: File::from(master), terminal, process }
    }

    /// Reads until this is written.
    #[track_caller]
    fn expect(&mut self, text: &str) -> String {
        let mut read = String::new();
        let mut byte = [0];
        while !read.ends_with(text) {
            self.master.read_exact(&mut byte).unwrap();
            read.push(byte[0].into());
        }
        read
    }

    fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.process)
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.terminal).unwrap().local_modes.contains(LocalModes::ICANON)
    }

    /// How many bytes somebody has typed that nobody has read.
    fn pending(&self) -> u64 {
        rustix::io::ioctl_fionread(self.terminal.as_fd()).unwrap()
    }
}

fn stranger() -> (Child, String) {
    let child =
        Script::new().user_namespace_with(IdMap::Everything).unshare([Mnt]).spawn().unwrap();
    let named = format!("mnt@{}", child.pid());
    (child, named)
}

#[test]
fn a_terminal_of_its_own_works_as_the_callers() {
    need!(root, sh);
    let (_child, named) = stranger();
    let script = "stty size; echo ready; read line; echo got $line; exit 9";
    let mut exec = exec(&[&named, "--", "sh", "-c", script]);
    let mut session = OnTerminal::start(&mut exec);
    let before = session.expect("ready");
    assert!(before.contains(&format!("45 {WIDTH}")), "{before}");
    assert!(session.is_raw());
    session.master.write_all(b"a line\r").unwrap();
    session.expect("got a line");
    assert_eq!(session.process.wait().unwrap().code(), Some(9));
    assert!(!session.is_raw());
}

#[test]
fn keys_reach_the_program_only() {
    need!(root, sh);
    let (_child, named) = stranger();
    let script = "trap 'echo caught; exit 3' INT; echo ready; while :; do read line; done";
    // Of a job in the background the signal is ignored, and a shell cannot trap it then.
    let mut exec = exec(&[&named, "--", "env", "--default-signal=INT", "sh", "-c", script]);
    let mut session = OnTerminal::start(&mut exec);
    session.expect("ready");
    session.master.write_all(b"\x03").unwrap();
    session.expect("caught");
    assert_eq!(session.process.wait().unwrap().code(), Some(3));
}

#[test]
fn a_key_stops_it_and_gives_the_terminal_back() {
    need!(root, sh);
    let (_child, named) = stranger();
    let script = "echo ready; read line; echo got $line";
    let mut exec = exec(&[&named, "--", "sh", "-c", script]);
    let mut session = OnTerminal::start(&mut exec);
    session.expect("ready");
    session.master.write_all(b"\x1a").unwrap();
    let (_, status) = waitpid(Some(session.pid()), WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(status.stopped(), "{status:?}");
    assert!(!session.is_raw());
    kill_process(session.pid(), Signal::CONT).unwrap();
    session.master.write_all(b"more\r").unwrap();
    session.expect("got more");
    assert!(session.process.wait().unwrap().success());
    assert!(!session.is_raw());
}

#[test]
fn a_signal_ends_it_and_gives_the_terminal_back() {
    need!(root, sh);
    let (_child, named) = stranger();
    let mut exec = exec(&[&named, "--", "sh", "-c", "echo ready; read line"]);
    let mut session = OnTerminal::start(&mut exec);
    session.expect("ready");
    kill_process(session.pid(), Signal::TERM).unwrap();
    let status = session.process.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15), "{status}");
    assert!(!session.is_raw());
}

/// In the argument list of the test below it has this program type.
const TYPE: &str = "type-into-the-terminal";

/// No test, but what the next one runs inside.
#[test]
fn typing() {
    if std::env::args_os().any(|argument| argument == TYPE) {
        let files = [0, 1, 2].map(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")));
        let keyring = session_keyring().unwrap_or(-1);
        println!("typed: {:?} {files:?} keys {keyring}.", type_into_terminal(b'\n'));
    }
}

#[test]
fn a_stranger_has_neither_the_terminal_nor_the_keys() {
    need!(root, sh);
    let (_child, named) = stranger();
    let net = Script::new().unshare([Net]).spawn().unwrap();
    let this = std::env::current_exe().unwrap();
    let typed_by = |named: &str| {
        let mut exec = exec(&[named, "--", this.to_str().unwrap()]);
        exec.args(["--exact", "typing", "--nocapture", "--skip", TYPE]);
        let mut session = OnTerminal::start(&mut exec);
        session.expect("typed: ");
        let said = session.expect("\n");
        session.expect("test result: ok");
        session.process.wait().unwrap();
        let terminal = rustix::termios::ttyname(&session.terminal, Vec::new()).unwrap();
        let keyring = format!("keys {}.", session_keyring().unwrap());
        let terminals = said.matches(&format!("{:?}", terminal.to_str().unwrap())).count();
        (terminals, session.pending(), said.contains(&keyring))
    };
    // A program of one's own can, so this is no empty promise.
    assert_eq!(typed_by(&format!("net@{}", net.pid())), (3, 1, true));
    assert_eq!(typed_by(&named), (0, 0, false));
}
