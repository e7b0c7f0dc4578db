//! Where a tool's output goes, and what that place is capable of.

use std::io;

use super::palette::Palette;

/// Standard output, or whatever stands in for it.
pub(crate) struct Screen<'o> {
    pub(crate) out: &'o mut dyn io::Write,
    pub(crate) palette: Palette,
    /// The columns of the terminal; `None` where lines may be of any length.
    pub(crate) width: Option<usize>,
}
