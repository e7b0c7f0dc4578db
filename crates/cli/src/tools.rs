//! The tools: for each an argument struct and a run function.

mod dumpns;
mod lsallns;
mod snapshot;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::args::Show;
use crate::args::noise::Volume;

/// What a tool does with its arguments.
trait Run: Args {
    /// How much to tell on standard error.
    fn volume(&self) -> Volume;

    /// How to show things, if the tool shows anything but documents.
    fn show(&self) -> Option<&Show>;

    fn run(self) -> anyhow::Result<()>;
}

/// A tool, as the command line knows it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    about: &'static str,
    /// Answers the most common question.
    example: &'static str,
    /// For the man page and the long help.
    more: &'static str,
    augment: fn(Command) -> Command,
    pub(crate) run: fn(&ArgMatches) -> anyhow::Result<()>,
}

/// All tools, those first that are also programs of their own.
pub(crate) static ENTRIES: [Entry; 3] = [
    Entry {
        name: "lsallns",
        about: "List all namespaces of this machine in one flat table",
        example: "\
Example: which namespaces are there, who owns them, who leads them?
    sudo lsallns",
        more: LSALLNS,
        augment: lsallns::Lsallns::augment_args,
        run: run::<lsallns::Lsallns>,
    },
    Entry {
        name: "dumpns",
        about: "Print all namespaces and processes as JSON, in the lxkns wire format",
        example: "\
Example: which network namespaces are there, for a script?
    sudo dumpns | jq '.namespaces[] | select(.type == \"net\")'",
        more: "",
        augment: dumpns::Dumpns::augment_args,
        run: run::<dumpns::Dumpns>,
    },
    Entry {
        name: "snapshot",
        about: "Print all there is to know about this machine's namespaces as JSON",
        example: "\
Example: how do I look at a machine from afar?
    ssh server sudo lxkns snapshot > server.json
    lsallns --input server.json",
        more: "",
        augment: snapshot::Snapshot::augment_args,
        run: run::<snapshot::Snapshot>,
    },
];

const LSALLNS: &str = "\
The process is the most senior leader of the namespace: of the processes at the top of the process \
tree among those in the namespace, the one that started first. A \"?\" after it means that somebody \
above it may be the true leader, but could not be read. HOLDERS counts the processes and everything \
else that keeps the namespace alive. Elsewhere, \"?\" is what is not known and \"-\" what there is not.";

impl Entry {
    pub(crate) fn named(name: &str) -> Option<&'static Entry> {
        ENTRIES.iter().find(|entry| entry.name == name)
    }

    /// The definition of the tool's command line.
    pub(crate) fn command(&self) -> Command {
        let command = (self.augment)(Command::new(self.name))
            .about(self.about)
            .long_about(None)
            .before_help(self.example)
            .version(env!("CARGO_PKG_VERSION"));
        if self.more.is_empty() {
            command
        } else {
            command.after_long_help(self.more)
        }
    }
}

fn run<T: Run + FromArgMatches>(matches: &ArgMatches) -> anyhow::Result<()> {
    let args = T::from_arg_matches(matches)?;
    args.volume().install_log();
    match args.show() {
        Some(show) if show.dump_theme => Ok(show.print_theme()?),
        _ => args.run(),
    }
}
