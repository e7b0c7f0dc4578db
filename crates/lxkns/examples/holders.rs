//! All that keeps a namespace alive: holders net:4026532281

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use std::error::Error;

use lxkns::{NamespaceId, Options, discover};

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args_os().nth(1).ok_or("which namespace?")?;
    let id: NamespaceId = argument.to_string_lossy().parse()?;
    let snapshot = discover(&Options::everything())?;
    let namespace = snapshot.namespace(id).ok_or("there is no such namespace")?;
    for holder in namespace.held_by() {
        println!("{holder}");
    }
    for gap in snapshot.gaps() {
        println!("not seen: {} × {} ({})", gap.count, gap.what, gap.why);
    }
    Ok(())
}
