//! PID namespaces and processes as one tree.
//!
//! A process stands below its parent. Where a child is in another PID namespace than its parent,
//! that namespace stands between them, with all processes at its top; there may be more of these
//! than children of that one parent (nsenter(1) brings others in), so where the same namespace
//! comes up again, only a reference is left. A PID namespace that no process leads into stands
//! below its parent namespace, or at the root.

use std::collections::{BTreeMap, HashMap, HashSet};

use lxkns_model::wire::snapshot::{NamespaceDoc, ProcessDoc};
use lxkns_model::{Namespace, Process, Snapshot};
use lxkns_species::{NamespaceId, NamespaceType};
use serde::Serialize;

use super::placement::Placement;
use crate::render::label::{self, Labels};
use crate::render::line::Line;
use crate::render::role::Role;
use crate::render::tree::Forest;

/// A node of the tree.
pub(super) enum Node<'s> {
    Namespace(Namespace<'s>),
    Process(Process<'s>),
    /// A namespace that stands elsewhere, and which of its processes belong here.
    Reference(Namespace<'s>, Vec<Process<'s>>),
    /// The place of processes whose PID namespace nobody knows.
    Nowhere(Vec<Process<'s>>),
}

/// A node as JSON.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum NodeDoc<'s> {
    Namespace(NamespaceDoc<'s>),
    Process(ProcessDoc<'s>),
    Reference { id: String, r#type: NamespaceType, reference: bool },
    Nowhere { r#type: NamespaceType },
}

/// How nodes are shown, wherever they stand.
struct Shown<'s> {
    snapshot: &'s Snapshot,
    labels: Labels,
    placement: Placement,
}

/// The whole tree.
pub(super) struct Tree<'s> {
    shown: Shown<'s>,
    /// The processes at the top of each namespace, by PID.
    tops: BTreeMap<Option<NamespaceId>, Vec<Process<'s>>>,
    /// The namespaces that have been shown.
    shown_already: HashSet<NamespaceId>,
}

impl<'s> Tree<'s> {
    pub(super) fn of(snapshot: &'s Snapshot, labels: Labels) -> Tree<'s> {
        let placement = Placement::of(snapshot);
        let mut tops: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for process in snapshot.processes() {
            let place = placement.namespace(process);
            let parent = process.parent().map(|parent| placement.namespace(parent));
            if parent != Some(place) {
                tops.entry(place).or_default().push(process);
            }
        }
        Tree { shown: Shown { snapshot, labels, placement }, tops, shown_already: HashSet::new() }
    }

    /// Whoever stands below nobody: PID namespaces, then what is nowhere.
    pub(super) fn roots(&mut self) -> Vec<Node<'s>> {
        let namespaces = || self.shown.snapshot.namespaces_of(NamespaceType::Pid);
        let mut roots: Vec<Namespace<'s>> = namespaces()
            .filter(|namespace| {
                namespace.parent().known().is_none() && !self.has_way_in(namespace.id())
            })
            .collect();
        // No living kernel has processes and namespaces that lead around in a circle, but a
        // document may: whatever cannot be reached becomes a root, too.
        roots.iter().for_each(|root| self.reach(*root));
        for namespace in self.shown.snapshot.namespaces_of(NamespaceType::Pid) {
            if !self.shown_already.contains(&namespace.id()) {
                roots.push(namespace);
                self.reach(namespace);
            }
        }
        self.shown_already.clear();
        let nowhere = self.tops.get(&None).cloned().map(Node::Nowhere);
        roots.into_iter().map(Node::Namespace).chain(nowhere).collect()
    }

    /// Goes to everything that will be shown below a namespace.
    fn reach(&mut self, namespace: Namespace<'s>) {
        let mut ahead = vec![Node::Namespace(namespace)];
        while let Some(mut node) = ahead.pop() {
            ahead.extend(self.enter(&mut node));
        }
    }

    /// Whether a process in another namespace has a child at the top of this one.
    fn has_way_in(&self, id: NamespaceId) -> bool {
        let tops = self.tops.get(&Some(id)).map(Vec::as_slice).unwrap_or_default();
        let outside = |parent| self.shown.placement.namespace(parent).is_some();
        tops.iter().any(|top| top.parent().is_some_and(outside))
    }

    fn below_namespace(&self, namespace: Namespace<'s>) -> Vec<Node<'s>> {
        let tops = self.tops.get(&Some(namespace.id())).cloned().unwrap_or_default();
        let processes = tops.into_iter().map(Node::Process);
        let namespaces = namespace.children().filter(|child| !self.has_way_in(child.id()));
        processes.chain(namespaces.map(Node::Namespace)).collect()
    }

    fn below_process(&self, process: Process<'s>) -> Vec<Node<'s>> {
        let here = self.shown.placement.namespace(process);
        let mut nodes = Vec::new();
        let mut elsewhere: HashMap<NamespaceId, usize> = HashMap::new();
        for child in process.children() {
            let place = self.shown.placement.namespace(child);
            let namespace = place.filter(|_| place != here);
            let Some(namespace) = namespace.and_then(|id| self.shown.snapshot.namespace(id)) else {
                nodes.push(Node::Process(child));
                continue;
            };
            let known = elsewhere.get(&namespace.id());
            match known.and_then(|at| nodes.get_mut(*at)) {
                Some(Node::Reference(_, processes)) => processes.push(child),
                _ => {
                    elsewhere.insert(namespace.id(), nodes.len());
                    nodes.push(Node::Reference(namespace, vec![child]));
                }
            }
        }
        nodes
    }
}

impl<'s> Forest for Tree<'s> {
    type Node = Node<'s>;
    type Document = NodeDoc<'s>;

    fn enter(&mut self, node: &mut Node<'s>) -> Vec<Node<'s>> {
        // The first reference to a namespace becomes the namespace itself.
        if let Node::Reference(namespace, _) = *node
            && !self.shown_already.contains(&namespace.id())
        {
            *node = Node::Namespace(namespace);
        }
        match node {
            Node::Namespace(namespace) => {
                self.shown_already.insert(namespace.id());
                self.below_namespace(*namespace)
            }
            Node::Process(process) => self.below_process(*process),
            Node::Reference(..) => Vec::new(),
            Node::Nowhere(tops) => std::mem::take(tops).into_iter().map(Node::Process).collect(),
        }
    }

    fn line(&self, node: &Node<'s>) -> Line {
        self.shown.line(node)
    }

    fn properties(&self, _: &Node<'s>) -> Vec<Line> {
        Vec::new()
    }

    fn document(&self, node: &Node<'s>) -> NodeDoc<'s> {
        document(node)
    }
}

/// The way from a root down to one process.
pub(super) struct Branch<'s> {
    shown: Shown<'s>,
    /// From the process up to the root.
    up: Vec<Node<'s>>,
}

impl<'s> Branch<'s> {
    pub(super) fn of(process: Process<'s>, snapshot: &'s Snapshot, labels: Labels) -> Branch<'s> {
        let placement = Placement::of(snapshot);
        let mut up = vec![Node::Process(process)];
        let mut at = process;
        loop {
            let place = placement.namespace(at);
            let parent = at.parent();
            let within = parent.filter(|parent| placement.namespace(*parent) == place);
            if within.is_none() {
                let namespace = place.and_then(|id| snapshot.namespace(id));
                up.push(namespace.map_or(Node::Nowhere(Vec::new()), Node::Namespace));
                let leads_here = |parent: &Process<'s>| placement.namespace(*parent).is_some();
                if !parent.as_ref().is_some_and(leads_here) {
                    let above = namespace.into_iter().flat_map(Namespace::ancestors);
                    up.extend(above.map(Node::Namespace));
                    break;
                }
            }
            let Some(parent) = parent else { break };
            up.push(Node::Process(parent));
            at = parent;
        }
        let shown = Shown { snapshot, labels, placement };
        Branch { shown, up }
    }

    pub(super) fn roots(&mut self) -> Vec<Node<'s>> {
        self.up.pop().into_iter().collect()
    }
}

impl<'s> Forest for Branch<'s> {
    type Node = Node<'s>;
    type Document = NodeDoc<'s>;

    fn enter(&mut self, _: &mut Node<'s>) -> Vec<Node<'s>> {
        self.up.pop().into_iter().collect()
    }

    fn line(&self, node: &Node<'s>) -> Line {
        self.shown.line(node)
    }

    fn properties(&self, _: &Node<'s>) -> Vec<Line> {
        Vec::new()
    }

    fn document(&self, node: &Node<'s>) -> NodeDoc<'s> {
        document(node)
    }
}

impl<'s> Shown<'s> {
    fn line(&self, node: &Node<'s>) -> Line {
        let mut line = Line::default();
        match node {
            Node::Namespace(namespace) => {
                line.append(self.labels.id(namespace.id())).plain(", owned by ");
                line.append(namespace.owner().map_or_else(label::unknown_user, label::user));
                if namespace.processes().len() == 0 {
                    let reason = self.labels.reason(self.snapshot, *namespace);
                    line.plain(", ").append(reason);
                }
            }
            Node::Process(process) => {
                line.append(self.process(*process));
                line.append(self.labels.belonging(*process));
                if !self.placement.get(*process).certain {
                    line.plain(" in ").push(Role::Unknown, "pid:[?]");
                }
            }
            Node::Reference(namespace, processes) => {
                line.append(self.labels.id(namespace.id())).plain(", see above: ");
                for (at, process) in processes.iter().enumerate() {
                    line.plain(if at > 0 { ", " } else { "" }).append(self.process(*process));
                }
            }
            Node::Nowhere(_) => {
                line.push(Role::Unknown, "pid:[?]");
            }
        }
        line
    }

    /// `"bash" (301/7/1)`.
    fn process(&self, process: Process<'_>) -> Line {
        let mut line = self.labels.process_name(process);
        let pids = match process.pids() {
            Some(pids) if !pids.is_empty() => pids.to_vec(),
            _ => vec![process.pid()],
        };
        let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
        line.push(Role::Process, format_args!(" ({})", pids.join("/")));
        line
    }
}

fn document<'s>(node: &Node<'s>) -> NodeDoc<'s> {
    match node {
        Node::Namespace(namespace) => NodeDoc::Namespace((*namespace).into()),
        Node::Process(process) => NodeDoc::Process((*process).into()),
        Node::Reference(namespace, _) => NodeDoc::Reference {
            id: namespace.id().to_string(),
            r#type: namespace.namespace_type(),
            reference: true,
        },
        Node::Nowhere(_) => NodeDoc::Nowhere { r#type: NamespaceType::Pid },
    }
}
