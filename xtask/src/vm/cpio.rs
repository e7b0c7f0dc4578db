//! Writing the archive that a kernel unpacks as its first root file system: cpio in the "newc"
//! format, uncompressed, since unpacking in an emulator takes longer than reading.
//!
//! The format is described in Documentation/driver-api/early-userspace/buffer-format.rst of the
//! kernel. Everything belongs to root and has no time.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// An archive being written.
pub(super) struct Archive<W: Write> {
    to: W,
    entries: u32,
}

impl Archive<BufWriter<File>> {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self::new(BufWriter::new(File::create(path)?)))
    }
}

impl<W: Write> Archive<W> {
    fn new(to: W) -> Self {
        Self { to, entries: 0 }
    }

    pub(super) fn folder(&mut self, name: &str) -> io::Result<()> {
        self.header(name, FOLDER | 0o755, 0, (0, 0))
    }

    pub(super) fn character_device(&mut self, name: &str, device: (u32, u32)) -> io::Result<()> {
        self.header(name, CHARACTER_DEVICE | 0o600, 0, device)
    }

    pub(super) fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let size = u32::try_from(content.len()).map_err(io::Error::other)?;
        self.header(name, FILE | mode, size, (0, 0))?;
        self.to.write_all(content)?;
        self.pad(content.len())
    }

    /// Adds a folder of this machine as `name`, with everything in it.
    pub(super) fn tree(&mut self, name: &str, from: &Path) -> io::Result<()> {
        self.folder(name)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let name = format!("{name}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                self.tree(&name, &entry.path())?;
            } else {
                let mode = entry.metadata()?.permissions().mode() & 0o777;
                self.file(&name, mode, &fs::read(entry.path())?)?;
            }
        }
        Ok(())
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.header("TRAILER!!!", 0, 0, (0, 0))?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn header(&mut self, name: &str, mode: u32, size: u32, device: (u32, u32)) -> io::Result<()> {
        self.entries += 1;
        let name_size = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
        let (inode, links, owner, group, time) = (self.entries, 1, 0, 0, 0);
        let (on_device, checksum) = ((0, 0), 0);
        write!(self.to, "070701")?;
        for field in [
            inode,
            mode,
            owner,
            group,
            links,
            time,
            size,
            on_device.0,
            on_device.1,
            device.0,
            device.1,
            name_size,
            checksum,
        ] {
            write!(self.to, "{field:08X}")?;
        }
        write!(self.to, "{name}\0")?;
        self.pad(6 + 13 * 8 + name.len() + 1)
    }

    /// Fills up to a multiple of four bytes.
    fn pad(&mut self, length: usize) -> io::Result<()> {
        let missing = length.next_multiple_of(4) - length;
        self.to.write_all([0; 3].get(..missing).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_headers_padding_and_a_trailer() {
        let mut archive = Archive::new(Vec::new());
        archive.folder("dev").unwrap();
        archive.character_device("dev/console", (5, 1)).unwrap();
        archive.file("x", 0o644, b"hello").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            [
                "070701\
                 00000001000041ED000000000000000000000001000000000000000000000000\
                 00000000000000000000000000000004\
                 00000000dev\0\0\0",
                "070701\
                 0000000200002180000000000000000000000001000000000000000000000000\
                 0000000000000005000000010000000C\
                 00000000dev/console\0\0\0",
                "070701\
                 00000003000081A4000000000000000000000001000000000000000500000000\
                 00000000000000000000000000000002\
                 00000000x\0hello\0\0\0",
                "070701\
                 0000000400000000000000000000000000000001000000000000000000000000\
                 0000000000000000000000000000000B\
                 00000000TRAILER!!!\0\0\0\0",
            ]
            .concat()
        );
    }
}
