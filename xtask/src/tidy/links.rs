//! The rule for Markdown files: a relative link leads to a file that is there.

use std::path::{Component, Path, PathBuf};

use super::Finding;

/// Checks the links of one file; `exists` tells of a path from the root of the workspace.
pub(super) fn check(path: &Path, text: &str, exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    let mut in_code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(&without_code(line)) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains(':') {
                continue;
            }
            match normalised(&folder.join(file)) {
                Some(file) if exists(&file) => {}
                Some(_) => {
                    findings.push(Finding::new(
                        path,
                        number + 1,
                        format!("no such file: {target}"),
                    ));
                }
                None => {
                    let what = format!("a link out of the workspace: {target}");
                    findings.push(Finding::new(path, number + 1, what));
                }
            }
        }
    }
    findings
}

/// The line without its `inline code`.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// What the links of a line lead to: `[text](target)`, `[text](target "title")`, `[label]: target`.
fn targets(line: &str) -> Vec<String> {
    let mut targets: Vec<String> = line
        .split("](")
        .skip(1)
        .filter_map(|tail| tail.split([')', ' ']).next())
        .map(|target| target.trim_matches(['<', '>']).to_owned())
        .collect();
    if line.starts_with('[')
        && let Some((_, target)) = line.split_once("]:")
    {
        targets.extend(target.split_whitespace().next().map(str::to_owned));
    }
    targets
}

/// The path without `.` and `..`, `None` when it leads out of where it started.
fn normalised(path: &Path) -> Option<PathBuf> {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !result.pop() {
                    return None;
                }
            }
            Component::Normal(name) => result.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_links_are_found() {
        let text = "\
[good](model.md), [dead](gone.md#x), [up](../README.md \"title\")
[out](../../x), [web](https://example.org/x.md), [here](#anchor), `[code](no.md)`
```
[code](no.md)
```
[label]: ../gone.md
";
        let there = |path: &Path| {
            ["docs/model.md", "README.md"]
                .iter()
                .any(|p| path == Path::new(p))
        };
        let found: Vec<_> = check(Path::new("docs/index.md"), text, there)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "docs/index.md:1: error: no such file: gone.md#x",
                "docs/index.md:2: error: a link out of the workspace: ../../x",
                "docs/index.md:6: error: no such file: ../gone.md",
            ]
        );
    }
}
