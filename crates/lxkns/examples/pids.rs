//! The network namespaces of this machine, with the PIDs of their processes.

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use lxkns::{Error, NamespaceType, Options, discover};

fn main() -> Result<(), Error> {
    let snapshot = discover(&Options::everything())?;
    for net in snapshot.namespaces_of(NamespaceType::Net) {
        let pids: Vec<_> = net.processes().map(|process| process.pid().0).collect();
        println!("{}: {pids:?}", net.id());
    }
    Ok(())
}
