//! `lxkns completions`: the scripts by which shells complete our command lines.

use std::io::{self, Write as _};

use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::Run;
use crate::Tool;
use crate::args::Show;
use crate::args::noise::Volume;
use crate::view::View;

/// What `lxkns completions` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

impl Run for Completions {
    fn volume(&self) -> Volume {
        Volume::Normal
    }

    fn show(&self) -> Option<&Show> {
        None
    }

    fn run(self) -> anyhow::Result<View> {
        let mut out = io::stdout().lock();
        self.shell.write_script(&mut out)?;
        out.flush()?;
        Ok(View::of_nothing())
    }
}

/// The environment variable by which the scripts ask.
pub(crate) const VARIABLE: &str = "LXKNS_COMPLETE";

/// A shell that can complete the command lines of lxkns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// bash, 4.4 and later
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

impl Shell {
    /// All shells.
    pub const ALL: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

    /// Writes the script by which the shell completes the command lines of lxkns and its links.
    ///
    /// The shell may read it when it starts, or when a command is completed for the first time.
    ///
    /// # Errors
    ///
    /// Only those of `out`.
    pub fn write_script(self, out: &mut dyn io::Write) -> io::Result<()> {
        let names = Tool::ALL.map(Tool::name);
        if self == Shell::Zsh {
            // A file among zsh's functions says in its first line what it is for.
            writeln!(out, "#compdef {}", names.join(" "))?;
        }
        for name in names {
            self.completer().write_registration(VARIABLE, name, name, name, out)?;
        }
        if self == Shell::Zsh {
            // Read as a function, it was called to complete.
            writeln!(out, "[[ $funcstack[1] != _lxkns ]] || _clap_dynamic_completer_${{service}}")?;
        }
        Ok(())
    }

    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Shell::Bash => &Bash,
            Shell::Zsh => &Zsh,
            Shell::Fish => &Fish,
        }
    }
}
