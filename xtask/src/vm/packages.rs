//! The kernels: Debian's cloud images, found and fetched through apt.
//!
//! Apt runs on a state of its own below the target folder, so that the suites of other releases
//! are nothing that this machine would ever install from. Which packages there are, only the index
//! says: their names change with every update, and with the layout of the archive.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::kernel::{self, Kernel, Part};

/// The suites that have kernels, from old to new.
const SUITES: &[&str] =
    &["bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports"];

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The files of a kernel.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) image: PathBuf,
    /// The packages of modules are not kept for as long as the others.
    pub(super) modules: Vec<PathBuf>,
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
        let output = packages.apt("apt-get").args(["--quiet", "update"]).output()?;
        if !output.status.success() {
            // A suite that is gone, or no network at all: what is missing will be missed by name.
            let text = String::from_utf8_lossy(&output.stderr);
            println!("vm: the index is incomplete: {}", text.trim());
        }
        Ok(packages)
    }

    /// The newest kernel of each series, from old to new.
    pub(super) fn kernels(&self) -> Result<Vec<Kernel>> {
        let output = self.apt("apt-cache").args(["pkgnames", "linux-"]).output()?;
        ensure!(output.status.success(), "apt-cache pkgnames failed ({})", output.status);
        Ok(kernel::newest(String::from_utf8_lossy(&output.stdout).lines()))
    }

    /// The files of a kernel, fetched and unpacked unless they are there already.
    pub(super) fn fetch(&self, kernel: &Kernel) -> Result<Files> {
        let folder = self.folder.join("kernels").join(kernel.full_release());
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let image = self
            .fetch_part(kernel, Part::Image, &folder)
            .with_context(|| format!("no image of the kernel {}", kernel.release))?;
        let mut modules = Vec::new();
        for part in kernel::MODULES {
            match self.fetch_part(kernel, part, &folder) {
                Ok(module) => modules.push(module),
                Err(error) => println!("vm: {}: no {}: {error:#}", kernel.series, part.file_name()),
            }
        }
        Ok(Files { image, modules })
    }

    fn fetch_part(&self, kernel: &Kernel, part: Part, folder: &Path) -> Result<PathBuf> {
        // How the file will be called, only its package knows.
        if let Some(file) = find(folder, part.file_name())? {
            return Ok(file);
        }
        let package = kernel.package_with(part).context("the index has no package with it")?;
        let deb = self.deb(package)?;
        let listing = Command::new("dpkg-deb").arg("--contents").arg(&deb).output()?;
        ensure!(listing.status.success(), "dpkg-deb failed ({})", listing.status);
        let listing = String::from_utf8_lossy(&listing.stdout);
        let member = part.find_in(&listing).with_context(|| format!("{package} is without it"))?;
        let name = Path::new(member).file_name().context("a member without a name")?;
        let file = folder.join(name);
        unpack(&deb, member, &file).with_context(|| format!("cannot unpack {package}"))?;
        Ok(file)
    }

    /// The package as a file, fetched unless it is there already.
    fn deb(&self, package: &str) -> Result<PathBuf> {
        let folder = self.folder.join("debs");
        let prefix = format!("{package}_");
        if let Some(deb) = find(&folder, &prefix)? {
            return Ok(deb);
        }
        let output = self
            .apt("apt-get")
            .args(["--quiet", "download", package])
            .current_dir(&folder)
            .output()?;
        ensure!(
            output.status.success(),
            "cannot fetch {package}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        find(&folder, &prefix)?.with_context(|| format!("apt-get has not fetched {package}"))
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

/// The file in a folder whose name starts with `prefix`.
fn find(folder: &Path, prefix: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Writes a member of a package to a file.
fn unpack(deb: &Path, member: &str, to: &Path) -> Result<()> {
    let mut archive =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(deb).stdout(Stdio::piped()).spawn()?;
    let from = archive.stdout.take().context("no pipe to dpkg-deb")?;
    // Under its own name only when it is complete.
    let unfinished = to.with_file_name("unfinished");
    let tar = Command::new("tar")
        .args(["-xO", member])
        .stdin(from)
        .stdout(File::create(&unfinished)?)
        .status()?;
    // It gets a broken pipe when tar has all it wants, so its own status says nothing.
    archive.wait()?;
    ensure!(tar.success(), "tar failed ({tar})");
    Ok(fs::rename(unfinished, to)?)
}
