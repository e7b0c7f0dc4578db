//! `lxkns links`: the tools that are subcommands, by their own names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::{Run, refuse_with_privileges};
use crate::Tool;
use crate::args::Show;
use crate::args::noise::Volume;
use crate::render::escape::quoted;
use crate::view::View;

/// What `lxkns links` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Links {
    /// The folder to create the links in
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    folder: PathBuf,
}

impl Run for Links {
    fn volume(&self) -> Volume {
        Volume::Normal
    }

    fn show(&self) -> Option<&Show> {
        None
    }

    fn run(self) -> anyhow::Result<View> {
        // A user must not create files with the privileges of lxkns.
        refuse_with_privileges("links")?;
        let folder = fs::canonicalize(&self.folder)
            .with_context(|| format!("cannot create links in {}", shown(&self.folder)))?;
        let target = target(&folder)?;
        let is_there = |link: &PathBuf| fs::read_link(link).is_ok_and(|it| it == target);
        let names = Tool::ALL.into_iter().filter(|tool| *tool != Tool::Lxkns).map(Tool::name);
        let links = names.map(|name| folder.join(name)).filter(|link| !is_there(link));
        let missing: Vec<PathBuf> = links.collect();
        // All or none.
        for link in &missing {
            let is_free = fs::symlink_metadata(link).is_err();
            ensure!(
                is_free,
                "{} is there already: remove it, or choose another folder",
                shown(link)
            );
        }
        for link in &missing {
            symlink(&target, link).with_context(|| format!("cannot create {}", shown(link)))?;
        }
        Ok(View::of_nothing())
    }
}

/// The target of links in a folder: this program, by its name alone if it is in that folder.
fn target(folder: &Path) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()
        .and_then(fs::canonicalize)
        .context("cannot find out where this program is")?;
    match (program.parent(), program.file_name()) {
        (Some(parent), Some(name)) if parent == folder => Ok(name.into()),
        _ => Ok(program),
    }
}

fn shown(path: &Path) -> String {
    quoted(path.as_os_str().as_encoded_bytes()).to_string()
}
