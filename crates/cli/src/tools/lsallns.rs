//! `lsallns`: all namespaces in one flat table.

use std::io;

use lxkns_discover::Options;
use lxkns_model::{
    Details, Gap, Missing, Namespace, Part, Process, Reason, Relation, Snapshot, Text,
};
use lxkns_species::{NamespaceType, NamespaceTypes, Pid};

use super::Run;
use crate::args::noise::Volume;
use crate::args::pid_arg::{self, known_process, unread};
use crate::args::{Filter, Look, NamespaceArg, Noise, Show};
use crate::document;
use crate::render::columns::{self, Column};
use crate::render::escape::quoted;
use crate::render::label::{self, Labels};
use crate::render::line::Line;
use crate::render::role::Role;
use crate::render::screen::Screen;
use crate::view::View;

/// What `lsallns` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Lsallns {
    /// Only these namespaces
    #[arg(value_name = "NAMESPACE", conflicts_with = "pid")]
    namespaces: Vec<NamespaceArg>,

    /// Only the namespaces of this process
    #[arg(short, long, value_name = "PID", value_parser = pid_arg::pid)]
    pid: Option<Pid>,

    /// Which columns to show (comma-separated)
    ///
    /// The default is namespace,type,owner,holders,pid,process,comment; on a terminal that is too
    /// narrow for these, type is left out.
    #[arg(short, long, value_name = "COLUMNS", value_enum, ignore_case = true)]
    #[arg(value_delimiter = ',', default_values_t = DEFAULT, hide_default_value = true)]
    #[arg(conflicts_with_all = ["json", "jsonl"])]
    output: Vec<Col>,

    /// Leave out the line of headings
    #[arg(long)]
    noheadings: bool,

    /// Print JSON: an object with the list "namespaces"
    #[arg(long)]
    json: bool,

    /// Print JSON, one namespace per line
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,

    #[arg(short = 'i', value_name = "FILE", hide = true, conflicts_with = "input")]
    short_input: Option<std::path::PathBuf>,

    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    noise: Noise,
}

/// A column that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Col {
    /// type and inode
    Namespace,
    /// type
    Type,
    /// inode
    Inode,
    /// the user namespace that owns it (user namespaces: their parent)
    Owner,
    /// the namespace that it nests in (PID and user namespaces)
    Parent,
    /// how many processes, threads, fds, sockets, and mounts hold it
    Holders,
    /// how many processes are in it
    Processes,
    /// the leader's PID
    Pid,
    /// the leader's name
    Process,
    /// the leader's command line
    Command,
    /// the leader's cgroup
    Cgroup,
    /// the container, unit or machine that it belongs to
    Workload,
    /// who created it (user namespaces)
    Creator,
    /// the leader's workload or cgroup, or why it exists without a process
    Comment,
}

const DEFAULT: [Col; 7] =
    [Col::Namespace, Col::Type, Col::Owner, Col::Holders, Col::Pid, Col::Process, Col::Comment];

impl Run for Lsallns {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        Some(&self.show)
    }

    fn run(mut self) -> anyhow::Result<View> {
        self.look.input = self.look.input.or(self.short_input.take());
        let snapshot = self.look.snapshot(self.options())?;
        let chosen = self.chosen(&snapshot)?;
        if self.json || self.jsonl {
            document::namespaces(&chosen, &snapshot, self.jsonl)?;
        } else {
            self.show.on_stdout(|screen| self.table(&snapshot, chosen, screen))?;
        }
        Ok(self.look.view(snapshot))
    }
}

impl Lsallns {
    fn options(&self) -> Options {
        let mut options =
            Options::everything().types(self.filter.types()).details(Details::Leaders);
        if self.json || self.jsonl {
            return options;
        }
        options = options.without(Part::Credentials);
        if !self.show.needs_cmdline() && !self.output.contains(&Col::Command) {
            options = options.without(Part::Cmdline);
        }
        options
    }

    /// The namespaces to show, by type, then inode.
    fn chosen<'s>(&self, snapshot: &'s Snapshot) -> anyhow::Result<Vec<Namespace<'s>>> {
        let types = self.filter.types();
        let mut chosen: Vec<Namespace<'s>> = if let Some(pid) = self.pid {
            let process = known_process(snapshot, pid)?;
            if process.joined().is_empty() {
                return Err(unread(snapshot, process, None));
            }
            let joined = process.joined().iter();
            joined.filter_map(|id| snapshot.namespace(id)).collect()
        } else if self.namespaces.is_empty() {
            snapshot.namespaces().collect()
        } else {
            let live = self.look.is_live();
            let mut all = Vec::new();
            for namespace in &self.namespaces {
                all.append(&mut namespace.find_all(snapshot, live)?);
            }
            all
        };
        chosen.retain(|namespace| types.contains(namespace.namespace_type()));
        chosen.sort_by_key(|namespace| namespace.id());
        chosen.dedup();
        Ok(chosen)
    }

    fn table(
        &self,
        snapshot: &Snapshot,
        chosen: Vec<Namespace<'_>>,
        screen: &mut Screen<'_>,
    ) -> io::Result<()> {
        let labels = self.show.labels();
        let unsure = Unsure::of(snapshot);
        // The id tells the type; who asks for columns gets them, though.
        let spare = |col: Col| col == Col::Type && self.output == DEFAULT;
        let column = |col: &Col| Column { spare: spare(*col), ..col.column() };
        let columns: Vec<Column> = self.output.iter().map(column).collect();
        let row = |namespace: Namespace<'_>| {
            let cell = |col: &Col| col.cell(snapshot, namespace, labels, &unsure);
            self.output.iter().map(cell).collect()
        };
        columns::write(
            screen.out,
            &screen.palette,
            &columns,
            chosen.into_iter().map(row),
            !self.noheadings,
            screen.width,
        )
    }
}

/// Which counts may be too low, because of gaps.
struct Unsure {
    /// The types of namespaces that may have more holders.
    holders: NamespaceTypes,
    /// Whether more processes may be in a namespace.
    processes: bool,
}

impl Unsure {
    fn of(snapshot: &Snapshot) -> Unsure {
        let is_member = |gap: &Gap| {
            let hides = matches!(gap.what, Missing::Processes | Missing::ProcessNamespaces);
            hides && gap.why != Reason::Gone
        };
        let types = NamespaceTypes::ALL.iter();
        // Namespaces below and owned ones hold it as well, but are not counted.
        let is_counted = |gap: &&Gap| !matches!(gap.what, Missing::Owners | Missing::Parents);
        let may_hide = |namespace_type: &NamespaceType| {
            let mut gaps = snapshot.gaps().iter().filter(is_counted);
            gaps.any(|gap| gap.may_hide(*namespace_type))
        };
        Unsure {
            holders: types.filter(may_hide).collect(),
            processes: snapshot.gaps().iter().any(is_member),
        }
    }
}

impl Col {
    fn column(self) -> Column {
        let (heading, right, least) = match self {
            Col::Namespace => ("NAMESPACE", false, None),
            Col::Type => ("TYPE", false, None),
            Col::Inode => ("INODE", true, None),
            Col::Owner => ("OWNER", false, None),
            Col::Parent => ("PARENT", false, None),
            Col::Holders => ("HOLDERS", true, None),
            Col::Processes => ("PROCESSES", true, None),
            Col::Pid => ("PID", true, Some(7)),
            Col::Process => ("PROCESS", false, Some(11)),
            Col::Command => ("COMMAND", false, Some(12)),
            Col::Cgroup => ("CGROUP", false, Some(12)),
            Col::Workload => ("WORKLOAD", false, Some(12)),
            Col::Creator => ("CREATOR", false, Some(10)),
            Col::Comment => ("COMMENT", false, Some(14)),
        };
        Column { heading, right, least, spare: false }
    }

    /// What stands in the column: `-` where there is nothing, `?` where it is not known.
    fn cell(
        self,
        snapshot: &Snapshot,
        namespace: Namespace<'_>,
        labels: Labels,
        unsure: &Unsure,
    ) -> Line {
        let leaders = || labels.leaders(namespace);
        let mut line = Line::default();
        match self {
            Col::Namespace => return labels.id(namespace.id()),
            Col::Type => line.plain(namespace.namespace_type()),
            Col::Inode => line.plain(namespace.id().inode()),
            Col::Owner if namespace.namespace_type() != NamespaceType::User => {
                let owner = namespace.owner();
                return relation(owner.map_or(Relation::Unknown, Relation::Known));
            }
            Col::Owner | Col::Parent => return relation(namespace.parent()),
            Col::Holders => {
                let count = namespace.processes().len() + namespace.holders().len();
                let is_least = unsure.holders.contains(namespace.namespace_type());
                line.plain(if is_least { "≥" } else { "" }).plain(count)
            }
            Col::Processes => {
                let is_least = unsure.processes;
                line.plain(if is_least { "≥" } else { "" }).plain(namespace.processes().len())
            }
            Col::Pid => list(&mut line, leaders(), |leader, line| {
                line.push(Role::Process, leader.pid());
            }),
            Col::Process => {
                list(&mut line, leaders(), |leader, line| {
                    line.append(labels.process_name(leader));
                });
                line.append(label::doubt(namespace))
            }
            Col::Command => list(&mut line, leaders(), |leader, line| match leader.cmdline() {
                Some(cmdline) => {
                    let arguments: Vec<_> = cmdline.arguments.iter().map(Text::as_bytes).collect();
                    line.plain(quoted(&arguments.join(&b' ')));
                }
                None => {
                    line.push(Role::Unknown, "?");
                }
            }),
            Col::Cgroup => list(&mut line, leaders(), |leader, line| {
                line.append(labels.cgroup(leader).unwrap_or_else(unknown));
            }),
            Col::Workload => match namespace.workload() {
                Some(workload) => line.append(labels.workload(workload)),
                None => line.plain("-"),
            },
            Col::Creator if namespace.namespace_type() == NamespaceType::User => {
                return label::user(namespace);
            }
            Col::Creator => line.plain("-"),
            Col::Comment => {
                if namespace.is_initial() == Some(true) {
                    line.plain("initial ");
                }
                let leaders = leaders();
                if leaders.is_empty() {
                    return line.append(labels.reason(snapshot, namespace)).clone();
                }
                let origin = |leader: Process<'_>| match leader.workload() {
                    Some(workload) if workload.is_vouched() => Some(labels.workload(workload)),
                    _ => labels.cgroup(leader),
                };
                for (at, origin) in leaders.into_iter().filter_map(origin).enumerate() {
                    line.plain(if at > 0 { "," } else { "" }).append(origin);
                }
                &mut line
            }
        };
        line
    }
}

fn list<'l, 's>(
    line: &'l mut Line,
    leaders: Vec<Process<'s>>,
    mut each: impl FnMut(Process<'s>, &mut Line),
) -> &'l mut Line {
    if leaders.is_empty() {
        return line.plain("-");
    }
    for (at, leader) in leaders.into_iter().enumerate() {
        line.plain(if at > 0 { "," } else { "" });
        each(leader, line);
    }
    line
}

fn relation(relation: Relation<Namespace<'_>>) -> Line {
    let mut line = Line::default();
    match relation {
        Relation::Known(namespace) => line.append(Labels::default().id(namespace.id())),
        Relation::None => line.plain("-"),
        Relation::Unknown => return unknown(),
    };
    line
}

fn unknown() -> Line {
    let mut line = Line::default();
    line.push(Role::Unknown, "?");
    line
}
