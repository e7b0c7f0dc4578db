//! Login names, from the `/etc/passwd` of the scanner's own mount namespace.
//!
//! Not through the name service: that may load libraries, ask the network, and is not there at all
//! in a static program.

use std::collections::HashMap;

use lxkns_model::Text;
use lxkns_ops::foreign;
use lxkns_species::Uid;

use crate::file::PATIENCE;
use crate::procfs::number;

/// Whoever has more users than fit has them in a directory service.
const LIMIT: usize = 16 * 1024 * 1024;

/// The login names by UID; empty if there is no such file, or it does not answer.
pub(crate) fn names() -> HashMap<Uid, Text> {
    let text = foreign::read("/etc/passwd", LIMIT, PATIENCE);
    parse(&text.unwrap_or_default())
}

pub(crate) fn parse(text: &[u8]) -> HashMap<Uid, Text> {
    let mut names = HashMap::new();
    for line in text.split(|&byte| byte == b'\n') {
        // name:password:uid:…; the first line for a UID counts, as in getpwuid(3).
        let mut fields = line.split(|&byte| byte == b':');
        let (name, uid) = (fields.next(), fields.nth(1));
        if let (Some(name), Some(uid)) = (name, uid.and_then(number)) {
            names.entry(Uid(uid)).or_insert_with(|| Text::from(name));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_uid_counts() {
        let names = parse(b"root:x:0:0:root:/:/bin/sh\n+\ntoor:x:0:0::/:\njo:x:1000\nbad:x:y:\n");
        assert_eq!(names.get(&Uid(0)), Some(&Text::from("root")));
        assert_eq!(names.get(&Uid(1000)), Some(&Text::from("jo")));
        assert_eq!(names.len(), 2);
    }
}
