//! Lists the network devices that a process sees, by entering its network namespace.
//!
//! ```sh
//! sudo cargo run --package lxkns-ops --example enter 812
//! ```

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use std::error::Error;
use std::fs;

use lxkns_ops::{NamespaceFd, enter};
use lxkns_species::{NamespaceType, Pid};

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args_os().nth(1).ok_or("which process?")?;
    let pid = Pid(argument.to_string_lossy().parse()?);
    let net = NamespaceFd::of_process(pid, NamespaceType::Net)?;
    // The closure runs on a thread of its own, so `thread-self` it must be. The thread ends with
    // it; this one stays where it is.
    let devices = enter::run(&[&net], || fs::read_to_string("/proc/thread-self/net/dev"))??;
    println!("in {}:", net.id());
    let names = devices.lines().filter_map(|line| line.split_once(':'));
    for (name, _) in names {
        println!("    {}", name.trim());
    }
    Ok(())
}
