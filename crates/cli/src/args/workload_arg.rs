//! A workload on a command line: `container:web`, `podman:web`, `unit:nginx.service`; with a UID
//! before it, as in `1000/podman:web`, a workload of that user.
//!
//! Any user can give a workload of theirs any name. So a name without a UID means workloads that
//! root of the machine vouches for, and those of the caller.

use std::str::FromStr;

use anyhow::anyhow;
use lxkns_model::{Engine, Snapshot, Text, Voucher, Workload, WorkloadKind};
use lxkns_species::Uid;

use crate::failure::Usage;
use crate::render::escape::quoted;

/// A workload, as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkloadArg {
    /// The user who vouches for it.
    of: Option<Uid>,
    by: By,
    /// The name, or the beginning of the ID.
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Kind(WorkloadKind),
    Engine(Engine),
}

/// The text does not begin with a kind of workload or an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotWorkload;

impl FromStr for WorkloadArg {
    type Err = NotWorkload;

    fn from_str(text: &str) -> Result<WorkloadArg, NotWorkload> {
        let (of, text) = match text.split_once('/') {
            Some((uid, text)) => (Some(Uid(uid.parse().map_err(|_| NotWorkload)?)), text),
            None => (None, text),
        };
        let (word, name) = text.split_once(':').ok_or(NotWorkload)?;
        let by = match (WorkloadKind::of_name(word), Engine::of_name(word)) {
            (WorkloadKind::Other, Engine::Other) => return Err(NotWorkload),
            (WorkloadKind::Other, engine) => By::Engine(engine),
            (kind, _) => By::Kind(kind),
        };
        if name.is_empty() {
            return Err(NotWorkload);
        }
        Ok(WorkloadArg { of, by, name: name.into() })
    }
}

impl std::fmt::Display for WorkloadArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = match self.by {
            By::Kind(kind) => kind.name(),
            By::Engine(engine) => engine.name(),
        };
        if let Some(uid) = self.of {
            write!(f, "{uid}/")?;
        }
        write!(f, "{by}:{}", self.name)
    }
}

impl WorkloadArg {
    /// Finds the only workload with this name, or with an ID that begins like this. A workload that
    /// may have chosen its name itself is never meant.
    pub(crate) fn find<'s>(&self, snapshot: &'s Snapshot) -> anyhow::Result<Workload<'s>> {
        self.find_for(lxkns_ops::own_uid(), snapshot)
    }

    fn find_for<'s>(&self, caller: Uid, snapshot: &'s Snapshot) -> anyhow::Result<Workload<'s>> {
        let is_meant = |workload: &Workload<'_>| match workload.facts().vouched_by {
            Voucher::Machine => self.of.is_none(),
            Voucher::User(uid) => uid == self.of.unwrap_or(caller),
            Voucher::Nobody => false,
        };
        let all: Vec<Workload<'_>> = snapshot
            .workloads()
            .filter(|it| self.is_of_kind(*it))
            .filter(|it| self.names(*it) || self.begins_id_of(*it))
            .collect();
        let mut found: Vec<Workload<'_>> = all.iter().copied().filter(is_meant).collect();
        if found.iter().any(|it| self.names(*it)) {
            found.retain(|it| self.names(*it));
        }
        match found.as_slice() {
            [only] => Ok(*only),
            [] => Err(self.missing(&all)),
            several => Err(self.ambiguous(several).into()),
        }
    }

    fn missing(&self, others: &[Workload<'_>]) -> anyhow::Error {
        let shown = quoted(self.to_string().as_bytes());
        let of_user = others.iter().find_map(|other| match other.facts().vouched_by {
            Voucher::User(uid) => Some(uid),
            Voucher::Machine | Voucher::Nobody => None,
        });
        match of_user.filter(|_| self.of.is_none()) {
            Some(uid) => {
                let full = WorkloadArg { of: Some(uid), ..self.clone() }.to_string();
                let full = quoted(full.as_bytes());
                anyhow!("there is no {shown} of the machine; UID {uid} has {full}")
            }
            None => anyhow!(
                "there is no {shown}, as far as can be seen; see 'lxkns workloads' for those there \
                 are"
            ),
        }
    }

    fn is_of_kind(&self, workload: Workload<'_>) -> bool {
        match self.by {
            By::Kind(kind) => workload.facts().kind == kind,
            By::Engine(engine) => workload.facts().engine == engine,
        }
    }

    fn names(&self, workload: Workload<'_>) -> bool {
        let facts = workload.facts();
        let is_it = |text: &Option<Text>| {
            text.as_ref().is_some_and(|text| text.as_bytes() == self.name.as_bytes())
        };
        // A supervisor knows the first name only. Another workload may have that name now.
        is_it(&facts.name) && !workload.may_be_renamed() || is_it(&facts.id)
    }

    /// Engines take the first digits of an ID for it.
    fn begins_id_of(&self, workload: Workload<'_>) -> bool {
        let id = workload.facts().id.as_ref();
        id.is_some_and(|id| id.as_bytes().starts_with(self.name.as_bytes()))
    }

    fn ambiguous(&self, several: &[Workload<'_>]) -> Usage {
        let each = several.iter().map(|workload| {
            let facts = workload.facts();
            let id = facts.id.as_ref().or(facts.name.as_ref()).map(Text::as_bytes);
            let id = quoted(id.unwrap_or_default());
            let user = match facts.vouched_by {
                Voucher::User(uid) => format!(" of UID {uid}"),
                _ => String::new(),
            };
            format!("{} {id}{user}", facts.engine)
        });
        let each: Vec<String> = each.collect();
        let shown = quoted(self.to_string().as_bytes());
        Usage::new(format!("{shown} may be {}; say which, as ENGINE:ID", each.join(" or ")))
    }
}

#[cfg(test)]
mod tests {
    use lxkns_model::{Facts, WorkloadFacts};

    use super::*;

    fn snapshot() -> Snapshot {
        let workload = |engine, name: &str, id: &str, vouched_by| WorkloadFacts {
            name: Some(name).filter(|it| !it.is_empty()).map(Text::from),
            id: Some(id.into()),
            vouched_by,
            ..WorkloadFacts::new(engine, WorkloadKind::Container)
        };
        Snapshot::assemble(Facts {
            workloads: vec![
                workload(Engine::Podman, "web", "877092", Voucher::Machine),
                workload(Engine::Podman, "ed1", "12", Voucher::User(Uid(1000))),
                workload(Engine::Docker, "web", "ed10b3", Voucher::Machine),
                workload(Engine::Docker, "db", "ed10b4", Voucher::Machine),
                workload(Engine::Podman, "bank", "99", Voucher::Nobody),
                workload(Engine::Docker, "", "4711", Voucher::Machine),
            ],
            ..Facts::default()
        })
    }

    fn found(text: &str) -> Result<String, String> {
        found_by(0, text)
    }

    fn found_by(caller: u32, text: &str) -> Result<String, String> {
        let workload: WorkloadArg = text.parse().map_err(|NotWorkload| "none".to_owned())?;
        let snapshot = snapshot();
        let found = workload.find_for(Uid(caller), &snapshot).map_err(|error| error.to_string())?;
        Ok(found.facts().id.as_ref().unwrap().to_string_lossy().into_owned())
    }

    #[test]
    fn names_and_beginnings_of_ids_are_found() {
        assert_eq!(found("podman:web"), Ok("877092".into()));
        assert_eq!(found("docker:web"), Ok("ed10b3".into()));
        assert_eq!(found("container:db"), Ok("ed10b4".into()));
        assert_eq!(found("container:ed10b3"), Ok("ed10b3".into()));
        assert_eq!(found("docker:ed10b4"), Ok("ed10b4".into()));
        // A name comes before the beginning of an ID.
        assert_eq!(found_by(1000, "container:ed1"), Ok("12".into()));
        assert_eq!(found("container:47"), Ok("4711".into()));
    }

    #[test]
    fn names_of_users_are_their_own() {
        assert_eq!(found_by(1000, "podman:ed1"), Ok("12".into()));
        assert_eq!(found("1000/podman:ed1"), Ok("12".into()));
        let error = found("podman:ed1").unwrap_err();
        assert!(error.ends_with(r#"UID 1000 has "1000/podman:ed1""#), "{error}");
        assert!(found("1001/podman:ed1").unwrap_err().starts_with("there is no"));
        assert!(found("1000/podman:web").unwrap_err().starts_with("there is no"));
        assert_eq!(found("x/podman:web"), Err("none".into()));
    }

    #[test]
    fn others_are_told_apart_or_missed() {
        let several = r#""container:web" may be docker "ed10b3" or podman "877092""#;
        assert!(found("container:web").unwrap_err().starts_with(several), "{several}");
        assert!(found("docker:ed1").unwrap_err().contains(r#""ed10b4" or docker "ed10b3""#));
        for missing in ["container:bank", "podman:db", "unit:web", "machine:web", "container:9"] {
            assert!(found(missing).unwrap_err().starts_with("there is no"), "{missing}");
        }
        for other in ["net:[1]", "container:", "container", "web", "other:web", ":web"] {
            assert_eq!(found(other), Err("none".into()), "{other}");
        }
    }
}
