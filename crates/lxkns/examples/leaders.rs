//! All namespaces, and the process that leads each.

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use lxkns::{Error, Options, discover};

fn main() -> Result<(), Error> {
    for namespace in discover(&Options::everything())?.namespaces() {
        let doubt = if namespace.leaders_uncertain() { "?" } else { "" };
        match namespace.senior_leader() {
            Some(leader) => println!("{} is led by {}{doubt}", namespace.id(), leader.pid()),
            None => println!("{} has no process", namespace.id()),
        }
    }
    Ok(())
}
