//! Asks a namespace who owns it, and that one, and so on.
//!
//! ```sh
//! cargo run --package lxkns-ops --example ask /proc/self/ns/net
//! ```

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use lxkns_ops::{Error, NamespaceFd};

fn main() -> Result<(), Error> {
    let path = std::env::args_os().nth(1);
    let mut namespace = NamespaceFd::at_path(path.unwrap_or_else(|| "/proc/self/ns/net".into()))?;
    loop {
        println!("{}", namespace.id());
        if let Ok(id) = namespace.unique_id() {
            println!("    has the id {id}, for as long as the machine is up");
        }
        if let Ok(creator) = namespace.creator() {
            println!("    was created by UID {creator}");
        }
        match namespace.owner() {
            Ok(owner) => {
                println!("    is owned by {}", owner.id());
                namespace = owner;
            }
            // The kernel gives one answer for "none" and "none of your business".
            Err(error) if error.is_denied() || error.is_none() => {
                println!("    has no owner that we may see");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
}
