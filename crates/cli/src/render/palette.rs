//! Which style each role has: decided once, plain unless somebody asks for colour.

use owo_colors::Style;

use super::role::Role;
use super::theme::Theme;

/// A style for every role.
#[derive(Clone, Debug)]
pub(crate) struct Palette {
    theme: Option<Theme>,
}

impl Palette {
    /// No colours, no attributes: for pipes, and for whoever does not want any.
    pub(crate) const PLAIN: Palette = Palette { theme: None };

    pub(crate) fn of(theme: Theme) -> Palette {
        Palette { theme: Some(theme) }
    }

    pub(crate) fn style(&self, role: Role) -> Style {
        match &self.theme {
            Some(theme) => theme.style(role),
            None => Style::new(),
        }
    }
}
