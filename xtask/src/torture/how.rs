//! How to torture: options of `cargo xtask torture`, which its virtual machine is told again.

use std::process::Command;

use clap::Args;

/// How to torture.
#[derive(Args, Debug)]
pub(crate) struct How {
    /// How long
    #[arg(long, value_name = "NUMBER", default_value_t = 10.0)]
    pub(super) minutes: f64,
    /// At this tier only: proc, mounts, ids, listns [default: at all, in turns]
    #[arg(long)]
    tier: Option<String>,
    /// What the neighbours do follows from this number [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// How many families of neighbours [default: 3]
    #[arg(long, value_name = "NUMBER")]
    neighbours: Option<u8>,
}

impl How {
    /// Tells the test, which is run by this command.
    pub(crate) fn apply<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("LXKNS_TORTURE_MINUTES", self.minutes.to_string());
        if let Some(tier) = &self.tier {
            command.env("LXKNS_TORTURE_TIER", tier);
        }
        if let Some(seed) = self.seed {
            command.env("LXKNS_TORTURE_SEED", seed.to_string());
        }
        if let Some(neighbours) = self.neighbours {
            command.env("LXKNS_TORTURE_NEIGHBOURS", neighbours.to_string());
        }
        command
    }

    /// The same as arguments, for the machine's init.
    pub(super) fn arguments(&self) -> String {
        let mut arguments = format!("--minutes {}", self.minutes);
        if let Some(tier) = &self.tier {
            arguments += &format!(" --tier {tier}");
        }
        if let Some(seed) = self.seed {
            arguments += &format!(" --seed {seed}");
        }
        if let Some(neighbours) = self.neighbours {
            arguments += &format!(" --neighbours {neighbours}");
        }
        arguments
    }
}
