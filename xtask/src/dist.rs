//! `cargo xtask dist`: the archive that is published, for any Linux of this architecture.
//!
//! The programs are linked statically and so run on whatever distribution there is. With `--deb`
//! cargo-deb packs the very same programs for Debian and its relatives. The archive is laid out
//! like `/usr/local`, where it can be unpacked with `--strip-components=1`. It is packed by the
//! system's tar, which every machine that can build has; nothing in it depends on when, where and
//! by whom it was packed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use lxkns_cli::{Shell, Tool, man_pages};

use crate::test::build::{STATIC_LINKAGE, STATIC_TARGET};
use crate::workspace::{Workspace, need_plugin};

const DOCUMENTS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// Builds and packs, and prints how large everything is.
pub(crate) fn run(workspace: &Workspace, deb: bool) -> Result<()> {
    if deb {
        need_plugin(workspace, "deb")?;
    }
    let built = build(workspace)?;
    let version =
        lxkns_cli::command(Tool::Lxkns).get_version().context("lxkns has no version")?.to_owned();
    let name = format!("lxkns-{version}-{STATIC_TARGET}");
    let dist = workspace.root().join("dist");
    let stage = dist.join(&name);
    if stage.exists() {
        fs::remove_dir_all(&stage)?;
    }
    let program = built.join("lxkns");
    let bytes =
        fs::read(&program).with_context(|| format!("cargo has not built {}", program.display()))?;
    ensure!(is_static(&bytes), "lxkns is not linked statically");
    for (folder, _) in folders_of_builder(workspace)? {
        let folder = folder.to_string_lossy().into_owned();
        let mut windows = bytes.windows(folder.len().max(1));
        ensure!(windows.all(|at| at != folder.as_bytes()), "lxkns has {folder} in it");
    }
    println!("dist: {:>9} bytes  bin/lxkns", bytes.len());
    let bin = stage.join("bin");
    put(&program, &bin.join("lxkns"), 0o755)?;
    link(&bin)?;
    for name in DOCUMENTS {
        put(&workspace.root().join(name), &stage.join("share/doc/lxkns").join(name), 0o644)?;
    }
    write_shared(&stage.join("share"))?;
    let archive = dist.join(format!("{name}.tar.gz"));
    pack(&dist, &name, &archive)?;
    println!("dist: {:>9} bytes  {}", fs::metadata(&archive)?.len(), archive.display());
    fs::remove_dir_all(&stage)?;
    if deb {
        // Where the manifest of the tools looks for them.
        for folder in ["links", "share"].map(|name| built.join(name)) {
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
        }
        let links = built.join("links");
        fs::create_dir(&links)?;
        link(&links)?;
        write_shared(&built.join("share"))?;
        pack_for_debian(workspace, &dist)?;
    }
    write_checksums(&dist)
}

/// Creates the links by which the tools are commands of their own, to lxkns in the same folder.
fn link(folder: &Path) -> Result<()> {
    for tool in Tool::ALL.into_iter().filter(|tool| *tool != Tool::Lxkns) {
        symlink("lxkns", folder.join(tool.name()))
            .with_context(|| format!("cannot create a link in {}", folder.display()))?;
    }
    Ok(())
}

/// The package's contents stand in the manifest of the tools.
fn pack_for_debian(workspace: &Workspace, dist: &Path) -> Result<()> {
    let output = workspace
        .cargo()
        .args(["deb", "--package", "lxkns-cli", "--no-build", "--no-strip"])
        .args(["--target", STATIC_TARGET, "--output"])
        .arg(dist)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo deb")?;
    ensure!(output.status.success(), "cargo deb failed ({})", output.status);
    let package = String::from_utf8_lossy(&output.stdout);
    let package = workspace.root().join(package.trim());
    println!("dist: {:>9} bytes  {}", fs::metadata(&package)?.len(), package.display());
    Ok(())
}

/// Returns the folder with the programs.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let status = workspace
        .cargo()
        .args(["build", "--release", "--locked", "--package", "lxkns-cli"])
        .args(["--bins", "--target", STATIC_TARGET])
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&folders_of_builder(workspace)?))
        .status()
        .context("cannot start cargo build")?;
    ensure!(status.success(), "cargo build failed ({status})");
    let target = workspace.target_folder()?;
    Ok(target.join(STATIC_TARGET).join("release"))
}

/// For `sha256sum --check`.
fn write_checksums(dist: &Path) -> Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dist)? {
        let name = entry?.file_name();
        let name = name.to_str().context("a file name that is no UTF-8")?;
        if name.ends_with(".tar.gz") || name.ends_with(".deb") {
            names.push(name.to_owned());
        }
    }
    names.sort();
    let output = Command::new("sha256sum").args(&names).current_dir(dist).output();
    let output = output.context("cannot start sha256sum")?;
    ensure!(output.status.success(), "sha256sum failed ({})", output.status);
    fs::write(dist.join("SHA256SUMS"), output.stdout).context("cannot write SHA256SUMS")
}

/// The builder's folders, and their names in the program, which does not tell where it was built.
fn folders_of_builder(workspace: &Workspace) -> Result<Vec<(PathBuf, &'static str)>> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    let cargo = cargo.context("neither CARGO_HOME nor HOME is set")?;
    Ok(vec![(workspace.root().to_owned(), "lxkns"), (cargo, "cargo")])
}

/// Flags of rustc as cargo wants them, so that folders may have blanks in their names.
fn flags(folders: &[(PathBuf, &str)]) -> String {
    let linkage = STATIC_LINKAGE.split(' ').map(str::to_owned);
    let remap = |(folder, name): &(PathBuf, &str)| {
        format!("--remap-path-prefix={}={name}", folder.display())
    };
    let flags: Vec<String> = linkage.chain(folders.iter().map(remap)).collect();
    flags.join("\x1f")
}

/// Writes the manual pages and completions, in folders where man and the shells look for them.
fn write_shared(share: &Path) -> Result<()> {
    for (name, page) in man_pages().context("cannot render the manual pages")? {
        write(&share.join("man/man1").join(name), page.as_bytes())?;
    }
    for shell in Shell::ALL {
        let mut script = Vec::new();
        shell.write_script(&mut script)?;
        // Bash and fish read the file that has the name of the command; it serves all commands.
        let (folder, name) = match shell {
            Shell::Bash => ("bash-completion/completions", "lxkns"),
            Shell::Zsh => ("zsh/site-functions", "_lxkns"),
            Shell::Fish => ("fish/vendor_completions.d", "lxkns.fish"),
        };
        let file = share.join(folder).join(name);
        write(&file, &script)?;
        let links = Tool::ALL.into_iter().filter(|tool| *tool != Tool::Lxkns).map(Tool::name);
        for link in links.filter(|_| shell != Shell::Zsh) {
            let link = file.with_file_name(name.replace("lxkns", link));
            symlink(name, &link).with_context(|| format!("cannot create {}", link.display()))?;
        }
    }
    Ok(())
}

fn write(to: &Path, content: &[u8]) -> Result<()> {
    let folder = to.parent().context("a file without a folder")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(to, content))
        .and_then(|()| fs::set_permissions(to, Permissions::from_mode(0o644)))
        .with_context(|| format!("cannot write {}", to.display()))
}

fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let folder = to.parent().context("a file without a folder")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(from, to))
        .and_then(|_| fs::set_permissions(to, Permissions::from_mode(mode)))
        .with_context(|| format!("cannot copy {}", from.display()))
}

fn pack(folder: &Path, name: &str, archive: &Path) -> Result<()> {
    let status = Command::new("tar")
        .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mtime=@0", "--mode=go=rX", "--use-compress-program=gzip -n9"])
        .arg("--create")
        .arg("--file")
        .arg(archive)
        .arg("--directory")
        .arg(folder)
        .arg(name)
        .status()
        .context("cannot start tar")?;
    ensure!(status.success(), "tar failed ({status})");
    Ok(())
}

/// Whether a 64-bit ELF program needs no interpreter, which would load its libraries.
fn is_static(program: &[u8]) -> bool {
    const PT_INTERP: usize = 3;
    let number = |at: usize, size: usize| {
        let bytes = program.get(at..at.checked_add(size)?)?;
        let digits = bytes.iter().rev().map(|byte| u64::from(*byte));
        usize::try_from(digits.fold(0, |number, digit| (number << 8) | digit)).ok()
    };
    let header = || {
        let is_elf64 = program.get(..6)? == b"\x7fELF\x02\x01";
        let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        is_elf64.then_some((table, size, count))
    };
    header().is_some_and(|(table, size, count)| {
        (0..count).all(|index| {
            let kind = number(table + index * size, 4);
            kind.is_some_and(|kind| kind != PT_INTERP)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_and_completions() {
        let share = tempfile::tempdir().unwrap();
        write_shared(share.path()).unwrap();
        let has = |path: String| share.path().join(path).is_file();
        for name in Tool::ALL.map(Tool::name) {
            assert!(has(format!("man/man1/{name}.1")));
            assert!(has(format!("bash-completion/completions/{name}")));
            assert!(has(format!("fish/vendor_completions.d/{name}.fish")));
        }
        assert!(has("man/man1/lxkns-pid.1".to_owned()));
        assert!(has("zsh/site-functions/_lxkns".to_owned()));
    }

    #[test]
    fn an_interpreter_is_found() {
        let program = |kinds: &[u8]| {
            let mut program = b"\x7fELF\x02\x01".to_vec();
            program.resize(64, 0);
            program[32] = 64;
            program[54] = 56;
            program[56] = u8::try_from(kinds.len()).unwrap();
            for kind in kinds {
                program.push(*kind);
                program.resize(program.len() + 55, 0);
            }
            program
        };
        assert!(is_static(&program(&[1, 2])));
        assert!(!is_static(&program(&[1, 3, 2])));
        assert!(!is_static(&program(&[1, 2])[..100]));
        assert!(!is_static(b"#!/bin/sh"));
        // The tests themselves are linked as usual, or as in the virtual machines.
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(is_static(&own), cfg!(target_feature = "crt-static"));
    }
}
