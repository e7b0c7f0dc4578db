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

use anyhow::{Context, Result, bail, ensure};
use lxkns_cli::Tool;

use crate::generate::{COMPLETIONS, MAN};
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
    println!("dist: {:>9} bytes  bin/lxkns", bytes.len());
    let bin = stage.join("bin");
    put(&program, &bin.join("lxkns"), 0o755)?;
    link(&bin)?;
    for (from, to) in documents(workspace)? {
        put(&workspace.root().join(from), &stage.join(to), 0o644)?;
    }
    let archive = dist.join(format!("{name}.tar.gz"));
    pack(&dist, &name, &archive)?;
    println!("dist: {:>9} bytes  {}", fs::metadata(&archive)?.len(), archive.display());
    fs::remove_dir_all(&stage)?;
    if deb {
        // Where the manifest of the tools looks for them.
        let links = built.join("links");
        if links.exists() {
            fs::remove_dir_all(&links)?;
        }
        fs::create_dir(&links)?;
        link(&links)?;
        pack_for_debian(workspace, &dist)?;
    }
    Ok(())
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
        .env("RUSTFLAGS", STATIC_LINKAGE)
        .status()
        .context("cannot start cargo build")?;
    ensure!(status.success(), "cargo build failed ({status})");
    let target = workspace.target_folder()?;
    Ok(target.join(STATIC_TARGET).join("release"))
}

/// Everything but programs: where it is in the workspace, and where it goes in the archive.
fn documents(workspace: &Workspace) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut documents: Vec<_> =
        DOCUMENTS.map(|name| (name.into(), Path::new("share/doc/lxkns").join(name))).into();
    for folder in [MAN, COMPLETIONS] {
        let absolute = workspace.root().join(folder);
        let entries = fs::read_dir(&absolute)
            .with_context(|| format!("cannot list {folder}; run `cargo xtask gen`"))?;
        for entry in entries {
            let name = entry?.file_name();
            let name = name.to_str().context("a file name that is no UTF-8")?;
            documents.push((Path::new(folder).join(name), place(name)?));
        }
    }
    Ok(documents)
}

/// Where man and the shells look for a generated file.
fn place(name: &str) -> Result<PathBuf> {
    Ok(match name.rsplit_once('.') {
        Some((_, "1")) => Path::new("share/man/man1").join(name),
        Some((tool, "bash")) => Path::new("share/bash-completion/completions").join(tool),
        Some((_, "fish")) => Path::new("share/fish/vendor_completions.d").join(name),
        None if name.starts_with('_') => Path::new("share/zsh/site-functions").join(name),
        _ => bail!("nobody knows where {name} belongs"),
    })
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
    fn everything_has_its_place() {
        let check = |name, expected: &str| assert_eq!(place(name).unwrap(), Path::new(expected));
        check("lsuns.1", "share/man/man1/lsuns.1");
        check("lsuns.bash", "share/bash-completion/completions/lsuns");
        check("_lsuns", "share/zsh/site-functions/_lsuns");
        check("lsuns.fish", "share/fish/vendor_completions.d/lsuns.fish");
        assert!(place("lsuns.txt").is_err());
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
