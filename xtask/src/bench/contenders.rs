//! What is measured: the tools in each of their ways, and what they are compared with.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};

use crate::process::output_of;

/// Somebody who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contender {
    /// The floor, on one thread.
    FloorAlone,
    /// The floor, on as many threads as the tools use.
    Floor,
    Lsns,
    LsnsJson,
    /// Processes, their namespaces, and how these relate.
    Relations(Way),
    /// All that there is.
    Everything(Way),
    Lsallns(Way),
}

/// How a tool is to look: a tier, and whether with BPF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Proc,
    Mounts,
    Ids,
    Listns,
    /// The best tier, and BPF.
    Bpf,
}

impl Way {
    pub(super) const ALL: [Way; 5] = [Way::Proc, Way::Mounts, Way::Ids, Way::Listns, Way::Bpf];

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Way::Proc => &["--tier", "proc"],
            Way::Mounts => &["--tier", "mounts", "--bpf", "off"],
            Way::Ids => &["--tier", "ids", "--bpf", "off"],
            Way::Listns => &["--tier", "listns", "--bpf", "off"],
            Way::Bpf => &["--bpf", "on"],
        }
    }
}

/// What remains to be seen when all this is left out: processes and how namespaces relate.
const SKIPPED: &str = "threads,fds,sockets,mounts,kernel,cmdline,cgroup,credentials";

/// As many threads as a discovery uses by itself.
const MOST_THREADS: usize = 4;

/// All who take part, and how they are started.
pub(super) struct Contenders {
    own: PathBuf,
    tools: PathBuf,
    threads: NonZeroUsize,
    /// What lsns says of its version, if it is installed.
    lsns: Option<String>,
}

impl Contenders {
    pub(super) fn find() -> Result<Contenders> {
        let own = std::env::current_exe()?;
        let tools = own.parent().context("this program lies nowhere")?.to_owned();
        ensure!(is_built(&tools), "the tools are not beside this program");
        let threads = thread::available_parallelism()?.get().min(MOST_THREADS);
        let version = output_of(Command::new("lsns").arg("--version"));
        Ok(Contenders {
            own,
            tools,
            threads: NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN),
            lsns: version.ok().map(|version| version.trim().to_owned()),
        })
    }

    /// Says what is compared here.
    pub(super) fn introduce(&self) {
        let uname = rustix::system::uname();
        println!("kernel: {}", uname.release().to_string_lossy());
        println!("threads: {}", self.threads);
        println!("lsns: {}", self.lsns.as_deref().unwrap_or("not installed"));
    }

    /// Everybody, in the order in which they take turns.
    pub(super) fn all(&self) -> Vec<(Contender, Command)> {
        use Contender::{Everything, Floor, FloorAlone, Lsallns, Lsns, LsnsJson, Relations};
        let lsns = [Lsns, LsnsJson].into_iter().filter(|_| self.lsns.is_some());
        let own = [Way::Proc, Way::Bpf]
            .into_iter()
            .flat_map(|way| [Relations(way), Everything(way), Lsallns(way)]);
        self.commands([FloorAlone, Floor].into_iter().chain(lsns).chain(own))
    }

    /// One tool in all its ways.
    pub(super) fn tiers(&self) -> Vec<(Contender, Command)> {
        self.commands(Way::ALL.map(Contender::Everything))
    }

    fn commands(
        &self,
        contenders: impl IntoIterator<Item = Contender>,
    ) -> Vec<(Contender, Command)> {
        contenders.into_iter().map(|contender| (contender, self.command(contender))).collect()
    }

    fn command(&self, contender: Contender) -> Command {
        let lxkns = || Command::new(self.tools.join("lxkns"));
        let floor = |threads: NonZeroUsize| {
            let mut command = Command::new(&self.own);
            command.args(["bench", "floor", &threads.to_string()]);
            command
        };
        let mut command = match contender {
            Contender::FloorAlone => floor(NonZeroUsize::MIN),
            Contender::Floor => floor(self.threads),
            Contender::Lsns | Contender::LsnsJson => Command::new("lsns"),
            Contender::Relations(_) | Contender::Everything(_) | Contender::Lsallns(_) => lxkns(),
        };
        match contender {
            Contender::FloorAlone | Contender::Floor | Contender::Lsns => {}
            Contender::LsnsJson => _ = command.arg("--json"),
            Contender::Relations(way) => {
                command.args(["snapshot", "--skip", SKIPPED]).args(way.arguments());
            }
            Contender::Everything(way) => _ = command.arg("snapshot").args(way.arguments()),
            Contender::Lsallns(way) => _ = command.arg("lsallns").args(way.arguments()),
        }
        command
    }
}

fn is_built(folder: &Path) -> bool {
    folder.join("lxkns").is_file()
}

impl std::fmt::Display for Contender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, way) = match self {
            Contender::FloorAlone => return f.write_str("floor, 1 thread"),
            Contender::Floor => return f.write_str("floor"),
            Contender::Lsns => return f.write_str("lsns"),
            Contender::LsnsJson => return f.write_str("lsns --json"),
            Contender::Relations(way) => ("relations", way),
            Contender::Everything(way) => ("everything", way),
            Contender::Lsallns(way) => ("lsallns", way),
        };
        let way = match way {
            Way::Proc => "/proc",
            Way::Mounts => "mounts",
            Way::Ids => "ids",
            Way::Listns => "listns",
            Way::Bpf => "BPF",
        };
        write!(f, "{what}, {way}")
    }
}
