//! `lsuns`: the tree of user namespaces.

use lxkns_discover::Options;
use lxkns_model::wire::snapshot::NamespaceDoc;
use lxkns_model::{Details, Namespace, Part, Snapshot};
use lxkns_species::{NamespaceType, NamespaceTypes};
use serde::Serialize;

use super::Run;
use crate::args::noise::Volume;
use crate::args::{Filter, Look, Noise, Show, Trees};
use crate::document::{self, MaybeNamespace};
use crate::render::label::{self, Labels};
use crate::render::line::Line;
use crate::render::tree::{self, Forest};
use crate::view::View;

/// What `lsuns` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Lsuns {
    /// Show the other namespaces that each user namespace owns, too
    #[arg(short, long)]
    details: bool,

    /// Print JSON: user namespaces with their children (and with --details what they own, in
    /// "owned")
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    trees: Trees,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    noise: Noise,
}

impl Run for Lsuns {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        Some(&self.show)
    }

    fn run(self) -> anyhow::Result<View> {
        let snapshot = self.look.snapshot(self.options())?;
        let mut forest =
            Users { snapshot: &snapshot, labels: self.show.labels(), owned: self.owned() };
        let roots = forest.roots();
        if self.json {
            document::tree(&mut forest, roots, &snapshot)?;
        } else {
            self.show
                .on_stdout(|screen| tree::write(&mut forest, roots, self.trees.style, screen))?;
        }
        Ok(self.look.view(snapshot))
    }
}

impl Lsuns {
    fn options(&self) -> Options {
        let mut types = self.owned();
        types.insert(NamespaceType::User);
        let mut options =
            Options::everything().types(types).details(Details::Leaders).without(Part::Credentials);
        if !self.show.needs_cmdline() {
            options = options.without(Part::Cmdline);
        }
        options
    }

    /// The types of possessions to show.
    fn owned(&self) -> NamespaceTypes {
        if !self.details {
            return NamespaceTypes::NONE;
        }
        let wanted = self.filter.types().iter();
        wanted.filter(|wanted| *wanted != NamespaceType::User).collect()
    }
}

struct Users<'s> {
    snapshot: &'s Snapshot,
    labels: Labels,
    owned: NamespaceTypes,
}

impl<'s> Users<'s> {
    fn roots(&self) -> Vec<Owner<'s>> {
        let known = self.snapshot.roots(NamespaceType::User).map(Owner::Known);
        let mut roots: Vec<_> = known.collect();
        if !self.possessions(&Owner::Unknown).is_empty() {
            roots.push(Owner::Unknown);
        }
        roots
    }

    fn possessions(&self, owner: &Owner<'s>) -> Vec<Namespace<'s>> {
        let wanted = |namespace: &Namespace<'_>| self.owned.contains(namespace.namespace_type());
        match owner {
            Owner::Known(owner) => owner.owned().filter(wanted).collect(),
            Owner::Unknown => {
                let ownerless = |namespace: &Namespace<'_>| namespace.owner().is_none();
                let all = self.snapshot.namespaces().filter(ownerless);
                all.filter(wanted).collect()
            }
        }
    }
}

/// A user namespace, or the one of all those whose owner is unknown.
enum Owner<'s> {
    Known(Namespace<'s>),
    Unknown,
}

#[derive(Serialize)]
struct OwnerDoc<'s> {
    #[serde(flatten)]
    namespace: MaybeNamespace<'s>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owned: Option<Vec<NamespaceDoc<'s>>>,
}

impl<'s> Forest for Users<'s> {
    type Node = Owner<'s>;
    type Document = OwnerDoc<'s>;

    fn enter(&mut self, node: &mut Owner<'s>) -> Vec<Owner<'s>> {
        match node {
            Owner::Known(namespace) => namespace.children().map(Owner::Known).collect(),
            Owner::Unknown => Vec::new(),
        }
    }

    fn line(&self, node: &Owner<'s>) -> Line {
        match node {
            Owner::Known(namespace) => self.labels.user_namespace(self.snapshot, *namespace),
            Owner::Unknown => label::unknown_user_namespace(),
        }
    }

    fn properties(&self, node: &Owner<'s>) -> Vec<Line> {
        let line = |namespace| self.labels.namespace(self.snapshot, namespace);
        self.possessions(node).into_iter().map(line).collect()
    }

    fn document(&self, node: &Owner<'s>) -> OwnerDoc<'s> {
        let namespace = match node {
            Owner::Known(namespace) => (*namespace).into(),
            Owner::Unknown => MaybeNamespace::UNKNOWN_USER,
        };
        let owned = || self.possessions(node).into_iter().map(NamespaceDoc::from).collect();
        OwnerDoc { namespace, owned: (!self.owned.is_empty()).then(owned) }
    }
}
