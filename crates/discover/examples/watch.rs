//! Watches in which namespaces a process is, until it ends.
//!
//! ```sh
//! cargo run --package lxkns-discover --example watch 812
//! ```
//!
//! Only what is needed is looked for, the processes: this is cheap enough for every second.

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use std::error::Error;

use lxkns_discover::{Options, discover};
use lxkns_model::{Joined, Part};
use lxkns_ops::pidfd;
use lxkns_species::{NamespaceType, Pid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const INTERVAL: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args_os().nth(1).ok_or("which process?")?;
    let pid = Pid(argument.to_string_lossy().parse()?);
    // As long as this is open, the number cannot become another process's unnoticed.
    let process = pidfd::of_process(pid)?;
    let options = Options::nothing().with(Part::Processes);
    let mut before = Joined::default();
    loop {
        let snapshot = discover(&options)?;
        if let Some(now) = snapshot.process(pid).map(|process| process.joined()) {
            for namespace_type in NamespaceType::ALL {
                match now.get(namespace_type) {
                    Some(id) if before.get(namespace_type) != Some(id) => println!("in {id}"),
                    _ => {}
                }
            }
            before = *now;
        }
        // Its end is what makes a pidfd readable.
        if poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&INTERVAL))? > 0 {
            println!("ended");
            return Ok(());
        }
    }
}
