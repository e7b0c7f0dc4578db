//! How to show it.

use std::io::{self, IsTerminal as _, Write as _};

use terminal_size::{Width, terminal_size_of};

use super::color::{self, When, Wishes};
use super::theme_choice::ThemeChoice;
use crate::render::label::{CgroupPath, Labels, ProcessName};
use crate::render::palette::Palette;
use crate::render::screen::Screen;

/// How a tool shows what it has found out.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "How to show it")]
pub(crate) struct Show {
    /// When to use colours: auto, always (also without a value), never
    ///
    /// "auto" heeds NO_COLOR, CLICOLOR_FORCE and CLICOLOR.
    #[arg(short, long, value_name = "WHEN", value_enum, default_value = "auto")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    #[arg(hide_possible_values = true)]
    color: When,

    /// Colours for a dark or a light background, or as in a theme file
    ///
    /// The default is theme.toml in $XDG_CONFIG_HOME/lxkns or ~/.config/lxkns where it exists, else
    /// dark. To make one's own, start from what --dump-theme prints.
    #[arg(long, value_name = "dark|light|FILE", value_hint = clap::ValueHint::FilePath)]
    theme: Option<ThemeChoice>,

    /// Print the theme in force, as a theme file
    #[arg(long, alias = "dump")]
    pub(crate) dump_theme: bool,

    /// Which name of a process to show: its own, or how its program was called
    #[arg(long = "proc", value_name = "NAME", value_enum, default_value = "name")]
    #[arg(num_args = 0..=1, default_missing_value = "name")]
    process: ProcessName,

    /// Show an icon before each namespace
    #[arg(long)]
    icon: bool,

    /// How to show cgroup paths; short cuts long container ids
    #[arg(long, value_name = "PATH", value_enum, default_value = "full")]
    #[arg(num_args = 0..=1, default_missing_value = "short")]
    cgroup: CgroupPath,

    /// Show all leaders of a namespace, not just the most senior one
    #[arg(long)]
    all_leaders: bool,
}

impl Show {
    /// How to name things.
    pub(crate) fn labels(&self) -> Labels {
        Labels {
            process: self.process,
            cgroup: self.cgroup,
            icons: self.icon,
            all_leaders: self.all_leaders,
        }
    }

    /// Whether command lines are needed for the names of processes.
    pub(crate) fn needs_cmdline(&self) -> bool {
        self.process != ProcessName::Name
    }

    /// Lets a tool write to standard output, in the colours and the width that fit.
    pub(crate) fn on_stdout(
        &self,
        write: impl FnOnce(&mut Screen<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let stdout = io::stdout();
        let colors = color::wanted(self.color, Wishes::of_environment(), stdout.is_terminal());
        let palette = if colors { Palette::of(self.theme()) } else { Palette::PLAIN };
        let width = terminal_size_of(&stdout).map(|(Width(columns), _)| usize::from(columns));
        let mut out = io::BufWriter::new(stdout.lock());
        write(&mut Screen { out: &mut out, palette, width: width.filter(|columns| *columns > 0) })?;
        out.flush()
    }

    /// Prints the theme in force.
    pub(crate) fn print_theme(&self) -> io::Result<()> {
        write!(io::stdout().lock(), "{}", self.theme())
    }

    fn theme(&self) -> crate::render::theme::Theme {
        super::theme_choice::in_force(self.theme.as_ref())
    }
}
