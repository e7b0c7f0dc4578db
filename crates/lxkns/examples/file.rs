//! Writes a snapshot to a file, or reads it if the file exists: file snapshot.json

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;

use lxkns::{Options, discover, wire};

fn main() -> Result<(), Box<dyn Error>> {
    let path: PathBuf = std::env::args_os().nth(1).ok_or("which file?")?.into();
    if path.exists() {
        let snapshot = wire::read(&fs::read(&path)?)?;
        println!("{} namespaces", snapshot.namespaces().len());
    } else {
        let snapshot = discover(&Options::everything())?;
        wire::snapshot::write(&snapshot, File::create(&path)?, wire::Layout::Compact)?;
    }
    Ok(())
}
