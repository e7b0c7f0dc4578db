//! Actions in re-executed copies of this very test program. It has a `main` of its own, as programs
//! that use this have, and so it runs its tests itself, in the way of libtest.

#![expect(clippy::unwrap_used, reason = "these are tests")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what a copy and an action say")]
#![expect(clippy::disallowed_methods, reason = "who runs tests gives them UTF-8")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::Duration;

use lxkns_discover::reexec::{self, Action, Error};
use lxkns_nstest::{Child, Dir, Script, linked, need, own_namespace};
use lxkns_ops::{NamespaceFd, enter};
use lxkns_species::NamespaceType::{self, Cgroup, Ipc, Mnt, Net, Pid, Time, User, Uts};
use rustix::io::Errno;

static NAMESPACES: Action<(), Vec<String>> = Action::new("namespaces", |()| own_namespaces());
static ECHO: Action<Vec<String>, Vec<String>> = Action::new("echo", |texts| texts);
static ENVIRONMENT: Action<(), Vec<(String, String)>> =
    Action::new("environment", |()| std::env::vars().collect());
static FILES: Action<(), Vec<String>> = Action::new("files", |()| open_files());
static PANIC: Action<(), ()> = Action::new("panic", |()| panic!("\x1bon purpose"));
static HANG: Action<(), ()> = Action::new("hang", |()| {
    let own = std::fs::read_link("/proc/self").unwrap();
    eprint!("{}", own.display());
    loop {
        std::thread::park();
    }
});
/// Whether there is none, and whether it is beyond view.
static ABOVE: Action<(), Vec<(bool, bool)>> = Action::new("above", |()| {
    let parent = NamespaceFd::of_self(User).unwrap().parent();
    let owners = [Uts, Net, Pid].map(|ns_type| NamespaceFd::of_self(ns_type).unwrap().owner());
    let errors = owners.into_iter().chain([parent]).map(Result::unwrap_err);
    errors.map(|error| (error.is_none(), error.is_denied())).collect()
});
static IDENTITY: Action<(), (u32, bool)> = Action::new("identity", |()| {
    use rustix::process::{DumpableBehavior, dumpable_behavior};
    let dumpable = dumpable_behavior().unwrap() != DumpableBehavior::NotDumpable;
    (rustix::process::getuid().as_raw(), dumpable)
});
static UNREGISTERED: Action<(), ()> = Action::new("unregistered", |()| ());
static NOT_AS_REGISTERED: Action<(), u32> = Action::new("namespaces", |()| 0);

type Test = fn();

const TESTS: [(&str, Test); 13] = [
    ("copies_run_in_namespaces_of_all_types", copies_run_in_namespaces_of_all_types),
    ("an_owner_needs_no_privileges", an_owner_needs_no_privileges),
    ("what_is_above_is_beyond_view", what_is_above_is_beyond_view),
    ("requests_and_answers_may_be_long", requests_and_answers_may_be_long),
    (
        "the_environment_is_empty_but_for_what_is_added",
        the_environment_is_empty_but_for_what_is_added,
    ),
    ("no_file_is_inherited", no_file_is_inherited),
    ("a_process_may_enter_for_good", a_process_may_enter_for_good),
    ("a_panic_is_told", a_panic_is_told),
    ("who_takes_too_long_is_killed", who_takes_too_long_is_killed),
    ("without_registration_nothing_runs", without_registration_nothing_runs),
    ("what_goes_wrong_is_told", what_goes_wrong_is_told),
    ("copies_may_be_made_by_many_threads", copies_may_be_made_by_many_threads),
    ("nothing_runs_in_secure_execution_mode", nothing_runs_in_secure_execution_mode),
];

fn main() {
    reexec::register(&[&NAMESPACES, &ECHO, &ENVIRONMENT, &FILES, &PANIC, &HANG, &ABOVE, &IDENTITY]);
    if std::env::args().any(|argument| argument == "--try-it") {
        std::process::exit(match NAMESPACES.inside(&[]).run(&()) {
            Err(Error::SecureExecution) => 42,
            _ => 1,
        });
    }
    if let Some(pid) = std::env::args().skip_while(|it| it != "--for-good").nth(1) {
        enter_for_good(lxkns_species::Pid(pid.parse().unwrap()));
    }
    run_tests();
}

fn own_namespaces() -> Vec<String> {
    NamespaceType::ALL.map(|ns_type| own_namespace(ns_type).to_string()).into()
}

fn open_files() -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let number: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
            let target = std::fs::read_link(entry.path()).unwrap();
            let target = target.to_str().unwrap();
            // This very directory is open, too.
            (!target.ends_with("/fd")).then(|| (number, target.to_owned()))
        })
        .collect();
    files.sort();
    files.into_iter().map(|(_, target)| target).collect()
}

/// A process in new namespaces of all eight types, the first one of its PID namespace.
fn contained() -> Child {
    Script::new()
        .user_namespace()
        .unshare([Cgroup, Ipc, Mnt, Net, Uts, Time, Pid])
        .fork("inside", Script::new())
        .spawn()
        .unwrap()
}

fn check_all_types(order: [NamespaceType; 8]) {
    let child = contained();
    let inside = child.pid_of("inside");
    let namespaces = order.map(|ns_type| NamespaceFd::of_process(inside, ns_type).unwrap());
    let namespaces: Vec<&NamespaceFd> = namespaces.iter().collect();
    let before = own_namespaces();
    let found = NAMESPACES.inside(&namespaces).run(&()).unwrap();
    let expected = NamespaceType::ALL
        .map(|ns_type| linked(format!("/proc/{inside}/{}", ns_type.proc_file())).to_string());
    assert_eq!(found, expected);
    assert!(before.iter().zip(&found).all(|(outside, inside)| outside != inside));
    let (uid, dumpable) = IDENTITY.inside(&namespaces).run(&()).unwrap();
    assert_eq!((uid, dumpable), (0, false));
    assert_eq!(own_namespaces(), before);
}

fn copies_run_in_namespaces_of_all_types() {
    need!(root, timens);
    check_all_types([Cgroup, Ipc, Mnt, Net, Pid, Time, Uts, User]);
    // Nothing but a copy.
    assert_eq!(NAMESPACES.inside(&[]).run(&()).unwrap(), own_namespaces());
}

fn an_owner_needs_no_privileges() {
    need!(userns, timens);
    check_all_types([User, Pid, Time, Cgroup, Ipc, Net, Uts, Mnt]);
}

fn what_is_above_is_beyond_view() {
    need!(userns);
    let child = Script::new().user_namespace().spawn().unwrap();
    let user = NamespaceFd::of_process(child.pid(), User).unwrap();
    let above = ABOVE.inside(&[&user]).run(&()).unwrap();
    assert_eq!(above, [(false, true); 4]);
}

fn requests_and_answers_may_be_long() {
    let texts: Vec<String> =
        (0..20_000).map(|number| format!("{number} \n \u{1f9ed} \"\0")).collect();
    assert_eq!(ECHO.inside(&[]).run(&texts).unwrap(), texts);
}

fn the_environment_is_empty_but_for_what_is_added() {
    assert!(std::env::vars().next().is_some());
    assert_eq!(ENVIRONMENT.inside(&[]).run(&()).unwrap(), []);
    let added = ENVIRONMENT.inside(&[]).variable("NAME", "a value").run(&()).unwrap();
    assert_eq!(added, [("NAME".into(), "a value".into())]);
}

const ENTERED: [NamespaceType; 3] = [User, Uts, Pid];

/// Enters namespaces of a process without any copy in between: this is the only thread.
fn enter_for_good(pid: lxkns_species::Pid) -> ! {
    let namespaces = ENTERED.map(|ns_type| NamespaceFd::of_process(pid, ns_type).unwrap());
    enter::for_good(&namespaces.each_ref(), |entered| match entered {
        Ok(()) => {
            let found = ENTERED.map(|ns_type| own_namespace(ns_type).to_string());
            println!("{}", found.join(" "));
            7
        }
        Err(error) => {
            println!("{error}");
            8
        }
    })
}

fn a_process_may_enter_for_good() {
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .unshare([Uts, Pid])
        .fork("inside", Script::new())
        .spawn()
        .unwrap();
    let program = || {
        let mut program = Command::new("/proc/self/exe");
        program.arg("--for-good").arg(child.pid_of("inside").to_string());
        program
    };
    let output = program().output().unwrap();
    let expected = ENTERED.map(|ns_type| child.namespace_of("inside", ns_type).to_string());
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), expected.join(" "));
    assert_eq!(output.status.code(), Some(7));
}

fn no_file_is_inherited() {
    let _inheritable = rustix::pipe::pipe().unwrap();
    let own = NamespaceFd::of_self(Uts).unwrap();
    let files = FILES.inside(&[]).run(&()).unwrap();
    let [stdin, stdout, stderr, answer] = files.as_slice() else {
        panic!("{files:?}");
    };
    assert_eq!((stdin.as_str(), stdout.as_str()), ("/dev/null", "/dev/null"));
    assert!([stderr, answer].iter().all(|file| file.starts_with("/memfd:lxkns")), "{files:?}");
    // To enter needs privileges, to be handed over does not.
    if rustix::process::geteuid().is_root() {
        let files = FILES.inside(&[&own]).run(&()).unwrap();
        assert_eq!(files.len(), 5);
        assert_eq!(files.last(), Some(&own.id().to_string()));
    }
}

fn a_panic_is_told() {
    let error = PANIC.inside(&[]).run(&()).unwrap_err();
    let Error::Died { status, stderr } = &error else {
        panic!("{error}");
    };
    assert_eq!(status.code(), Some(101));
    assert!(stderr.contains("on purpose"), "{stderr}");
    assert!(!error.to_string().contains('\x1b'), "{error}");
}

fn who_takes_too_long_is_killed() {
    let hang = |namespaces: &[&NamespaceFd]| {
        // Long enough to say its PID, even on a busy machine; if not, there is nothing to check.
        let call = HANG.inside(namespaces).time_limit(Duration::from_secs(1));
        match call.run(&()).unwrap_err() {
            Error::TimedOut { stderr, limit } => {
                assert_eq!(limit, Duration::from_secs(1));
                stderr.parse::<u32>()
            }
            error => panic!("{error}"),
        }
    };
    if let Ok(pid) = hang(&[]) {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
    need!(userns);
    let child = Script::new()
        .user_namespace()
        .unshare([Pid])
        .fork("inside", Script::new())
        .spawn()
        .unwrap();
    let inside = child.pid_of("inside");
    let [user, pid] = [User, Pid].map(|ns_type| NamespaceFd::of_process(inside, ns_type).unwrap());
    if let Ok(pid) = hang(&[&user, &pid]) {
        // Its parent, which was between, is dead: it is about to die itself.
        while std::path::Path::new(&format!("/proc/{pid}")).exists() {
            std::thread::yield_now();
        }
    }
}

fn without_registration_nothing_runs() {
    let error = UNREGISTERED.inside(&[]).run(&()).unwrap_err();
    assert!(matches!(error, Error::NotRegistered { action: "unregistered" }), "{error}");
}

fn what_goes_wrong_is_told() {
    let error = NOT_AS_REGISTERED.inside(&[]).run(&()).unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error}");
    // Nobody can enter the user namespace that they are in.
    let own = NamespaceFd::of_self(User).unwrap();
    let error = NAMESPACES.inside(&[&own]).run(&()).unwrap_err();
    let Error::Enter(lxkns_ops::Error::Enter { id, source }) = error else {
        panic!("{error}");
    };
    assert_eq!((id, source), (own.id(), Errno::INVAL));
    let many = vec![&own; 254];
    let error = NAMESPACES.inside(&many).run(&()).unwrap_err();
    assert!(matches!(error, Error::TooMany { count: 254 }), "{error}");
    let name = std::env::args_os().next().unwrap();
    let status = Command::new(name)
        .arg0("lxkns: action elsewhere")
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(125), "a copy that nobody has made: {:?}", status.signal());
}

fn copies_may_be_made_by_many_threads() {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for call in 0..10 {
                    let texts = vec![format!("{thread} {call}")];
                    assert_eq!(ECHO.inside(&[]).run(&texts).unwrap(), texts);
                }
            });
        }
    });
}

fn nothing_runs_in_secure_execution_mode() {
    need!(root);
    let dir = Dir::new().unwrap();
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
    let program = dir.join("set-user-id");
    std::fs::copy("/proc/self/exe", &program).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).unwrap();
    let as_nobody = || {
        let mut command = Command::new(&program);
        command.uid(65534).gid(65534).stderr(std::process::Stdio::null());
        command
    };
    // As whoever makes copies, and as a copy.
    assert_eq!(as_nobody().arg("--try-it").status().unwrap().code(), Some(42));
    let as_copy = as_nobody().arg0("lxkns: action elsewhere").status().unwrap();
    assert_eq!(as_copy.code(), Some(125));
}

/// All tests, or those whose name contains an argument; each on a thread of its name.
fn run_tests() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_set = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let filters: Vec<&String> =
        arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen = TESTS.iter().filter(|(name, _)| {
        let is_meant = |filter: &&&String| match is_set("--exact") {
            true => name == **filter,
            false => name.contains(filter.as_str()),
        };
        filters.is_empty() || filters.iter().any(|filter| is_meant(&filter))
    });
    let mut out = std::io::stdout();
    let mut failed = false;
    for (name, test) in chosen {
        if is_set("--list") {
            writeln!(out, "{name}: test").unwrap();
            continue;
        }
        let thread = std::thread::Builder::new().name((*name).into()).spawn(test);
        let passed = thread.unwrap().join().is_ok();
        failed |= !passed;
        let verdict = if passed { "ok" } else { "FAILED" };
        writeln!(out, "test {name} ... {verdict}").unwrap();
    }
    std::process::exit(if failed { 101 } else { 0 });
}
