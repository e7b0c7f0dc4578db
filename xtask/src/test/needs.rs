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
    /// Whether an ordinary user has it as well.
    for_anybody: bool,
}

const fn need(name: &'static str, for_anybody: bool) -> Need {
    Need { name, for_anybody }
}

const NEEDS: &[Need] = &[
    need("root", false),
    need("userns", true),
    need("timens", true),
    need("bpf", false),
    need("btf", true),
    need("openat2cached", true),
    need("listmount", true),
    need("pidfd_thread", true),
    need("statmount_mnt_by_id", true),
    need("mntns_id", true),
    need("pidns_ioctls", true),
    need("mntns_walk", false),
    need("nsid", true),
    need("nshandles", false),
    need("listns", false),
];

/// What of a list of required needs an ordinary user can be required to have.
pub(crate) fn without_privileges(required: &str) -> String {
    required
        .split(',')
        .filter(|name| {
            NEEDS
                .iter()
                .any(|need| need.name == *name && need.for_anybody)
        })
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
}
