//! File capabilities, see capabilities(7): what a program may do, whoever executes it.

use std::io;
use std::path::Path;

use lxkns_species::Capabilities;
use rustix::fs::XattrFlags;

/// `VFS_CAP_REVISION_2`, and that the capabilities are to be in effect: linux/capability.h.
const MAGIC: u32 = 0x0200_0001;

/// Gives a program exactly these capabilities, and has them in effect.
///
/// # Errors
///
/// Where the caller may not, or the file system has no room for it.
pub fn give_capabilities(program: &Path, capabilities: Capabilities) -> io::Result<()> {
    let bits = capabilities.bits();
    let (low, high) = (bits as u32, (bits >> 32) as u32);
    // Permitted and inheritable, the lower halves first.
    let words = [MAGIC, low, 0, high, 0].map(u32::to_le_bytes);
    rustix::fs::setxattr(
        program,
        "security.capability",
        words.as_flattened(),
        XattrFlags::empty(),
    )?;
    Ok(())
}
