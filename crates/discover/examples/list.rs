//! The namespaces of some types, who owns and who holds them, and what could not be seen.
//!
//! ```sh
//! cargo run --package lxkns-discover --example list net mnt
//! ```

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use std::error::Error;

use lxkns_discover::{Options, discover};
use lxkns_model::Namespace;
use lxkns_species::{NamespaceType, NamespaceTypes};

fn main() -> Result<(), Box<dyn Error>> {
    let names = std::env::args_os().skip(1);
    let types = names.map(|name| name.to_string_lossy().parse());
    let types = match types.collect::<Result<Vec<NamespaceType>, _>>()? {
        types if types.is_empty() => NamespaceTypes::ALL,
        types => NamespaceTypes::of(types),
    };
    let snapshot = discover(&Options::everything().types(types))?;
    // Owners are in the snapshot whatever their type, as hidden ones at least.
    let wanted = |namespace: &Namespace<'_>| types.contains(namespace.namespace_type());
    for namespace in snapshot.namespaces().filter(wanted) {
        println!("{}", namespace.id());
        match namespace.owner() {
            Some(owner) => println!("    is owned by {}", owner.id()),
            // Of a user namespace it is the parent.
            None => println!("    has the parent {:?}", namespace.parent().map(Namespace::id)),
        }
        for leader in namespace.leaders() {
            // `Text` is anybody's: it is shown with everything escaped that a terminal obeys.
            println!("    is led by process {} {:?}", leader.pid(), leader.comm());
        }
        for holder in namespace.holders() {
            println!("    is held by {holder:?}");
        }
    }
    for gap in snapshot.gaps() {
        println!("not seen: {} × {} ({})", gap.count, gap.what, gap.why);
    }
    Ok(())
}
