//! How to draw trees.

use crate::render::tree::TreeStyle;

/// For the tools that show trees.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Trees {
    /// What to draw trees with
    #[arg(long = "treestyle", value_name = "STYLE", value_enum, default_value_t)]
    #[arg(help_heading = "How to show it")]
    pub(crate) style: TreeStyle,
}
