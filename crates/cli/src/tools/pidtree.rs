//! `pidtree`: the process tree, with the PID namespaces in which it nests.

mod forest;
mod placement;

use lxkns_discover::Options;
use lxkns_model::{Part, Snapshot};
use lxkns_species::{NamespaceType, NamespaceTypes};

use self::forest::{Branch, Tree};
use super::Run;
use crate::args::noise::Volume;
use crate::args::{Look, Noise, PidArg, Show, Trees};
use crate::document;
use crate::render::tree;
use crate::view::View;

/// What `pidtree` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Pidtree {
    #[command(flatten)]
    pid: PidArg,

    /// Print JSON: PID namespaces and processes with their children
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    trees: Trees,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    noise: Noise,
}

impl Run for Pidtree {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        Some(&self.show)
    }

    fn run(self) -> anyhow::Result<View> {
        let snapshot = self.look.snapshot(self.options())?;
        let process = self.pid.find(&snapshot, self.look.is_live())?;
        let labels = self.show.labels();
        match process {
            Some(process) => {
                let mut branch = Branch::of(process, &snapshot, labels);
                let roots = branch.roots();
                self.write(&mut branch, roots, &snapshot)?;
            }
            None => {
                let mut forest = Tree::of(&snapshot, labels);
                let roots = forest.roots();
                self.write(&mut forest, roots, &snapshot)?;
            }
        }
        Ok(self.look.view(snapshot))
    }
}

impl Pidtree {
    fn options(&self) -> Options {
        // Owners are needed for who created them only.
        let types = NamespaceTypes::of([NamespaceType::Pid, NamespaceType::User]);
        let mut options = Options::everything().types(types);
        if !self.json {
            options = options.without(Part::Credentials);
        }
        if !self.json && !self.show.needs_cmdline() {
            options = options.without(Part::Cmdline);
        }
        options
    }

    fn write<F: tree::Forest>(
        &self,
        forest: &mut F,
        roots: Vec<F::Node>,
        snapshot: &Snapshot,
    ) -> std::io::Result<()> {
        if self.json {
            return document::tree(forest, roots, snapshot);
        }
        self.show.on_stdout(|screen| tree::write(forest, roots, self.trees.style, screen))
    }
}
