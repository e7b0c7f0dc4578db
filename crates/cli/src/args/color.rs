//! Whether to use colours: one decision, made once.

use std::env;

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum When {
    /// on a terminal, unless the environment says otherwise
    Auto,
    /// also on a pipe
    #[value(alias = "on")]
    Always,
    /// never
    #[value(aliases = ["none", "off"])]
    Never,
}

/// What the environment says about colours.
///
/// See <https://no-color.org> and <https://bixense.com/clicolors>.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    no_color: bool,
    clicolor_force: bool,
    clicolor_off: bool,
    dumb: bool,
}

impl Wishes {
    pub(crate) fn of_environment() -> Wishes {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        Wishes {
            no_color: set("NO_COLOR").is_some(),
            clicolor_force: set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            clicolor_off: set("CLICOLOR").is_some_and(|value| value == "0"),
            dumb: set("TERM").is_some_and(|value| value == "dumb"),
        }
    }
}

/// The command line counts most, then NO_COLOR, CLICOLOR_FORCE, CLICOLOR, and last where the output
/// goes.
pub(crate) fn wanted(when: When, wishes: Wishes, terminal: bool) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if wishes.no_color => false,
        When::Auto if wishes.clicolor_force => true,
        When::Auto => terminal && !wishes.clicolor_off && !wishes.dumb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_then_environment_then_terminal() {
        let none = Wishes::default();
        let no_color = Wishes { no_color: true, ..none };
        let force = Wishes { clicolor_force: true, ..none };
        let both = Wishes { clicolor_force: true, ..no_color };
        let off = Wishes { clicolor_off: true, ..none };
        let dumb = Wishes { dumb: true, ..none };
        for wishes in [none, no_color, force, both, off, dumb] {
            assert!(wanted(When::Always, wishes, false), "{wishes:?}");
            assert!(!wanted(When::Never, wishes, true), "{wishes:?}");
        }
        let auto = |wishes| [false, true].map(|terminal| wanted(When::Auto, wishes, terminal));
        assert_eq!(auto(none), [false, true]);
        assert_eq!(auto(no_color), [false, false]);
        assert_eq!(auto(force), [true, true]);
        assert_eq!(auto(both), [false, false]);
        assert_eq!(auto(off), [false, false]);
        assert_eq!(auto(dumb), [false, false]);
    }
}
