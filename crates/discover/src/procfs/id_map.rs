//! `/proc/PID/uid_map` and `gid_map`, see user_namespaces(7).

use lxkns_model::IdMapping;

use super::number;

/// Parses the lines of a map; what is none is left out.
pub(crate) fn parse(text: &[u8]) -> Vec<IdMapping> {
    let lines = text.split(|&byte| byte == b'\n');
    lines
        .filter_map(|line| {
            let mut numbers =
                line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(number);
            let mut next = || numbers.next().flatten();
            Some(IdMapping { inside: next()?, outside: next()?, count: next()? })
        })
        .collect()
}
