//! The rule for versions: all published crates have the version of the workspace, and ask for
//! each other in exactly that version. What is not published has none that could be asked for, and
//! then only tests may use it.

use std::path::Path;

use super::Finding;
use super::layers::{Member, line_of_key};

/// The version in the root manifest, where no other line starts like it.
pub(super) fn of_workspace(manifest: &str) -> Option<&str> {
    manifest.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
}

/// Checks one member against the version of the workspace.
pub(super) fn check(path: &Path, manifest: &str, member: &Member, version: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !member.published {
        return findings;
    }
    if member.version != version {
        let what = format!("version {} instead of the workspace's {version}", member.version);
        findings.push(Finding::new(path, line_of_key(manifest, "version"), what));
    }
    let wanted = format!("^{version}");
    for dependency in &member.dependencies {
        let is_for_tests = dependency.only_for_tests && dependency.requirement == "*";
        let is_own = dependency.name.starts_with("lxkns-");
        if is_own && dependency.requirement != wanted && !is_for_tests {
            let what = format!(
                "{} is asked for as `{}` instead of `{wanted}`",
                dependency.name, dependency.requirement
            );
            findings.push(Finding::new(path, line_of_key(manifest, &dependency.name), what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::layers::Dependency;
    use super::*;

    #[test]
    fn versions_agree() {
        let dependency = |name: &str, requirement: &str| Dependency {
            name: name.to_owned(),
            requirement: requirement.to_owned(),
            only_for_tests: false,
        };
        let mut member = Member {
            name: "lxkns-model".to_owned(),
            manifest: "Cargo.toml".into(),
            version: "0.1.0".to_owned(),
            published: true,
            dependencies: vec![dependency("lxkns-species", "^0.2.0"), dependency("serde", "^1")],
        };
        let manifest =
            "[package]\nversion = \"0.1.0\"\n[dependencies]\nlxkns-species = \"0.2.0\"\n";
        let found = |member: &Member| -> Vec<_> {
            check(Path::new("Cargo.toml"), manifest, member, "0.2.0")
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(
            found(&member),
            ["Cargo.toml:2: error: version 0.1.0 instead of the workspace's 0.2.0"]
        );
        "0.2.0".clone_into(&mut member.version);
        assert_eq!(found(&member), [""; 0]);
        member.dependencies[0] = dependency("lxkns-species", "*");
        assert_eq!(
            found(&member),
            ["Cargo.toml:4: error: lxkns-species is asked for as `*` instead of `^0.2.0`"]
        );
        member.dependencies[0].only_for_tests = true;
        assert_eq!(found(&member), [""; 0]);
        member.dependencies[0].requirement = "^0.1.0".to_owned();
        member.published = false;
        assert_eq!(found(&member), [""; 0]);
    }

    #[test]
    fn the_version_of_the_workspace_is_read() {
        let manifest = "[workspace]\nmembers = []\n[workspace.package]\nversion = \"1.2.3\"\n";
        assert_eq!(of_workspace(manifest), Some("1.2.3"));
    }
}
