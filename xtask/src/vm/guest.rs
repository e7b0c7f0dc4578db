//! What runs inside a virtual machine: an init that makes a small but real Linux system, and in it
//! the run of the tests.
//!
//! Two processes do it, since an init has to reap every orphan there is, and the run of the tests
//! must reap nothing but its own children.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, mount, mount_move};
use rustix::process::{Pid, WaitOptions, chdir, chroot, wait};
use rustix::system::{RebootCommand, finit_module, reboot, sethostname, uname};

use super::record;
use crate::test::needs;
use crate::test::report::{Identity, Outcome, Report, TestResult};
use crate::test::run_one;
use crate::test::suite::Suite;
use crate::torture::how::How;

/// The folder with everything that belongs to the tests.
pub(super) const HOME: &str = "/lxkns";

/// What is to be run: a line for each test binary with its name, path and folder.
pub(super) const PLAN: &str = "/lxkns/plan";

/// A folder for each kernel, named after its release, with modules to be loaded.
pub(super) const MODULES: &str = "/lxkns/modules";

/// Where this program is.
pub(super) const INIT: &str = "/lxkns/bin/xtask";

/// The tasks of this program that are an init: with the tests, and to see whether a machine boots.
pub(super) const RUN: &str = "guest-init";
pub(super) const PROBE: &str = "guest-probe";

/// The serial port for results; the first one is the console.
const RESULTS: &str = "/dev/ttyS1";

/// The torture test's name in the plan.
const TORTURE: &str = "lxkns-it::torture";

/// How long a test binary may take in an emulator.
const LIMIT: Duration = Duration::from_secs(300);

/// What to do in a machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Work {
    /// Nothing but the torture test
    #[arg(long)]
    torture: bool,
    #[command(flatten)]
    how: How,
}

/// Runs as process 1: sets up the system, runs the tests, ends the machine.
pub(crate) fn init(tests: bool) -> Result<bool> {
    if let Err(error) = set_up_and_run(tests) {
        println!("init: {error:#}");
    }
    // Where a machine would start anew, the emulator is told to exit.
    reboot(RebootCommand::Restart)?;
    Ok(false)
}

fn set_up_and_run(tests: bool) -> Result<()> {
    if !tests {
        // This only proves that the machine gets here.
        mount("dev", "/dev", "devtmpfs", MountFlags::empty(), None)?;
        return Ok(fs::write(RESULTS, record::end())?);
    }
    switch_root().context("cannot switch the root")?;
    load_modules().context("cannot load the modules")?;
    let runner = Command::new(INIT)
        .arg("guest-run")
        .args(std::env::args_os().skip(2))
        .spawn()
        .context("cannot start the run")?;
    let runner = Pid::from_child(&runner);
    while let Some((pid, _)) = wait(WaitOptions::empty())? {
        if pid == runner {
            break;
        }
    }
    Ok(())
}

/// Leaves the root that the kernel has unpacked: nothing can be mounted over it, moved from it or
/// pivoted away from it, which tests want to do.
fn switch_root() -> Result<()> {
    let root = Path::new("/new-root");
    fs::create_dir(root)?;
    mount("root", root, "tmpfs", MountFlags::empty(), c"mode=755,size=90%")?;
    move_tree(Path::new(HOME), &root.join(HOME.trim_start_matches('/')))?;
    for folder in ["dev", "etc", "mnt", "proc", "root", "run", "sys", "var"] {
        fs::create_dir(root.join(folder))?;
    }
    fs::create_dir(root.join("tmp"))?;
    fs::set_permissions(root.join("tmp"), Permissions::from_mode(0o1777))?;
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:\nnobody:x:65534:65534::/:\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
    mount("dev", root.join("dev"), "devtmpfs", MountFlags::empty(), None)?;
    chdir(root)?;
    mount_move(".", "/")?;
    chroot(".")?;
    chdir("/")?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", quiet, None)?;
    mount("sys", "/sys", "sysfs", quiet, None)?;
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2", quiet, None)?;
    symlink("/proc/self/fd", "/dev/fd")?;
    symlink("/proc/self/fd/0", "/dev/stdin")?;
    fs::create_dir("/dev/shm")?;
    mount("shm", "/dev/shm", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=1777")?;
    sethostname(b"lxkns")?;
    Ok(())
}

fn load_modules() -> Result<()> {
    // From include/uapi/linux/module.h: the kernel is to decompress the file itself.
    const COMPRESSED: i32 = 4;
    let folder = Path::new(MODULES).join(release());
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let flags = if path.extension().is_some_and(|e| e == "xz") { COMPRESSED } else { 0 };
        finit_module(File::open(&path)?, c"", flags).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// How the running kernel calls itself.
fn release() -> String {
    uname().release().to_string_lossy().into_owned()
}

/// Moves file by file, so that nothing is in memory twice.
fn move_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            move_tree(&from, &to)?;
        } else {
            fs::copy(&from, &to).with_context(|| format!("cannot move {}", from.display()))?;
            fs::remove_file(&from)?;
        }
    }
    Ok(())
}

/// Does the work and sends the results out.
pub(crate) fn run(work: &Work) -> Result<()> {
    let mut results = OpenOptions::new().write(true).open(RESULTS).context(RESULTS)?;
    if work.torture {
        let outcome = torture_test(&work.how)?;
        results.write_all(record::write(&[outcome]).as_bytes())?;
    } else {
        run_tests(&mut results)?;
    }
    Ok(results.write_all(record::end().as_bytes())?)
}

/// The test binaries: name, path, folder.
fn plan() -> Result<Vec<(String, PathBuf, PathBuf)>> {
    let plan = fs::read_to_string(PLAN).context(PLAN)?;
    let tests = plan.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let name = fields.next()?.to_owned();
        Some((name, fields.next()?.into(), fields.next()?.into()))
    });
    Ok(tests.collect())
}

/// Runs the torture test. What it says is for the console.
fn torture_test(how: &How) -> Result<TestResult> {
    let tests = plan()?;
    let test = tests.into_iter().find(|(name, ..)| name == TORTURE);
    let (name, path, folder) = test.context("there is no torture test")?;
    let mut command = Command::new(path);
    command.current_dir(folder).arg("--nocapture");
    let status = how.apply(&mut command).status()?;
    Ok(TestResult {
        test: name,
        identity: Identity::Own,
        kernel: None,
        outcome: if status.success() {
            Outcome::Passed
        } else {
            Outcome::Failed(Some(status.to_string()))
        },
    })
}

/// Runs every test binary of the plan as both identities.
fn run_tests(results: &mut File) -> Result<()> {
    let home = Path::new(HOME);
    let suite = Suite {
        filter: String::new(),
        bin_dir: home.join("bin"),
        scratch: home.join("scratch"),
        limit: LIMIT,
        required: needs::since(&release()),
        environment: vec![
            ("INSTA_WORKSPACE_ROOT", home.join("sources").into()),
            ("LXKNS_SCALE", "small".into()),
            ("LXKNS_ALONE", "1".into()),
            ("PROPTEST_CASES", "16".into()),
        ],
    };
    for (name, path, folder) in plan()? {
        for identity in [Identity::Own, Identity::Nobody] {
            let mut report = Report::default();
            run_one(&mut report, &name, identity, || suite.run(&name, &path, &folder, identity));
            results.write_all(record::write(report.results()).as_bytes())?;
        }
    }
    Ok(())
}
