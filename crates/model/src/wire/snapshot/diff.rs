//! What has changed between two snapshots, as JSON: only written, never read.

use lxkns_species::{NamespaceId, NamespaceType, Pid};
use serde::Serialize;

use super::NamespaceDoc;
use super::head::GapDoc;
use super::holder::HolderDoc;
use crate::diff::Change;
use crate::{Diff, Gap, Namespace, Process};

/// What has changed between two snapshots; what `lxkns diff --json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DiffDoc<'s> {
    /// The gaps of the earlier snapshot: an added namespace or holder may have been there.
    unseen_before: Vec<GapDoc<'s>>,
    /// The gaps of the later snapshot: a removed namespace or holder may still be there.
    unseen_after: Vec<GapDoc<'s>>,
    /// Whether both snapshots tell that they are of the same boot.
    same_boot: bool,
    /// Namespaces that are only in the later one.
    added: Vec<NamespaceDoc<'s>>,
    /// Namespaces that are only in the earlier one.
    removed: Vec<NamespaceDoc<'s>>,
    /// Namespaces that are not the same in both.
    changed: Vec<ChangeDoc<'s>>,
    /// Namespaces whose leaders are uncertain and others than before, and were not compared.
    leaders_uncompared: Vec<NamespaceId>,
    /// The parts that only one scan looked for, and that were not compared.
    uncompared: Vec<&'static str>,
    /// The types that only one scan looked for.
    uncompared_types: Vec<NamespaceType>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ChangeDoc<'s> {
    id: NamespaceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<RelationDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<RelationDoc>,
    leaders_added: Vec<Pid>,
    leaders_removed: Vec<Pid>,
    holders_added: Vec<HolderDoc<'s>>,
    holders_removed: Vec<HolderDoc<'s>>,
}

/// The namespace above, then and now; null: none.
#[derive(Debug, Serialize)]
struct RelationDoc {
    before: Option<NamespaceId>,
    after: Option<NamespaceId>,
}

impl<'s> From<&Diff<'s>> for DiffDoc<'s> {
    fn from(diff: &Diff<'s>) -> Self {
        let namespaces = |list: &[Namespace<'s>]| list.iter().map(|it| (*it).into()).collect();
        let gaps = |list: &[&'s Gap]| list.iter().map(|it| GapDoc::from(*it)).collect();
        DiffDoc {
            unseen_before: gaps(&diff.unseen_before),
            unseen_after: gaps(&diff.unseen_after),
            same_boot: diff.same_boot,
            added: namespaces(&diff.added),
            removed: namespaces(&diff.removed),
            changed: diff.changed.iter().map(ChangeDoc::from).collect(),
            leaders_uncompared: diff.leaders_uncompared.iter().map(|it| it.id()).collect(),
            uncompared: diff.uncompared.iter().map(|part| part.name()).collect(),
            uncompared_types: diff.uncompared_types.iter().collect(),
        }
    }
}

impl<'s> From<&Change<'s>> for ChangeDoc<'s> {
    fn from(change: &Change<'s>) -> Self {
        let relation = |of: &dyn Fn(Namespace<'s>) -> Option<Namespace<'s>>| RelationDoc {
            before: of(change.before).map(Namespace::id),
            after: of(change.after).map(Namespace::id),
        };
        let parent = |namespace: Namespace<'s>| namespace.parent().known();
        ChangeDoc {
            id: change.after.id(),
            parent: change.parent.then(|| relation(&parent)),
            owner: change.owner.then(|| relation(&|it| it.owner())),
            leaders_added: pids(&change.leaders_added),
            leaders_removed: pids(&change.leaders_removed),
            holders_added: change.holders_added.iter().map(|it| (*it).into()).collect(),
            holders_removed: change.holders_removed.iter().map(|it| (*it).into()).collect(),
        }
    }
}

fn pids(processes: &[Process<'_>]) -> Vec<Pid> {
    processes.iter().map(|process| process.pid()).collect()
}
