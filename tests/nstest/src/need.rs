//! What a test needs of the kernel, the user and the machine, and the gate that ends it early
//! without.
//!
//! Needs are found out by trying, each at most once per test process, never by version numbers: in
//! containers and on patched kernels those say little. A test that is skipped says so, because a
//! green run must not hide what it did not test.

mod probe;

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::OnceLock;

type Probe = fn() -> bool;

/// What can be needed, and how to find out. Each stands in the documentation of `need!`.
static NEEDS: [(&str, Probe); 37] = [
    ("root", probe::root),
    ("userns", probe::user_namespaces),
    ("timens", probe::time_namespaces),
    ("initpidns", probe::initial_pid_namespace),
    ("tun", probe::tun),
    ("fuse", probe::fuse),
    ("loopback", probe::loopback),
    ("cgroups", probe::cgroups),
    ("btf", probe::btf),
    ("bpf", probe::bpf),
    ("openat2cached", probe::cached_open),
    ("pidfd_thread", probe::thread_pidfds),
    ("listmount", probe::listmount),
    ("mntns_id", probe::mount_namespace_ids),
    ("mntns_walk", probe::mount_namespace_walk),
    ("pidns_ioctls", probe::pid_translation),
    ("nsid", probe::namespace_ids),
    ("nshandles", probe::namespace_handles),
    ("listns", probe::listns),
    ("lsns", || probe::program("lsns")),
    ("sh", || probe::program("sh")),
    ("dash", || probe::program("dash")),
    ("bash", || probe::program("bash")),
    ("zsh", || probe::program("zsh")),
    ("ksh", || probe::program("ksh")),
    ("fish", || probe::program("fish")),
    ("unshare", || probe::program("unshare")),
    ("nsenter", || probe::program("nsenter")),
    ("umount", || probe::program("umount")),
    ("setpriv", || probe::program("setpriv")),
    ("ip", || probe::program("ip")),
    ("losetup", || probe::program("losetup")),
    ("mkfs", || probe::program("mkfs.ext4")),
    ("setuid", probe::set_user_id),
    ("filecaps", probe::file_capabilities),
    ("alone", || std::env::var_os("LXKNS_ALONE").is_some()),
    ("never", || false),
];

/// Ends the test, as if it had passed, unless all of this is there:
///
/// | need | is |
/// |---|---|
/// | `root` | UID 0 in the initial user namespace, with `CAP_SYS_ADMIN`, `CAP_SYS_PTRACE`, `CAP_SYS_CHROOT`, `CAP_DAC_READ_SEARCH` and `CAP_NET_ADMIN` |
/// | `userns` | new user namespaces, for this user |
/// | `timens` | time namespaces (Linux 5.6, if configured) |
/// | `initpidns` | being in the initial PID namespace |
/// | `tun` | /dev/net/tun, for this user |
/// | `fuse` | /dev/fuse, for this user |
/// | `cgroups` | making cgroups |
/// | `loopback` | TCP connections to 127.0.0.1 |
/// | `btf` | the kernel's types in /sys/kernel/btf/vmlinux |
/// | `bpf` | bpf(2), for this user |
/// | `openat2cached` | openat2(2) with `RESOLVE_CACHED` (5.12) |
/// | `pidfd_thread` | pidfds of threads (6.9) |
/// | `listmount` | listmount(2) (6.8) |
/// | `mntns_id` | `NS_GET_MNTNS_ID` (6.12) |
/// | `mntns_walk` | `NS_MNT_GET_NEXT` (6.12), for this user |
/// | `pidns_ioctls` | `NS_GET_PID_FROM_PIDNS` (6.11) |
/// | `nsid` | `NS_GET_ID` (6.18) |
/// | `nshandles` | file handles of namespaces (6.18) |
/// | `listns` | listns(2) (6.19) |
/// | `lsns`, `sh`, `dash`, `bash`, `zsh`, `ksh`, `fish` | this program in PATH |
/// | `unshare`, `nsenter`, `umount`, `setpriv`, `ip`, `losetup` | this program in PATH |
/// | `mkfs` | mkfs.ext4 in PATH |
/// | `setuid` | set-user-ID programs below the directory for temporary files, of root |
/// | `filecaps` | programs with file capabilities there, of root |
/// | `alone` | a machine on which nothing else runs: `LXKNS_ALONE` is set |
/// | `never` | never there; for tests of this very gate |
///
/// A test that ends here prints `skipped: …` to stderr, and adds a line to the file named by the
/// environment variable `LXKNS_SKIPS`: the test's name, a tab, and the need.
///
/// # Panics
///
/// If a need that is missing is in the comma-separated list of the environment variable
/// `LXKNS_REQUIRE`; and if there is no such need.
///
/// ```
/// # fn main() { test() }
/// // #[test]
/// fn test() {
///     lxkns_nstest::need!(userns, timens);
///     // …
/// }
/// ```
#[macro_export]
macro_rules! need {
    ($($name:ident),+ $(,)?) => {
        $(if !$crate::is_met(stringify!($name)) {
            return;
        })+
    };
}

/// Whether a need is met; makes a noise if not. For `need!`.
///
/// # Panics
///
/// As `need!` does.
#[doc(hidden)]
#[track_caller]
pub fn is_met(name: &str) -> bool {
    static MET: [OnceLock<bool>; NEEDS.len()] = [const { OnceLock::new() }; NEEDS.len()];
    let known = NEEDS.iter().zip(&MET).find(|((known, _), _)| *known == name);
    let Some(((_, probe), met)) = known else {
        panic!("there is no need named {name:?}");
    };
    if *met.get_or_init(probe) {
        return true;
    }
    let required = std::env::var("LXKNS_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|required| required.trim() == name),
        "required but missing: {name}"
    );
    match name {
        "userns" => tell(&userns(setting)),
        _ => tell(name),
    }
    false
}

/// The settings that forbid new user namespaces, each with its value.
const FORBID_USERNS: [(&str, &str); 3] = [
    // Ubuntu, from 23.10 on.
    ("kernel.apparmor_restrict_unprivileged_userns", "1"),
    // Debian.
    ("kernel.unprivileged_userns_clone", "0"),
    ("user.max_user_namespaces", "0"),
];

/// The need of user namespaces, with the setting that forbids them, see sysctl(8).
fn userns(setting: impl Fn(&str) -> Option<String>) -> String {
    let forbids = |(name, value): &&(&str, &str)| setting(name).as_deref() == Some(*value);
    match FORBID_USERNS.iter().find(forbids) {
        Some((name, value)) => format!("userns ({name} is {value})"),
        None => "userns".into(),
    }
}

fn setting(name: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()?;
    Some(text.trim().to_owned())
}

/// The lines go past the test harness's capturing: a skip is to be seen.
fn tell(missing: &str) {
    let test = test_name();
    let line = format!("skipped: {test} needs {missing}\n");
    _ = std::io::stderr().write_all(line.as_bytes());
    let Some(path) = std::env::var_os("LXKNS_SKIPS") else {
        return;
    };
    // One write, so that lines of several test processes do not get mixed up.
    let line = format!("{test}\t{missing}\n");
    let written = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        panic!("cannot add to {}: {error}", path.display());
    }
}

/// The harness names a test's thread after it, or runs the one that it was asked for in `main`.
fn test_name() -> String {
    let thread = std::thread::current();
    match thread.name() {
        Some("main") | None => std::env::args_os()
            .skip(1)
            .filter_map(|argument| argument.into_string().ok())
            .find(|argument| !argument.starts_with('-'))
            .unwrap_or_else(|| "main".into()),
        Some(name) => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_forbids_user_namespaces_is_named() {
        let with =
            |known: &str, value: &str| userns(|name| (name == known).then(|| value.to_owned()));
        let ubuntu = "kernel.apparmor_restrict_unprivileged_userns";
        assert_eq!(with(ubuntu, "1"), format!("userns ({ubuntu} is 1)"));
        assert_eq!(with(ubuntu, "0"), "userns");
        assert_eq!(with("user.max_user_namespaces", "0"), "userns (user.max_user_namespaces is 0)");
        assert!(setting("kernel.ostype").is_some_and(|name| name == "Linux"));
    }
}
