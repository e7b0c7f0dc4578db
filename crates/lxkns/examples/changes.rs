//! The namespaces that have come and gone until you press Enter.

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use std::error::Error;

use lxkns::{Diff, Ignore, Options, discover};

fn main() -> Result<(), Box<dyn Error>> {
    let before = discover(&Options::everything())?;
    println!("press Enter");
    std::io::stdin().read_line(&mut String::new())?;
    let after = discover(&Options::everything())?;
    let diff = Diff::between(&before, &after, Ignore::default())?;
    for namespace in diff.removed {
        println!("- {}", namespace.id());
    }
    for namespace in diff.added {
        println!("+ {}", namespace.id());
    }
    Ok(())
}
