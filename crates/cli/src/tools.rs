//! The tools: for each an argument struct and a run function.

pub(crate) mod completions;
mod diff;
mod dumpns;
mod exec;
mod features;
mod links;
mod lsallns;
mod lspidns;
mod lsuns;
pub(crate) mod man;
mod nscaps;
mod pid;
mod pidtree;
mod snapshot;
mod umount;
mod why;
mod workloads;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::Tool;
use crate::args::Show;
use crate::args::noise::Volume;
use crate::log;
use crate::view::View;

/// What a tool does with its arguments.
trait Run: Args {
    /// How much to tell on standard error.
    fn volume(&self) -> Volume;

    /// How to show things, if the tool shows anything but documents.
    fn show(&self) -> Option<&Show>;

    /// Prints the answer, and returns what it comes from, for the frame to tell what it lacks.
    fn run(self) -> anyhow::Result<View>;
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
pub(crate) static ENTRIES: [Entry; 17] = [
    Entry {
        name: "lsallns",
        about: "List all namespaces of this machine in one flat table",
        example: "\
Example: which namespaces are there, who owns them, who leads them?
    sudo lxkns",
        more: LSALLNS,
        augment: lsallns::Lsallns::augment_args,
        run: run::<lsallns::Lsallns>,
    },
    Entry {
        name: "lsuns",
        about: "Show the tree of user namespaces",
        example: "\
Example: who created which user namespace, and what does it own?
    sudo lxkns lsuns --details",
        more: LABELS,
        augment: lsuns::Lsuns::augment_args,
        run: run::<lsuns::Lsuns>,
    },
    Entry {
        name: "lspidns",
        about: "Show the tree of PID namespaces",
        example: "\
Example: how do PID namespaces nest, and which user namespaces own them?
    sudo lxkns lspidns --user",
        more: LABELS,
        augment: lspidns::Lspidns::augment_args,
        run: run::<lspidns::Lspidns>,
    },
    Entry {
        name: "pidtree",
        about: "Show the process tree with the PID namespaces in which it nests",
        example: "\
Example: what is the PID of process 812 inside of its container?
    lxkns pidtree --pid 812",
        more: PIDTREE,
        augment: pidtree::Pidtree::augment_args,
        run: run::<pidtree::Pidtree>,
    },
    Entry {
        name: "nscaps",
        about: "Show which capabilities a process has in a namespace",
        example: "\
Example: what may process 812 do to the network of process 1?
    lxkns nscaps --pid 812 net@1",
        more: NSCAPS,
        augment: nscaps::Nscaps::augment_args,
        run: run::<nscaps::Nscaps>,
    },
    Entry {
        name: "dumpns",
        about: "Print all namespaces and processes as JSON, in the lxkns wire format",
        example: "\
Example: which network namespaces are there, for a script?
    sudo lxkns dumpns | jq '.namespaces[] | select(.type == \"net\")'",
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
    lxkns --input server.json",
        more: "",
        augment: snapshot::Snapshot::augment_args,
        run: run::<snapshot::Snapshot>,
    },
    Entry {
        name: "features",
        about: "Show what this kernel and these privileges allow",
        example: "\
Example: what would lxkns see if I were root here?
    lxkns features",
        more: FEATURES,
        augment: features::Features::augment_args,
        run: run::<features::Features>,
    },
    Entry {
        name: "why",
        about: "Tell who keeps a namespace alive, and what it takes for it to go away",
        example: "\
Example: why is this network namespace still there?
    sudo lxkns why /run/netns/blue",
        more: WHY,
        augment: why::Why::augment_args,
        run: run::<why::Why>,
    },
    Entry {
        name: "workloads",
        about: "List containers, machines and units, with their own namespaces",
        example: "\
Example: which containers are there, and which namespaces are their own?
    sudo lxkns workloads",
        more: WORKLOADS,
        augment: workloads::Workloads::augment_args,
        run: run::<workloads::Workloads>,
    },
    Entry {
        name: "exec",
        about: "Run a command inside namespaces, also such that no process is in",
        example: "\
Example: which interfaces are there in this network namespace?
    sudo lxkns exec net:4026532281 -- ip link",
        more: EXEC,
        augment: exec::Exec::augment_args,
        run: run::<exec::Exec>,
    },
    Entry {
        name: "umount",
        about: "Unmount something in another mount namespace, without running a program there",
        example: "\
Example: how do I end what holds this namespace in a container without any tools?
    sudo lxkns umount mnt:4026532272 /run/netns/blue",
        more: UMOUNT,
        augment: umount::Umount::augment_args,
        run: run::<umount::Umount>,
    },
    Entry {
        name: "diff",
        about: "Show what has changed between two snapshots, or between one and now",
        example: "\
Example: which namespaces did this leave behind?
    sudo lxkns snapshot > before.json; ./this; sudo lxkns diff before.json",
        more: DIFF,
        augment: diff::Diff::augment_args,
        run: run::<diff::Diff>,
    },
    Entry {
        name: "pid",
        about: "Show the PIDs that a process has in all of its PID namespaces",
        example: "\
Example: my container speaks of its process 7; which one is that outside?
    lxkns pid 7 --from pid@812",
        more: PID,
        augment: pid::Whereabouts::augment_args,
        run: run::<pid::Whereabouts>,
    },
    Entry {
        name: "links",
        about: "Create links to lxkns by which lsallns, lsuns and others are commands of their own",
        example: "\
Example: how do I call lsuns without lxkns before it?
    lxkns links ~/.local/bin",
        more: LINKS,
        augment: links::Links::augment_args,
        run: run::<links::Links>,
    },
    Entry {
        name: "completions",
        about: "Print the script by which a shell completes the command lines of lxkns",
        example: "\
Example: how do I get namespaces and PIDs completed in bash?
    source <(lxkns completions bash)",
        more: COMPLETIONS,
        augment: completions::Completions::augment_args,
        run: run::<completions::Completions>,
    },
    Entry {
        name: "man",
        about: "Print a manual page",
        example: "\
Example: how do I read about lxkns why where no manual pages are installed?
    lxkns man why | man -l -",
        more: "",
        augment: man::Man::augment_args,
        run: run::<man::Man>,
    },
];

const WORKLOADS: &str = "\
lxkns asks no engine. It reads the cgroups of processes, and adds the names from the engines' files or \
from the command lines of their supervisors.

OWN has a letter for each type of namespace that belongs to the workload, as in --filter, and \"-\" for \
each that it shares with others. BY is the authority behind the name: the root user of the machine, or \
a user. With --all, \"nobody\" and a \"?\" after the name mean that the workload may have chosen the name \
itself; such a name selects nothing.

A WORKLOAD is a kind and a name, such as container:web, machine:dev or unit:nginx.service, or an engine \
and a name or the beginning of an ID, such as podman:web or docker:ed10b3. Other commands take it for a \
NAMESPACE, too: container:web for all its own ones, net@container:web for its network namespace.";

const COMPLETIONS: &str = "\
The shell then asks lxkns for each word, so that it offers the namespaces and processes that there are. \
Namespaces go by their inodes, as [ and : have a meaning of their own for shells.

Have bash read the script in ~/.bashrc. For zsh, put it into a file _lxkns in a folder of fpath; for \
fish, into ~/.config/fish/completions/lxkns.fish.";

const LINKS: &str = "\
The links are lsallns, lsuns, lspidns, pidtree, nscaps and dumpns. Each stands for the subcommand of \
its name. lxkns replaces no file: if there is another file of such a name, it creates no link at all.";

const LSALLNS: &str = "\
The process is the most senior leader of the namespace: of the processes at the top of the process \
tree among those in the namespace, the one that started first. A \"?\" after it means that a process \
above it may be the true leader, but could not be read. HOLDERS counts the processes and everything \
else that keeps the namespace alive; \"≥\" before it means that more may be hidden behind gaps. \
Elsewhere, \"?\" is what is not known and \"-\" what there is not.

A NAMESPACE is any of: net:[4026532281]; net:4026532281; 4026532281, if no other namespace has this \
inode; net@812, that of process 812; net@container:web, that of a container; container:web, all of a \
container's own; a path such as /proc/812/ns/net or /run/netns/blue.";

const LABELS: &str = "\
The process is the most senior leader of the namespace: of the processes at the top of the process \
tree among those in the namespace, the one that started first. A \"?\" after it means that a process \
above it may be the true leader, but could not be read. A namespace without any process has the \
reason why it exists instead; (hidden) means that it is known only from the namespaces below it. \
There are several trees where what is above could not be read.";

const PIDTREE: &str = "\
A process has a PID in each PID namespace from the one of the scan down to its own; (301/7/1) lists \
them in this order.

A child in another PID namespace than its parent stands below that namespace. Processes may enter a \
PID namespace from several places; then it is shown where it is come across first, and referred to \
elsewhere.

Processes more than 48 levels down start at the left again, after the number of levels above them. In \
JSON, they stand in the list \"continued\".";

const PID: &str = "\
A process has a PID in its own PID namespace and in each one above it, up to the initial one; it has \
none anywhere else. They are listed from the PID namespace of the scan down to its own; pid:[?] is a \
namespace that could not be read, and ? a PID that could not be.

A NAMESPACE is any of: pid:[4026532281]; pid:4026532281; 4026532281; pid@812, that of process 812; a \
path such as /proc/812/ns/pid.";

const NSCAPS: &str = "\
The verdict on each namespace: ⛔ no capabilities; ⛛ those that are effective in the process's own \
user namespace; ✓ all; ? unknown, because a fact that is needed could not be read.

A process has its effective capabilities in its own user namespace and in those below it, and in \
everything that these own. If its effective user created the user namespace next below its own, it \
has all capabilities from there on down. Elsewhere it has none. See user_namespaces(7).

This is what the kernel's capability checks start from, not all that decides: security modules \
(SELinux, AppArmor, Yama) and seccomp filters may refuse what capabilities allow. Nor does it tell \
what the process might become: its permitted set may hold more than is effective, running a \
program may gain capabilities up to the bounding set, unless no_new_privs is set, and whoever may \
join a user namespace with setns(2) has all capabilities in there.

A NAMESPACE is any of: net:[4026532281]; net:4026532281; 4026532281, if no other namespace has this \
inode; net@812, that of process 812; a path such as /proc/812/ns/net or /run/netns/blue.";

const WHY: &str = "\
Carry out the steps in their order. The last line of them says whether each step is known to be \
needed. Namespaces nested in this one or owned by it hold it, so they go first. An unmount takes \
along the copies that propagation reaches, see mount_namespaces(7); what is mounted on a mount or \
lies over its path comes first. lxkns itself holds nothing and is no step. Every answer ends with \
what the scan could not see, and with the kinds of holders that no scan can see.

With --mount: a file system stays in use as long as any mount namespace has a mount of it, and new \
mount namespaces begin with copies of all mounts. If PATH is no mount point, lxkns says so and \
answers for the file system that it lies on. Processes that have open files there are another \
matter, see fuser(1).

A NAMESPACE is any of: net:[4026532281]; net:4026532281; 4026532281, if no other namespace has this \
inode; net@812, that of process 812; a path such as /proc/812/ns/net or /run/netns/blue.";

const FEATURES: &str = "\
Each feature is found out by trying it on what is the caller's own. \"denied\" means that it could \
not even be tried, maybe by a sandbox that knows nothing of it. The tier is the best one that a \
scan can make use of, see --tier; it says nothing about privileges.";

const EXEC: &str = "\
A namespace that no process is in is opened through whatever holds it: a file descriptor or a socket \
of a process, a bind mount in any mount namespace, a namespace below it, or by its 64-bit id (Linux \
6.18).

In a user namespace the command runs as its root, if it has one, without supplementary groups. In a \
PID namespace it is a child of lxkns, and ends if lxkns does. Namespaces that lxkns is in already are \
not entered.

In another mount namespace, its makers choose the program, the loader and the libraries. lxkns treats \
the command as theirs in every mount namespace but its own. The same goes for every other user \
namespace, whose root can trace the command. Such a command gets no rights outside of the user \
namespace that owns the mount namespace:

- If that user namespace is below yours, lxkns enters it too, and the command is its root.
- If it is your own, the command runs as UID and GID 65534 without capabilities, and can gain none.
- With --of PID in your own, the command runs as the UID and GID of that process. In either case it \
takes over the capability bounding set, no_new_privs and supplementary groups of that process. It does \
not take over its seccomp filter, LSM label, securebits and cgroup. A mount namespace that you name in \
addition to --of gets nothing of that process.

Such a command has a pseudoterminal and a session of its own, standard files that are no terminals, no \
other open files, an empty session keyring, and TERM, LANG and PATH of the environment (all of it with \
--keep-env). It starts in the root directory of the mount namespace, or with --of in the working \
directory of the process. Commands in other namespaces of all other types are your own programs, and \
keep everything.

--preserve-credentials keeps your UID and groups: the command has no capabilities in your own user \
namespace, but may use your files and signal your processes. --keep-privileges gives the makers of the \
mount namespace all your rights: they can take over the machine if you are root. With both, the command \
keeps your user and all capabilities.

nsenter cannot confine a command. --show refuses where nsenter would run it with all your rights, \
unless --keep-privileges is given, and notes elsewhere what nsenter leaves to the command.

The exit code is that of the command, 128+n if signal n has ended it; 127 if the command was not \
found, 126 if it could not be run, 125 if lxkns failed.

A NAMESPACE is any of: net:[4026532281]; net:4026532281; 4026532281, if no other namespace has this \
inode; net@812, that of process 812; a path such as /proc/812/ns/net or /run/netns/blue.";

const UMOUNT: &str = "\
lxkns enters the mount namespace and unmounts by itself. It runs no program and loads no file of \
the mount namespace, so it also works where there is no umount, and where the one there is not to \
be trusted. It follows no symbolic link: PATH is the mount point as in \
/proc/PID/mountinfo. Where several mounts lie at the same place, it takes the one on top, and \
--mount-id keeps it from taking another one than you mean.

You need CAP_SYS_ADMIN in the user namespace that owns the mount namespace, and CAP_SYS_ADMIN and \
CAP_SYS_CHROOT in your own; or you own that user namespace. A mount that was copied from a mount \
namespace of a more privileged user is locked: it ends with the mount namespace only.

The exit status is 0 if the mount was unmounted; 2 after wrong usage; 3 if there was no answer \
within 5 seconds, as with a file server that hangs; 4 if the mount is in use; 5 if it is locked; 6 \
if nothing is mounted at PATH; 7 if another mount is there than --mount-id says; 8 if permission was \
denied; 1 after any other failure.

A NAMESPACE is any of: mnt:[4026532281]; mnt:4026532281; 4026532281, if no other namespace has this \
inode; mnt@812, that of process 812; a path such as /proc/812/ns/mnt.";

const DIFF: &str = "\
A line begins with - for a namespace that was removed, + for an added, ~ for a changed namespace. \
A ? after that means that one of the snapshots could see less than the other: the namespace may \
only not have been seen then. \
Namespaces are told apart by the kernel's 64-bit ids where it has any (Linux 6.18), else by who is in \
them and what holds them; so an inode that was given to another namespace is seen as such. What \
only one of the snapshots looked for is not compared.

The exit code is 0 if nothing has changed, 1 if something has, and 2 in case of trouble, as with \
snapshots of two boots; with --strict, 4 if one of the snapshots is partial.";

impl Entry {
    pub(crate) fn named(name: &str) -> Option<&'static Entry> {
        ENTRIES.iter().find(|entry| entry.name == name)
    }

    /// How the tool ends if its command line makes no sense.
    pub(crate) fn usage_code(&self) -> u8 {
        match self.name {
            // Everything below is the command's.
            "exec" => exec::FAILED,
            _ => 2,
        }
    }

    /// The definition of the tool's command line.
    pub(crate) fn command(&self) -> Command {
        let command = (self.augment)(Command::new(self.name))
            .about(self.about)
            .long_about(None)
            .before_help(self.example)
            .version(env!("CARGO_PKG_VERSION"));
        if self.more.is_empty() { command } else { command.after_long_help(self.more) }
    }
}

/// The definition of a tool's command line: the one source of its help, man page and completions.
///
/// ```
/// use lxkns_cli::{Tool, command};
///
/// assert_eq!(command(Tool::Lsuns).get_name(), "lsuns");
/// assert!(command(Tool::Lxkns).find_subcommand("snapshot").is_some());
/// ```
pub fn command(tool: Tool) -> Command {
    let Some(entry) = Entry::named(tool.name()) else {
        return lxkns();
    };
    entry.command()
}

/// `lxkns` offers all tools, and by itself it is `lsallns`.
fn lxkns() -> Command {
    let lsallns = Entry::named(Tool::Lsallns.name());
    let alone =
        lsallns.map_or_else(|| Command::new("lxkns"), |entry| entry.command().name("lxkns"));
    alone
        .about("See every Linux namespace of this machine: who is in it, who owns it, who holds it")
        .before_help(
            "Example: which namespaces are there, who owns them, who leads them?\n    sudo lxkns",
        )
        .args_conflicts_with_subcommands(true)
        .subcommands(ENTRIES.iter().map(Entry::command))
}

/// Fails in set-user-ID and file-capability copies: for tools that act, instead of looking.
fn refuse_with_privileges(tool: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        !lxkns_ops::is_secure_execution(),
        "{tool} is not offered where lxkns has more privileges than the user who runs it"
    );
    Ok(())
}

fn run<T: Run + FromArgMatches>(matches: &ArgMatches) -> anyhow::Result<()> {
    let args = T::from_arg_matches(matches)?;
    let volume = args.volume();
    log::install(volume);
    match args.show() {
        Some(show) if show.dump_theme => Ok(show.print_theme()?),
        _ => args.run()?.end(volume),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_hold_together() {
        for tool in Tool::ALL {
            command(tool).debug_assert();
        }
    }
}
