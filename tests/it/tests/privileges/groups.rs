//! A tool that is run by a member of many groups.

use std::process::Command;

use lxkns_it::gap;
use lxkns_model::{Missing, Reason};
use lxkns_nstest::{need, tool};

/// The more groups a scanner is in, the longer is what the kernel says of it.
#[test]
fn a_scanner_in_many_groups_knows_its_procfs() {
    need!(root, setpriv);
    let groups: Vec<String> =
        (0..500).map(|group| (4_000_000_000_u32 + group).to_string()).collect();
    let output = Command::new("setpriv")
        .args(["--groups", &groups.join(",")])
        .arg(tool("lxkns").get_program())
        .arg("snapshot")
        .output()
        .unwrap();
    let snapshot = lxkns_model::wire::read(&output.stdout).unwrap();
    assert_eq!(gap(&snapshot, Missing::LiveFacts, Reason::ForeignProc), None);
}
