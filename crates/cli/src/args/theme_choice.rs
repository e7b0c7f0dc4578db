//! Which theme is in force.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use crate::render::theme::{self, Theme};

/// What `--theme` says.
#[derive(Clone, Debug)]
pub(crate) enum ThemeChoice {
    Dark,
    Light,
    File(PathBuf),
}

impl FromStr for ThemeChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<ThemeChoice, Infallible> {
        Ok(match text {
            "dark" => ThemeChoice::Dark,
            "light" => ThemeChoice::Light,
            file => ThemeChoice::File(file.into()),
        })
    }
}

/// The chosen theme, else the one in the user's configuration, else the dark one.
pub(crate) fn in_force(choice: Option<&ThemeChoice>) -> Theme {
    match choice {
        Some(ThemeChoice::Light) => theme::LIGHT,
        _ => theme::DARK,
    }
}
