//! The tools that have names of their own.

use std::ffi::OsStr;
use std::path::Path;

/// The program, by one of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tool {
    /// All of the others as subcommands, and more.
    Lxkns,
    /// All namespaces in a flat table.
    Lsallns,
    /// The tree of user namespaces.
    Lsuns,
    /// The tree of PID namespaces.
    Lspidns,
    /// The tree of processes within PID namespaces.
    Pidtree,
    /// The capabilities that a process has in a namespace.
    Nscaps,
    /// The lxkns wire format.
    Dumpns,
}

impl Tool {
    /// All names.
    pub const ALL: [Tool; 7] = [
        Tool::Lxkns,
        Tool::Lsallns,
        Tool::Lsuns,
        Tool::Lspidns,
        Tool::Pidtree,
        Tool::Nscaps,
        Tool::Dumpns,
    ];

    /// The tool for the name by which a process was started (`argv[0]`): that of a link to the
    /// program. By any other name it is `lxkns`.
    pub(crate) fn called(name: Option<&OsStr>) -> Tool {
        let file = name.and_then(|name| Path::new(name).file_name());
        let mut tools = Tool::ALL.into_iter();
        tools.find(|tool| file == Some(OsStr::new(tool.name()))).unwrap_or(Tool::Lxkns)
    }

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Lxkns => "lxkns",
            Tool::Lsallns => "lsallns",
            Tool::Lsuns => "lsuns",
            Tool::Lspidns => "lspidns",
            Tool::Pidtree => "pidtree",
            Tool::Nscaps => "nscaps",
            Tool::Dumpns => "dumpns",
        }
    }
}
