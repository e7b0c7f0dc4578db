//! Login names and home directories, from the `/etc/passwd` of the scanner's own mount namespace.
//!
//! Not through the name service: that may load libraries, ask the network, and is not there at all
//! in a static program.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use lxkns_model::Text;
use lxkns_ops::foreign;
use lxkns_species::Uid;

use crate::procfs::number;
use crate::timeouts::PATIENCE;

/// Limit of the file's size: more users than fit are in a directory service.
const LIMIT: usize = 16 * 1024 * 1024;

/// The login names by UID; empty if there is no such file, or it does not answer.
pub(crate) fn names() -> HashMap<Uid, Text> {
    let text = foreign::read("/etc/passwd", LIMIT, PATIENCE).unwrap_or_default();
    parse(whole_lines(&text, LIMIT))
}

/// The home directories by UID, likewise.
pub(crate) fn homes() -> HashMap<Uid, PathBuf> {
    let text = foreign::read("/etc/passwd", LIMIT, PATIENCE).unwrap_or_default();
    // name:password:uid:gid:comment:home:shell
    fields(whole_lines(&text, LIMIT), |fields| fields.get(5).map(|home| path(home)))
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// What was read up to a limit, but for a line that the limit cut: of its UID, digits may be
/// missing.
fn whole_lines(text: &[u8], limit: usize) -> &[u8] {
    let end = text.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
    if text.len() < limit { text } else { text.get(..end).unwrap_or_default() }
}

pub(crate) fn parse(text: &[u8]) -> HashMap<Uid, Text> {
    fields(text, |fields| fields.first().map(|name| Text::from(*name)))
}

/// A field of each user's line.
fn fields<T>(text: &[u8], field: impl Fn(&[&[u8]]) -> Option<T>) -> HashMap<Uid, T> {
    let mut found = HashMap::new();
    for line in text.split(|&byte| byte == b'\n') {
        // The first line for a UID counts, as in getpwuid(3).
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b':').collect();
        let uid = fields.get(2).copied().and_then(number);
        if let (Some(uid), Some(value)) = (uid, field(&fields)) {
            found.entry(Uid(uid)).or_insert(value);
        }
    }
    found
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

    #[test]
    fn a_line_cut_short_names_nobody() {
        let text = b"root:x:0:0::/:\njo:x:1000:1000::/:\n";
        for limit in 1..text.len() {
            let names = parse(whole_lines(text.get(..limit).unwrap(), limit));
            let right = names.iter().all(|(uid, _)| [Uid(0), Uid(1000)].contains(uid));
            assert!(right, "{limit}: {names:?}");
        }
        // The last line of a file that ends without a newline is whole.
        assert_eq!(parse(whole_lines(b"jo:x:1000", 100)).len(), 1);
    }
}
