//! The owner of a namespace, and that one's owner, and so on: owner /proc/812/ns/net

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use lxkns::NamespaceFd;
use lxkns::ops::Error;

fn main() -> Result<(), Error> {
    let path = std::env::args_os().nth(1).unwrap_or_else(|| "/proc/self/ns/net".into());
    let mut namespace = NamespaceFd::at_path(path)?;
    loop {
        println!("{}", namespace.id());
        namespace = match namespace.owner() {
            Ok(owner) => owner,
            Err(error) if error.is_denied() || error.is_none() => return Ok(()),
            Err(error) => return Err(error),
        };
    }
}
