//! The rule for what is published: who comes across a crate in a registry finds out what it is.
//!
//! That it can be packaged and built from its package, `cargo xtask package` finds out.

use std::path::Path;

use serde_json::Value;

use super::Finding;

/// The registry takes no more.
const MOST_KEYWORDS: usize = 5;

/// Checks one package of those that `cargo metadata` lists; `exists` tells of a file beside its
/// manifest.
pub(super) fn check(path: &Path, package: &Value, exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    let list = |key: &str| package.get(key).and_then(Value::as_array);
    if list("publish").is_some_and(Vec::is_empty) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut complain = |what: String| findings.push(Finding::new(path, 1, what));
    for key in ["description", "license", "repository", "readme", "rust_version"] {
        let text = package.get(key).and_then(Value::as_str);
        if text.is_none_or(str::is_empty) {
            complain(format!("published without `{key}`"));
        }
    }
    for key in ["keywords", "categories"] {
        match list(key).map_or(0, Vec::len) {
            0 => complain(format!("published without `{key}`")),
            count if count > MOST_KEYWORDS => complain(format!("more than 5 `{key}`")),
            _ => {}
        }
    }
    for file in ["README.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        if !exists(Path::new(file)) {
            complain(format!("published without {file}"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_published_introduces_itself() {
        let mut package = json!({
            "publish": null, "description": "x", "license": "MIT", "repository": "x",
            "readme": "README.md", "rust_version": "1.88", "keywords": ["a"], "categories": ["a"],
        });
        let found = |package: &Value| -> Vec<_> {
            check(Path::new("Cargo.toml"), package, |file| file != Path::new("LICENSE-MIT"))
                .iter()
                .map(|finding| finding.what.clone())
                .collect()
        };
        let licence = "published without LICENSE-MIT";
        assert_eq!(found(&package), [licence]);
        package["readme"] = Value::Null;
        package["keywords"] = json!([1, 2, 3, 4, 5, 6]);
        let expected = ["published without `readme`", "more than 5 `keywords`", licence];
        assert_eq!(found(&package), expected);
        package["publish"] = json!([]);
        assert_eq!(found(&package), [""; 0]);
    }
}
