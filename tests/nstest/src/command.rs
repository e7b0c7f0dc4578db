//! A program with its arguments and environment, as execve(2) takes them.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use crate::tool::in_path;

/// What to execute. Owns its strings; the pointer lists are made beforehand, because the child that
/// needs them cannot allocate.
pub(crate) struct Executable {
    path: CString,
    _texts: Vec<CString>,
    arguments: PointerList,
    environment: PointerList,
}

impl Executable {
    /// The program of a command, searched in PATH here, and the environment of this process with
    /// the command's changes.
    pub(crate) fn of(command: &Command) -> Executable {
        let program = command.get_program();
        let path = match in_path(program) {
            Some(path) if !program.as_bytes().contains(&b'/') => path.into_os_string(),
            _ => program.to_owned(),
        };
        let mut variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => variables.insert(name.to_owned(), value.to_owned()),
                None => variables.remove(name),
            };
        }
        let arguments: Vec<CString> =
            std::iter::once(program).chain(command.get_args()).map(c_text).collect();
        let environment: Vec<CString> = variables
            .iter()
            .map(|(name, value)| {
                c_text(
                    &[name.as_os_str(), OsStr::new("="), value.as_os_str()]
                        .into_iter()
                        .collect::<OsString>(),
                )
            })
            .collect();
        Executable {
            path: c_text(&path),
            arguments: PointerList::of(&arguments),
            environment: PointerList::of(&environment),
            _texts: arguments.into_iter().chain(environment).collect(),
        }
    }

    pub(crate) fn path(&self) -> &CStr {
        &self.path
    }

    /// The addresses of the arguments, closed by 0.
    pub(crate) fn arguments(&self) -> &[usize] {
        &self.arguments.0
    }

    /// The addresses of the `NAME=value` texts, closed by 0.
    pub(crate) fn environment(&self) -> &[usize] {
        &self.environment.0
    }
}

impl std::fmt::Debug for Executable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.path, f)
    }
}

/// Addresses of strings, closed by 0. Moving a `CString` does not move its bytes.
struct PointerList(Vec<usize>);

impl PointerList {
    fn of(texts: &[CString]) -> PointerList {
        PointerList(texts.iter().map(|text| text.as_ptr().addr()).chain([0]).collect())
    }
}

/// Foreign text as a C string.
pub(crate) fn c_text(text: &OsStr) -> CString {
    match CString::new(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("{text:?} holds a NUL byte"),
    }
}
