//! Which theme is in force.

use std::convert::Infallible;
use std::env;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::named_files;
use crate::render::theme::{self, Theme};
use crate::render::theme_file;

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
///
/// A theme is decoration: where the file is faulty, there is a warning, and things look as if there
/// were none.
pub(crate) fn in_force(choice: Option<&ThemeChoice>) -> Theme {
    match choice {
        Some(ThemeChoice::Dark) => theme::DARK,
        Some(ThemeChoice::Light) => theme::LIGHT,
        Some(ThemeChoice::File(path)) => parsed(path, named_files::read(path)),
        None => configured()
            .and_then(|path| Some(parsed(&path, named_files::read_if_regular(&path)?)))
            .unwrap_or(theme::DARK),
    }
}

/// See the XDG Base Directory Specification: a relative path counts as unset.
fn configured() -> Option<PathBuf> {
    let directory = |name| {
        let path = PathBuf::from(env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let config = directory("XDG_CONFIG_HOME")
        .or_else(|| directory("HOME").map(|home| home.join(".config")))?;
    Some(config.join("lxkns/theme.toml"))
}

fn parsed(path: &Path, content: anyhow::Result<Vec<u8>>) -> Theme {
    let theme = content.and_then(|content| {
        let content = String::from_utf8_lossy(&content);
        theme_file::read(&content).map_err(|fault| {
            let path = named_files::shown(path);
            anyhow::anyhow!("theme {path}, line {}: {}", fault.line, fault.text)
        })
    });
    theme.unwrap_or_else(|error| {
        tracing::warn!("{error:#}; using the built-in dark theme");
        theme::DARK
    })
}
