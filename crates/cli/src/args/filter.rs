//! Which types of namespaces to show.

use lxkns_species::{NamespaceType, NamespaceTypes};

/// A choice of namespace types.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Filter {
    /// Only these types (comma-separated): mnt/m, cgroup/c, uts/u, ipc/i, user/U, pid/p, net/n,
    /// time/t
    #[arg(short = 'f', long = "filter", value_name = "TYPES", value_delimiter = ',')]
    #[arg(value_parser = parse, help_heading = "What to look at")]
    types: Vec<NamespaceType>,
}

impl Filter {
    pub(crate) fn is_everything(&self) -> bool {
        self.types() == NamespaceTypes::ALL
    }

    /// The chosen types; all where nothing was chosen.
    pub(crate) fn types(&self) -> NamespaceTypes {
        if self.types.is_empty() {
            NamespaceTypes::ALL
        } else {
            NamespaceTypes::of(self.types.iter().copied())
        }
    }
}

fn parse(text: &str) -> Result<NamespaceType, String> {
    NamespaceType::ALL
        .into_iter()
        .find(|namespace_type| text == namespace_type.name() || text == namespace_type.letter())
        .ok_or_else(|| {
            let known = NamespaceType::ALL.map(|known| format!("{known}/{}", known.letter()));
            format!("unknown namespace type; known are {}", known.join(", "))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_names_and_letters() {
        assert_eq!(parse("user"), Ok(NamespaceType::User));
        assert_eq!(parse("U"), Ok(NamespaceType::User));
        assert_eq!(parse("u"), Ok(NamespaceType::Uts));
        for bad in ["", "Net", "mount", "N"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
