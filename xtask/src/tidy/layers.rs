//! The rule for manifests: the crates depend on one another along the arrows of the architecture,
//! and a foreign crate that does a layer's work is used by that layer only.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::Finding;

/// A member of the workspace and what it depends on.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) manifest: PathBuf,
    pub(super) version: String,
    pub(super) published: bool,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) requirement: String,
    /// Whether only tests, examples and benches get to see it.
    pub(super) only_for_tests: bool,
}

/// Which member may use which others.
const ARROWS: &[(&str, &[&str])] = &[
    ("lxkns-species", &[]),
    ("lxkns-ops", &["lxkns-species"]),
    ("lxkns-model", &["lxkns-species"]),
    ("lxkns-names", &["lxkns-model", "lxkns-species"]),
    ("lxkns-discover", &["lxkns-model", "lxkns-names", "lxkns-ops", "lxkns-species"]),
    ("lxkns-pidmap", &["lxkns-model", "lxkns-species"]),
    ("lxkns-cli", &["lxkns-discover", "lxkns-model", "lxkns-ops", "lxkns-pidmap", "lxkns-species"]),
    ("lxkns", &["lxkns-discover", "lxkns-model", "lxkns-ops", "lxkns-pidmap", "lxkns-species"]),
    ("lxkns-nstest", &["lxkns-model", "lxkns-ops", "lxkns-species"]),
    (
        "lxkns-fuzz",
        &[
            "lxkns-cli",
            "lxkns-discover",
            "lxkns-model",
            "lxkns-names",
            "lxkns-ops",
            "lxkns-pidmap",
            "lxkns-species",
        ],
    ),
    (
        "lxkns-it",
        &[
            "lxkns",
            "lxkns-discover",
            "lxkns-model",
            "lxkns-nstest",
            "lxkns-ops",
            "lxkns-pidmap",
            "lxkns-species",
        ],
    ),
    ("xtask", &["lxkns-cli", "lxkns-model", "lxkns-nstest", "lxkns-species"]),
];

/// The support for tests, that tests of any crate which touches the system may use.
const TEST_SUPPORT: &str = "lxkns-nstest";

/// The members that never touch the system.
pub(crate) const PURE: &[&str] = &["lxkns-species", "lxkns-model", "lxkns-names", "lxkns-pidmap"];

/// Foreign crates that do the work of a layer, and who may use them.
const FOREIGN: &[(&str, &[&str])] = &[
    ("libc", &["lxkns-ops", "lxkns-nstest"]),
    ("linux-raw-sys", &["lxkns-ops", "lxkns-nstest"]),
    ("rustix", &["lxkns-ops", "lxkns-discover", "lxkns-nstest", "lxkns-it", "xtask"]),
    ("tracing", &["lxkns-ops", "lxkns-discover", "lxkns-cli"]),
    ("anyhow", &["lxkns-cli", "xtask"]),
    ("clap", &["lxkns-cli", "xtask"]),
];

/// Reads the members out of what `cargo metadata` says.
pub(super) fn members(metadata: &Value) -> Result<Vec<Member>> {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned();
    let text = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .with_context(|| format!("no {key}"))
    };
    list(metadata, "packages")
        .context("cargo metadata names no packages")?
        .iter()
        .map(|package| {
            let dependencies = list(package, "dependencies").context("no dependencies")?;
            Ok(Member {
                name: text(package, "name")?,
                manifest: text(package, "manifest_path")?.into(),
                version: text(package, "version")?,
                published: list(package, "publish").is_none_or(|registries| !registries.is_empty()),
                dependencies: dependencies
                    .iter()
                    .map(|dependency| {
                        Ok(Dependency {
                            name: text(dependency, "name")?,
                            requirement: text(dependency, "req")?,
                            only_for_tests: text(dependency, "kind")
                                .is_ok_and(|kind| kind == "dev"),
                        })
                    })
                    .collect::<Result<_>>()?,
            })
        })
        .collect()
}

/// Checks the dependencies of one member.
pub(super) fn check(path: &Path, manifest: &str, member: &Member) -> Vec<Finding> {
    let Some((_, arrows)) = ARROWS.iter().find(|(name, _)| *name == member.name) else {
        let what =
            format!("{} has no place in the layers; give it one in {}", member.name, file!());
        return vec![Finding::new(path, 1, what)];
    };
    let is_pure = PURE.contains(&member.name.as_str());
    member
        .dependencies
        .iter()
        .filter(|dependency| {
            let name = dependency.name.as_str();
            let is_member = ARROWS.iter().any(|(member, _)| *member == name);
            let users =
                FOREIGN.iter().find(|(foreign, _)| *foreign == name).map(|(_, users)| users);
            let allowed = match users {
                _ if is_member => arrows.contains(&name),
                Some(users) => users.contains(&member.name.as_str()),
                None => true,
            };
            let by_tests =
                dependency.only_for_tests && !is_pure && (name == TEST_SUPPORT || users.is_some());
            !allowed && !by_tests
        })
        .map(|dependency| {
            let what = format!("{} may not depend on {}", member.name, dependency.name);
            Finding::new(path, line_of_key(manifest, &dependency.name), what)
        })
        .collect()
}

/// The line of a manifest that starts with a key, 1 when there is none.
pub(super) fn line_of_key(manifest: &str, key: &str) -> usize {
    let is_key =
        |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    manifest.lines().position(is_key).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, dependencies: &[(&str, bool)]) -> Vec<String> {
        let member = Member {
            name: name.to_owned(),
            manifest: PathBuf::new(),
            version: String::new(),
            published: true,
            dependencies: dependencies
                .iter()
                .map(|(name, only_for_tests)| Dependency {
                    name: (*name).to_owned(),
                    requirement: String::new(),
                    only_for_tests: *only_for_tests,
                })
                .collect(),
        };
        let manifest =
            "[dependencies]\nlxkns-model.workspace = true\nlxkns-ops = \"1\"\nlibc = \"1\"\n";
        check(Path::new("Cargo.toml"), manifest, &member)
            .iter()
            .map(|finding| format!("{}: {}", finding.line, finding.what))
            .collect()
    }

    #[test]
    fn dependencies_follow_the_arrows() {
        let dependencies = [("lxkns-ops", false), ("lxkns-model", false), ("serde", false)];
        assert_eq!(of("lxkns-discover", &dependencies), [""; 0]);
        assert_eq!(
            of("lxkns-pidmap", &dependencies),
            ["3: lxkns-pidmap may not depend on lxkns-ops"]
        );
    }

    #[test]
    fn tests_may_use_the_test_support_unless_the_crate_is_pure() {
        assert_eq!(of("lxkns-ops", &[("lxkns-nstest", true), ("rustix", true)]), [""; 0]);
        assert_eq!(
            of("lxkns-model", &[("lxkns-nstest", true), ("rustix", true)]),
            [
                "1: lxkns-model may not depend on lxkns-nstest",
                "1: lxkns-model may not depend on rustix"
            ]
        );
        assert_eq!(
            of("lxkns-ops", &[("lxkns-nstest", false)]),
            ["1: lxkns-ops may not depend on lxkns-nstest"]
        );
    }

    #[test]
    fn a_layer_keeps_its_foreign_crates() {
        assert_eq!(
            of("lxkns-discover", &[("libc", false)]),
            ["4: lxkns-discover may not depend on libc"]
        );
    }

    #[test]
    fn a_new_member_needs_a_place() {
        let findings = of("lxkns-util", &[]);
        assert!(
            findings[0].starts_with("1: lxkns-util has no place in the layers"),
            "{findings:?}"
        );
    }

    #[test]
    fn members_are_read_from_metadata() {
        let metadata = serde_json::json!({"packages": [{
            "name": "lxkns-it", "version": "0.0.0", "manifest_path": "/w/Cargo.toml",
            "publish": [],
            "dependencies": [
                {"name": "libc", "req": "^0.2", "kind": null},
                {"name": "insta", "req": "^1", "kind": "dev"},
            ],
        }]});
        let members = members(&metadata).unwrap();
        assert_eq!(members.len(), 1);
        assert!(!members[0].published);
        assert_eq!(members[0].dependencies[0].requirement, "^0.2");
        assert!(!members[0].dependencies[0].only_for_tests);
        assert!(members[0].dependencies[1].only_for_tests);
    }
}
