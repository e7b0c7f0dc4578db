//! No files import in a circle: below each file are those that it builds on, and never itself.
//!
//! An import is a path that begins with `crate`, `self` or `super`, or with a module that such a
//! `use` has brought in, anywhere but in tests and in the arguments of macros. It leads to the file
//! that has the longest part of it as its module path. The root of a crate does not count: it
//! passes on names of all the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use super::Finding;

/// A path from the root of its crate.
type Module = Vec<String>;

/// The files of crates, with what they import.
#[derive(Default)]
pub(super) struct Files {
    /// By the folder of the crate.
    crates: BTreeMap<PathBuf, BTreeMap<Module, File>>,
}

struct File {
    path: PathBuf,
    imports: BTreeSet<Module>,
}

impl Files {
    /// Adds a file, unless it is in no folder `src`, or is no Rust.
    pub(super) fn add(&mut self, path: &Path, source: &str) {
        let Some((folder, module)) = module_of(path) else {
            return;
        };
        if let Ok(file) = syn::parse_file(source) {
            let mut imports = Imports {
                module: module.clone(),
                brought: BTreeMap::new(),
                found: BTreeSet::new(),
            };
            imports.visit_file(&file);
            let file = File { path: path.to_owned(), imports: imports.found };
            self.crates.entry(folder).or_default().insert(module, file);
        }
    }

    /// Names the circles.
    pub(super) fn check(&self) -> Vec<Finding> {
        self.crates.values().flat_map(circles).collect()
    }
}

/// The folder of the crate, and the path of the module that a file is.
fn module_of(path: &Path) -> Option<(PathBuf, Module)> {
    let path = path.with_extension("");
    let names: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let at = names.iter().position(|name| name == "src")?;
    let folder = names.get(..at)?.iter().collect();
    let mut module = names.get(at + 1..)?.to_vec();
    let is_folder = module.last().is_some_and(|name| name == "mod");
    let is_root = matches!(module.as_slice(), [name] if name == "lib" || name == "main");
    if is_folder || is_root {
        module.pop();
    }
    Some((folder, module))
}

/// Collects the imports of a file.
struct Imports {
    /// The module that is being visited.
    module: Module,
    /// The modules of the crate that a `use` has brought in, by their names here.
    brought: BTreeMap<String, Module>,
    found: BTreeSet<Module>,
}

impl Imports {
    fn note(&mut self, path: &[String]) {
        if let Some(module) = self.resolved(path) {
            self.found.insert(module);
        }
    }

    /// Notes what a `use` brings in under a name.
    fn bring(&mut self, path: &[String], name: String) {
        if let Some(module) = self.resolved(path) {
            self.brought.insert(name, module.clone());
            self.found.insert(module);
        }
    }

    /// The path from the root of the crate, unless it leads out of it.
    fn resolved(&self, path: &[String]) -> Option<Module> {
        let (first, after) = path.split_first()?;
        let (mut at, mut rest) = match first.as_str() {
            "crate" => (Module::new(), path),
            "self" | "super" => (self.module.clone(), path),
            name => (self.brought.get(name)?.clone(), after),
        };
        while let Some((first, left)) = rest.split_first() {
            match first.as_str() {
                "crate" | "self" => {}
                "super" => _ = at.pop(),
                _ => break,
            }
            rest = left;
        }
        at.extend_from_slice(rest);
        Some(at)
    }

    /// Each path of a tree like `super::{a, b::c}`.
    fn note_tree(&mut self, tree: &syn::UseTree) {
        let mut left = vec![(Vec::new(), tree)];
        while let Some((mut path, tree)) = left.pop() {
            match tree {
                syn::UseTree::Path(step) => {
                    path.push(step.ident.to_string());
                    left.push((path, &step.tree));
                }
                syn::UseTree::Group(group) => {
                    left.extend(group.items.iter().map(|item| (path.clone(), item)));
                }
                syn::UseTree::Name(name) => {
                    path.push(name.ident.to_string());
                    self.bring(&path, name.ident.to_string());
                }
                syn::UseTree::Rename(name) => {
                    path.push(name.ident.to_string());
                    self.bring(&path, name.rename.to_string());
                }
                _ => self.note(&path),
            }
        }
    }
}

impl<'s> Visit<'s> for Imports {
    fn visit_item_mod(&mut self, module: &'s syn::ItemMod) {
        if module.content.is_none() || is_for_tests(&module.attrs) {
            return;
        }
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'s syn::ItemUse) {
        self.note_tree(&item.tree);
    }

    /// `pub(super)` says who may use a name, and uses none.
    fn visit_visibility(&mut self, _: &'s syn::Visibility) {}

    fn visit_path(&mut self, path: &'s syn::Path) {
        let names: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(&names);
        visit::visit_path(self, path);
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|what| what == "test")
    })
}

/// One finding for each circle of a crate.
fn circles(files: &BTreeMap<Module, File>) -> Vec<Finding> {
    let mut left: BTreeMap<&Module, BTreeSet<&Module>> = (files.iter())
        .map(|(module, file)| {
            let imports = file.imports.iter().filter_map(|import| {
                (1..=import.len()).rev().find_map(|length| {
                    files.get_key_value(import.get(..length)?).map(|(module, _)| module)
                })
            });
            (module, imports.filter(|other| *other != module).collect())
        })
        .collect();
    let mut findings = Vec::new();
    loop {
        remove_ends(&mut left);
        // All that is left leads on to something that is left.
        let Some(start) = left.keys().next().copied() else {
            return findings;
        };
        let mut way = vec![start];
        let mut here = start;
        while let Some(next) = left.get(here).and_then(|imports| imports.first().copied()) {
            if let Some(at) = way.iter().position(|module| *module == next) {
                way.drain(..at);
                break;
            }
            way.push(next);
            here = next;
        }
        let names: Vec<String> = way.iter().map(|module| module.join("::")).collect();
        if let Some(file) = way.first().and_then(|first| files.get(*first)) {
            let what = format!("these files import in a circle: {}", names.join(", "));
            findings.push(Finding::new(&file.path, 1, what));
        }
        way.iter().for_each(|module| _ = left.remove(*module));
    }
}

/// Removes the files that import nothing that is left, until each imports something.
fn remove_ends(left: &mut BTreeMap<&Module, BTreeSet<&Module>>) {
    loop {
        let before = left.len();
        let there: BTreeSet<&Module> = left.keys().copied().collect();
        left.values_mut().for_each(|imports| imports.retain(|module| there.contains(module)));
        left.retain(|_, imports| !imports.is_empty());
        if left.len() == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = Files::default();
        files.iter().for_each(|(path, source)| all.add(Path::new(path), source));
        all.check().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_circle_is_named() {
        let files = [
            ("crates/x/src/lib.rs", "mod a; mod b; pub use a::A;"),
            ("crates/x/src/a.rs", "mod c; use crate::b::{self, B}; use std::fmt;"),
            ("crates/x/src/a/c.rs", "fn f() {}"),
            ("crates/x/src/b/mod.rs", "fn f() -> super::a::c::T { loop {} }"),
        ];
        // Back to what is below the other file, not to that file.
        assert_eq!(check(&files), [] as [&str; 0]);
        let mut files = files.to_vec();
        files.push(("crates/x/src/a/c.rs", "use super::A;"));
        let found = "crates/x/src/a.rs:1: error: these files import in a circle: a, b, a::c";
        assert_eq!(check(&files), [found]);
    }

    #[test]
    fn tests_comments_and_other_crates_are_none() {
        let files = [
            (
                "crates/x/src/a.rs",
                "use self::c::C; // use crate::b;\nconst S: &str = \"crate::b\";",
            ),
            ("crates/x/src/b.rs", "use crate::a::c; #[cfg(test)] mod tests { use super::*; }"),
            ("crates/x/src/a/c.rs", "pub(super) struct C; pub(in crate::b) const D: u8 = 0;"),
            ("crates/y/src/a.rs", "use crate::b;"),
            ("crates/y/tests/b.rs", "use crate::a;"),
        ];
        assert_eq!(check(&files), [] as [&str; 0]);
    }

    #[test]
    fn a_path_may_begin_with_a_module_that_was_brought_in() {
        let files = [
            ("crates/x/src/a.rs", "use crate::{Error, low}; fn f() { low::b::g() }"),
            ("crates/x/src/low/mod.rs", "pub mod b;"),
            ("crates/x/src/low/b.rs", "use crate::a::X;"),
        ];
        assert_eq!(check(&files).len(), 1);
    }

    #[test]
    fn inline_modules_count_as_their_file() {
        let files = [
            ("crates/x/src/a.rs", "mod inner { use super::super::b; }"),
            ("crates/x/src/b.rs", "use super::a::inner::X;"),
        ];
        assert_eq!(check(&files).len(), 1);
    }
}
