//! `/proc/PID/cgroup`, see cgroups(7).

/// The cgroup path that tells most about a process.
///
/// A process is in one cgroup of the unified hierarchy (v2), or in one of each v1 hierarchy, or
/// both. The first of these that is not the root counts: the v1 hierarchy of the `cpu` controller,
/// which container engines use; the unified one; systemd's own; any other. If all are the root, so
/// is the answer.
///
/// The unified hierarchy comes before systemd's own: a supervisor in a container may have a tree of
/// its own in the latter (`/payload`), while the former names the container.
pub(crate) fn parse(text: &[u8]) -> Option<&[u8]> {
    let mut best: Option<(u8, &[u8])> = None;
    for line in text.split(|&byte| byte == b'\n') {
        // hierarchy:controllers:path, and the path may hold colons.
        let mut parts = line.splitn(3, |&byte| byte == b':');
        let (Some(hierarchy), Some(controllers), Some(path)) =
            (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let rank = match (path, hierarchy, controllers) {
            (path, ..) if is_root(path) => 4,
            (_, _, controllers) if controllers.split(|&byte| byte == b',').any(|c| c == b"cpu") => {
                0
            }
            (_, b"0", b"") => 1,
            (_, _, b"name=systemd") => 2,
            _ => 3,
        };
        if best.is_none_or(|(best, _)| rank < best) {
            best = Some((rank, path));
        }
    }
    best.map(|(_, path)| path)
}

/// Whether a path names nothing below the root: `/`, or only ways out of the reader's own cgroup
/// namespace, as in `/../..`.
fn is_root(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/').all(|part| matches!(part, b"" | b".."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_path_that_tells_most_is_taken() {
        let check = |text: &str, path: Option<&str>| {
            assert_eq!(parse(text.as_bytes()), path.map(str::as_bytes), "{text:?}");
        };
        check("0::/system.slice/x.service\n", Some("/system.slice/x.service"));
        check("0::/odd:path::with:colons\n", Some("/odd:path::with:colons"));
        check("0::/\n", Some("/"));
        check(
            "12:pids:/a\n4:cpu,cpuacct:/docker/1f\n1:name=systemd:/b\n0::/c\n",
            Some("/docker/1f"),
        );
        check("4:cpuacct:/x\n4:cpu:/\n1:name=systemd:/b\n0::/c\n", Some("/c"));
        check("4:cpu:/\n1:name=systemd:/b\n0::/\n", Some("/b"));
        // A machine inside of a container.
        check("1:name=systemd:/payload\n0::/docker/1f\n", Some("/docker/1f"));
        // Outside of the reader's cgroup namespace.
        check("1:name=systemd:/..\n0::/\n2:pids:/x\n", Some("/x"));
        check("4:cpu:/../..\n0::/../c\n", Some("/../c"));
        check("0::/..\n", Some("/.."));
        check("3:cpuset:/x\n0::/c\n", Some("/c"));
        check("3:cpuset:/x\n", Some("/x"));
        check("", None);
        check("nonsense", None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
