//! `lspidns`: the tree of PID namespaces, perhaps with their owners in between.

use std::collections::BTreeMap;

use lxkns_discover::Options;
use lxkns_model::{Details, Namespace, Part, Snapshot};
use lxkns_species::{NamespaceId, NamespaceType, NamespaceTypes};

use super::Run;
use crate::args::noise::Volume;
use crate::args::{Look, Noise, Show, Trees};
use crate::document::{self, MaybeNamespace};
use crate::render::label::{self, Labels};
use crate::render::line::Line;
use crate::render::tree::{self, Forest};
use crate::view::View;

/// What `lspidns` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Lspidns {
    /// Show the owning user namespaces in between
    #[arg(short, long)]
    user: bool,

    /// Print JSON: PID namespaces (and with --user their owners) with their children
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    trees: Trees,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    noise: Noise,
}

impl Run for Lspidns {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        Some(&self.show)
    }

    fn run(self) -> anyhow::Result<View> {
        let snapshot = self.look.snapshot(self.options())?;
        let mut forest =
            Pids { snapshot: &snapshot, labels: self.show.labels(), owners: self.user };
        let roots = forest.below(snapshot.roots(NamespaceType::Pid).collect(), None);
        if self.json {
            document::tree(&mut forest, roots, &snapshot)?;
        } else {
            self.show
                .on_stdout(|screen| tree::write(&mut forest, roots, self.trees.style, screen))?;
        }
        Ok(self.look.view(snapshot))
    }
}

impl Lspidns {
    fn options(&self) -> Options {
        let mut types = NamespaceTypes::of([NamespaceType::Pid]);
        let mut options =
            Options::everything().details(Details::Leaders).without(Part::Credentials);
        if self.user {
            types.insert(NamespaceType::User);
        } else {
            options = options.without(Part::Ownership);
        }
        if !self.show.needs_cmdline() {
            options = options.without(Part::Cmdline);
        }
        options.types(types)
    }
}

struct Pids<'s> {
    snapshot: &'s Snapshot,
    labels: Labels,
    owners: bool,
}

enum Node<'s> {
    Pid(Namespace<'s>),
    /// A user namespace, and the PID namespaces to show below it, all of which it owns.
    Owner(Namespace<'s>, Vec<Namespace<'s>>),
    /// A PID namespace of an unknown owner.
    Ownerless(Namespace<'s>),
}

impl<'s> Pids<'s> {
    /// The nodes for sibling PID namespaces below one that this owner has: those of other owners
    /// have these in between.
    fn below(&self, siblings: Vec<Namespace<'s>>, owner: Option<Namespace<'s>>) -> Vec<Node<'s>> {
        let mut nodes = Vec::new();
        let mut owned: BTreeMap<NamespaceId, (Namespace<'s>, Vec<Namespace<'s>>)> = BTreeMap::new();
        let mut ownerless = Vec::new();
        for namespace in siblings {
            match namespace.owner() {
                _ if !self.owners => nodes.push(Node::Pid(namespace)),
                None => ownerless.push(Node::Ownerless(namespace)),
                same if same == owner => nodes.push(Node::Pid(namespace)),
                Some(other) => {
                    let (_, namespaces) = owned.entry(other.id()).or_insert((other, Vec::new()));
                    namespaces.push(namespace);
                }
            }
        }
        nodes.extend(owned.into_values().map(|(owner, namespaces)| Node::Owner(owner, namespaces)));
        nodes.extend(ownerless);
        nodes
    }
}

impl<'s> Forest for Pids<'s> {
    type Node = Node<'s>;
    type Document = MaybeNamespace<'s>;

    fn enter(&mut self, node: &mut Node<'s>) -> Vec<Node<'s>> {
        match node {
            Node::Pid(namespace) => self.below(namespace.children().collect(), namespace.owner()),
            Node::Owner(_, namespaces) => {
                std::mem::take(namespaces).into_iter().map(Node::Pid).collect()
            }
            Node::Ownerless(namespace) => vec![Node::Pid(*namespace)],
        }
    }

    fn line(&self, node: &Node<'s>) -> Line {
        match node {
            Node::Pid(namespace) => self.labels.namespace(self.snapshot, *namespace),
            Node::Owner(owner, _) => self.labels.user_namespace(self.snapshot, *owner),
            Node::Ownerless(_) => label::unknown_user_namespace(),
        }
    }

    fn properties(&self, _: &Node<'s>) -> Vec<Line> {
        Vec::new()
    }

    fn document(&self, node: &Node<'s>) -> MaybeNamespace<'s> {
        match node {
            Node::Pid(namespace) | Node::Owner(namespace, _) => (*namespace).into(),
            Node::Ownerless(_) => MaybeNamespace::UNKNOWN_USER,
        }
    }
}
