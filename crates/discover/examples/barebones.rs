//! The least there is to write: all namespaces, and who leads them.
//!
//! ```sh
//! cargo run --package lxkns-discover --example barebones
//! ```

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use lxkns_discover::{Error, Options, discover};

fn main() -> Result<(), Error> {
    for namespace in discover(&Options::everything())?.namespaces() {
        match namespace.senior_leader() {
            Some(leader) => println!("{} is led by process {}", namespace.id(), leader.pid()),
            None => println!("{} has no process", namespace.id()),
        }
    }
    Ok(())
}
