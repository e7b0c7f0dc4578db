//! What a test may need of a kernel or of its user, by the names that tests use for it.
//!
//! A test that lacks something skips itself, loudly. Where the need must be met, a skip would hide
//! that something is not tested any longer: there the need goes into [`REQUIRE`], and the test
//! fails instead. This table knows where a need must be met; whether it is met in fact, only the
//! tests find out, by trying.

/// The environment variable with the needs, separated by commas, that must not be skipped.
pub(crate) const REQUIRE: &str = "LXKNS_REQUIRE";

struct Need {
    name: &'static str,
    /// The first kernel that has it.
    since: (u64, u64),
    /// Whether an ordinary user has it as well.
    for_anybody: bool,
}

const fn need(name: &'static str, since: (u64, u64), for_anybody: bool) -> Need {
    Need { name, since, for_anybody }
}

/// For Debian's kernels in the virtual machines of `cargo xtask vm`. Needs that are not here may be
/// skipped anywhere.
const NEEDS: &[Need] = &[
    need("root", (0, 0), false),
    need("fuse", (0, 0), false),
    need("initpidns", (0, 0), true),
    need("userns", (3, 8), true),
    need("timens", (5, 6), true),
    need("bpf", (5, 8), false),
    need("btf", (5, 8), true),
    need("setuid", (0, 0), false),
    need("filecaps", (0, 0), false),
    need("openat2cached", (5, 12), true),
    need("listmount", (6, 8), true),
    need("pidfd_thread", (6, 9), true),
    need("mntns_id", (6, 11), true),
    need("pidns_ioctls", (6, 11), true),
    need("mntns_walk", (6, 12), false),
    need("nsid", (6, 18), true),
    need("nshandles", (6, 18), false),
    need("listns", (6, 19), false),
];

/// The needs that a kernel of this release must meet for root.
pub(crate) fn since(release: &str) -> String {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let mut number = || numbers.next().and_then(Result::ok).unwrap_or(0);
    let version = (number(), number());
    let met = NEEDS.iter().filter(|need| need.since <= version);
    met.map(|need| need.name).collect::<Vec<_>>().join(",")
}

/// What of a list of required needs an ordinary user can be required to have.
pub(crate) fn without_privileges(required: &str) -> String {
    required
        .split(',')
        .filter(|name| NEEDS.iter().any(|need| need.name == *name && need.for_anybody))
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_user_is_not_required_to_be_root() {
        assert_eq!(without_privileges("root,userns,bpf,nsid"), "userns,nsid");
        assert_eq!(without_privileges("root"), "");
        assert_eq!(without_privileges(""), "");
    }

    #[test]
    fn a_kernel_must_have_what_came_before_it() {
        assert_eq!(
            since("5.10.0-32-cloud-amd64"),
            "root,fuse,initpidns,userns,timens,bpf,btf,setuid,filecaps"
        );
        assert!(since("6.9.1").ends_with(",openat2cached,listmount,pidfd_thread"));
        assert!(since("7.3.4+deb13-cloud-amd64").ends_with(",listns"));
        assert_eq!(since(""), "root,fuse,initpidns,setuid,filecaps");
    }

    #[test]
    fn tests_know_the_needs_by_these_names() {
        let gate = include_str!("../../../tests/nstest/src/need.rs");
        for need in NEEDS {
            let known = format!("(\"{}\", ", need.name);
            assert!(gate.contains(&known), "nstest has no need {:?}", need.name);
        }
    }
}
