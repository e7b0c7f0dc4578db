//! `lxkns diff`: what has changed between two snapshots, or between one and now.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use lxkns_discover::{Options, discover};
use lxkns_model::diff::{Change, Ignore};
use lxkns_model::wire::snapshot::DiffDoc;
use lxkns_model::{
    Details, Diff as Difference, Gap, Holder, Namespace, Part, Process, Reason, Snapshot,
};
use lxkns_species::{NamespaceType, NamespaceTypes};

use super::Run;
use crate::args::noise::Volume;
use crate::args::{Noise, Show, Strict};
use crate::failure::{Exit, Usage};
use crate::render::label::Labels;
use crate::render::line::Line;
use crate::render::screen::Screen;
use crate::render::tree::indented;
use crate::view::View;
use crate::{document, named_files, notes};

/// What `lxkns diff` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Diff {
    /// The earlier snapshot: a file, or - for standard input
    #[arg(required_unless_present = "dump_theme", value_hint = clap::ValueHint::FilePath)]
    a: Option<PathBuf>,

    /// The later snapshot [default: this machine as it is now]
    #[arg(value_hint = clap::ValueHint::FilePath)]
    b: Option<PathBuf>,

    /// What is no change: who else holds a namespace, who else leads it (comma-separated)
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    ignore: Vec<Ignorable>,

    /// Print JSON: an object with "added", "removed" and "changed"
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    strict: Strict,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    noise: Noise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Ignorable {
    Holders,
    Leaders,
}

impl Run for Diff {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        Some(&self.show)
    }

    /// Ends as diff(1) does: with 0 if nothing has changed, 1 if something has, 2 if that cannot
    /// be told.
    fn run(self) -> anyhow::Result<View> {
        self.compare().map_err(|error| Exit::after(error, 2).into())
    }
}

impl Diff {
    /// Shows the differences.
    fn compare(&self) -> anyhow::Result<View> {
        let a = self.a.as_deref();
        let a = a.ok_or_else(|| Usage::new("which snapshot?"))?;
        if a == Path::new("-") && self.b.as_deref() == Some(a) {
            return Err(Usage::new("only one snapshot can come from standard input").into());
        }
        let before = document::read(a)?;
        let after = match &self.b {
            Some(b) => document::read(b)?,
            None => now(&before)?,
        };
        let ignores = |what| self.ignore.contains(&what);
        let ignore =
            Ignore { holders: ignores(Ignorable::Holders), leaders: ignores(Ignorable::Leaders) };
        let diff = Difference::between(&before, &after, ignore)?;
        if self.json {
            document::object(&DiffDoc::from(&diff))?;
        } else {
            let writer = Writer { before: &before, after: &after, labels: self.show.labels() };
            self.show.on_stdout(|screen| writer.write(&diff, screen))?;
        }
        warn_of(&diff);
        let code = u8::from(!diff.is_empty());
        let name =
            |path: Option<&Path>| path.map_or_else(|| "this machine".into(), named_files::shown);
        let before = (before, false, name(Some(a)));
        let after = (after, self.b.is_none(), name(self.b.as_deref()));
        Ok(View::of_several([before, after], self.strict.strict).ending_with(code))
    }
}

/// A snapshot of now, of whatever the other one looked for.
fn now(before: &Snapshot) -> anyhow::Result<Snapshot> {
    let scope = before.scope();
    let mut options = Options::everything().types(scope.types);
    for part in Part::ALL {
        if !scope.parts.contains(part) {
            options = options.without(part);
        }
    }
    discover(&options.details(Details::Leaders)).context("nothing to compare with")
}

fn warn_of(diff: &Difference<'_>) {
    if !diff.same_boot {
        tracing::warn!("nothing tells whether both snapshots are of the same boot");
    }
    let changed = || diff.changed.iter();
    let has_come = !diff.added.is_empty() || changed().any(|it| !it.holders_added.is_empty());
    for gap in diff.unseen_before.iter().filter(|_| has_come) {
        let gap = notes::in_full(gap);
        tracing::warn!("an added namespace or holder may have been there before, but {gap}");
    }
    let has_gone = !diff.removed.is_empty() || changed().any(|it| !it.holders_removed.is_empty());
    for gap in diff.unseen_after.iter().filter(|_| has_gone) {
        let gap = notes::in_full(gap);
        tracing::warn!("a removed namespace or holder may still be there, but {gap}");
    }
    let uncertain = diff.leaders_uncompared.iter().map(|it| it.id().to_string());
    let uncertain: Vec<_> = uncertain.collect();
    if !uncertain.is_empty() {
        let uncertain = uncertain.join(", ");
        tracing::warn!("not compared, for they are uncertain: who leads {uncertain}");
    }
    let parts = diff.uncompared.iter().map(|part| part.name().to_owned());
    let types = diff.uncompared_types.iter();
    let types = types.map(|it| format!("{it} namespaces"));
    let uncompared: Vec<_> = types.chain(parts).collect();
    if !uncompared.is_empty() {
        let uncompared = uncompared.join(", ");
        tracing::warn!("not compared, for only one snapshot has them: {uncompared}");
    }
}

/// What may be behind the gaps of a snapshot, of which a document may have any number.
struct Hidden<'g> {
    types: NamespaceTypes,
    /// One gap of each kind.
    gaps: Vec<&'g Gap>,
}

impl<'g> Hidden<'g> {
    fn by(gaps: &[&'g Gap]) -> Hidden<'g> {
        let may_hide =
            |namespace_type: &NamespaceType| gaps.iter().any(|gap| gap.may_hide(*namespace_type));
        let types = NamespaceTypes::ALL.iter().filter(may_hide).collect();
        // Those that this version knows no name for are of one kind, and each reason is as good.
        let mut gaps: Vec<&'g Gap> = gaps.to_vec();
        gaps.retain(|gap| gap.why != Reason::Gone);
        gaps.dedup_by_key(|gap| std::mem::discriminant(&gap.what));
        Hidden { types, gaps }
    }

    fn may_hide_holder(&self, holder: &Holder) -> bool {
        self.gaps.iter().any(|gap| gap.may_hide_holder(holder))
    }
}

struct Writer<'s> {
    before: &'s Snapshot,
    after: &'s Snapshot,
    labels: Labels,
}

impl<'s> Writer<'s> {
    /// All differences, in the order of namespaces; of those with the same id, the removed first.
    fn write(&self, diff: &Difference<'s>, screen: &mut Screen<'_>) -> io::Result<()> {
        enum Entry<'d, 's> {
            Removed(Namespace<'s>),
            Added(Namespace<'s>),
            Changed(&'d Change<'s>),
        }
        let removed = diff.removed.iter().map(|it| (it.id(), Entry::Removed(*it)));
        let added = diff.added.iter().map(|it| (it.id(), Entry::Added(*it)));
        let changed = diff.changed.iter();
        let changed = changed.map(|it| (it.after.id(), Entry::Changed(it)));
        let mut entries: Vec<_> = removed.chain(added).chain(changed).collect();
        entries.sort_by_key(|(id, _)| *id);
        // Where one snapshot could see less, the namespace may be there all the same.
        let unseen_before = Hidden::by(&diff.unseen_before);
        let unseen_after = Hidden::by(&diff.unseen_after);
        let may_hide =
            |hidden: &Hidden<'_>, it: Namespace<'s>| hidden.types.contains(it.namespace_type());
        for (_, entry) in entries {
            match entry {
                Entry::Removed(it) => {
                    let line = self.labels.namespace(self.before, it);
                    let sign = if may_hide(&unseen_after, it) { "-? " } else { "- " };
                    indented(screen, line, sign, "  ")?;
                }
                Entry::Added(it) => {
                    let line = self.labels.namespace(self.after, it);
                    let sign = if may_hide(&unseen_before, it) { "+? " } else { "+ " };
                    indented(screen, line, sign, "  ")?;
                }
                Entry::Changed(change) => {
                    self.change(change, &unseen_before, &unseen_after, screen)?;
                }
            }
        }
        Ok(())
    }

    fn change(
        &self,
        change: &Change<'s>,
        unseen_before: &Hidden<'_>,
        unseen_after: &Hidden<'_>,
        screen: &mut Screen<'_>,
    ) -> io::Result<()> {
        let line = self.labels.namespace(self.after, change.after);
        indented(screen, line, "~ ", "  ")?;
        let mut properties: Vec<(&str, Line)> = Vec::new();
        if change.parent {
            let parent = |namespace: Namespace<'s>| namespace.parent().known();
            properties.push(("-", self.above("child of ", parent(change.before))));
            properties.push(("+", self.above("child of ", parent(change.after))));
        }
        if change.owner {
            properties.push(("-", self.above("owned by ", change.before.owner())));
            properties.push(("+", self.above("owned by ", change.after.owner())));
        }
        let leaders = |list: &[Process<'s>], sign| {
            let lines = list.iter().map(|it| (sign, self.leader(*it)));
            lines.collect::<Vec<_>>()
        };
        properties.extend(leaders(&change.leaders_removed, "-"));
        properties.extend(leaders(&change.leaders_added, "+"));
        for holder in &change.holders_removed {
            let is_unsure = unseen_after.may_hide_holder(holder);
            let sign = if is_unsure { "-?" } else { "-" };
            properties.push((sign, self.labels.holder(self.before, change.before, holder)));
        }
        for holder in &change.holders_added {
            let is_unsure = unseen_before.may_hide_holder(holder);
            let sign = if is_unsure { "+?" } else { "+" };
            properties.push((sign, self.labels.holder(self.after, change.after, holder)));
        }
        for (sign, line) in properties {
            indented(screen, line, &format!("    {sign} "), "      ")?;
        }
        Ok(())
    }

    fn leader(&self, leader: Process<'_>) -> Line {
        let mut line = Line::default();
        line.plain("led by process ").append(self.labels.process(leader));
        line
    }

    fn above(&self, how: &str, above: Option<Namespace<'_>>) -> Line {
        let mut line = Line::default();
        line.plain(how);
        match above {
            Some(above) => line.append(self.labels.id(above.id())),
            None => line.plain("none"),
        };
        line
    }
}
