//! The PIDs of a process in all PID namespaces that show it: pid 812

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use std::error::Error;

use lxkns::{NamespaceType, Options, discover};

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args_os().nth(1).ok_or("which process?")?;
    let pid = argument.to_string_lossy().parse()?;
    let snapshot = discover(&Options::everything())?;
    let process = snapshot.process(pid).ok_or("there is no such process")?;
    for namespace in snapshot.namespaces_of(NamespaceType::Pid) {
        if let Some(pid) = process.pid_in(namespace.id()) {
            println!("{pid} in {}", namespace.id());
        }
    }
    Ok(())
}
