//! The programs.

/// A program of this crate.
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
    /// All programs.
    pub const ALL: [Tool; 7] = [
        Tool::Lxkns,
        Tool::Lsallns,
        Tool::Lsuns,
        Tool::Lspidns,
        Tool::Pidtree,
        Tool::Nscaps,
        Tool::Dumpns,
    ];

    /// The name of the program.
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
