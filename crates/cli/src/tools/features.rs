//! `lxkns features`: what this kernel and these privileges allow.

use std::io;

use lxkns_discover::Tier;
use lxkns_discover::features::{self, Feature, Privilege, Support};
use serde::Serialize;

use super::Run;
use crate::args::noise::Volume;
use crate::args::{Noise, Show};
use crate::document;
use crate::render::columns::{self, Column};
use crate::render::line::Line;
use crate::render::role::Role;
use crate::render::screen::Screen;
use crate::view::View;

/// What `lxkns features` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Features {
    /// Print JSON: an object with "features", "tier", "bpf" and "privileges"
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    noise: Noise,
}

impl Run for Features {
    fn volume(&self) -> Volume {
        self.noise.volume()
    }

    fn show(&self) -> Option<&Show> {
        Some(&self.show)
    }

    fn run(self) -> anyhow::Result<View> {
        let found = Found {
            features: Feature::ALL.map(|feature| (feature, feature.supported())),
            tier: Tier::ALL.into_iter().rfind(|tier| tier.is_supported()).unwrap_or(Tier::Proc),
            bpf: features::bpf(),
            privileges: features::privileges(),
        };
        if self.json {
            document::object(&FoundDoc::from(&found))?;
        } else {
            self.show.on_stdout(|screen| found.write(screen))?;
        }
        Ok(View::of_nothing())
    }
}

/// All that was found out.
struct Found {
    features: [(Feature, Support); Feature::ALL.len()],
    tier: Tier,
    bpf: Result<(), String>,
    privileges: [Privilege; 7],
}

impl Found {
    fn write(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let rows = self.features.iter().map(|(feature, support)| {
            let role = match support {
                Support::Supported => Role::Plain,
                Support::Unsupported | Support::Unknown(_) => Role::Unknown,
            };
            [
                cell(Role::Plain, feature.name()),
                cell(Role::Plain, feature.since()),
                cell(role, support),
                cell(Role::Plain, feature.needs()),
            ]
        });
        table(screen, ["FEATURE", "SINCE", "HERE", "NEEDS"], rows)?;
        writeln!(screen.out)?;
        let rows = self.privileges.iter().map(|privilege| {
            let (role, held) =
                if privilege.held { (Role::Plain, "yes") } else { (Role::Unknown, "no") };
            [
                cell(Role::Plain, privilege.capability),
                cell(role, held),
                cell(Role::Plain, privilege.shows),
            ]
        });
        table(screen, ["PRIVILEGE", "HELD", "SHOWS"], rows)?;
        writeln!(screen.out)?;
        writeln!(screen.out, "tier: {}", self.tier.name())?;
        match &self.bpf {
            Ok(()) => writeln!(screen.out, "bpf: yes"),
            Err(why) => writeln!(screen.out, "bpf: no, {why}"),
        }
    }
}

fn cell(role: Role, text: impl std::fmt::Display) -> Line {
    let mut line = Line::default();
    line.push(role, text);
    line
}

fn table<const N: usize>(
    screen: &mut Screen<'_>,
    headings: [&'static str; N],
    rows: impl Iterator<Item = [Line; N]>,
) -> io::Result<()> {
    let columns = headings.map(|heading| Column {
        heading,
        right: false,
        // What it is for may be cut; what it is may not.
        least: (headings.last() == Some(&heading)).then_some(heading.len()),
        spare: false,
    });
    let rows = rows.map(Vec::from);
    columns::write(screen.out, &screen.palette, &columns, rows, true, screen.width)
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct FoundDoc<'f> {
    features: Vec<FeatureDoc>,
    tier: &'static str,
    bpf: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_no_bpf: Option<&'f str>,
    privileges: Vec<PrivilegeDoc>,
}

#[derive(Serialize)]
struct FeatureDoc {
    name: &'static str,
    since: &'static str,
    here: String,
    needs: &'static str,
}

#[derive(Serialize)]
struct PrivilegeDoc {
    capability: String,
    held: bool,
    shows: &'static str,
}

impl<'f> From<&'f Found> for FoundDoc<'f> {
    fn from(found: &'f Found) -> FoundDoc<'f> {
        let features = found.features.iter().map(|(feature, support)| FeatureDoc {
            name: feature.name(),
            since: feature.since(),
            here: support.to_string(),
            needs: feature.needs(),
        });
        let privileges = found.privileges.iter().map(|privilege| PrivilegeDoc {
            capability: privilege.capability.to_string(),
            held: privilege.held,
            shows: privilege.shows,
        });
        FoundDoc {
            features: features.collect(),
            tier: found.tier.name(),
            bpf: found.bpf.is_ok(),
            why_no_bpf: found.bpf.as_ref().err().map(String::as_str),
            privileges: privileges.collect(),
        }
    }
}
