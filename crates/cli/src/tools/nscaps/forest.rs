//! The user namespaces above a process and above a target, as one tree where they meet.

use std::collections::HashMap;
use std::iter;

use lxkns_discover::ThreadCredentials;
use lxkns_model::{Namespace, Process, Snapshot};
use lxkns_species::{Capabilities, NamespaceId, NamespaceType};

use super::verdict::{Verdict, user_namespace_of};
use crate::render::grid;
use crate::render::label::{self, Labels};
use crate::render::line::Line;
use crate::render::role::Role;
use crate::render::tree::{DEEP, Forest};

/// A process's and a target's branch of the tree of user namespaces.
pub(super) struct Branches<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) process: Process<'s>,
    /// Its threads with other credentials than the main one.
    pub(super) threads: Vec<ThreadCredentials>,
    pub(super) target: Namespace<'s>,
    /// The verdicts on the user namespaces of both branches and on the target.
    pub(super) verdicts: HashMap<NamespaceId, Verdict>,
    pub(super) labels: Labels,
    /// Whether to list the process's own capabilities.
    pub(super) own_capabilities: bool,
    /// Whether to sum up those in the target.
    pub(super) brief: bool,
    /// The columns of the terminal.
    pub(super) width: Option<usize>,
}

/// A node, and how deep it stands.
pub(super) enum Node<'s> {
    User(Namespace<'s>, usize),
    Process(usize),
    /// The target, unless it is a user namespace, which stands among the others.
    Target(usize),
}

/// How wide lists of capabilities are where no terminal says so.
const USUAL_WIDTH: usize = 80;

/// What [`Branches`] consists of: from the process's user namespace up, and from the target's.
pub(super) fn branches<'s>(
    process: Process<'s>,
    target: Namespace<'s>,
) -> [impl Iterator<Item = Namespace<'s>>; 2] {
    [process.namespace(NamespaceType::User), user_namespace_of(target)].map(up)
}

impl<'s> Branches<'s> {
    /// One root where the branches meet, else two.
    pub(super) fn roots(&self) -> Vec<Node<'s>> {
        let [own, other] = branches(self.process, self.target).map(Iterator::last);
        let mut roots = Vec::new();
        match own {
            Some(root) => roots.push(Node::User(root, 0)),
            None => roots.push(Node::Process(0)),
        }
        match other {
            Some(root) if Some(root) == own => {}
            Some(root) => roots.push(Node::User(root, 0)),
            None => roots.push(Node::Target(0)),
        }
        roots
    }

    fn mark(&self, namespace: Namespace<'_>, line: &mut Line) {
        let (role, mark) = match self.verdicts.get(&namespace.id()) {
            Some(Verdict::None) => (Role::CapsNone, "⛔"),
            Some(Verdict::Effective(_)) => (Role::CapsEffective, "⛛"),
            Some(Verdict::All(_)) => (Role::CapsAll, "✓"),
            Some(Verdict::Unknown(_)) | None => (Role::Unknown, "?"),
        };
        line.push(role, mark).plain(" ");
        if namespace == self.target {
            line.plain("target ");
        }
    }

    /// What the process may do in the target, for a node at this depth.
    fn target_capabilities(&self, depth: usize) -> Vec<Line> {
        let Some(verdict) = self.verdicts.get(&self.target.id()) else {
            return Vec::new();
        };
        match (verdict, verdict.capabilities()) {
            (Verdict::None, _) => one(Role::CapsNone, "(no capabilities)"),
            (Verdict::Unknown(missing), _) => one(Role::Unknown, &format!("unknown: {missing}")),
            (Verdict::Effective(_), Some(set)) if self.brief && !set.is_empty() => {
                one(Role::CapsEffective, "(the effective capabilities of the process)")
            }
            (Verdict::Effective(_), Some(set)) => self.list(set, Role::CapsEffective, depth),
            (_, Some(set)) if !self.brief => self.list(set, Role::CapsAll, depth),
            _ => one(Role::CapsAll, "(all capabilities)"),
        }
    }

    /// A thread with other credentials than the main one.
    fn thread(&self, thread: &ThreadCredentials, depth: usize) -> Vec<Line> {
        let mut line = Line::default();
        line.plain(format_args!("but thread {} of ", thread.tid));
        match thread.euid {
            Some(euid) => line.push(Role::Owner, format_args!("UID {euid}")),
            None => line.append(label::unknown_user()),
        };
        line.plain(" has");
        let mut lines = vec![line];
        lines.extend(match thread.effective_capabilities {
            Some(set) => self.list(set, Role::Plain, depth),
            None => one(Role::Unknown, "unknown: the capabilities could not be read"),
        });
        lines
    }

    fn list(&self, set: Capabilities, role: Role, depth: usize) -> Vec<Line> {
        if set.is_empty() {
            return one(Role::CapsNone, "(no effective capabilities)");
        }
        // Before each line stands what belongs to the nodes above, and to this one.
        let before = 3 * (depth % DEEP + 2);
        let room = self.width.unwrap_or(USUAL_WIDTH).saturating_sub(before);
        let lines = grid::columns(&names(set), room);
        lines.into_iter().flat_map(|text| one(role, &text)).collect()
    }
}

fn up(namespace: Option<Namespace<'_>>) -> impl Iterator<Item = Namespace<'_>> {
    iter::successors(namespace, |namespace| namespace.parent().known())
}

fn one(role: Role, text: &str) -> Vec<Line> {
    let mut line = Line::default();
    line.push(role, text);
    vec![line]
}

impl<'s> Forest for Branches<'s> {
    type Node = Node<'s>;
    // The verdict is the document, see the tool itself.
    type Document = ();

    fn enter(&mut self, node: &mut Node<'s>) -> Vec<Node<'s>> {
        let Node::User(namespace, depth) = *node else {
            return Vec::new();
        };
        let mut nodes = Vec::new();
        if self.process.namespace(NamespaceType::User) == Some(namespace) {
            nodes.push(Node::Process(depth + 1));
        }
        if self.target.owner() == Some(namespace) {
            nodes.push(Node::Target(depth + 1));
        }
        let on_branch = |child: &Namespace<'_>| self.verdicts.contains_key(&child.id());
        let children = namespace.children().filter(on_branch);
        nodes.extend(children.map(|child| Node::User(child, depth + 1)));
        nodes
    }

    fn line(&self, node: &Node<'s>) -> Line {
        let mut line = Line::default();
        match node {
            Node::User(namespace, _) => {
                self.mark(*namespace, &mut line);
                line.append(self.labels.user_namespace(self.snapshot, *namespace));
            }
            Node::Process(_) => {
                line.plain("process ").append(self.labels.process(self.process));
                match self.process.euid() {
                    Some(euid) => line.plain(" of ").push(Role::Owner, format_args!("UID {euid}")),
                    None => line.plain(" of ").append(label::unknown_user()),
                };
            }
            Node::Target(_) => {
                self.mark(self.target, &mut line);
                line.append(self.labels.namespace(self.snapshot, self.target));
            }
        }
        line
    }

    fn properties(&self, node: &Node<'s>) -> Vec<Line> {
        match node {
            Node::User(namespace, depth) if *namespace == self.target => {
                self.target_capabilities(*depth)
            }
            Node::User(..) => Vec::new(),
            Node::Process(depth) => {
                let mut lines = match self.process.effective_capabilities() {
                    _ if !self.own_capabilities => Vec::new(),
                    Some(set) => self.list(set, Role::Plain, *depth),
                    None => one(Role::Unknown, "unknown: the capabilities could not be read"),
                };
                for thread in &self.threads {
                    lines.extend(self.thread(thread, *depth));
                }
                lines
            }
            Node::Target(depth) => self.target_capabilities(*depth),
        }
    }

    fn document(&self, _: &Node<'s>) {}
}

/// The names of capabilities, sorted.
pub(super) fn names(capabilities: Capabilities) -> Vec<String> {
    let mut names: Vec<_> = capabilities.iter().map(|one| one.to_string()).collect();
    names.sort();
    names
}
