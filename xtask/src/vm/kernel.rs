//! Which kernels there are, read from the names of Debian's packages, and what is where in these.
//!
//! Names and layout have moved over the years: from 6.19 on the image has a package of its own,
//! from 7.2 on so have the modules, and the image is among the modules. So both are looked up.

/// A kernel that the index offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kernel {
    /// As asked for: `6.1`.
    pub(super) series: String,
    /// As in the names of its packages: `6.1.0-50`.
    pub(super) release: String,
    /// The packages that there are of it.
    packages: Vec<String>,
}

/// A file that is wanted of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What is booted.
    Image,
    /// A module, by its path below the kernel's own folder.
    Module(&'static str),
}

/// The modules that tests need: tun devices, which can hold a network namespace, and file servers.
pub(super) const MODULES: [Part; 2] =
    [Part::Module("drivers/net/tun.ko"), Part::Module("fs/fuse/fuse.ko")];

/// What is left of a package's name behind its kind; other flavours are for other machines.
const FLAVOUR: &str = "-cloud-amd64";
const KINDS: [&str; 3] = ["linux-image-", "linux-binary-", "linux-modules-"];

impl Kernel {
    /// How the running kernel calls itself: uname's release.
    pub(super) fn full_release(&self) -> String {
        format!("{}{FLAVOUR}", self.release)
    }

    /// The package with a part.
    pub(super) fn package_with(&self, part: Part) -> Option<&str> {
        let prefix = match part {
            Part::Image => "linux-binary-",
            Part::Module(_) => "linux-modules-",
        };
        let of = |prefix: &str| self.packages.iter().find(|package| package.starts_with(prefix));
        of(prefix).or_else(|| of("linux-image-")).map(String::as_str)
    }
}

impl Part {
    /// What the names of such files begin with.
    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Image => "vmlinuz",
            Self::Module(path) => path.rsplit('/').next().unwrap_or(path),
        }
    }

    /// Finds the part in what `dpkg-deb --contents` says of its package.
    pub(super) fn find_in(self, listing: &str) -> Option<&str> {
        listing.lines().filter_map(|line| line.split_whitespace().last()).find(
            |member| match self {
                Self::Image => {
                    member.starts_with("./boot/vmlinuz-")
                        || (member.starts_with("./usr/lib/modules/")
                            && member.ends_with("/vmlinuz"))
                }
                Self::Module(path) => {
                    let member = member.strip_suffix(".xz").unwrap_or(member);
                    member.strip_suffix(path).is_some_and(|folder| folder.ends_with('/'))
                }
            },
        )
    }
}

/// The newest release of every series among the names of packages, from old to new.
pub(super) fn newest<'a>(packages: impl IntoIterator<Item = &'a str>) -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    for package in packages {
        let Some(release) = release_of(package) else {
            continue;
        };
        if let Some(known) = kernels.iter_mut().find(|kernel| kernel.release == release) {
            known.packages.push(package.to_owned());
        } else if let [major, minor, ..] = numbers(release).as_slice() {
            kernels.push(Kernel {
                series: format!("{major}.{minor}"),
                release: release.to_owned(),
                packages: vec![package.to_owned()],
            });
        }
    }
    kernels.retain(|kernel| kernel.package_with(Part::Image).is_some());
    kernels.sort_by_cached_key(|kernel| numbers(&kernel.release));
    kernels.reverse();
    kernels.dedup_by(|older, newer| older.series == newer.series);
    kernels.reverse();
    kernels
}

/// Reads `linux-image-6.1.0-50-cloud-amd64` and the like.
fn release_of(package: &str) -> Option<&str> {
    let rest = KINDS.into_iter().find_map(|kind| package.strip_prefix(kind))?;
    let release = rest.strip_suffix(FLAVOUR)?;
    release.starts_with(|c: char| c.is_ascii_digit()).then_some(release)
}

/// The numbers in a release, by which releases are ordered.
pub(super) fn numbers(release: &str) -> Vec<u64> {
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
impl Kernel {
    pub(super) fn of_series(series: &str) -> Self {
        Self { series: series.to_owned(), release: series.to_owned(), packages: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_series_is_taken() {
        let kernels = newest([
            "linux-image-6.12.117+deb13-cloud-amd64",
            "linux-image-6.12.95+deb12-cloud-amd64",
            "linux-image-7.3.4+deb13-cloud-amd64",
            "linux-binary-7.3.4+deb13-cloud-amd64",
            "linux-modules-7.3.4+deb13-cloud-amd64",
            "linux-binary-unsigned-7.3.4+deb13-cloud-amd64",
            "linux-image-5.10.0-9-cloud-amd64",
            "linux-image-5.10.0-32-cloud-amd64",
            "linux-image-5.10.0-32-cloud-amd64-dbg",
            "linux-image-5.10.0-32-cloud-amd64-unsigned",
            "linux-image-6.1.0-50-amd64",
            "linux-modules-6.5.0-cloud-amd64",
            "linux-image-cloud-amd64",
        ]);
        let found: Vec<_> = kernels
            .iter()
            .map(|k| (&*k.series, k.package_with(Part::Image), k.package_with(MODULES[0])))
            .collect();
        let old = Some("linux-image-5.10.0-32-cloud-amd64");
        let middle = Some("linux-image-6.12.117+deb13-cloud-amd64");
        let binary = Some("linux-binary-7.3.4+deb13-cloud-amd64");
        let modules = Some("linux-modules-7.3.4+deb13-cloud-amd64");
        assert_eq!(found, [("5.10", old, old), ("6.12", middle, middle), ("7.3", binary, modules)]);
        assert_eq!(kernels[0].full_release(), "5.10.0-32-cloud-amd64");
    }

    #[test]
    fn parts_are_found_where_they_have_moved() {
        let old = "drwxr-xr-x root/root 0 2026-07-02 13:50 ./boot/\n\
                   -rw-r--r-- root/root 1 2026-07-02 13:50 ./boot/config-6.1.0-50\n\
                   -rw-r--r-- root/root 9 2026-07-02 13:50 ./boot/vmlinuz-6.1.0-50\n\
                   -rw-r--r-- root/root 9 2026-07-02 13:50 ./lib/modules/6.1/drivers/net/tun.ko\n";
        assert_eq!(Part::Image.find_in(old), Some("./boot/vmlinuz-6.1.0-50"));
        assert_eq!(MODULES[0].find_in(old), Some("./lib/modules/6.1/drivers/net/tun.ko"));
        let new = "-rw-r--r-- root/root 9 2026-11-15 22:30 ./usr/lib/modules/7.3.4/vmlinuz\n\
                   -rw-r--r-- root/root 9 2026-11-15 22:30 ./usr/lib/modules/7.3.4/drivers/net/tun.ko.xz\n";
        assert_eq!(Part::Image.find_in(new), Some("./usr/lib/modules/7.3.4/vmlinuz"));
        assert_eq!(MODULES[0].find_in(new), Some("./usr/lib/modules/7.3.4/drivers/net/tun.ko.xz"));
        assert_eq!(Part::Image.find_in(""), None);
    }
}
