//! Booting a kernel in QEMU.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::guest::{INIT, PROBE};
use super::record;
use crate::process::{End, Output, run_limited};

const QEMU: &str = "qemu-system-x86_64";

/// The command line of the kernel.
///
/// It does not check that the timer ticks as fast as it should: where the emulator shares its
/// processor, it does not. It makes no huge pages: khugepaged has the lowest priority, and among
/// hundreds of busy processes on one processor it stays in an RCU section for minutes, so that the
/// kernel frees no namespace. After a panic it ends, without a firmware that has to be asked.
const COMMAND_LINE: &str = "console=ttyS0 loglevel=4 no_timer_check transparent_hugepage=never \
     panic=-1 reboot=t random.trust_cpu=on";

/// How long a machine may take to show that an accelerator works.
const PROBE_LIMIT: Duration = Duration::from_secs(30);

/// What carries out the machine's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accelerator {
    Kvm,
    /// Software. With a second processor, or with an emulated cmpxchg16b, some kernels oops at
    /// random in it.
    Tcg,
}

impl Accelerator {
    fn arguments(self) -> [&'static str; 6] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-smp", "2", "-cpu", "host"],
            Self::Tcg => ["-accel", "tcg,thread=single", "-smp", "1", "-cpu", "max,cx16=off"],
        }
    }

    /// KVM where a machine truly boots in it, which a device that can be opened does not prove.
    pub(super) fn choose(machine: &Machine) -> Self {
        let openable = OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
        let boots = || machine.boot(Self::Kvm, PROBE, PROBE_LIMIT).is_ok_and(|run| run.complete());
        if openable && boots() { Self::Kvm } else { Self::Tcg }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// A machine that can be booted.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) image: PathBuf,
    pub(super) initramfs: PathBuf,
    /// The folder for its logs.
    pub(super) logs: PathBuf,
}

/// What a machine did.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) end: End,
    pub(super) results: String,
    /// What the emulator itself had to say.
    pub(super) complaint: String,
    pub(super) console: PathBuf,
    pub(super) took: Duration,
}

impl Run {
    /// Whether everything inside came to its end.
    fn complete(&self) -> bool {
        record::read(&self.results, "").1
    }

    /// Whether the machine died before there was anything to run: a matter of the emulator, which
    /// has its moods on a busy host, not of the tests.
    pub(super) fn is_stillborn(&self) -> bool {
        self.results.is_empty() && self.end != End::TimedOut
    }
}

impl Machine {
    /// Boots into a task of this program, and waits until the machine is off.
    pub(super) fn boot(
        &self,
        accelerator: Accelerator,
        task: &str,
        limit: Duration,
    ) -> Result<Run> {
        fs::create_dir_all(&self.logs)?;
        let log = |name: &str| self.logs.join(name);
        let (console, results) = (log("console.log"), log("results.log"));
        fs::write(&results, "")?;
        let output = Output::in_folder(&self.logs);
        let start = Instant::now();
        let end = run_limited(
            Command::new(QEMU)
                .args(accelerator.arguments())
                .args(["-m", "2048", "-nodefaults", "-no-user-config", "-no-reboot"])
                .args(["-display", "none"])
                .arg("-kernel")
                .arg(&self.image)
                .arg("-initrd")
                .arg(&self.initramfs)
                .arg("-append")
                .arg(format!("{COMMAND_LINE} rdinit={INIT} -- {task}"))
                .arg("-serial")
                .arg(format!("file:{}", console.display()))
                .arg("-serial")
                .arg(format!("file:{}", results.display())),
            &output,
            limit,
        )
        .with_context(|| format!("cannot start {QEMU}; the package qemu-system-x86 has it"))?;
        let results = String::from_utf8_lossy(&fs::read(&results)?).into_owned();
        Ok(Run { end, complaint: output.stderr()?, results, console, took: start.elapsed() })
    }
}
