//! The kernels: Debian's cloud images, found and fetched through apt.
//!
//! Apt runs on a state of its own below the target folder, so that the suites of other releases
//! are nothing that this machine would ever install from. Which packages there are, only the index
//! says: their names change with every update, and with the layout of the archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The suites that have kernels, from old to new.
const SUITES: &[&str] = &[
    "bullseye",
    "bookworm",
    "bookworm-backports",
    "trixie",
    "trixie-backports",
];

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A kernel that the index offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kernel {
    /// As asked for: `6.1`.
    pub(super) series: String,
    /// As it calls itself, more or less: `6.1.0-50`.
    pub(super) release: String,
    package: String,
}

/// The index of the kernels, and the packages fetched so far.
#[derive(Debug)]
pub(super) struct Packages {
    folder: PathBuf,
}

impl Packages {
    /// Brings the index below `folder` up to date.
    pub(super) fn update(folder: PathBuf) -> Result<Self> {
        let packages = Self { folder };
        for part in ["lists/partial", "cache/archives/partial", "debs"] {
            let part = packages.folder.join(part);
            fs::create_dir_all(&part)
                .with_context(|| format!("cannot make the folder {}", part.display()))?;
        }
        let mirror = mirror()?;
        let sources: String = SUITES
            .iter()
            .map(|suite| format!("deb [arch=amd64 signed-by={KEYRING}] {mirror} {suite} main\n"))
            .collect();
        fs::write(packages.sources(), sources)?;
        let output = packages
            .apt("apt-get")
            .args(["--quiet", "update"])
            .output()?;
        if !output.status.success() {
            // A suite that is gone, or no network at all: what is missing will be missed by name.
            let text = String::from_utf8_lossy(&output.stderr);
            println!("vm: the index is incomplete: {}", text.trim());
        }
        Ok(packages)
    }

    /// The newest kernel of each series, from old to new.
    pub(super) fn kernels(&self) -> Result<Vec<Kernel>> {
        let output = self
            .apt("apt-cache")
            .args(["pkgnames", "linux-"])
            .output()?;
        ensure!(
            output.status.success(),
            "apt-cache pkgnames failed ({})",
            output.status
        );
        Ok(newest(String::from_utf8_lossy(&output.stdout).lines()))
    }

    /// The kernel image, fetched and unpacked unless it is there already.
    pub(super) fn image(&self, kernel: &Kernel) -> Result<PathBuf> {
        let image = self.folder.join(format!("vmlinuz-{}", kernel.release));
        if image.exists() {
            return Ok(image);
        }
        let debs = self.folder.join("debs");
        let output = self
            .apt("apt-get")
            .args(["--quiet", "download", &kernel.package])
            .current_dir(&debs)
            .output()?;
        ensure!(
            output.status.success(),
            "cannot fetch {}: {}",
            kernel.package,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let prefix = format!("{}_", kernel.package);
        let deb = fs::read_dir(&debs)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| {
                path.file_name()
                    .is_some_and(|n| n.to_string_lossy().starts_with(&prefix))
            })
            .with_context(|| format!("apt-get has not fetched {}", kernel.package))?;
        unpack_image(&deb, &image).with_context(|| format!("cannot unpack {}", deb.display()))?;
        fs::remove_file(deb)?;
        Ok(image)
    }

    /// An apt command on the private state.
    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let folder = self.folder.display();
        for option in [
            format!("Dir::State={folder}"),
            format!("Dir::State::Lists={folder}/lists"),
            format!("Dir::State::Status={folder}/status"),
            format!("Dir::Cache={folder}/cache"),
            format!("Dir::Etc::SourceList={}", self.sources().display()),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            "APT::Architecture=amd64".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command.stdin(Stdio::null());
        command
    }

    fn sources(&self) -> PathBuf {
        self.folder.join("sources.list")
    }
}

/// The mirror of Debian that this machine uses.
fn mirror() -> Result<String> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI)"])
        .args(["Identifier: Packages", "Origin: Debian", "Label: Debian"])
        .output()
        .context("the kernels are Debian packages, and there is no apt-get to fetch them")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .next()
        .map(str::to_owned)
        .context("apt knows no mirror of Debian; has `apt-get update` ever run here?")
}

/// Picks the newest release of every series out of the names of packages.
fn newest<'a>(packages: impl IntoIterator<Item = &'a str>) -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = packages.into_iter().filter_map(kernel_of).collect();
    // In one release the package of the bare binary is last, and is what has the image if there.
    kernels.sort_by_cached_key(|kernel| {
        (
            numbers(&kernel.release),
            kernel.package.starts_with("linux-binary-"),
        )
    });
    kernels.reverse();
    kernels.dedup_by(|older, newer| older.series == newer.series);
    kernels.reverse();
    kernels
}

/// Reads `linux-image-6.1.0-50-cloud-amd64`, or since 6.19 `linux-binary-…`.
fn kernel_of(package: &str) -> Option<Kernel> {
    let release = package
        .strip_prefix("linux-image-")
        .or_else(|| package.strip_prefix("linux-binary-"))?
        .strip_suffix("-cloud-amd64")?;
    let series: Vec<String> = numbers(release)
        .iter()
        .take(2)
        .map(u64::to_string)
        .collect();
    (series.len() == 2 && release.starts_with(|c: char| c.is_ascii_digit())).then(|| Kernel {
        series: series.join("."),
        release: release.to_owned(),
        package: package.to_owned(),
    })
}

/// The numbers in a release, by which releases are ordered.
pub(super) fn numbers(release: &str) -> Vec<u64> {
    release
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// Writes the kernel image in a package to a file.
fn unpack_image(deb: &Path, image: &Path) -> Result<()> {
    let listing = Command::new("dpkg-deb")
        .arg("--contents")
        .arg(deb)
        .output()?;
    ensure!(
        listing.status.success(),
        "dpkg-deb failed ({})",
        listing.status
    );
    let listing = String::from_utf8_lossy(&listing.stdout);
    let Some(member) = image_in(&listing) else {
        bail!("there is no kernel image in it")
    };
    let mut archive = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(deb)
        .stdout(Stdio::piped())
        .spawn()?;
    let from = archive.stdout.take().context("no pipe to dpkg-deb")?;
    let unfinished = image.with_extension("part");
    let tar = Command::new("tar")
        .args(["-xO", member])
        .stdin(from)
        .stdout(fs::File::create(&unfinished)?)
        .status()?;
    // It gets a broken pipe when tar has all it wants, so its own status says nothing.
    archive.wait()?;
    ensure!(tar.success(), "tar failed ({tar})");
    fs::rename(unfinished, image)?;
    Ok(())
}

/// The member with the image: `./boot/vmlinuz-…`, since 7.2 `./usr/lib/modules/…/vmlinuz`.
fn image_in(listing: &str) -> Option<&str> {
    listing
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .find(|member| {
            member.starts_with("./boot/vmlinuz-")
                || (member.starts_with("./usr/lib/modules/") && member.ends_with("/vmlinuz"))
        })
}

#[cfg(test)]
impl Kernel {
    pub(super) fn of_series(series: &str) -> Self {
        Self {
            series: series.to_owned(),
            release: series.to_owned(),
            package: String::new(),
        }
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
            "linux-binary-unsigned-7.3.4+deb13-cloud-amd64",
            "linux-image-5.10.0-9-cloud-amd64",
            "linux-image-5.10.0-32-cloud-amd64",
            "linux-image-5.10.0-32-cloud-amd64-dbg",
            "linux-image-5.10.0-32-cloud-amd64-unsigned",
            "linux-image-6.1.0-50-amd64",
            "linux-image-cloud-amd64",
        ]);
        let found: Vec<_> = kernels
            .iter()
            .map(|k| (k.series.as_str(), k.package.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("5.10", "linux-image-5.10.0-32-cloud-amd64"),
                ("6.12", "linux-image-6.12.117+deb13-cloud-amd64"),
                ("7.3", "linux-binary-7.3.4+deb13-cloud-amd64"),
            ]
        );
    }

    #[test]
    fn the_image_is_found_where_it_has_moved() {
        let old = "drwxr-xr-x root/root 0 2026-07-02 13:50 ./boot/\n\
                   -rw-r--r-- root/root 1 2026-07-02 13:50 ./boot/config-6.1.0-50-cloud-amd64\n\
                   -rw-r--r-- root/root 9 2026-07-02 13:50 ./boot/vmlinuz-6.1.0-50-cloud-amd64\n";
        assert_eq!(image_in(old), Some("./boot/vmlinuz-6.1.0-50-cloud-amd64"));
        let new = "-rw-r--r-- root/root 9 2026-11-15 22:30 ./usr/lib/modules/7.3.4/vmlinuz\n";
        assert_eq!(image_in(new), Some("./usr/lib/modules/7.3.4/vmlinuz"));
        assert_eq!(image_in(""), None);
    }
}
